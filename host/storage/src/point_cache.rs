//! Values that are read again and again, so that keys every call looks at cost no walk down the tree. What is read once is not kept.
//!
//! An entry says what a key held at some snapshot, and that nothing has written the key since: the committer removes the keys it
//! writes before it publishes the state that holds them. So an entry serves every snapshot from its own to the latest.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

/// Parts with a lock of their own.
const SHARDS: usize = 16;
/// Keys of a shard; one more empties it.
const SHARD_KEYS: usize = 2048;
/// Keys that a shard knows to have been read before, about.
const SHARD_SEEN: usize = 1024;
/// Bytes of a shard's keys and values; an entry beyond that empties it.
const SHARD_BYTES: usize = 512 << 10;
/// A larger value is not kept.
const VALUE_BYTES: usize = 8 << 10;

/// The cache of one store.
pub(crate) struct PointCache {
    shards: [Mutex<Shard>; SHARDS],
    hasher: foldhash::fast::RandomState,
    /// The state that is published, or about to be.
    current: AtomicU64,
}

#[derive(Default)]
struct Shard {
    /// Hashes of keys that were read, each in a place of its own choice.
    seen: Vec<u64>,
    entries: HashMap<Box<[u8]>, Entry, foldhash::fast::RandomState>,
    bytes: usize,
}

struct Entry {
    /// The snapshot it was read at.
    since: u64,
    value: Option<Arc<[u8]>>,
}

impl PointCache {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: foldhash::fast::RandomState::default(),
            current: AtomicU64::new(0),
        }
    }

    /// What the key holds at a snapshot, if that is known: a value, or that there is none.
    pub(crate) fn get(&self, snapshot: u64, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let shard = self.shard(self.hash(key));
        let entry = shard.entries.get(key).filter(|entry| entry.since <= snapshot)?;
        Some(entry.value.as_deref().map(<[u8]>::to_vec))
    }

    /// Keeps what was read at a snapshot, if it is still the latest and the key has been read before.
    pub(crate) fn insert(&self, snapshot: u64, key: &[u8], value: Option<&[u8]>) {
        let len = value.map_or(0, <[u8]>::len);
        if len > VALUE_BYTES {
            return;
        }
        let hash = self.hash(key);
        let mut shard = self.shard(hash);
        if !shard.has_seen(hash) {
            return;
        }
        // Looked at under the lock: a commit that has moved on since will come for this shard, or has been here already.
        if self.current.load(Ordering::SeqCst) != snapshot {
            return;
        }
        let bytes = key.len() + len;
        if shard.entries.len() >= SHARD_KEYS || shard.bytes + bytes > SHARD_BYTES {
            shard.empty();
        }
        let entry = Entry {
            since: snapshot,
            value: value.map(Arc::from),
        };
        if shard.entries.insert(Box::from(key), entry).is_none() {
            shard.bytes += bytes;
        }
    }

    /// Forgets the keys that the state `snapshot`, which is about to be published, has written.
    pub(crate) fn advance<'k>(&self, snapshot: u64, written: impl Iterator<Item = &'k [u8]>) {
        self.current.store(snapshot, Ordering::SeqCst);
        for key in written {
            let mut shard = self.shard(self.hash(key));
            if let Some(entry) = shard.entries.remove(key) {
                shard.bytes -= key.len() + entry.value.map_or(0, |value| value.len());
            }
        }
    }

    /// Forgets everything: what the state `snapshot` holds is not known.
    pub(crate) fn clear(&self, snapshot: u64) {
        self.current.store(snapshot, Ordering::SeqCst);
        for shard in &self.shards {
            shard.lock().empty();
        }
    }

    fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        self.shards[hash as usize % SHARDS].lock()
    }
}

impl Shard {
    /// Whether a key with this hash has been seen before, as far as is known. Now it has.
    fn has_seen(&mut self, hash: u64) -> bool {
        self.seen.resize(SHARD_SEEN, 0);
        std::mem::replace(&mut self.seen[hash as usize / SHARDS % SHARD_SEEN], hash) == hash
    }

    fn empty(&mut self) {
        self.entries = HashMap::default();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_serves_from_its_snapshot_until_the_key_is_written() {
        let cache = PointCache::new();
        cache.advance(3, std::iter::empty());
        cache.insert(3, b"k", Some(b"v"));
        assert_eq!(cache.get(3, b"k"), None, "it may never be read again");
        cache.insert(3, b"k", Some(b"v"));
        assert_eq!(cache.get(3, b"k"), Some(Some(b"v".to_vec())));
        assert_eq!(
            cache.get(2, b"k"),
            None,
            "an older snapshot may have held something else"
        );
        cache.advance(4, [&b"other"[..]].into_iter());
        assert_eq!(cache.get(4, b"k"), Some(Some(b"v".to_vec())));
        cache.advance(5, [&b"k"[..]].into_iter());
        assert_eq!((cache.get(4, b"k"), cache.get(5, b"k")), (None, None));
    }

    #[test]
    fn what_was_read_before_the_latest_commit_is_not_kept() {
        let cache = PointCache::new();
        cache.advance(2, [&b"k"[..]].into_iter());
        for _ in 0..2 {
            cache.insert(1, b"k", Some(b"old"));
        }
        assert_eq!(cache.get(2, b"k"), None);
    }

    #[test]
    fn absence_is_remembered_and_memory_is_bounded() {
        let cache = PointCache::new();
        for _ in 0..2 {
            cache.insert(0, b"none", None);
        }
        assert_eq!(cache.get(0, b"none"), Some(None));
        for n in 0..100_000_u32 {
            for _ in 0..2 {
                cache.insert(0, &n.to_be_bytes(), Some(&[0; 4096]));
            }
        }
        for _ in 0..2 {
            cache.insert(0, b"large", Some(&[0; VALUE_BYTES + 1]));
        }
        assert_eq!(cache.get(0, b"large"), None);
        for shard in &cache.shards {
            let shard = shard.lock();
            assert!(shard.bytes <= SHARD_BYTES && shard.entries.len() <= SHARD_KEYS);
        }
    }
}
