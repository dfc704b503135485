//! What pages of allowed origins may send and read. The gate has checked the origin.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    HeaderMap, HeaderValue,
};
use http::{Response, StatusCode};
use http_body_util::Full;

use super::tus;

const METHODS: &str = "GET, HEAD, PUT, POST, PATCH, DELETE";
const SENT: &str = "authorization, content-type, range, if-range, if-match, if-none-match, stowage-file-password, \
                    tus-resumable, upload-length, upload-offset, upload-metadata, upload-defer-length, \
                    upload-checksum, x-http-method-override, x-request-id, x-requested-with";
const READ: &str = "accept-ranges, content-disposition, content-length, content-range, etag, location, \
                    stowage-code, stowage-hash, stowage-task-id, tus-checksum-algorithm, tus-extension, \
                    tus-max-size, tus-resumable, tus-version, upload-defer-length, upload-expires, upload-length, \
                    upload-metadata, upload-offset";

/// The response to a preflight, and to a client that asks what this server can do.
pub(super) fn preflight() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(SENT));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    tus::add_abilities(headers);
    response
}

/// Lets pages read the headers of a response.
pub(super) fn expose(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
}
