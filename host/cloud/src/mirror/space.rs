//! What this host knows of the space itself.

use stowage_storage::{Error as StorageError, Transaction};

use super::segments::{invalidate, segments};

const SPACE: &str = "host.cloud-space";
const TOTAL_BYTES: &[u8] = b"total-bytes";
const NAME: &[u8] = b"name";

/// The size of the space in bytes, as it was last read. 0 if it was never read.
pub(crate) fn total_bytes(tx: &mut Transaction) -> Result<u64, StorageError> {
    let value = tx.get(SPACE, TOTAL_BYTES)?;
    Ok(value
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_be_bytes))
}

/// Records the size of the space.
pub(crate) fn put_total_bytes(tx: &mut Transaction, total_bytes: u64) -> Result<(), StorageError> {
    if self::total_bytes(tx)? == total_bytes && total_bytes != 0 {
        return Ok(());
    }
    tx.put(SPACE, TOTAL_BYTES, total_bytes.to_be_bytes().to_vec())
}

/// Drops the versions of all segments if the mirror is of another space.
pub(crate) fn belong_to(tx: &mut Transaction, name: &str) -> Result<(), StorageError> {
    if tx.get(SPACE, NAME)?.as_deref() == Some(name.as_bytes()) {
        return Ok(());
    }
    for collection in &crate::COLLECTIONS {
        for (segment, _) in segments(tx, collection.name)? {
            invalidate(tx, collection.name, &segment)?;
        }
    }
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
