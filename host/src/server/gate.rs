//! Decides who may call the server. It checks every request before routing, also that of the
//! websocket.
//!
//! A web page of any origin can make a browser send requests to loopback, and can point its own
//! host name there (DNS rebinding). So the Host must be one of the server's, an Origin must be
//! allowed, and a POST to the API must be JSON, which a page cannot send to another origin without
//! a preflight. The admin API has a token of its own and accepts no page of another origin.
//!
//! A session of the console is one more credential for both, for the server's own pages only.
//!
//! Tokens and secrets are compared by their SHA-256. How long that takes says how the hashes
//! differ, which tells nothing about the token. Wrong tokens are counted, see `guesses.rs`.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderName, Method, Request, StatusCode};
use sha2::{Digest, Sha256};

use super::files::is_files;
use super::guesses::{Caller, Credential, Guesses};
use crate::admin::AdminToken;
use crate::console::{SESSION_PATH, Sessions, is_session, now_ms};
use crate::listen::Endpoint;
use crate::response::{bearer, is_media_type, only};

/// The websocket subprotocol that carries a bearer token, because browsers cannot set headers
/// there: `stowage.bearer.TOKEN`.
const BEARER_PROTOCOL: &str = "stowage.bearer.";
/// The header in which a browser says which pages a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// No Host, more than one, or one that is not the server's.
    #[error("Host: expected exactly one, with an address of this server; allow another with --allow-host")]
    Host,
    /// An Origin that is not allowed.
    #[error("Origin: this origin may not call the API; allow it with --allow-origin")]
    Origin,
    /// A POST whose content is not JSON.
    #[error("Content-Type: expected application/json")]
    ContentType,
    /// No token, or a wrong one.
    #[error("Authorization: expected the server's bearer token")]
    Token,
    /// A page of another origin called the admin API.
    #[error("Origin: no page of another origin may call the admin API")]
    AdminOrigin,
    /// A POST to the admin API that is neither a module nor JSON.
    #[error("Content-Type: expected application/wasm or application/json")]
    AdminContentType,
    /// A request to the admin API without its token.
    #[error("Authorization: expected the admin API's bearer token, which is in the data directory's admin.token")]
    AdminToken,
    /// A page of another origin called the console, or used one of its sessions.
    #[error("Origin: only the server's own pages may use the console and its sessions")]
    ConsoleOrigin,
    /// A POST to the console that is not JSON.
    #[error("Content-Type: expected application/json")]
    ConsoleContentType,
    /// Too many wrong tokens came from this client, so that none is looked at now.
    #[error("Authorization: too many wrong tokens came from this client; try again in {seconds} s")]
    Paused { seconds: u64 },
    /// A session of the console that has ended, or that this server did not begin.
    #[error("Authorization: this session has ended or is of another server; `stowage console` prints a new link")]
    Session,
}

impl Refused {
    /// The HTTP status of the refusal.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Refused::Host => StatusCode::MISDIRECTED_REQUEST,
            Refused::Origin | Refused::AdminOrigin | Refused::ConsoleOrigin => StatusCode::FORBIDDEN,
            Refused::ContentType | Refused::AdminContentType | Refused::ConsoleContentType => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Refused::Token | Refused::AdminToken | Refused::Session => StatusCode::UNAUTHORIZED,
            Refused::Paused { .. } => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// Its name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Refused::Host => "host",
            Refused::Origin | Refused::AdminOrigin | Refused::ConsoleOrigin => "origin",
            Refused::ContentType | Refused::AdminContentType | Refused::ConsoleContentType => "content-type",
            Refused::Token => "token",
            Refused::AdminToken => "admin-token",
            Refused::Session => "session",
            Refused::Paused { .. } => "paused",
        }
    }

    /// Whether the request came from no page, or from one of an allowed origin, so that it may read
    /// the refusal.
    pub(crate) fn is_of_allowed_origin(self) -> bool {
        match self {
            Refused::Token | Refused::Session | Refused::ContentType | Refused::Paused { .. } => true,
            Refused::Host
            | Refused::Origin
            | Refused::AdminOrigin
            | Refused::AdminToken
            | Refused::AdminContentType
            | Refused::ConsoleOrigin
            | Refused::ConsoleContentType => false,
        }
    }
}

/// The rules for requests.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    hosts: Vec<String>,
    origins: Vec<String>,
    own_origins: Vec<String>,
    /// The token's hash. The time of comparing hashes reveals nothing about the token.
    token: Option<[u8; 32]>,
    /// The hash of the admin API's token; without it that API refuses every request.
    admin_token: Option<[u8; 32]>,
    /// None if the server has no console.
    sessions: Option<Sessions>,
    guesses: Arc<Guesses>,
}

