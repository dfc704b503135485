//! The files of the console's page, as the build put them into the binary.

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, VARY,
};
use http::{Response, StatusCode};

use bytes::Bytes;
use headers::{ETag, HeaderMapExt as _, IfNoneMatch};
use http_body_util::Full;

use super::encoding::Encoding;
use crate::response::HttpResponse;

/// The page itself.
pub(super) const INDEX: &str = "index.html";
/// Names in this folder hold a hash of the content.
const HASHED: &str = "assets/";

/// The page of a build without a console.
const ABSENT: &[Asset] = &[Asset {
    path: INDEX,
    content_type: "text/html; charset=utf-8",
    hash: "absent",
    identity: include_bytes!("absent.html"),
    brotli: None,
    gzip: None,
}];

include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// A file with the encodings that the build made of it.
#[derive(Debug)]
pub(super) struct Asset {
    /// Below the folder of the build, with `/` between names.
    path: &'static str,
    content_type: &'static str,
    /// A hash of the content, in hex.
    hash: &'static str,
    identity: &'static [u8],
    /// None if it would not be smaller.
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// A set of files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assets(&'static [Asset]);

impl Assets {
    /// The files of this build. A build without a console has a page that says so.
    pub(super) fn of_build() -> Assets {
        Assets(if CONSOLE.is_empty() { ABSENT } else { CONSOLE })
    }

    /// The response with a file; none if there is no such file.
    pub(super) fn get(self, path: &str, request: &HeaderMap) -> Option<HttpResponse> {
        let asset = self.0.iter().find(|asset| asset.path == path)?;
        Some(asset.response(request))
    }
}

impl Asset {
    fn response(&self, request: &HeaderMap) -> HttpResponse {
        let (encoding, bytes) = self.best(request);
        let tag = match encoding {
            Encoding::Identity => format!("\"{}\"", self.hash),
            _ => format!("\"{}-{}\"", self.hash, encoding.name()),
        };
        let mut response = Response::new(Full::default());
        let is_known = tag.parse::<ETag>().is_ok_and(|tag| {
            let known = request.typed_get::<IfNoneMatch>();
            known.is_some_and(|known| !known.precondition_passes(&tag))
        });
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *response.body_mut() = Full::new(Bytes::from_static(bytes));
        }
        let headers = response.headers_mut();
        if !is_known {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            if encoding != Encoding::Identity {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
            }
        }
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(ETAG, tag);
        }
        headers.insert(VARY, HeaderValue::from_static(ACCEPT_ENCODING.as_str()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(self.cache()));
        response
    }

    /// The smallest encoding that the client takes.
    fn best(&self, request: &HeaderMap) -> (Encoding, &'static [u8]) {
        let made = [(Encoding::Brotli, self.brotli), (Encoding::Gzip, self.gzip)];
        made.into_iter()
            .filter_map(|(encoding, bytes)| Some((encoding, bytes?)))
            .find(|(encoding, _)| encoding.is_accepted(request))
            .unwrap_or((Encoding::Identity, self.identity))
    }

    /// How long a browser keeps it without asking.
    fn cache(&self) -> &'static str {
        match self.path.starts_with(HASHED) {
            true => "public, max-age=31536000, immutable",
            false => "no-cache",
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::IF_NONE_MATCH;
    use http_body_util::BodyExt as _;

    use super::*;

    const FILES: Assets = Assets(&[
        Asset {
            path: INDEX,
            content_type: "text/html; charset=utf-8",
            hash: "11",
            identity: b"identity",
            brotli: Some(b"brotli"),
            gzip: Some(b"gzip"),
        },
        Asset {
            path: "assets/picture-22.png",
            content_type: "image/png",
            hash: "22",
            identity: b"picture",
            brotli: None,
            gzip: None,
        },
    ]);

    fn get(path: &str, headers: &[(http::HeaderName, &str)]) -> HttpResponse {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().expect("a header")));
        FILES.get(path, &headers.collect()).expect("there")
    }

    async fn text(response: HttpResponse) -> String {
        let bytes = response.into_body().collect().await.expect("in memory").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn a_client_gets_the_smallest_encoding_that_it_takes() {
        for (accepted, encoding, body) in [
            ("gzip, deflate, br, zstd", "br", "brotli"),
            ("gzip", "gzip", "gzip"),
            ("br;q=0, gzip;q=0.1", "gzip", "gzip"),
            ("deflate", "", "identity"),
            ("", "", "identity"),
        ] {
            let response = get(INDEX, &[(ACCEPT_ENCODING, accepted)]);
            let found = response
                .headers()
                .get(CONTENT_ENCODING)
                .map_or("", |v| v.to_str().expect("text"));
            assert_eq!(found, encoding, "{accepted}");
            assert_eq!(response.headers()[VARY], "accept-encoding");
            assert_eq!(text(response).await, body, "{accepted}");
        }
        let picture = get("assets/picture-22.png", &[(ACCEPT_ENCODING, "br, gzip")]);
        assert!(!picture.headers().contains_key(CONTENT_ENCODING));
        assert_eq!(text(picture).await, "picture");
    }

    #[tokio::test]
    async fn what_the_browser_has_is_not_sent_again() {
        let first = get(INDEX, &[(ACCEPT_ENCODING, "br")]);
        let tag = first.headers()[ETAG].to_str().expect("text").to_owned();
        let again = get(INDEX, &[(ACCEPT_ENCODING, "br"), (IF_NONE_MATCH, &tag)]);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[ETAG], tag);
        assert_eq!(again.headers()[VARY], "accept-encoding");
        assert_eq!(text(again).await, "");
        let other = get(INDEX, &[(ACCEPT_ENCODING, "gzip"), (IF_NONE_MATCH, &tag)]);
        assert_eq!(other.status(), StatusCode::OK, "another encoding has another tag");
    }

    #[test]
    fn only_names_with_a_hash_are_kept_without_asking() {
        assert_eq!(get(INDEX, &[]).headers()[CACHE_CONTROL], "no-cache");
        let picture = get("assets/picture-22.png", &[]);
        assert_eq!(picture.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert!(FILES.get("assets/none.js", &HeaderMap::new()).is_none());
    }
}
