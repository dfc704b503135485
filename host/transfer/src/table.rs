//! The tables of tasks in the database.
//!
//! `host.tasks`: the task's number (8 bytes, big-endian) → the task, MessagePack with field names.
//! `host.task-ids`: the task's identifier (UTF-8) → its number.

use stowage_storage::{Error, KeyRange, ScanOptions, Store, Transaction};

use crate::task::Task;

const TASKS: &str = "host.tasks";
const TASK_IDS: &str = "host.task-ids";

/// Tasks read at a time by [`all`].
const PAGE: u32 = 1000;

/// The task with this identifier.
pub(crate) fn find(tx: &mut Transaction, task_id: &str) -> Result<Option<Task>, Error> {
    let id = tx.get(TASK_IDS, task_id.as_bytes())?;
    match id.and_then(|bytes| bytes.try_into().ok()) {
        Some(id) => get(tx, u64::from_be_bytes(id)),
        None => Ok(None),
    }
}

/// The task with this number. A task that cannot be decoded is logged and counts as absent.
pub(crate) fn get(tx: &mut Transaction, id: u64) -> Result<Option<Task>, Error> {
    Ok(tx.get(TASKS, &id.to_be_bytes())?.and_then(|bytes| decode(id, &bytes)))
}

/// Writes a known task.
pub(crate) fn put(tx: &mut Transaction, task: &Task) -> Result<(), Error> {
    let bytes = rmp_serde::to_vec_named(task).expect("every field of a task fits MessagePack");
    tx.put(TASKS, &task.id.to_be_bytes(), bytes)
}

/// Writes a new task and its identifier.
pub(crate) fn insert(tx: &mut Transaction, task: &Task) -> Result<(), Error> {
    tx.put(TASK_IDS, task.task_id.as_bytes(), task.id.to_be_bytes().to_vec())?;
    put(tx, task)
}

/// Removes a task and its identifier.
pub(crate) fn remove(tx: &mut Transaction, task: &Task) -> Result<(), Error> {
    tx.delete(TASK_IDS, task.task_id.as_bytes())?;
    tx.delete(TASKS, &task.id.to_be_bytes())
}

/// All tasks in the order of their numbers, and the next free number.
pub(crate) fn all(store: &Store) -> Result<(Vec<Task>, u64), Error> {
    let mut tx = store.begin();
    let mut tasks = Vec::new();
    let mut next = 1;
    let mut range = KeyRange::all();
    loop {
        let options = ScanOptions {
            limit: PAGE,
            ..ScanOptions::default()
        };
        let page = tx.scan(TASKS, &range, &options)?;
        for entry in page.entries {
            let Ok(id) = entry.key.as_slice().try_into().map(u64::from_be_bytes) else {
                tracing::warn!(table = TASKS, key = ?entry.key, "skipped a key that is not a task number");
                continue;
            };
            next = next.max(id.saturating_add(1));
            tasks.extend(decode(id, &entry.value));
        }
        let Some(mut cursor) = page.cursor else {
            return Ok((tasks, next));
        };
        cursor.push(0);
        range.start = Some(cursor);
    }
}

fn decode(id: u64, bytes: &[u8]) -> Option<Task> {
    rmp_serde::from_slice(bytes)
        .inspect_err(|error| tracing::warn!(table = TASKS, id, %error, "skipped a task that cannot be decoded"))
        .ok()
}
