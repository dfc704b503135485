//! The old values of the rows that the steps of a migration change.
//!
//! `host.module-undo`: step and index in the step, 8 and 4 bytes, big-endian → [`Note`],
//! MessagePack with field names. `host.module-undo-values`: the same key → the old value, if the
//! row held a value.

use serde::{Deserialize, Serialize};
use stowage_storage::{Error, KeyRange, ScanOptions, Snapshot, Store, Transaction};

use crate::error::DeployError;
use crate::rows::{decode, encode};

const NOTES: &str = "host.module-undo";
const VALUES: &str = "host.module-undo-values";
/// Prefix of the host's tables. They are not undone: what a step requested from the host was
/// released.
const HOST_TABLES: &str = "host.";
/// A transaction is committed once it writes this many bytes.
const ENOUGH_BYTES: usize = 8 << 20;
/// Most notes of one transaction.
const PAGE: u32 = 1000;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    table: String,
    key: Vec<u8>,
    old: OldValue,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum OldValue {
    Absent,
    Counter(i64),
    /// The value is in a row of its own, because it may have the maximal length of a value.
    Value,
}

/// Table and key of a row.
pub(crate) type RowKey = (String, Vec<u8>);

/// The rows of modules that a transaction writes.
pub(crate) fn written_keys(transaction: &Transaction) -> Vec<RowKey> {
    transaction
        .writes()
        .filter(|(table, ..)| !table.starts_with(HOST_TABLES))
        .map(|(table, key, _)| (table.to_owned(), key.to_vec()))
        .collect()
}

/// Notes durably what the rows that `step` is about to write hold now. Nobody else writes them
/// meanwhile, because calls are held. Noting a step again overwrites its notes; notes that remain
/// of a longer attempt are correct too.
pub(crate) async fn note(store: &Store, step: u64, snapshot: &Snapshot, keys: &[RowKey]) -> Result<(), DeployError> {
    let mut before = store.begin_at(snapshot);
    let mut notes = store.begin();
    for (index, (table, key)) in keys.iter().enumerate() {
        let at = [&step.to_be_bytes()[..], &(index as u32).to_be_bytes()].concat();
        let old = match before.get(table, key)? {
            None => OldValue::Absent,
            Some(value) => match before.counter(table, key) {
                Ok(counter) => OldValue::Counter(counter),
                Err(Error::NotACounter { .. }) => {
                    notes.put(VALUES, &at, value)?;
                    OldValue::Value
                }
                Err(error) => return Err(error.into()),
            },
        };
        let note = Note {
            table: table.clone(),
            key: key.clone(),
            old,
        };
        notes.put(NOTES, &at, encode(&note))?;
        if notes.write_bytes() >= ENOUGH_BYTES {
            store.commit(std::mem::replace(&mut notes, store.begin())).await?;
        }
    }
    store.commit(notes).await?;
    Ok(())
}

/// Restores the old values, the latest notes first, and removes the notes.
pub(crate) async fn restore(store: &Store) -> Result<(), DeployError> {
    while store.update(restore_page).await? {}
    Ok(())
}

/// Restores one page of notes. Returns whether there was any.
fn restore_page(tx: &mut Transaction) -> Result<bool, DeployError> {
    let options = ScanOptions {
        reverse: true,
        limit: PAGE,
        ..ScanOptions::default()
    };
    let page = tx.scan(NOTES, &KeyRange::all(), &options)?;
    let any = !page.entries.is_empty();
    for entry in page.entries {
        let Note { table, key, old } = decode("an undo note of a migration", &entry.value)?;
        match old {
            OldValue::Absent => tx.delete(&table, &key)?,
            OldValue::Counter(counter) => {
                tx.delete(&table, &key)?;
                tx.add(&table, &key, counter)?;
            }
            OldValue::Value => {
                let value = tx.get(VALUES, &entry.key)?.ok_or(DeployError::UndoValueMissing)?;
                tx.put(&table, &key, value)?;
                tx.delete(VALUES, &entry.key)?;
            }
        }
        tx.delete(NOTES, &entry.key)?;
        if tx.write_bytes() >= ENOUGH_BYTES {
            break;
        }
    }
    Ok(any)
}

/// Removes all notes.
pub(crate) async fn forget(store: &Store) -> Result<(), DeployError> {
    for table in [NOTES, VALUES] {
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
        note(store, number, tx.snapshot(), &written_keys(&tx)).await.unwrap();
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
    async fn values_counters_and_absences_are_restored() {
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
        // A counter, not a value of eight bytes.
        assert_eq!(store.begin().counter("sums", b"n").unwrap(), 5);
    }

    #[tokio::test]
    async fn forget_removes_all_notes() {
        let store = Store::in_memory(Config::default());
        step(&store, 0, |tx| tx.put("rows", b"a", vec![7; 100]).unwrap()).await;
        step(&store, 1, |tx| tx.put("rows", b"a", vec![8; 100]).unwrap()).await;
        forget(&store).await.unwrap();
        assert_eq!(store.snapshot().tables().unwrap(), ["rows"]);
    }
}
