//! `/openapi.json` and `/asyncapi.json`: descriptions of what serves now.
//!
//! A description is made when it is asked for, and kept until another generation serves. So a
//! module that was swapped in is in it at once.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use headers::{ETag, HeaderMapExt as _, IfNoneMatch};
use http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};
use stowage_describe::{asyncapi, openapi};
use stowage_logic::{Generation, Logic};
use tokio::sync::Mutex;

use crate::response::{HttpResponse, json_response, refusal};

/// A description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Description {
    OpenApi,
    AsyncApi,
}

impl Description {
    /// The description at a path.
    pub(super) fn at(path: &str) -> Option<Description> {
        match path {
            "/openapi.json" => Some(Description::OpenApi),
            "/asyncapi.json" => Some(Description::AsyncApi),
            _ => None,
        }
    }

    fn make(self, generation: &Generation) -> Document {
        let description = match self {
            Description::OpenApi => openapi(generation),
            Description::AsyncApi => asyncapi(generation),
        };
        let text = Bytes::from(description.to_string());
        let tag = format!("\"{:.32}\"", Hex(&Sha256::digest(&text)));
        Document { text, tag }
    }
}

/// The descriptions of the generation that serves.
pub(super) struct Descriptions {
    logic: Logic,
    kept: Mutex<Kept>,
}

/// What was made last.
#[derive(Default)]
struct Kept {
    /// Weak: a description must not keep the modules of a generation that serves no more.
    generation: Weak<Generation>,
    documents: [Option<Document>; 2],
}

#[derive(Clone)]
struct Document {
    text: Bytes,
    /// Its entity tag.
    tag: String,
}

impl Descriptions {
    pub(super) fn new(logic: Logic) -> Descriptions {
        Descriptions {
            logic,
            kept: Mutex::default(),
        }
    }

    /// Answers a GET or a HEAD.
    pub(super) async fn respond(&self, description: Description, method: &Method, headers: &HeaderMap) -> HttpResponse {
        let Some(document) = self.document(description).await else {
            return refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the description cannot be made; see the log",
            );
        };
        let known = document
            .tag
            .parse::<ETag>()
            .ok()
            .zip(headers.typed_get::<IfNoneMatch>());
        let is_known = known.is_some_and(|(tag, known)| !known.precondition_passes(&tag));
        let length = document.text.len();
        let mut response = json_response(StatusCode::OK, document.text);
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Full::default();
            response.headers_mut().remove(http::header::CONTENT_TYPE);
        } else if method == Method::HEAD {
            *response.body_mut() = Full::default();
            response
                .headers_mut()
                .insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::try_from(document.tag) {
            headers.insert(http::header::ETAG, tag);
        }
        // It may be kept, but every use asks whether it has changed.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    /// The description of what serves now. One request makes it, and others wait for it.
    async fn document(&self, description: Description) -> Option<Document> {
        let mut kept = self.kept.lock().await;
        let generation = self.logic.generation();
        if !std::ptr::eq(kept.generation.as_ptr(), Arc::as_ptr(&generation)) {
            *kept = Kept {
                generation: Arc::downgrade(&generation),
                documents: [None, None],
            };
        }
        let place = &mut kept.documents[description as usize];
        if place.is_none() {
            // Milliseconds of work, which would hold up other requests of this thread.
            let made = tokio::task::spawn_blocking(move || description.make(&generation)).await;
            *place = made
                .inspect_err(|error| tracing::error!(%error, "a description could not be made"))
                .ok();
        }
        place.clone()
    }
}

/// Bytes in hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        f.pad(&digits)
    }
}
