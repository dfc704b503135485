//! A memtable: the updates of recent batches, sorted by key, until they are flushed.
//!
//! It keeps each version of a key that a batch wrote, so that a snapshot still sees its own version
//! after later batches. It lives as long as a snapshot reads it, unless it is discarded before.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;

use bytes::{Bytes, BytesMut};

use super::KeyUpdate;
use crate::error::BackendError;
use crate::sync::{RwLock, RwLockReadGuard};

/// Updates that are inserted under one lock. Readers wait meanwhile.
const UPDATES_PER_LOCK: usize = 4;

/// Estimated memory of a version, besides its key and value.
const VERSION_OVERHEAD_BYTES: usize = 144;

#[derive(Debug, Default)]
pub(crate) struct Memtable {
    rows: RwLock<Rows>,
}

#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) map: BTreeMap<Bytes, Versions>,
    bytes: usize,
    pub(super) is_discarded: bool,
}

/// The versions of one key.
#[derive(Debug)]
pub(super) struct Versions {
    latest: Version,
    /// The earlier ones. Boxed, because most keys have none.
    older: Option<Box<OlderVersions>>,
}

/// Earlier versions of a key, oldest first.
#[derive(Debug, Default)]
struct OlderVersions(Vec<Version>);

/// What a key holds from a batch on.
#[derive(Debug)]
pub(super) struct Version {
    batch: u64,
    /// `None` if the batch removed the key.
    pub(super) value: Option<Bytes>,
}

impl Versions {
    fn push(&mut self, version: Version) {
        let before = std::mem::replace(&mut self.latest, version);
        self.older.get_or_insert_default().0.push(before);
    }

    /// The version that a snapshot of this batch sees, if the key was written by then.
    pub(super) fn at(&self, batch: u64) -> Option<&Version> {
        if self.latest.batch <= batch {
            return Some(&self.latest);
        }
        let OlderVersions(older) = self.older.as_deref()?;
        let visible = older.partition_point(|version| version.batch <= batch);
        older[..visible].last()
    }
}

impl Memtable {
    /// Inserts the updates of a batch. It is later than all batches before, and no snapshot of it
    /// exists yet.
    pub(crate) fn insert(&self, batch: u64, updates: &[KeyUpdate<'_>]) {
        let mut bytes = copy_to_one_buffer(updates);
        for some in updates.chunks(UPDATES_PER_LOCK) {
            let mut rows = self.rows.write();
            for (key, value) in some {
                rows.bytes += VERSION_OVERHEAD_BYTES + key.len() + value.map_or(0, <[u8]>::len);
                let key = bytes.split_to(key.len());
                let version = Version {
                    batch,
                    value: value.map(|value| bytes.split_to(value.len())),
                };
                match rows.map.entry(key) {
                    Entry::Occupied(mut versions) => versions.get_mut().push(version),
                    Entry::Vacant(free) => {
                        free.insert(Versions {
                            latest: version,
                            older: None,
                        });
                    }
                }
            }
        }
    }

    /// The memory it takes, estimated.
    pub(crate) fn bytes(&self) -> usize {
        self.rows().bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows().map.is_empty()
    }

    /// Frees all rows. Snapshots that read this memtable fail from then on with
    /// [`BackendError::Outdated`].
    pub(crate) fn discard(&self) {
        let discarded = Rows {
            is_discarded: true,
            ..Rows::default()
        };
        let rows = std::mem::replace(&mut *self.rows.write(), discarded);
        // Freed after the lock is released, because it takes long.
        drop(rows);
    }

    /// What a key holds after a batch: `None` if no batch up to this one wrote the key here.
    pub(super) fn get(&self, batch: u64, key: &[u8]) -> Result<Option<Option<Vec<u8>>>, BackendError> {
        let rows = self.rows();
        if rows.is_discarded {
            return Err(BackendError::Outdated);
        }
        let version = rows.map.get(key).and_then(|versions| versions.at(batch));
        Ok(version.map(|version| version.value.as_deref().map(<[u8]>::to_vec)))
    }

    /// Passes the latest versions of up to `limit` keys after `after` to `write`, sorted by key.
    /// Returns the last of these keys if there may be more.
    pub(crate) fn read_chunk<E>(
        &self,
        after: Option<&Bytes>,
        limit: usize,
        write: impl FnOnce(&mut dyn Iterator<Item = KeyUpdate<'_>>) -> Result<(), E>,
    ) -> Result<Option<Bytes>, E> {
        let rows = self.rows();
        let start = after.map_or(Bound::Unbounded, |key| Bound::Excluded(&**key));
        let (mut last, mut left) = (None, limit);
        let chunk = rows.map.range::<[u8], _>((start, Bound::Unbounded)).take(limit);
        write(&mut chunk.map(|(key, versions)| {
            left -= 1;
            last = Some(key);
            (&**key, versions.latest.value.as_deref())
        }))?;
        Ok(last.filter(|_| left == 0).cloned())
    }

    pub(super) fn rows(&self) -> RwLockReadGuard<'_, Rows> {
        self.rows.read()
    }
}

/// Copies keys and values into one allocation. One thread allocates and another frees it, which is
/// expensive per allocation.
fn copy_to_one_buffer(updates: &[KeyUpdate<'_>]) -> Bytes {
    let parts = || updates.iter().flat_map(|(key, value)| [Some(*key), *value]).flatten();
    let mut bytes = BytesMut::with_capacity(parts().map(<[u8]>::len).sum());
    for part in parts() {
        bytes.extend_from_slice(part);
    }
    bytes.freeze()
}
