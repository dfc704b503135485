//! The console: a page at `/` that shows the server and controls it.
//!
//! The files of the page need no credential and tell nothing. The page exchanges the secret of a
//! one-time link for a session, and then uses the API and the admin API like every other client.
//! `docs/decisions/console-session.md` explains why it is so.
//!
//! The server's gate checks a request before it arrives here: Host, Origin and content type.

mod assets;
mod encoding;
mod links;
mod problem;
mod session;

pub(crate) use problem::{Problem, WrongSecret};
pub(crate) use session::{Sessions, is_session};

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{
    CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use stowage_deploy::api::ConsoleLink;
use tokio::time::timeout;

use crate::listen::Endpoint;
use crate::response::{HttpResponse, bearer, json_response};
use crate::server::Body;
use assets::{Assets, INDEX};
use links::Links;
use session::Session;

const FOLDER: &str = "/console/";
/// Where sessions begin.
pub(crate) const SESSION_PATH: &str = "/console/session";
/// Most bytes of a body. It has a secret and not much else.
const MAX_BODY_BYTES: usize = 1 << 10;
/// How long a body may take. It is read before its secret is known to be right.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The console of a server. A cheap handle.
#[derive(Clone, Debug)]
pub(crate) struct Console(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    assets: Assets,
    links: Links,
    sessions: Sessions,
    /// Whether the API needs a token.
    token_required: bool,
    /// The scheme of the page's websocket.
    socket_scheme: &'static str,
}

/// What a page asks a session with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The secret of a link. Without it, the session that the request has is renewed.
    secret: Option<String>,
}

/// What everybody may know.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    version: &'static str,
    token_required: bool,
}

impl Console {
    /// The console of a server at `endpoint`.
    pub(crate) fn new(endpoint: &Endpoint, sessions: Sessions, token_required: bool) -> Console {
        Console(Arc::new(Inner {
            assets: Assets::of_build(),
            links: Links::new(endpoint),
            sessions,
            token_required,
            socket_scheme: match endpoint {
                Endpoint::Https(_) => "wss",
                Endpoint::Http(_) | Endpoint::Unix(_) => "ws",
            },
        }))
    }

    /// A link that waits for its use as long as the server runs.
    ///
    /// # Errors
    /// When no browser can open the server, or the system has no random bytes.
    pub(crate) fn first_link(&self) -> Result<ConsoleLink, Problem> {
        self.0.links.make(None)
    }

    /// A link that waits for its use for ten minutes.
    ///
    /// # Errors
    /// When no browser can open the server, or the system has no random bytes.
    pub(crate) fn link(&self) -> Result<ConsoleLink, Problem> {
        let lifetime_ms = u64::try_from(links::LIFETIME.as_millis()).unwrap_or(u64::MAX);
        self.0.links.make(Some(now_ms().saturating_add(lifetime_ms)))
    }

    /// Answers a request that has passed the gate.
    pub(crate) async fn respond(&self, request: Request<Body>) -> HttpResponse {
        let host = request.headers().get(HOST).cloned();
        let handled = match (request.method(), request.uri().path()) {
            (&Method::POST, SESSION_PATH) => self.session(request).await,
            (_, SESSION_PATH) => Err(Problem::MethodNotAllowed("POST")),
            (&Method::GET | &Method::HEAD, path) => self.get(path, request.headers()),
            _ => Err(Problem::MethodNotAllowed("GET, HEAD")),
        };
        let mut response = handled.unwrap_or_else(|problem| problem.into_response());
        protect(response.headers_mut(), host.as_ref(), self.0.socket_scheme);
        response
    }

    fn get(&self, path: &str, headers: &HeaderMap) -> Result<HttpResponse, Problem> {
        let file = match path {
            "/" => INDEX,
            "/console/info" => return self.info(),
            "/console" | FOLDER => return Ok(to_the_page()),
            _ => path.strip_prefix(FOLDER).unwrap_or_default(),
        };
        self.0.assets.get(file, headers).ok_or(Problem::NoSuchFile)
    }

    fn info(&self) -> Result<HttpResponse, Problem> {
        ok(&Info {
            version: env!("CARGO_PKG_VERSION"),
            token_required: self.0.token_required,
        })
    }

    /// Begins a session, or renews one.
    async fn session(&self, request: Request<Body>) -> Result<HttpResponse, Problem> {
        let (head, body) = request.into_parts();
        let body = timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect())
            .await
            .map_err(|_| Problem::SlowBody)?
            .map_err(|_| Problem::Body)?
            .to_bytes();
        let Wanted { secret } = serde_json::from_slice(&body).map_err(|_| Problem::Body)?;
        let now = now_ms();
        match (secret, bearer(&head.headers)) {
            (Some(secret), _) if self.0.links.take(&secret, now) => tracing::info!("a console session began"),
            (Some(_), _) => return Err(Problem::Secret),
            (None, Some(token)) if self.0.sessions.knows(token, now) => {}
            (None, Some(_)) => return Err(Problem::Session),
            (None, None) => return Err(Problem::NoSecret),
        }
        let session: Session = self.0.sessions.begin(now)?;
        ok(&session)
    }
}

/// Whether a request is for the console. Other methods of `/` belong to the API. Methods of a
/// module that is called `console` on the wire can only be called by naming them in the body.
pub(crate) fn is_console(method: &Method, path: &str) -> bool {
    path.starts_with(FOLDER) || (matches!(path, "/" | "/console") && matches!(*method, Method::GET | Method::HEAD))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn ok<T: serde::Serialize>(value: &T) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(value).map_err(|_| Problem::Json)?;
    Ok(json_response(StatusCode::OK, body))
}

fn to_the_page() -> HttpResponse {
    let mut response = HttpResponse::default();
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/"));
    response
}

/// Says what the page may load, and that no other page may embed it. The gate has checked the Host.
fn protect(headers: &mut HeaderMap, host: Option<&HeaderValue>, socket_scheme: &str) {
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; \
         connect-src 'self' {socket_scheme}://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
}
