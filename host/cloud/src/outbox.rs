//! Changes that are staged and not yet in the space.
//!
//! `host.cloud-outbox` holds them by a number that grows with every staging in this process, begun after the last one
//! found at start: a transaction that depends on another one's outcome stages after it. Two indexes make "is a change
//! of this row pending?" and "does a pending row name this blob?" point reads.

use stowage_storage::{Error as StorageError, KeyRange, ScanOptions, Transaction};

use crate::{Change, Hash};

const CHANGES: &str = "host.cloud-outbox";
/// Row → the number of its last pending change.
const ROWS: &str = "host.cloud-pending";
/// Blob and number of a pending change that names it → nothing.
const BLOBS: &str = "host.cloud-wanted";

/// A staged change and its number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Staged {
    pub number: u64,
    pub change: Change,
}

/// The number of the last change in the outbox, 0 when it is empty.
pub(crate) fn last_number(tx: &mut Transaction) -> Result<u64, StorageError> {
    let options = ScanOptions {
        reverse: true,
        limit: 1,
        keys_only: true,
        ..ScanOptions::default()
    };
    let page = tx.scan(CHANGES, &KeyRange::all(), &options)?;
    Ok(page.entries.first().map_or(0, |entry| number(&entry.key)))
}

pub(crate) fn stage(tx: &mut Transaction, number: u64, change: &Change) -> Result<(), StorageError> {
    if let Some((collection, identity)) = change.row() {
        let key = row_key(collection, identity);
        // Of two transactions that change one row at once the second runs again, and so stages after the first, with a later number.
        tx.depend_on(ROWS, &key)?;
        tx.put(ROWS, &key, number.to_be_bytes().to_vec())?;
    }
    if let Some(hash) = change.wanted_blob() {
        tx.put(BLOBS, &blob_key(&hash, number), Vec::new())?;
    }
    tx.put(CHANGES, &number.to_be_bytes(), encode(change))
}

fn encode(change: &Change) -> Vec<u8> {
    rmp_serde::to_vec_named(change).expect("strings, numbers and maps of them are always serialisable to memory")
}

/// Removes changes that are in the space now.
pub(crate) fn remove(tx: &mut Transaction, staged: &[Staged]) -> Result<(), StorageError> {
    for Staged { number, change } in staged {
        tx.delete(CHANGES, &number.to_be_bytes())?;
        if let Some((collection, identity)) = change.row() {
            let key = row_key(collection, identity);
            if tx.get(ROWS, &key)?.is_some_and(|value| self::number(&value) == *number) {
                tx.delete(ROWS, &key)?;
            }
        }
        if let Some(hash) = change.wanted_blob() {
            tx.delete(BLOBS, &blob_key(&hash, *number))?;
        }
    }
    Ok(())
}

/// Up to `limit` changes after a number, in order, and the last number that was looked at while there may be more. One
/// that cannot be read is passed over.
pub(crate) fn after(tx: &mut Transaction, from: u64, limit: u32) -> Result<(Vec<Staged>, Option<u64>), StorageError> {
    let range = KeyRange {
        start: Some(from.saturating_add(1).to_be_bytes().to_vec()),
        end: None,
    };
    let page = tx.scan(
        CHANGES,
        &range,
        &ScanOptions {
            limit,
            ..ScanOptions::default()
        },
    )?;
    let mut staged = Vec::with_capacity(page.entries.len());
    for entry in page.entries {
        let number = number(&entry.key);
        match rmp_serde::from_slice(&entry.value) {
            Ok(change) => staged.push(Staged { number, change }),
            Err(error) => tracing::error!(number, %error, "a change in the outbox cannot be read and is left there"),
        }
    }
    Ok((staged, page.cursor.map(|key| self::number(&key))))
}

/// Whether a change of the row is pending.
pub(crate) fn is_pending(tx: &mut Transaction, collection: &str, identity: &str) -> Result<bool, StorageError> {
    Ok(tx.get(ROWS, &row_key(collection, identity))?.is_some())
}

/// Whether a pending change makes a row name the blob.
pub(crate) fn names(tx: &mut Transaction, hash: &Hash) -> Result<bool, StorageError> {
    let options = ScanOptions {
        limit: 1,
        keys_only: true,
        ..ScanOptions::default()
    };
    Ok(!tx
        .scan(BLOBS, &KeyRange::prefix(*hash.as_bytes()), &options)?
        .entries
        .is_empty())
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

fn row_key(collection: &str, identity: &str) -> Vec<u8> {
    [collection.as_bytes(), b"\0", identity.as_bytes()].concat()
}

fn blob_key(hash: &Hash, number: u64) -> Vec<u8> {
    [&hash.as_bytes()[..], &number.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stowage_storage::{Config, Store};

    fn delete(identity: &str) -> Change {
        Change::DeleteRow {
            collection: "favorites".to_owned(),
            identity: identity.to_owned(),
        }
    }

    #[test]
    fn a_row_is_pending_until_its_last_change_is_removed() {
        let store = Store::in_memory(Config::default());
        let mut tx = store.begin();
        for number in 1..=2 {
            stage(&mut tx, number, &delete("a")).expect("memory takes it");
        }
        let (staged, more) = after(&mut tx, 0, 10).expect("readable");
        assert_eq!((staged.len(), more), (2, None));
        remove(&mut tx, &staged[..1]).expect("memory takes it");
        assert!(is_pending(&mut tx, "favorites", "a").expect("readable"));
        remove(&mut tx, &staged[1..]).expect("memory takes it");
        assert!(!is_pending(&mut tx, "favorites", "a").expect("readable"));
        assert_eq!(last_number(&mut tx).expect("readable"), 0);
    }

    #[test]
    fn a_pending_row_names_its_blob() {
        let store = Store::in_memory(Config::default());
        let mut tx = store.begin();
        let hash = Hash::of(b"x");
        let change = Change::PutRow {
            collection: "storage-files".to_owned(),
            identity: hash.to_string(),
            fields: serde_json::Map::new(),
        };
        assert!(!names(&mut tx, &hash).expect("readable"));
        stage(&mut tx, 7, &change).expect("memory takes it");
        assert!(names(&mut tx, &hash).expect("readable"));
        remove(&mut tx, &[Staged { number: 7, change }]).expect("memory takes it");
        assert!(!names(&mut tx, &hash).expect("readable"));
    }
}
