//! The outbox: changes that are staged and not yet in the space. They are pending.
//!
//! The key of a change is its number and the fingerprint of its row. The number grows with every
//! change. If a transaction depends on the result of another one, it gets a later number.
//!
//! A sync reads the fingerprints to find the pending rows of a batch. So staging needs no index of
//! rows, and calls stay fast. An index of blobs tells whether a pending change names a blob.

use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};
use stowage_storage::{Error as StorageError, KeyRange, ScanOptions, Transaction};

use crate::{Hash, SpaceChange};

const CHANGES: &str = "host.cloud-outbox";
/// An empty table for conflicts. Staging a change touches the fingerprint of its row. Asking about
/// a row depends on it.
const ROWS: &str = "host.cloud-pending";
/// Blob and number of a pending change that names it → nothing.
const BLOBS: &str = "host.cloud-wanted";

/// The entries that are read in one step.
const PAGE: u32 = 10_000;

/// Identifies a row.
type Fingerprint = [u8; 16];

/// A staged change and its number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StagedChange {
    pub number: u64,
    pub change: SpaceChange,
}

/// The number of the last change in the outbox. 0 if the outbox is empty.
pub(crate) fn last_number(tx: &mut Transaction) -> Result<u64, StorageError> {
    let options = ScanOptions {
        reverse: true,
        ..keys(1)
    };
    let page = tx.scan(CHANGES, &KeyRange::all(), &options)?;
    Ok(page.entries.first().map_or(0, |entry| number(&entry.key)))
}

/// The number of the first change in the outbox, and how many there are: at most `most` are
/// counted. Later changes of the outbox are no conflict.
pub(crate) fn waiting(tx: &mut Transaction, most: u32) -> Result<(Option<u64>, u64), StorageError> {
    let page = tx.peek(CHANGES, &KeyRange::all(), &keys(most))?;
    let first = page.entries.first().map(|entry| number(&entry.key));
    Ok((first, page.entries.len() as u64))
}

pub(crate) fn stage(tx: &mut Transaction, number: u64, change: &SpaceChange) -> Result<(), StorageError> {
    if let Some((collection, identity)) = change.row() {
        let print = fingerprint(collection, identity);
        // If two transactions change one row at once, the second one runs again. So it gets a later
        // number than the first.
        tx.depend_on(ROWS, &print)?;
        tx.touch(ROWS, &print)?;
    }
    if let Some(hash) = change.wanted_blob() {
        tx.put(BLOBS, &blob_key(&hash, number), Vec::new())?;
    }
    tx.put(CHANGES, &change_key(number, change), encode(change))
}

fn encode(change: &SpaceChange) -> Vec<u8> {
    rmp_serde::to_vec_named(change).expect("strings, numbers and maps of them are always serialisable to memory")
}

/// Removes changes that are in the space now.
pub(crate) fn remove<'a>(
    tx: &mut Transaction,
    staged: impl IntoIterator<Item = &'a StagedChange>,
) -> Result<(), StorageError> {
    for StagedChange { number, change } in staged {
        tx.delete(CHANGES, &change_key(*number, change))?;
        if let Some(hash) = change.wanted_blob() {
            tx.delete(BLOBS, &blob_key(&hash, *number))?;
        }
    }
    Ok(())
}

/// Up to `limit` changes after a number, in order. If there may be more, also the last number that
/// was read. A change that cannot be decoded is left out.
pub(crate) fn after(
    tx: &mut Transaction,
    from: u64,
    limit: u32,
) -> Result<(Vec<StagedChange>, Option<u64>), StorageError> {
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
            Ok(change) => staged.push(StagedChange { number, change }),
            Err(error) => tracing::error!(number, %error, "a change in the outbox cannot be read and is left there"),
        }
    }
    Ok((staged, page.cursor.map(|key| self::number(&key))))
}

/// Which of these rows of a collection have a pending change. If one of them is staged meanwhile,
/// this transaction conflicts. None is published meanwhile: sync and publisher hold
/// `CloudState::moving`.
pub(crate) fn pending<'r>(
    tx: &mut Transaction,
    collection: &str,
    identities: impl Iterator<Item = &'r str>,
) -> Result<HashSet<&'r str>, StorageError> {
    let mut asked: HashMap<Fingerprint, &str> = HashMap::new();
    for identity in identities {
        let print = fingerprint(collection, identity);
        tx.depend_on(ROWS, &print)?;
        asked.insert(print, identity);
    }
    let mut pending = HashSet::new();
    let mut range = KeyRange::all();
    loop {
        // Peeked, because changes of other rows are no conflict.
        let page = tx.peek(CHANGES, &range, &keys(PAGE))?;
        pending.extend(page.entries.iter().filter_map(|entry| {
            let (_, print) = entry.key.split_first_chunk::<8>()?;
            asked.get(print)
        }));
        match page.cursor {
            Some(cursor) => range.start = Some([&cursor[..], b"\0"].concat()),
            None => return Ok(pending),
        }
    }
}

