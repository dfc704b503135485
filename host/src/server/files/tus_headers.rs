//! The headers of tus 1.0.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use sha1::Sha1;
use sha2::Sha256;
use stowage_transfer::{Checksum, EXPIRES_AFTER, Progress, Upload};

use super::only;
use super::problem::Problem;
use crate::response::{HttpResponse, is_media_type};

/// The only version of the protocol.
pub(super) const VERSION: &str = "1.0.0";
/// The largest upload.
pub(super) const MOST_BYTES: u64 = 1 << 40;
/// The most bytes of what a client says about an upload. All of it is kept in memory.
const MOST_METADATA_BYTES: usize = 8 << 10;
/// The content type of bytes.
const BYTES: &str = "application/offset+octet-stream";

/// Refuses a client of another version.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    match only(headers, "tus-resumable")? {
        Some(VERSION) => Ok(()),
        _ => Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            format!("Tus-Resumable: expected {VERSION}"),
        )),
    }
}

/// Whether the body of a request has bytes.
pub(super) fn has_bytes(headers: &HeaderMap) -> bool {
    is_media_type(headers.get(CONTENT_TYPE), BYTES)
}

/// Refuses a body of another type.
pub(super) fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    match has_bytes(headers) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("Content-Type: expected {BYTES}"),
        )),
    }
}

/// A header with a number of bytes.
pub(super) fn number(headers: &HeaderMap, name: &'static str) -> Result<Option<u64>, Problem> {
    let Some(text) = only(headers, name)? else {
        return Ok(None);
    };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number
        .map(Some)
        .ok_or_else(|| Problem::parameter(format!("{name}: expected a whole number of bytes")))
}

/// `Upload-Length`, which must not be larger than allowed.
pub(super) fn length(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let length = number(headers, "upload-length")?;
    if length.is_some_and(|length| length > MOST_BYTES) {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("Upload-Length: expected at most {MOST_BYTES} bytes"),
        ));
    }
    Ok(length)
}

/// `Upload-Defer-Length`: the client does not know yet how many bytes there are.
pub(super) fn defers_length(headers: &HeaderMap) -> Result<bool, Problem> {
    match only(headers, "upload-defer-length")? {
        None => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(Problem::parameter("Upload-Defer-Length: expected 1".to_owned())),
    }
}

/// `Upload-Metadata` as it came.
pub(super) fn metadata(headers: &HeaderMap) -> Result<String, Problem> {
    let metadata = only(headers, "upload-metadata")?.unwrap_or_default();
    if metadata.len() > MOST_METADATA_BYTES {
        return Err(Problem::parameter(format!(
            "Upload-Metadata: expected at most {MOST_METADATA_BYTES} bytes"
        )));
    }
    Ok(metadata.to_owned())
}

/// `Upload-Checksum`: an algorithm, and the base64 of what it gives.
pub(super) fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Problem> {
    let Some(text) = only(headers, "upload-checksum")? else {
        return Ok(None);
    };
    let (algorithm, value) = text.split_once(' ').unwrap_or((text, ""));
    let hasher: Box<dyn sha2::digest::DynDigest + Send> = match algorithm {
        "sha1" => Box::new(Sha1::default()),
        "sha256" => Box::new(Sha256::default()),
        _ => {
            return Err(Problem::parameter(
                "Upload-Checksum: expected sha1 or sha256".to_owned(),
            ));
        }
    };
    match STANDARD.decode(value.trim()) {
        Ok(expected) if expected.len() == hasher.output_size() => Ok(Some(Checksum { hasher, expected })),
        _ => Err(Problem::parameter(format!(
            "Upload-Checksum: expected the base64 of {} bytes after {algorithm}",
            hasher.output_size()
        ))),
    }
}

/// A response that says how an upload stands.
pub(super) fn state_response(status: StatusCode, upload: &Upload) -> HttpResponse {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut insert = |name: &'static str, value: Result<HeaderValue, _>| {
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    };
    insert("cache-control", HeaderValue::from_str("no-store"));
    insert("upload-offset", Ok(HeaderValue::from(upload.offset())));
    let touched = u64::try_from(upload.touched_ms()).unwrap_or_default();
    let expires = UNIX_EPOCH + Duration::from_millis(touched) + EXPIRES_AFTER;
    insert(
        "upload-expires",
        HeaderValue::from_str(&httpdate::fmt_http_date(expires)),
    );
    if let Progress::Stored { task_id, hash } = upload.progress() {
        insert("stowage-hash", HeaderValue::from_str(hash));
        insert("stowage-task-id", HeaderValue::from_str(task_id));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_length_is_digits_and_not_too_large() {
        assert_eq!(length(&headers(&[])).unwrap(), None);
        assert_eq!(length(&headers(&[("upload-length", "0")])).unwrap(), Some(0));
        for value in ["", "-1", "+1", "1.5", "99999999999999999999", "1099511627777"] {
            assert!(length(&headers(&[("upload-length", value)])).is_err(), "{value}");
        }
        assert!(length(&headers(&[("upload-length", "1"), ("upload-length", "1")])).is_err());
    }

    #[test]
    fn only_one_version_is_known() {
        assert!(check_version(&headers(&[("tus-resumable", "1.0.0")])).is_ok());
        for pairs in [&[][..], &[("tus-resumable", "0.2.2")]] {
            let problem = check_version(&headers(pairs)).unwrap_err();
            assert_eq!(problem.status, StatusCode::PRECONDITION_FAILED);
        }
    }

    #[test]
    fn a_checksum_has_a_known_algorithm_and_the_right_length() {
        let value = |value| checksum(&headers(&[("upload-checksum", value)]));
        assert!(value("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").unwrap().is_some());
        assert!(
            value("sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
                .unwrap()
                .is_some()
        );
        for wrong in [
            "md5 1B2M2Y8AsgTpgAmY7PhCfg==",
            "sha1",
            "sha1 *",
            "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        ] {
            assert!(value(wrong).is_err(), "{wrong}");
        }
    }
}
