//! Answers that are given again while nothing they came from has changed.
//!
//! A call that did nothing but read is a function of its module, its parameters and what it read: as long as the tables it read have not been
//! written to, running it again would give the same bytes. So a generation keeps the answers of such calls by the request they were given to, and
//! each answer knows whether it still stands. A call that looked at the clock or at randomness, printed, wrote, asked the cloud or set anything
//! going is run every time, and so is every call that somebody looks on at or that a version on trial may answer.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use stowage_storage::Freshness;

use crate::engine::module::Module;

/// The longest path and body together that are kept.
const MOST_REQUEST_BYTES: usize = 4 << 10;
/// The longest answer that is kept.
const MOST_ANSWER_BYTES: usize = 256 << 10;
/// What an answer takes besides its bytes.
const ENTRY_BYTES: usize = 256;
/// For the size of the cache's own tables, which grow where it is wrong.
const LIKELY_ANSWERS: usize = 256;

/// The answers of one generation; unless it is told how much room it has, none.
#[derive(Default)]
pub(crate) struct Answers(Option<Cache<Request, Arc<Answer>, Size>>);

impl Answers {
    /// Room for this many bytes; 0 keeps nothing.
    pub(crate) fn new(bytes: usize) -> Answers {
        Answers((bytes > 0).then(|| Cache::with_weighter(LIKELY_ANSWERS, bytes as u64, Size)))
    }

    /// The answer to this request, if it is known and still stands.
    pub(crate) fn find(&self, path: &str, body: &[u8]) -> Option<Bytes> {
        let answer = self.0.as_ref()?.get(&Asked { path, body })?;
        if !answer.freshness.is_fresh() {
            return None;
        }
        answer.module.stats.count_remembered();
        Some(answer.json.clone())
    }

    /// Whether an answer to this request would be kept.
    pub(crate) fn takes(&self, path: &str, body: &[u8]) -> bool {
        self.0.is_some() && path.len() + body.len() <= MOST_REQUEST_BYTES
    }

    /// Keeps an answer. Where there is no room others go.
    pub(crate) fn keep(&self, path: &str, body: &[u8], answer: Answer) {
        if let Some(cache) = &self.0
            && answer.json.len() <= MOST_ANSWER_BYTES
        {
            // Copied: the body that came is a part of a connection's buffer.
            let request = Request {
                path: path.into(),
                body: body.into(),
            };
            cache.insert(request, Arc::new(answer));
        }
    }
}

/// A generation that is copied is changed next: it begins without answers.
impl Clone for Answers {
    fn clone(&self) -> Answers {
        Answers::default()
    }
}

/// A request's path and body, as they came.
#[derive(Hash, PartialEq, Eq)]
struct Request {
    path: Box<str>,
    body: Box<[u8]>,
}

/// A request that is looked for.
#[derive(Hash)]
struct Asked<'a> {
    path: &'a str,
    body: &'a [u8],
}

impl Equivalent<Request> for Asked<'_> {
    fn equivalent(&self, request: &Request) -> bool {
        *self.path == *request.path && *self.body == *request.body
    }
}

/// A whole answer, and what it stands on.
pub(crate) struct Answer {
    pub(crate) json: Bytes,
    pub(crate) freshness: Freshness,
    /// Whose answer it is.
    pub(crate) module: Arc<Module>,
}

#[derive(Clone)]
struct Size;

impl Weighter<Request, Arc<Answer>> for Size {
    fn weight(&self, request: &Request, answer: &Arc<Answer>) -> u64 {
        (request.path.len() + request.body.len() + answer.json.len() + ENTRY_BYTES) as u64
    }
}