/// Whether a pending change names the blob.
pub(crate) fn names(tx: &mut Transaction, hash: &Hash) -> Result<bool, StorageError> {
    Ok(!tx
        .scan(BLOBS, &KeyRange::prefix(*hash.as_bytes()), &keys(1))?
        .entries
        .is_empty())
}

/// What a stored change implies: its number, its key, and the key of its wanted blob. `None` if it
/// cannot be decoded.
pub(crate) fn implied(key: &[u8], value: &[u8]) -> Option<(u64, Vec<u8>, Option<Vec<u8>>)> {
    let change: SpaceChange = rmp_serde::from_slice(value).ok()?;
    let number = number(key);
    let wanted = change.wanted_blob().map(|hash| blob_key(&hash, number));
    Some((number, change_key(number, &change), wanted))
}

fn number(key: &[u8]) -> u64 {
    key.first_chunk().map_or(0, |number| u64::from_be_bytes(*number))
}

fn change_key(number: u64, change: &SpaceChange) -> Vec<u8> {
    let mut key = number.to_be_bytes().to_vec();
    if let Some((collection, identity)) = change.row() {
        key.extend_from_slice(&fingerprint(collection, identity));
    }
    key
}

fn fingerprint(collection: &str, identity: &str) -> Fingerprint {
    let row = Sha256::new()
        .chain_update(collection)
        .chain_update(b"\0")
        .chain_update(identity);
    let digest: [u8; 32] = row.finalize().into();
    let (half, _) = digest.split_first_chunk().expect("16 of 32 bytes");
    *half
}

/// At most this many keys.
fn keys(limit: u32) -> ScanOptions {
    ScanOptions {
        limit,
        keys_only: true,
        ..ScanOptions::default()
    }
}

fn blob_key(hash: &Hash, number: u64) -> Vec<u8> {
    [&hash.as_bytes()[..], &number.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stowage_storage::Store;
    use stowage_storage::{CommitError, Config};

    fn is_pending(tx: &mut Transaction, collection: &str, identity: &str) -> bool {
        let pending = pending(tx, collection, [identity].into_iter()).expect("readable");
        pending.contains(identity)
    }

    fn delete(identity: &str) -> SpaceChange {
        SpaceChange::DeleteRow {
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
        assert!(is_pending(&mut tx, "favorites", "a"));
        remove(&mut tx, &staged[1..]).expect("memory takes it");
        assert!(!is_pending(&mut tx, "favorites", "a"));
        assert_eq!(last_number(&mut tx).expect("readable"), 0);
    }

    #[test]
    fn a_pending_row_names_its_blob() {
        let store = Store::in_memory(Config::default());
        let mut tx = store.begin();
        let hash = Hash::of(b"x");
        let change = SpaceChange::PutRow {
            collection: "storage-files".to_owned(),
            identity: hash.to_string(),
            fields: serde_json::Map::new(),
        };
        assert!(!names(&mut tx, &hash).expect("readable"));
        stage(&mut tx, 7, &change).expect("memory takes it");
        assert!(names(&mut tx, &hash).expect("readable"));
        remove(&mut tx, [&StagedChange { number: 7, change }]).expect("memory takes it");
        assert!(!names(&mut tx, &hash).expect("readable"));
    }

    #[tokio::test]
    async fn who_asks_about_a_row_conflicts_with_a_change_of_it_and_no_other() {
        let store = Store::in_memory(Config::default());
        let asking = || {
            let mut tx = store.begin();
            assert!(!is_pending(&mut tx, "favorites", "a"));
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
        assert!(is_pending(&mut tx, "favorites", "a"));
        assert!(is_pending(&mut tx, "favorites", "other 999"));
        assert!(!is_pending(&mut tx, "backups", "a"));
    }

    #[test]
    fn what_waits_is_counted_to_a_bound() {
        let store = Store::in_memory(Config::default());
        let mut tx = store.begin();
        assert_eq!(waiting(&mut tx, 10).expect("readable"), (None, 0));
        for n in 5..9 {
            stage(&mut tx, n, &delete(&n.to_string())).expect("memory takes it");
        }
        assert_eq!(waiting(&mut tx, 10).expect("readable"), (Some(5), 4));
        assert_eq!(waiting(&mut tx, 3).expect("readable"), (Some(5), 3));
    }

    #[test]
    fn of_many_rows_those_are_named_that_have_a_change() {
        let store = Store::in_memory(Config::default());
        let mut tx = store.begin();
        for n in 0..PAGE as u64 + 100 {
            stage(&mut tx, n + 1, &delete(&n.to_string())).expect("memory takes it");
        }
        let blob = SpaceChange::DeleteBlob { hash: Hash::of(b"x") };
        stage(&mut tx, 100_000, &blob).expect("memory takes it");
        let (last, none) = ((PAGE + 99).to_string(), (PAGE + 100).to_string());
        let asked = ["0", "7", "none", &last, &none];
        let named = pending(&mut tx, "favorites", asked.into_iter()).expect("readable");
        assert_eq!(named, HashSet::from(["0", "7", last.as_str()]));
        assert_eq!(last_number(&mut tx).expect("readable"), 100_000);
    }
}
