//! One request: it passes the gate and goes to the feed, the API, files, the console or the admin
//! API.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ALLOW, CACHE_CONTROL, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Either, Full, LengthLimitError, Limited};

use super::descriptions::Description;
use super::files::{FileResponse, is_files};
use super::gate::Refused;
use super::guesses::{Caller, Credential};
use super::hyper_refusal::TOO_MANY_HEADERS;
use super::{Body, Connection, MAX_HEAD_BYTES, Shared, feed};
use crate::admin;
use crate::console::{SESSION_PATH, WrongSecret, is_console};
use crate::health::is_health;
use crate::metrics::is_metrics;
use crate::response::{HttpResponse, json_response, refusal};
use crate::telemetry::request_span;
use stowage_logic::rpc;
use stowage_logic::{Elapsed, within};
use tracing::{Instrument as _, Span};

/// The path of the progress feed's websocket.
const FEED_PATH: &str = "/ws";

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub(super) async fn respond(
    shared: Arc<Shared>,
    request: Request<Body>,
    connection: &Connection,
) -> Result<FileResponse, Infallible> {
    let mut response = match is_too_large(request.headers()) {
        true => refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_MANY_HEADERS).map(Either::Left),
        false => answer(&shared, request, connection).await,
    };
    protect(response.headers_mut());
    Ok(response)
}

/// Whether headers have more bytes than they may have. Hyper stops to read a head at this limit,
/// but not within the piece that passes it.
fn is_too_large(headers: &HeaderMap) -> bool {
    // With the colon, a space and the end of the line.
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    sizes.sum::<usize>() > MAX_HEAD_BYTES
}

/// What every response says to browsers, unless its route has said something else: take the type
/// as it is named, give nothing to pages of other origins that did not ask for it as such, and keep
/// nothing.
fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (RESOURCE_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

async fn answer(shared: &Shared, request: Request<Body>, connection: &Connection) -> FileResponse {
    let (method, path) = (request.method(), request.uri().path());
    if is_health(method, path) || is_metrics(method, path) {
        return observe(shared, request, &connection.caller).await.map(Either::Left);
    }
    if admin::is_admin(request.uri().path()) {
        let response = match shared.gate.check_admin(&request, &connection.caller) {
            Ok(()) => shared.admin.respond(request).await,
            Err(refused) => {
                shared.traffic.refusals.count(refused.name());
                tracing::debug!(%refused, "a request to the admin API was refused");
                retried_later(admin::refusal(refused.status(), &refused.to_string()), refused).map(Either::Left)
            }
        };
        return response;
    }
    if is_console(request.method(), request.uri().path()) {
        return console(shared, request, &connection.caller).await.map(Either::Left);
    }
    let origin = request.headers().get(ORIGIN).cloned();
    if let Err(refused) = shared.gate.check(&request, &connection.caller) {
        shared.traffic.refusals.count(refused.name());
        tracing::debug!(%refused, "a request was refused");
        let response = refusal(refused.status(), &refused.to_string());
        let mut response = retried_later(response, refused).map(Either::Left);
        // A page learns only then that its token is wrong. Else it sees a broken connection.
        if refused.is_of_allowed_origin() {
            allow_origin(&mut response, origin);
        }
        return response;
    }
    let mut response = match is_files(request.uri().path()) {
        true => shared.files.respond(request).await,
        false => route(shared, request, connection).await.map(Either::Left),
    };
    allow_origin(&mut response, origin);
    response
}

/// A refusal that says when to try again, if that is known.
fn retried_later(mut response: HttpResponse, refused: Refused) -> HttpResponse {
    if let Refused::Paused { seconds } = refused {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The health of the server, and its metrics.
async fn observe(shared: &Shared, request: Request<Body>, caller: &Caller) -> HttpResponse {
    let is_metrics = is_metrics(request.method(), request.uri().path());
    let checked = match is_metrics {
        true => shared.gate.check_metrics(&request, caller),
        false => shared.gate.check_health(&request),
    };
    if let Err(refused) = checked {
        shared.traffic.refusals.count(refused.name());
        tracing::debug!(%refused, "a request for health or metrics was refused");
        return retried_later(refusal(refused.status(), &refused.to_string()), refused);
    }
    match is_metrics {
        true => shared.metrics.respond(&request).await,
        false => shared.health.respond(&request).await,
    }
}

/// Lets the pages of an origin read a response. The gate must have allowed it.
fn allow_origin(response: &mut FileResponse, origin: Option<HeaderValue>) {
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
}

/// The console. Without one, nothing is there.
async fn console(shared: &Shared, request: Request<Body>, caller: &Caller) -> HttpResponse {
    if let Err(refused) = shared.gate.check_console(&request, caller) {
        shared.traffic.refusals.count(refused.name());
        tracing::debug!(%refused, "a request to the console was refused");
        return retried_later(admin::refusal(refused.status(), &refused.to_string()), refused);
    }
    match &shared.console {
        Some(console) => {
            let begins_session = request.uri().path() == SESSION_PATH;
            let response = console.respond(request).await;
            let guesses = shared.gate.guesses();
            if response.extensions().get::<WrongSecret>().is_some() {
                guesses.add_wrong(Credential::ConsoleSecret, caller);
            } else if begins_session && response.status().is_success() {
                guesses.add_right(Credential::ConsoleSecret, caller);
            }
            response
        }
        None => admin::refusal(
            StatusCode::NOT_FOUND,
            "the console is turned off; start the server without --no-console",
        ),
    }
}

/// Everything but the console, the admin API and files.
async fn route(shared: &Shared, request: Request<Body>, connection: &Connection) -> HttpResponse {
    if let Some(description) = Description::at(request.uri().path())
        && matches!(*request.method(), Method::GET | Method::HEAD)
    {
        let descriptions = &shared.descriptions;
        return descriptions
            .respond(description, request.method(), request.headers())
            .await;
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET, FEED_PATH) => feed::upgrade(shared, request, Arc::clone(&connection.permit)),
        (&Method::OPTIONS, _) => preflight(),
        (&Method::POST, _) => {
            let (head, body) = request.into_parts();
            let span = request_span(&head.headers);
            api(shared, head.uri, body, &span).instrument(span.clone()).await
        }
        _ => {
            let mut response = refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "expected POST, or GET /ws for the progress feed",
            );
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            response
        }
    }
}

async fn api(shared: &Shared, uri: Uri, body: Body, span: &Span) -> HttpResponse {
    let limit = shared.config.body_bytes;
    let deadline = Instant::now() + shared.config.body_timeout;
    let body = pin!(Limited::new(body, limit).collect());
    let body = match within(deadline, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                &format!("body: expected at most {limit} bytes"),
            );
        }
        Ok(Err(_)) => {
            return refusal(
                StatusCode::BAD_REQUEST,
                "body: the connection ended before the body did",
            );
        }
        Err(Elapsed) => return refusal(StatusCode::REQUEST_TIMEOUT, "body: it did not arrive in time"),
    };
    let began = Instant::now();
    let envelope = rpc::answer(&shared.logic, uri.path(), body).await;
    shared.traffic.calls.count(began.elapsed(), envelope.code());
    span.record("code", envelope.code());
    json_response(StatusCode::OK, envelope.into_json())
}

fn preflight() -> HttpResponse {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("content-type, authorization"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}
