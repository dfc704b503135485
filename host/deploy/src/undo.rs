//! What rows were before the steps of a migration changed them.
//!
//! `host.module-undo`: step and place in it, 8 and 4 bytes, big-endian → table, key and what it held, MessagePack with field names.
//! `host.module-undo-values`: the same key → the value that was held, where it was one.

use serde::{Deserialize, Serialize};
use stowage_storage::{Error, KeyRange, ScanOptions, Snapshot, Store, Transaction};

use super::error::DeployError;
use super::live::{decode, encode};

const ROWS: &str = "host.module-undo";
const VALUES: &str = "host.module-undo-values";
/// Tables of the host, which are not undone: what a step asked of the host has been set going.
const HOST_TABLES: &str = "host.";
/// A transaction takes no further rows once it writes this much.
const ENOUGH_BYTES: usize = 8 << 20;
/// Rows of one transaction.
const PAGE: u32 = 1000;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    table: String,
    key: Vec<u8>,
    was: Was,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Was {
    Absent,
    Counter(i64),
    /// The value lies in a row of its own, for it may be as long as a value can.
    Value,
}

/// Table and key.
pub(super) type Place = (String, Vec<u8>);

/// The keys of modules that a transaction writes.
pub(super) fn places(transaction: &Transaction) -> Vec<Place> {
    transaction
        .writes()
        .filter(|(table, ..)| !table.starts_with(HOST_TABLES))
        .map(|(table, key, _)| (table.to_owned(), key.to_vec()))
        .collect()
}

/// Notes durably what the keys that `step` is about to write hold now. While it is at it nobody else writes them: calls are held back.
/// Noting a step again overwrites what was noted; what is left of a longer note is true as well.
pub(super) async fn note(store: &Store, step: u64, snapshot: &Snapshot, places: &[Place]) -> Result<(), DeployError> {
    let mut before = store.begin_at(snapshot);
    let mut notes = store.begin();
    for (place, (table, key)) in places.iter().enumerate() {
        let at = [&step.to_be_bytes()[..], &(place as u32).to_be_bytes()].concat();
        let was = match before.get(table, key)? {
            None => Was::Absent,
            Some(value) => match before.counter(table, key) {
                Ok(counter) => Was::Counter(counter),
                Err(Error::NotACounter { .. }) => {
                    notes.put(VALUES, &at, value)?;
                    Was::Value
                }
                Err(error) => return Err(error.into()),
            },
        };
        let row = Row {
            table: table.clone(),
            key: key.clone(),
            was,
        };
        notes.put(ROWS, &at, encode(&row))?;
        if notes.write_bytes() >= ENOUGH_BYTES {
            store.commit(std::mem::replace(&mut notes, store.begin())).await?;
        }
    }
    store.commit(notes).await?;
    Ok(())
}

/// Gives every noted key back what it held, the latest notes first, and removes the notes.
pub(super) async fn restore(store: &Store) -> Result<(), DeployError> {
    while store.update(restore_page).await? {}
    Ok(())
}

/// Whether there was anything to restore.
fn restore_page(tx: &mut Transaction) -> Result<bool, DeployError> {
    let options = ScanOptions {
        reverse: true,
        limit: PAGE,
        ..ScanOptions::default()
    };
    let page = tx.scan(ROWS, &KeyRange::all(), &options)?;
    let any = !page.entries.is_empty();
    for entry in page.entries {
        let Row { table, key, was } = decode("a row of an undone migration", &entry.value)?;
        match was {
            Was::Absent => tx.delete(&table, &key)?,
            Was::Counter(counter) => {
                tx.delete(&table, &key)?;
                tx.add(&table, &key, counter)?;
            }
            Was::Value => {
                let value = tx
                    .get(VALUES, &entry.key)?
                    .ok_or_else(|| DeployError::Storage("a row of an undone migration lacks its value".into()))?;
                tx.put(&table, &key, value)?;
                tx.delete(VALUES, &entry.key)?;
            }
        }
        tx.delete(ROWS, &entry.key)?;
        if tx.write_bytes() >= ENOUGH_BYTES {
            break;
        }
    }
    Ok(any)
}

/// Removes all notes.
pub(super) async fn forget(store: &Store) -> Result<(), DeployError> {
    for table in [ROWS, VALUES] {
        let page = |tx: &mut Transaction| -> Result<bool, DeployError> {
            let options = ScanOptions {
                limit: PAGE,
                keys_only: true,
                ..ScanOptions::default()
            };
            let page = tx.scan(table, &KeyRange::all(), &options)?;
            for entry in &page.entries {
                tx.delete(table, &entry.key)?;
            }
            Ok(!page.entries.is_empty())
        };
        while store.update(page).await? {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use stowage_storage::Config;

    use super::*;

    async fn step(store: &Store, number: u64, change: impl Fn(&mut Transaction)) {
        let mut tx = store.begin();
        change(&mut tx);
        note(store, number, tx.snapshot(), &places(&tx)).await.unwrap();
        store.commit(tx).await.unwrap();
    }

    fn state(store: &Store) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        let mut tx = store.begin();
        let mut rows = Vec::new();
        for table in store.snapshot().tables().unwrap() {
            let options = ScanOptions {
                limit: 100,
                ..ScanOptions::default()
            };
            for entry in tx.scan(&table, &KeyRange::all(), &options).unwrap().entries {
                rows.push((table.clone(), entry.key, entry.value));
            }
        }
        rows
    }

    #[tokio::test]
    async fn what_was_noted_comes_back_values_counters_and_absences() {
        let store = Store::in_memory(Config::default());
        let begin: Result<(), _> = store
            .update::<_, DeployError>(|tx| {
                tx.put("rows", b"a", b"old".to_vec())?;
                tx.put("rows", b"b", b"12345678".to_vec())?;
                tx.add("sums", b"n", 5)?;
                Ok(())
            })
            .await;
        begin.unwrap();
        let before = state(&store);
        step(&store, 0, |tx| {
            tx.put("rows", b"a", b"new".to_vec()).unwrap();
            tx.delete("rows", b"b").unwrap();
            tx.add("sums", b"n", 2).unwrap();
            tx.put("rows", b"c", b"added".to_vec()).unwrap();
        })
        .await;
        step(&store, 1, |tx| {
            tx.put("rows", b"a", b"newer".to_vec()).unwrap();
            tx.delete("sums", b"n").unwrap();
            tx.delete("rows", b"c").unwrap();
        })
        .await;
        assert_ne!(state(&store), before);
        restore(&store).await.unwrap();
        assert_eq!(state(&store), before);
        // It is a counter again and not eight bytes.
        assert_eq!(store.begin().counter("sums", b"n").unwrap(), 5);
    }

    #[tokio::test]
    async fn notes_that_are_not_needed_go() {
        let store = Store::in_memory(Config::default());
        step(&store, 0, |tx| tx.put("rows", b"a", vec![7; 100]).unwrap()).await;
        step(&store, 1, |tx| tx.put("rows", b"a", vec![8; 100]).unwrap()).await;
        forget(&store).await.unwrap();
        assert_eq!(store.snapshot().tables().unwrap(), ["rows"]);
    }
}
