//! The tables of tasks in the database.
//!
//! `host.tasks`: the task's number (8 bytes, big-endian) → the task, MessagePack with field names.
//! `host.task-ids`: the task's identifier (UTF-8) → its number.
//! `host.task-controls`: the task's number → what a person wants of it, MessagePack with field
//! names. No entry means the defaults.
//! `host.removed-tasks`: the task's number → a removed task whose unfinished files may still exist.

use serde::de::DeserializeOwned;
use stowage_storage::{Error, KeyRange, ScanOptions, Store, Transaction};

use crate::control::Control;
use crate::task::Task;

const TASKS: &str = "host.tasks";
const TASK_IDS: &str = "host.task-ids";
const CONTROLS: &str = "host.task-controls";
const REMOVED: &str = "host.removed-tasks";

/// Entries read at a time by [`all`].
const PAGE: u32 = 1000;

/// The number of the task with this identifier.
pub(crate) fn number(tx: &mut Transaction, task_id: &str) -> Result<Option<u64>, Error> {
    let id = tx.get(TASK_IDS, task_id.as_bytes())?;
    Ok(id.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes))
}

/// The task with this identifier.
pub(crate) fn find(tx: &mut Transaction, task_id: &str) -> Result<Option<Task>, Error> {
    match number(tx, task_id)? {
        Some(id) => get(tx, id),
        None => Ok(None),
    }
}

/// The task with this number. A task that cannot be decoded is logged and counts as absent.
pub(crate) fn get(tx: &mut Transaction, id: u64) -> Result<Option<Task>, Error> {
    let bytes = tx.get(TASKS, &id.to_be_bytes())?;
    Ok(bytes.and_then(|bytes| decode(TASKS, id, &bytes)))
}

/// Writes a known task.
pub(crate) fn put(tx: &mut Transaction, task: &Task) -> Result<(), Error> {
    tx.put(TASKS, &task.id.to_be_bytes(), encode(task))
}

/// Writes a known task, unless it was removed.
pub(crate) fn replace(tx: &mut Transaction, task: &Task) -> Result<(), Error> {
    match tx.get(TASKS, &task.id.to_be_bytes())? {
        Some(_) => put(tx, task),
        None => Ok(()),
    }
}

/// Writes a new task and its identifier.
pub(crate) fn insert(tx: &mut Transaction, task: &Task) -> Result<(), Error> {
    tx.put(TASK_IDS, task.task_id.as_bytes(), task.id.to_be_bytes().to_vec())?;
    put(tx, task)
}

/// What a person wants of a task.
pub(crate) fn control(tx: &mut Transaction, id: u64) -> Result<Control, Error> {
    let bytes = tx.get(CONTROLS, &id.to_be_bytes())?;
    Ok(bytes.and_then(|bytes| decode(CONTROLS, id, &bytes)).unwrap_or_default())
}

/// Writes what a person wants of a task.
pub(crate) fn put_control(tx: &mut Transaction, id: u64, control: &Control) -> Result<(), Error> {
    let bytes = rmp_serde::to_vec_named(control).expect("every field of a control fits MessagePack");
    tx.put(CONTROLS, &id.to_be_bytes(), bytes)
}

/// Removes a task, its identifier and its control.
pub(crate) fn remove(tx: &mut Transaction, task: &Task) -> Result<(), Error> {
    tx.delete(TASK_IDS, task.task_id.as_bytes())?;
    tx.delete(CONTROLS, &task.id.to_be_bytes())?;
    tx.delete(TASKS, &task.id.to_be_bytes())
}

/// Removes a task, and records that its unfinished files must go.
pub(crate) fn bury(tx: &mut Transaction, task: &Task) -> Result<(), Error> {
    remove(tx, task)?;
    tx.put(REMOVED, &task.id.to_be_bytes(), encode(task))
}

/// Forgets a removed task, after its unfinished files are gone.
pub(crate) fn forget_removed(tx: &mut Transaction, id: u64) -> Result<(), Error> {
    tx.delete(REMOVED, &id.to_be_bytes())
}

/// What the database holds at start.
#[derive(Default)]
pub(crate) struct Stored {
    /// The tasks in the order of their numbers, each with its control.
    pub(crate) tasks: Vec<(Task, Control)>,
    /// Removed tasks whose unfinished files may still exist.
    pub(crate) removed: Vec<Task>,
    /// The next free number.
    pub(crate) next_id: u64,
}

/// Reads everything.
pub(crate) fn all(store: &Store) -> Result<Stored, Error> {
    let mut tx = store.begin();
    let mut stored = Stored {
        next_id: 1,
        ..Stored::default()
    };
    let mut tasks = Vec::new();
    walk(&mut tx, TASKS, |id, bytes| {
        stored.next_id = stored.next_id.max(id.saturating_add(1));
        tasks.extend(decode::<Task>(TASKS, id, bytes));
    })?;
    walk(&mut tx, REMOVED, |id, bytes| {
        stored.next_id = stored.next_id.max(id.saturating_add(1));
        stored.removed.extend(decode::<Task>(REMOVED, id, bytes));
    })?;
    for task in tasks {
        let control = control(&mut tx, task.id)?;
        stored.tasks.push((task, control));
    }
    Ok(stored)
}

/// Visits every entry of a table whose keys are task numbers.
fn walk(tx: &mut Transaction, table: &'static str, mut visit: impl FnMut(u64, &[u8])) -> Result<(), Error> {
    let mut range = KeyRange::all();
    loop {
        let options = ScanOptions {
            limit: PAGE,
            ..ScanOptions::default()
        };
        let page = tx.scan(table, &range, &options)?;
        for entry in page.entries {
            match entry.key.as_slice().try_into().map(u64::from_be_bytes) {
                Ok(id) => visit(id, &entry.value),
                Err(_) => tracing::warn!(table, key = ?entry.key, "skipped a key that is not a task number"),
            }
        }
        let Some(mut cursor) = page.cursor else {
            return Ok(());
        };
        cursor.push(0);
        range.start = Some(cursor);
    }
}

fn encode(task: &Task) -> Vec<u8> {
    rmp_serde::to_vec_named(task).expect("every field of a task fits MessagePack")
}

fn decode<T: DeserializeOwned>(table: &'static str, id: u64, bytes: &[u8]) -> Option<T> {
    rmp_serde::from_slice(bytes)
        .inspect_err(|error| tracing::warn!(table, id, %error, "skipped an entry that cannot be decoded"))
        .ok()
}
