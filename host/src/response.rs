//! HTTP responses with a JSON body, as the API and the admin API send them, and headers that both
//! read.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, Response, StatusCode};
use http_body_util::Full;
use stowage_logic::rpc::{Code, Envelope};

/// A response whose body is complete in memory.
pub(crate) type HttpResponse = Response<Full<Bytes>>;

/// A response with this JSON text as its body.
pub(crate) fn json_response(status: StatusCode, body: impl Into<Bytes>) -> HttpResponse {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A refusal by the server itself, with an HTTP status other than 200.
pub(crate) fn refusal(status: StatusCode, message: &str) -> HttpResponse {
    json_response(status, Envelope::failure(Code::OTHER, message).into_json())
}

/// Whether a `Content-Type` header names the media type `wanted`. Parameters such as `charset` are
/// ignored.
pub(crate) fn is_media_type(header: Option<&HeaderValue>, wanted: &str) -> bool {
    header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(wanted))
}

/// The token of the Authorization header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    only(headers, &AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// The value of a header that comes exactly once.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}
