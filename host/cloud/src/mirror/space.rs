//! What this host knows of the space itself.

use stowage_storage::{Error as StorageError, Transaction};

use super::segments::{invalidate, segments};
use crate::description::Description;

const SPACE: &str = "host.cloud-space";
const TOTAL_BYTES: &[u8] = b"total-bytes";
const NAME: &[u8] = b"name";
const ID: &[u8] = b"id";

/// The space that the mirror is of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KnownSpace {
    /// Its URL without credentials.
    pub(crate) name: String,
    /// The `id` of its `space.json`.
    pub(crate) id: Option<String>,
    /// Whether it was ever reached.
    pub(crate) seen: bool,
}

impl KnownSpace {
    /// Whether a URL names this place. A slash at the end does not count.
    pub(crate) fn is_at(&self, name: &str) -> bool {
        self.name.trim_end_matches('/') == name.trim_end_matches('/')
    }
}

/// The space that the mirror is of. `None` in a new database.
pub(crate) fn known_space(tx: &mut Transaction) -> Result<Option<KnownSpace>, StorageError> {
    let mut text = |key| -> Result<Option<String>, StorageError> {
        let value = tx.get(SPACE, key)?;
        Ok(value.and_then(|bytes| String::from_utf8(bytes).ok()))
    };
    let (name, id) = (text(NAME)?, text(ID)?);
    let seen = tx.get(SPACE, TOTAL_BYTES)?.is_some();
    Ok(name.map(|name| KnownSpace { name, id, seen }))
}

/// The size of the space in bytes, as it was last read. 0 if it was never read.
pub(crate) fn total_bytes(tx: &mut Transaction) -> Result<u64, StorageError> {
    let value = tx.get(SPACE, TOTAL_BYTES)?;
    Ok(value
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_be_bytes))
}

/// Records what `space.json` says.
pub(crate) fn put_description(tx: &mut Transaction, description: &Description) -> Result<(), StorageError> {
    put(tx, TOTAL_BYTES, description.total_bytes.to_be_bytes().to_vec())?;
    match &description.id {
        Some(id) => put(tx, ID, id.clone().into_bytes()),
        None => Ok(()),
    }
}

fn put(tx: &mut Transaction, key: &[u8], value: Vec<u8>) -> Result<(), StorageError> {
    if tx.get(SPACE, key)?.is_some_and(|old| *old == *value) {
        return Ok(());
    }
    tx.put(SPACE, key, value)
}

/// If the mirror is of another space, drops the versions of all its segments, and what is known of
/// that space.
pub(crate) fn belong_to(tx: &mut Transaction, name: &str) -> Result<(), StorageError> {
    if known_space(tx)?.is_some_and(|known| known.is_at(name)) {
        return Ok(());
    }
    for collection in &crate::COLLECTIONS {
        for (segment, _) in segments(tx, collection.name)? {
            invalidate(tx, collection.name, &segment)?;
        }
    }
    tx.delete(SPACE, TOTAL_BYTES)?;
    tx.delete(SPACE, ID)?;
    tx.put(SPACE, NAME, name.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::{SegmentState, put_segment, segment};
    use super::*;
    use stowage_storage::{Config, Store};

    #[test]
    fn versions_of_another_space_do_not_count() {
        let store = Store::in_memory(Config::default());
        let mut tx = store.begin();
        belong_to(&mut tx, "file:///a").expect("put");
        let state = SegmentState {
            version: rmp_serde::from_slice(b"\xa3e:1").ok(),
            kept: true,
            unread: false,
        };
        assert!(state.version.is_some());
        put_segment(&mut tx, "favorites", "aa", &state).expect("put");
        belong_to(&mut tx, "file:///a").expect("put");
        assert_eq!(segment(&mut tx, "favorites", "aa").expect("readable"), Some(state));
        belong_to(&mut tx, "file:///b").expect("put");
        let state = segment(&mut tx, "favorites", "aa").expect("readable").expect("known");
        assert_eq!(
            state,
            SegmentState {
                version: None,
                kept: true,
                unread: false
            }
        );
    }
}
