//! Responses of calls that only read, served again while no table they read has changed.
//!
//! A call that only reads is a function of its module, its arguments and what it reads. While
//! nobody writes to the tables it read, the same call returns the same bytes.
//! A generation caches such responses by the request, and each cached response knows the versions
//! of its tables. Which responses may be cached is decided in `call/retry.rs`.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use stowage_storage::TableVersions;

use crate::engine::function::Function;

/// The largest path and body together whose response is cached.
const MAX_REQUEST_BYTES: usize = 4 << 10;
/// The largest response that is cached.
const MAX_RESPONSE_BYTES: usize = 256 << 10;
/// What each entry takes in addition to its bytes.
const ENTRY_BYTES: usize = 256;
/// The first size of the cache's own tables. They grow with the entries.
const LIKELY_ENTRIES: usize = 256;

/// The cached responses of one generation. The default caches nothing.
#[derive(Default)]
pub(crate) struct ResponseCache(Option<Cache<Key, Arc<CachedResponse>, Size>>);

impl ResponseCache {
    /// A cache of this many bytes. One of 0 bytes caches nothing.
    pub(crate) fn new(bytes: usize) -> ResponseCache {
        ResponseCache((bytes > 0).then(|| Cache::with_weighter(LIKELY_ENTRIES, bytes as u64, Size)))
    }

    /// The response to this request, if it is cached and still valid.
    pub(crate) fn get(&self, path: &str, body: &[u8]) -> Option<Bytes> {
        let response = self.0.as_ref()?.get(&KeyRef { path, body })?;
        if !response.tables.are_current() {
            return None;
        }
        let function = &response.function;
        function.module().stats.count_cached(function.ordinal());
        Some(response.json.clone())
    }

    /// Whether the request is small enough to be kept with its response.
    pub(crate) fn accepts(&self, path: &str, body: &[u8]) -> bool {
        self.0.is_some() && path.len() + body.len() <= MAX_REQUEST_BYTES
    }

    /// Caches a response, unless it is too large. If the cache is full, other entries are dropped.
    pub(crate) fn insert(&self, path: &str, body: &[u8], response: CachedResponse) {
        if let Some(cache) = &self.0
            && response.json.len() <= MAX_RESPONSE_BYTES
        {
            // A copy, because the body is a part of a connection's buffer.
            let key = Key {
                path: path.into(),
                body: body.into(),
            };
            cache.insert(key, Arc::new(response));
        }
    }
}

/// The copy of a generation is changed before it serves, so it begins with an empty cache.
impl Clone for ResponseCache {
    fn clone(&self) -> ResponseCache {
        ResponseCache::default()
    }
}

/// The key of a response: the path and body of its request, as they came.
#[derive(Hash, PartialEq, Eq)]
struct Key {
    path: Box<str>,
    body: Box<[u8]>,
}

/// A borrowed key, for look-ups.
#[derive(Hash)]
struct KeyRef<'a> {
    path: &'a str,
    body: &'a [u8],
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.path == *key.path && *self.body == *key.body
    }
}

/// A response, and what it stays valid for.
pub(crate) struct CachedResponse {
    pub(crate) json: Bytes,
    /// The response is valid while these are the versions of the tables.
    pub(crate) tables: TableVersions,
    /// The function that made it.
    pub(crate) function: Function,
}

#[derive(Clone)]
struct Size;

impl Weighter<Key, Arc<CachedResponse>> for Size {
    fn weight(&self, key: &Key, response: &Arc<CachedResponse>) -> u64 {
        (key.path.len() + key.body.len() + response.json.len() + ENTRY_BYTES) as u64
    }
}