impl Gate {
    /// The rules of a server at `endpoint`: it accepts its own hosts and origins, and the given
    /// ones. Over TLS, pages of the given hosts are the server's own too: its certificate proves
    /// the name.
    pub(crate) fn new(endpoint: &Endpoint, hosts: &[String], origins: &[String], token: Option<&str>) -> Gate {
        let lower = |list: &[String]| list.iter().map(|s| s.trim().to_ascii_lowercase()).collect::<Vec<_>>();
        let (mut own, given) = (endpoint.hosts(), lower(hosts));
        let of_pages = own.iter().chain(match endpoint {
            Endpoint::Https(_) => &given[..],
            Endpoint::Http(_) | Endpoint::Unix(_) => &[],
        });
        let scheme = endpoint.scheme();
        let own_origins: Vec<_> = of_pages.map(|host| format!("{scheme}://{host}")).collect();
        let mut allowed = lower(origins);
        allowed.extend(own_origins.iter().cloned());
        own.extend(given);
        Gate {
            hosts: own,
            origins: allowed,
            own_origins,
            token: token.map(digest),
            admin_token: None,
            sessions: None,
            guesses: Arc::default(),
        }
    }

    /// The wrong tokens that were counted.
    pub(super) fn guesses(&self) -> &Guesses {
        &self.guesses
    }

    /// Opens the admin API to requests with this token.
    #[must_use]
    pub(crate) fn with_admin(mut self, token: &AdminToken) -> Gate {
        self.admin_token = Some(token.digest());
        self
    }

    /// Takes sessions of the console for both tokens.
    #[must_use]
    pub(crate) fn with_sessions(mut self, sessions: Sessions) -> Gate {
        self.sessions = Some(sessions);
        self
    }

    /// Checks a request's head.
    ///
    /// # Errors
    /// The first rule that the request breaks.
    pub(super) fn check<B>(&self, request: &Request<B>, caller: &Caller) -> Result<(), Refused> {
        let headers = request.headers();
        self.check_host(request.uri(), headers)?;
        if !origin_is_among(headers, &self.origins) {
            return Err(Refused::Origin);
        }
        // A preflight has no token. The request that follows it is checked.
        if request.method() == Method::OPTIONS {
            return Ok(());
        }
        self.check_token(headers, caller)?;
        // A file has its own content type. A page sends it to another origin only with an Origin.
        if request.method() == Method::POST && !is_files(request.uri().path()) && !is_json(headers) {
            return Err(Refused::ContentType);
        }
        Ok(())
    }

    /// Checks the head of a request for the health of the server. It needs no token.
    ///
    /// # Errors
    /// The first rule that the request breaks.
    pub(crate) fn check_health<B>(&self, request: &Request<B>) -> Result<(), Refused> {
        self.check_host(request.uri(), request.headers())?;
        match origin_is_among(request.headers(), &self.origins) {
            true => Ok(()),
            false => Err(Refused::Origin),
        }
    }

    /// Checks the head of a request for the metrics. If the API needs a token, so do they. The
    /// admin API's token is accepted as well.
    ///
    /// # Errors
    /// The first rule that the request breaks.
    pub(super) fn check_metrics<B>(&self, request: &Request<B>, caller: &Caller) -> Result<(), Refused> {
        self.check_health(request)?;
        let headers = request.headers();
        let given = bearer(headers).map(digest);
        if self.token.is_none() || given.is_none() || given != self.admin_token {
            return self.check_token(headers, caller);
        }
        // Wrong tokens are counted as those of the API here. In a pause the admin token is not
        // looked at either: the answer would tell it. Who has given it before may go on.
        if !self.guesses.knows(Credential::AdminToken, caller) {
            self.check_pause(Credential::Token, caller)?;
            self.check_pause(Credential::AdminToken, caller)?;
        }
        self.guesses.add_right(Credential::AdminToken, caller);
        Ok(())
    }

    /// Checks the head of a request to the admin API. No setting allows pages of other origins. A
    /// preflight is refused, because it has no token. The token of the API is not accepted, but a
    /// session of the console is.
    ///
    /// # Errors
    /// The first rule that the request breaks.
    pub(super) fn check_admin<B>(&self, request: &Request<B>, caller: &Caller) -> Result<(), Refused> {
        let headers = request.headers();
        self.check_host(request.uri(), headers)?;
        if !origin_is_among(headers, &self.own_origins) {
            return Err(Refused::AdminOrigin);
        }
        self.check_credential(bearer(headers), Credential::AdminToken, headers, caller)?;
        let content_type = only(headers, &CONTENT_TYPE);
        let known = ["application/json", "application/wasm"];
        if request.method() == Method::POST && !known.iter().any(|known| is_media_type(content_type, known)) {
            return Err(Refused::AdminContentType);
        }
        Ok(())
    }

