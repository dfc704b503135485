//! Changes that are staged and not yet in the space.
//!
//! `host.cloud-outbox` holds them by a number that grows with every staging in this process, begun after the last one
//! found at start: a transaction that depends on another one's outcome stages after it. Two indexes make "is a change
//! of this row pending?" and "does a pending row name this blob?" short reads.

use sha2::{Digest as _, Sha256};
use stowage_storage::{Error as StorageError, KeyRange, ScanOptions, Store, Transaction};

use crate::cloud::update;
use crate::{Change, Error, Hash};

const CHANGES: &str = "host.cloud-outbox";
/// Rows are touched here by those who stage a change of them, and depended on by those who ask about them. It holds nothing.
const ROWS: &str = "host.cloud-pending";
/// First byte of a row's fingerprint, number of a pending change of the row, the rest of the fingerprint → nothing. In the order of the
/// numbers but for the first byte, they come and go in a few places of the database, however many rows it has.
const WAITING: &str = "host.cloud-waiting";
/// Blob and number of a pending change that names it → nothing.
const BLOBS: &str = "host.cloud-wanted";

/// How much of a table is read or written in one step.
const PAGE: u32 = 10_000;

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
        tx.touch(ROWS, &key)?;
        tx.put(WAITING, &waiting_key(&key, number), Vec::new())?;
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
pub(crate) fn remove<'a>(
    tx: &mut Transaction,
    staged: impl IntoIterator<Item = &'a Staged>,
) -> Result<(), StorageError> {
    for Staged { number, change } in staged {
        tx.delete(CHANGES, &number.to_be_bytes())?;
        if let Some((collection, identity)) = change.row() {
            tx.delete(WAITING, &waiting_key(&row_key(collection, identity), *number))?;
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

/// Whether a change of the row is pending. Whoever asks runs again where one is staged meanwhile. None is published meanwhile: both hold
/// `Inner::moving`.
pub(crate) fn is_pending(tx: &mut Transaction, collection: &str, identity: &str) -> Result<bool, StorageError> {
    let row = row_key(collection, identity);
    tx.depend_on(ROWS, &row)?;
    let print = fingerprint(&row);
    let mut range = KeyRange::prefix(&print[..1]);
    let options = ScanOptions {
        limit: PAGE,
        keys_only: true,
        ..ScanOptions::default()
    };
    loop {
        // Changes of other rows do not matter.
        let page = tx.peek(WAITING, &range, &options)?;
        if page.entries.iter().any(|entry| entry.key.ends_with(&print[1..])) {
            return Ok(true);
        }
        match page.cursor {
            Some(cursor) => range.start = Some([&cursor[..], b"\0"].concat()),
            None => return Ok(false),
        }
    }
}

/// Takes over what a version of this program left that noted of each row the number of its last pending change. It is done over again
/// where it did not come to its end.
pub(crate) async fn take_over(store: &Store) -> Result<(), Error> {
    let some = ScanOptions {
        limit: PAGE,
        keys_only: true,
        ..ScanOptions::default()
    };
    if store.begin().scan(ROWS, &KeyRange::all(), &some)?.entries.is_empty() {
        return Ok(());
    }
    let mut from = Some(0);
    while let Some(last) = from {
        let (staged, more) = after(&mut store.begin(), last, PAGE)?;
        update(store, |tx| {
            staged
                .iter()
                .try_for_each(|Staged { number, change }| match change.row() {
                    Some((collection, identity)) => tx.put(
                        WAITING,
                        &waiting_key(&row_key(collection, identity), *number),
                        Vec::new(),
                    ),
                    None => Ok(()),
                })
        })
        .await?;
        from = more;
    }
    while !update(store, |tx| {
        let page = tx.scan(ROWS, &KeyRange::all(), &some)?;
        page.entries.iter().try_for_each(|entry| tx.delete(ROWS, &entry.key))?;
        Ok(page.entries.is_empty())
    })
    .await?
    {}
    Ok(())
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

fn fingerprint(row: &[u8]) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(row).into();
    let (half, _) = digest.split_first_chunk().expect("16 of 32 bytes");
    *half
}

fn waiting_key(row: &[u8], number: u64) -> Vec<u8> {
    let print = fingerprint(row);
    [&print[..1], &number.to_be_bytes(), &print[1..]].concat()
}

fn blob_key(hash: &Hash, number: u64) -> Vec<u8> {
    [&hash.as_bytes()[..], &number.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stowage_storage::{CommitError, Config};

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
        remove(&mut tx, [&Staged { number: 7, change }]).expect("memory takes it");
        assert!(!names(&mut tx, &hash).expect("readable"));
    }

    #[tokio::test]
    async fn who_asks_about_a_row_conflicts_with_a_change_of_it_and_no_other() {
        let store = Store::in_memory(Config::default());
        let asking = || {
            let mut tx = store.begin();
            assert!(!is_pending(&mut tx, "favorites", "a").expect("readable"));
            tx.put("host.asked", b"k", Vec::new()).expect("memory takes it");
            tx
        };
        let staging = |number, identity: &str| {
            let mut tx = store.begin();
            stage(&mut tx, number, &delete(identity)).expect("memory takes it");
            tx
        };
        let asked = asking();
        for n in 0..1000 {
            let tx = staging(n, &format!("other {n}"));
            store.commit(tx).await.expect("nobody else changes it");
        }
        store.commit(asked).await.expect("other rows do not matter");
        let (asked, second) = (asking(), staging(1001, "a"));
        store.commit(staging(1000, "a")).await.expect("the first");
        assert!(matches!(store.commit(asked).await, Err(CommitError::Conflict)));
        assert!(matches!(store.commit(second).await, Err(CommitError::Conflict)));
        let mut tx = store.begin();
        assert!(is_pending(&mut tx, "favorites", "a").expect("readable"));
        assert!(is_pending(&mut tx, "favorites", "other 999").expect("readable"));
        assert!(!is_pending(&mut tx, "backups", "a").expect("readable"));
    }

    #[tokio::test]
    async fn numbers_of_rows_are_taken_over() {
        let store = Store::in_memory(Config::default());
        let rows = PAGE as usize + 100;
        for some in (0..rows).collect::<Vec<_>>().chunks(1000) {
            update(&store, |tx| {
                some.iter().try_for_each(|n| {
                    let number = *n as u64 + 1;
                    tx.put(CHANGES, &number.to_be_bytes(), encode(&delete(&n.to_string())))?;
                    tx.put(
                        ROWS,
                        &row_key("favorites", &n.to_string()),
                        number.to_be_bytes().to_vec(),
                    )
                })
            })
            .await
            .expect("memory takes it");
        }
        for _ in 0..2 {
            take_over(&store).await.expect("memory takes it");
            let mut tx = store.begin();
            for n in [0, rows / 2, rows - 1] {
                assert!(
                    is_pending(&mut tx, "favorites", &n.to_string()).expect("readable"),
                    "{n}"
                );
            }
            assert!(!is_pending(&mut tx, "favorites", "none").expect("readable"));
            assert_eq!(tx.count(ROWS, &KeyRange::all()).expect("readable"), 0);
        }
        let mut from = 0;
        while last_number(&mut store.begin()).expect("readable") > 0 {
            let (staged, _) = after(&mut store.begin(), from, 1000).expect("readable");
            from = staged.last().expect("a change").number;
            update(&store, |tx| remove(tx, &staged)).await.expect("memory takes it");
        }
        assert_eq!(store.begin().count(WAITING, &KeyRange::all()).expect("readable"), 0);
    }
}
