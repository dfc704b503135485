//! The two files of the model: what they hold, what a power loss leaves, and what replay finds.

use super::state::{KEYS, Memtable, Mutant, RECORDS, Rows, Write};

/// Room for one record in a half of the log. All records have the same length, so a whole old
/// record may be right behind a new one: the hardest case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Slot {
    /// Behind the end of the file.
    #[default]
    Absent,
    Zero,
    /// A record that is there in part.
    Torn(Record),
    Whole(Record),
}

/// The record of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    /// The database that the record belongs to.
    pub(crate) file: u8,
    pub(crate) batch: u8,
    pub(crate) write: Write,
}

/// The log: two halves.
pub(crate) type Log = [[Slot; RECORDS]; 2];

/// What the last complete commit of the database holds. A commit of redb is one step, because it
/// is atomic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Database {
    /// The identity of the file; 0 while it has no tables.
    pub(crate) file: u8,
    /// The last batch that it holds completely.
    pub(crate) batch: u8,
    pub(crate) rows: Rows,
}

/// What replay found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Replayed {
    pub(crate) batch: u8,
    pub(crate) updates: Memtable,
}

/// What a slot held between the last sync and the latest write: half, slot and contents.
pub(crate) type Superseded = (usize, usize, Slot);

/// Every log that a power loss may leave. Each slot holds what was synced, or what any later write
/// wrote, or a part of a record that was written.
pub(crate) fn images(durable: &Log, superseded: &[Superseded], live: &Log) -> Vec<Log> {
    let mut images = vec![*durable];
    for (half, slot) in slots() {
        let between = superseded
            .iter()
            .filter(|(in_half, at, _)| (*in_half, *at) == (half, slot));
        let written = between.map(|(.., held)| *held).chain([live[half][slot]]);
        let mut versions = vec![durable[half][slot]];
        for version in written {
            let torn = match version {
                Slot::Whole(record) if version != durable[half][slot] => Slot::Torn(record),
                other => other,
            };
            for version in [version, torn] {
                if !versions.contains(&version) {
                    versions.push(version);
                }
            }
        }
        let changed = versions.split_off(1);
        let others: Vec<Log> = changed
            .into_iter()
            .flat_map(|version| images.iter().map(move |image| with(image, half, slot, version)))
            .collect();
        images.extend(others);
    }
    images
}

/// All slots of a log.
pub(crate) fn slots() -> impl Iterator<Item = (usize, usize)> {
    (0..2).flat_map(|half| (0..RECORDS).map(move |slot| (half, slot)))
}

fn with(log: &Log, half: usize, slot: usize, changed: Slot) -> Log {
    let mut log = *log;
    log[half][slot] = changed;
    log
}

/// `Wal::replay`: the records after the last batch of the database.
pub(crate) fn replay(database: &Database, log: &Log, mutant: Option<Mutant>) -> Replayed {
    let mut found = Replayed {
        batch: database.batch,
        updates: Memtable::default(),
    };
    loop {
        let before = found.batch;
        for half in log {
            for slot in half {
                let Some((record, keys)) = parse(slot, database.file, found.batch, mutant) else {
                    break;
                };
                found.batch = record.batch;
                insert(&mut found.updates, record.write, keys);
            }
        }
        if found.batch == before {
            return found;
        }
    }
}

/// `Wal::parse`: the record of a slot and how many of its keys are there, if it counts after
/// `batch`.
fn parse(slot: &Slot, file: u8, batch: u8, mutant: Option<Mutant>) -> Option<(Record, usize)> {
    let (record, keys) = match slot {
        Slot::Whole(record) => (*record, KEYS),
        Slot::Torn(record) if mutant == Some(Mutant::ChecksumIgnored) => (*record, 1),
        Slot::Absent | Slot::Zero | Slot::Torn(_) => return None,
    };
    let is_ours = record.file == file || mutant == Some(Mutant::IdentityIgnored);
    let is_next = match mutant {
        Some(Mutant::ReplayAcceptsGap) => record.batch > batch,
        _ => record.batch == batch + 1,
    };
    (is_ours && is_next).then_some((record, keys))
}

/// What a write does to a key; `None` if it leaves the key alone. Every write changes the first key
/// and one of the others. Every third write removes the first key.
pub(crate) fn update(write: Write, key: usize) -> Option<Option<Write>> {
    match key {
        0 if write.is_multiple_of(3) => Some(None),
        0 => Some(Some(write)),
        _ => (key == 1 + usize::from(write) % 2).then_some(Some(write)),
    }
}

/// Adds the first `keys` updates of a write to a memtable.
pub(crate) fn insert(memtable: &mut Memtable, write: Write, keys: usize) {
    let updates = (0..KEYS).filter_map(|key| Some((key, update(write, key)?)));
    for (key, update) in updates.take(keys) {
        memtable[key] = Some(update);
    }
}

/// The rows after a write.
pub(crate) fn after(rows: &Rows, write: Write) -> Rows {
    let mut memtable = Memtable::default();
    insert(&mut memtable, write, KEYS);
    overlay(rows, &memtable)
}

/// The rows below a memtable, as they are seen through it.
pub(crate) fn overlay(rows: &Rows, memtable: &Memtable) -> Rows {
    std::array::from_fn(|key| memtable[key].unwrap_or(rows[key]))
}

/// `flusher::flush` writes one key in a transaction, here. After the last key, one more transaction
/// sets `batch`. Returns whether that was done.
pub(crate) fn flush_chunk(
    database: &mut Database,
    memtable: &Memtable,
    chunk: u8,
    batch: u8,
    mutant: Option<Mutant>,
) -> bool {
    let mut keys = (0..KEYS).filter(|key| memtable[*key].is_some());
    let key = keys.nth(usize::from(chunk));
    if let Some(key) = key
        && let Some(update) = memtable[key]
    {
        database.rows[key] = update;
    }
    if key.is_none() || mutant == Some(Mutant::BatchInFirstChunk) {
        database.batch = batch;
    }
    key.is_none()
}