    /// Checks the head of a request to the console. Its files need no credential. A session begins
    /// only at the request of one of the server's own pages.
    ///
    /// # Errors
    /// The first rule that the request breaks.
    pub(super) fn check_console<B>(&self, request: &Request<B>, caller: &Caller) -> Result<(), Refused> {
        let headers = request.headers();
        self.check_host(request.uri(), headers)?;
        let is_post = request.method() == Method::POST;
        if !origin_is_among(headers, &self.own_origins) || (is_post && !headers.contains_key(ORIGIN)) {
            return Err(Refused::ConsoleOrigin);
        }
        if is_post && !is_json(headers) {
            return Err(Refused::ConsoleContentType);
        }
        match is_post && request.uri().path() == SESSION_PATH {
            true => self.check_pause(Credential::ConsoleSecret, caller),
            false => Ok(()),
        }
    }

    fn check_host(&self, uri: &http::Uri, headers: &HeaderMap) -> Result<(), Refused> {
        let allowed = |host: &str| self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
        let host = only(headers, &HOST).ok_or(Refused::Host)?;
        let host = host.to_str().map_err(|_| Refused::Host)?;
        if !allowed(host) || uri.authority().is_some_and(|a| !allowed(a.as_str())) {
            return Err(Refused::Host);
        }
        Ok(())
    }

    fn check_token(&self, headers: &HeaderMap, caller: &Caller) -> Result<(), Refused> {
        if self.token.is_none() {
            return Ok(());
        }
        let given = bearer(headers).or_else(|| token_protocol(headers));
        self.check_credential(given, Credential::Token, headers, caller)
    }

    /// Checks that a request gave the expected token, or a session of the console.
    fn check_credential(
        &self,
        given: Option<&str>,
        credential: Credential,
        headers: &HeaderMap,
        caller: &Caller,
    ) -> Result<(), Refused> {
        let (expected, refused) = match credential {
            Credential::AdminToken => (self.admin_token, Refused::AdminToken),
            Credential::Token | Credential::ConsoleSecret => (self.token, Refused::Token),
        };
        let given = given.ok_or(refused)?;
        // Nobody can guess the code of a session, and pages ask again and again with an old one. So
        // sessions are not counted.
        if let Some(sessions) = self.sessions.as_ref().filter(|_| is_session(given)) {
            return match (sessions.knows(given, now_ms()), self.is_own_page(headers)) {
                (false, _) => Err(Refused::Session),
                (true, true) => Ok(()),
                (true, false) => Err(Refused::ConsoleOrigin),
            };
        }
        self.check_pause(credential, caller)?;
        if expected == Some(digest(given)) {
            self.guesses.add_right(credential, caller);
            return Ok(());
        }
        self.guesses.add_wrong(credential, caller);
        Err(refused)
    }

    /// Fails while no credential of a caller is looked at.
    fn check_pause(&self, credential: Credential, caller: &Caller) -> Result<(), Refused> {
        match self.guesses.pause(credential, caller) {
            Some(pause) => Err(Refused::Paused {
                seconds: pause.as_secs() + u64::from(pause.subsec_nanos() > 0),
            }),
            None => Ok(()),
        }
    }

    /// Whether no other page than the server's own can have sent a request.
    fn is_own_page(&self, headers: &HeaderMap) -> bool {
        let is_own_site = match headers.contains_key(FETCH_SITE) {
            true => only(headers, &FETCH_SITE).is_some_and(|site| site == "same-origin"),
            false => true,
        };
        is_own_site && origin_is_among(headers, &self.own_origins)
    }
}

/// Whether the Origin is absent or one of these.
fn origin_is_among(headers: &HeaderMap, origins: &[String]) -> bool {
    !headers.contains_key(ORIGIN)
        || only(headers, &ORIGIN)
            .and_then(|origin| origin.to_str().ok())
            .is_some_and(|origin| origins.iter().any(|known| known.eq_ignore_ascii_case(origin)))
}

/// The token among the websocket subprotocols that a client offers.
fn token_protocol(headers: &HeaderMap) -> Option<&str> {
    protocol(headers)?.strip_prefix(BEARER_PROTOCOL)
}

/// The subprotocol to accept: the one that carries the token.
pub(super) fn protocol(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .find(|p| p.starts_with(BEARER_PROTOCOL))
}

fn is_json(headers: &HeaderMap) -> bool {
    is_media_type(only(headers, &CONTENT_TYPE), "application/json")
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests;
