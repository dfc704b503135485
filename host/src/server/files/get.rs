//! `GET /files/HASH`: a file or a part of it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use headers::{ETag, HeaderMapExt as _, IfMatch, IfNoneMatch, IfRange};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::{Either, Full};
use stowage_cloud::Hash;
use stowage_transfer::{Blob, Password};
use tokio::time::timeout;

use super::disposition::{content_type, disposition};
use super::fields::platform_of_query;
use super::file_body::FileBody;
use super::password::{FILE_PASSWORD, password_of};
use super::problem::Problem;
use super::range::{Wanted, wanted};
use super::{FileResponse, Files, TURN_WAIT, only};

/// The bytes of a hash never change.
const IMMUTABLE: &str = "private, max-age=31536000, immutable";
/// What a password opened stays in no cache.
const NO_STORE: &str = "no-store";
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

impl Files {
    /// Sends a file. A protected file is sent as it is stored, or opened with its password.
    pub(super) async fn get(&self, hash: &str, method: &Method, head: &Parts) -> Result<FileResponse, Problem> {
        let parsed: Hash = hash
            .parse()
            .map_err(|error| Problem::parameter(format!("the path: {error}")))?;
        let platform = platform_of_query(head.uri.query().unwrap_or_default())?;
        let password = password_of(&head.headers)?;
        let found = self.0.hook.find(hash, platform).await?;
        let blob = self.0.transfers.blob(&parsed).await?;
        let blob =
            blob.ok_or_else(|| Problem::coded(60001, "the bytes of this file are not in the space".to_owned()))?;
        let name = if found.name.is_empty() { hash } else { &found.name };
        match password {
            Some(password) if found.protected => self.opened(blob, &password, hash, name, method, head).await,
            _ => self.stored(blob, hash, name, method, head).await,
        }
    }

    /// The bytes as they are stored.
    async fn stored(
        &self,
        blob: Blob,
        hash: &str,
        name: &str,
        method: &Method,
        head: &Parts,
    ) -> Result<FileResponse, Problem> {
        let tag = format!("\"{hash}\"");
        let mut response = match precondition(&head.headers, &tag)? {
            Some(response) => response,
            None => {
                let size = blob.size();
                let range = match (method, part_of(&head.headers, &tag, size)?) {
                    (&Method::GET, Wanted::NotThere) => return Ok(not_there(size)),
                    (&Method::GET, Wanted::Part(range)) => Some(range),
                    _ => None,
                };
                let mut response = self.body(blob, method, range.clone().unwrap_or(0..size)).await?;
                describe(&mut response, name, range.as_ref(), size);
                response
                    .headers_mut()
                    .insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
                response
            }
        };
        protect(response.headers_mut(), &tag, IMMUTABLE);
        Ok(response)
    }

    /// The content of a protected file, always whole: only its end tells that nothing was cut off.
    async fn opened(
        &self,
        blob: Blob,
        password: &Password,
        hash: &str,
        name: &str,
        method: &Method,
        head: &Parts,
    ) -> Result<FileResponse, Problem> {
        let tag = format!("\"{hash}-opened\"");
        let turn = self.turn().await?;
        let opened = blob.open(password).await?;
        let mut response = match precondition(&head.headers, &tag)? {
            Some(response) => response,
            None => {
                let body = match *method {
                    Method::HEAD => Either::Left(Full::default()),
                    _ => Either::Right(FileBody::new(opened.pieces, turn)),
                };
                let mut response = Response::new(body);
                describe(&mut response, name, None, opened.size);
                response
                    .headers_mut()
                    .insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
                response
            }
        };
        protect(response.headers_mut(), &tag, NO_STORE);
        Ok(response)
    }

    async fn body(&self, blob: Blob, method: &Method, range: Range<u64>) -> Result<FileResponse, Problem> {
        if *method == Method::HEAD {
            return Ok(Response::new(Either::Left(Full::default())));
        }
        let turn = self.turn().await?;
        let pieces = blob.read(range).await?;
        Ok(Response::new(Either::Right(FileBody::new(pieces, turn))))
    }

    /// Waits until one more file may be sent.
    async fn turn(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Problem> {
        let turn = timeout(TURN_WAIT, Arc::clone(&self.0.sending).acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or_else(|| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many files are sent at once; try again in a moment",
            )
        })
    }
}

/// The response if the file is not to be sent, because of what the client has already.
fn precondition(headers: &HeaderMap, tag: &str) -> Result<Option<FileResponse>, Problem> {
    let tag = entity_tag(tag)?;
    if headers
        .typed_get::<IfMatch>()
        .is_some_and(|wanted| !wanted.precondition_passes(&tag))
    {
        return Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "If-Match: expected the entity tag of this file",
        ));
    }
    let known = headers.typed_get::<IfNoneMatch>();
    Ok(known.filter(|known| !known.precondition_passes(&tag)).map(|_| {
        let mut response = Response::new(Either::Left(Full::default()));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    }))
}

/// The part that the client wants. If it has a part of another file, it gets all of this one.
fn part_of(headers: &HeaderMap, tag: &str, size: u64) -> Result<Wanted, Problem> {
    let tag = entity_tag(tag)?;
    let is_other = |known: IfRange| known.is_modified(Some(&tag), None);
    let changed = match headers.contains_key("if-range") {
        true => headers.typed_get::<IfRange>().is_none_or(is_other),
        false => false,
    };
    Ok(match only(headers, RANGE.as_str())? {
        Some(range) if !changed => wanted(range, size),
        _ => Wanted::Whole,
    })
}

fn entity_tag(tag: &str) -> Result<ETag, Problem> {
    tag.parse().map_err(|_| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the entity tag of the file is not valid",
        )
    })
}

fn not_there(size: u64) -> FileResponse {
    let problem = Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        format!("Range: expected a part of the {size} bytes"),
    );
    let mut response: Response<Full<Bytes>> = problem.into_response();
    if let Ok(range) = HeaderValue::try_from(format!("bytes */{size}")) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response.map(Either::Left)
}

/// Says what the body is.
fn describe(response: &mut FileResponse, name: &str, range: Option<&Range<u64>>, size: u64) {
    let length = range.map_or(size, |range| range.end - range.start);
    if let Some(range) = range
        && let Ok(value) = HeaderValue::try_from(format!("bytes {}-{}/{size}", range.start, range.end - 1))
    {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CONTENT_TYPE, content_type(name));
    headers.insert(CONTENT_DISPOSITION, disposition(name));
}

/// Says how the response may be kept and used. No page may execute it or embed it.
fn protect(headers: &mut HeaderMap, tag: &str, cache: &'static str) {
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(http::header::ETAG, tag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(VARY, HeaderValue::from(FILE_PASSWORD));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
}
