//! HTTP responses with a JSON body, as the API and the admin API send them.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
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
