//! Error responses of the console. They have the shape of the admin API's.

use http::StatusCode;
use http::header::{ALLOW, HeaderValue};

use crate::admin;
use crate::response::HttpResponse;

/// Why a request failed, as the page is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    /// The secret was used, is too old, or was never made.
    #[error(
        "secret: this link was used already, is too old, or is of another start; `stowage console` prints a new one"
    )]
    Secret,
    /// The session to renew has ended.
    #[error("Authorization: this session has ended or is of another server; `stowage console` prints a new link")]
    Session,
    /// There is neither a secret nor a session.
    #[error("secret: expected the text after `#key=` of a link; `stowage console` prints one")]
    NoSecret,
    #[error(
        "body: expected a JSON object of at most 4096 bytes: {{\"secret\": \"…\"}} begins a session, {{}} renews one"
    )]
    Body,
    #[error("body: it did not arrive in time")]
    SlowBody,
    #[error("the console has no such file; / is its page")]
    NoSuchFile,
    /// The methods that the path accepts.
    #[error("expected {0}")]
    MethodNotAllowed(&'static str),
    /// The server listens on a unix socket.
    #[error("no browser opens a unix socket; start the server with --listen ADDRESS:PORT to use the console")]
    NoBrowser,
    #[error("the system has no random bytes")]
    NoRandomBytes,
    #[error("the response could not be written as JSON")]
    Json,
}

/// Marks a response to a wrong secret, which the server counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrongSecret;

impl Problem {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Problem::Secret | Problem::Session | Problem::NoSecret => StatusCode::UNAUTHORIZED,
            Problem::Body => StatusCode::BAD_REQUEST,
            Problem::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Problem::NoSuchFile => StatusCode::NOT_FOUND,
            Problem::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Problem::NoBrowser => StatusCode::CONFLICT,
            Problem::NoRandomBytes | Problem::Json => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let mut response = admin::refusal(self.status(), &self.to_string());
        if let Problem::MethodNotAllowed(allowed) = self {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        }
        if self == Problem::Secret {
            response.extensions_mut().insert(WrongSecret);
        }
        response
    }
}
