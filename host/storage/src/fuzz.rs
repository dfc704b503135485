//! What fuzzers call in this crate, and what they share.
//!
//! Each target takes any bytes. It panics if a property of the code is violated. docs/fuzzing.md
//! lists all targets of the project.

use std::collections::BTreeMap;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use crate::backend::wal::{RecordFit, Wal};
use crate::stored;

/// The half of a log here. A real one is much larger, so that the halves would never take turns.
const HALF_BYTES: usize = 4096;
/// The database of the log.
const FILE_ID: u64 = 7;
/// Steps that one input can ask for.
const MOST_STEPS: usize = 64;

/// Choices that are made by the bytes of an input. After its end all choices are 0.
#[derive(Debug)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// The choices of these bytes.
    pub fn new(data: &'a [u8]) -> Choices<'a> {
        Choices(data)
    }

    /// Whether all bytes were used.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    /// A number less than `bound`, which must not be 0. It uses two bytes.
    pub fn below(&mut self, bound: usize) -> usize {
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number % bound
    }

    /// Eight bytes as a number.
    pub fn number(&mut self) -> u64 {
        let mut number = [0; 8];
        let bytes = self.bytes(8);
        number[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(number)
    }

    /// The next bytes: `len` of them, or all that are left.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// All bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.bytes(self.0.len())
    }
}

/// The updates of a batch, as the log keeps them.
type Updates = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// The write-ahead log: the first byte chooses between a file of these bytes, and a log that was
/// written by these choices and then damaged in one place. What a replay returns was written, batch
/// after batch, with nothing in between left out.
pub fn wal(data: &[u8]) {
    let mut choices = Choices::new(data);
    match choices.byte() % 2 {
        0 => any_file(choices.rest()),
        _ => damaged_log(&mut choices),
    }
}

/// Replays a file of any bytes.
fn any_file(bytes: &[u8]) {
    let wal = log_of(bytes);
    let mut batches = Vec::new();
    let mut updated_bytes = 0;
    let replayed = wal.replay(0, |batch, updates| {
        batches.push(batch);
        updated_bytes += updates
            .iter()
            .map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len))
            .sum::<usize>();
    });
    let in_order: Vec<u64> = (1..).take(batches.len()).collect();
    assert_eq!(batches, in_order, "batches follow one another");
    assert!(updated_bytes <= bytes.len(), "an update is a part of the file");
    if let Ok(replay) = replayed {
        assert_eq!(
            replay.last,
            batches.len() as u64,
            "the last batch is the last that was passed on"
        );
    }
}

/// Writes a log, damages it, and replays it.
fn damaged_log(choices: &mut Choices<'_>) {
    let mut wal = log_of(&[]);
    let mut written = BTreeMap::new();
    // The batches of the other half are in the database when a half is begun.
    let (mut flushed, mut half_began) = (0, 0);
    for batch in 1..=1 + choices.below(MOST_STEPS) as u64 {
        let updates = updates(choices);
        wal.begin(batch);
        for (key, value) in &updates {
            wal.push((key, value.as_deref()));
        }
        if wal.fit() == RecordFit::NextHalf {
            (flushed, half_began) = (half_began, batch - 1);
            wal.turn_over();
        }
        if wal.fit() != RecordFit::CurrentHalf {
            break;
        }
        wal.make_room().expect("memory takes it");
        wal.write().expect("memory takes it");
        written.insert(batch, updates);
        if choices.is_empty() {
            break;
        }
    }
    let mut bytes = wal.contents().expect("memory can be read");
    let undamaged = returned(&bytes, flushed);
    assert_eq!(
        undamaged.len() as u64,
        written.keys().last().map_or(0, |last| last - flushed)
    );
    damage(&mut bytes, choices);
    for (batch, updates) in returned(&bytes, flushed) {
        assert_eq!(
            Some(&updates),
            written.get(&batch),
            "batch {batch} is as it was written"
        );
    }
}

/// The batches that a replay returns, without a gap.
fn returned(bytes: &[u8], after: u64) -> BTreeMap<u64, Updates> {
    let mut found = BTreeMap::new();
    let mut next = after;
    let replayed = log_of(bytes).replay(after, |batch, updates| {
        next += 1;
        assert_eq!(batch, next, "batches follow one another");
        let owned = updates
            .iter()
            .map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)));
        found.insert(batch, owned.collect());
    });
    if let Ok(replay) = replayed {
        assert_eq!(replay.last, next);
    }
    found
}

/// A few updates with small keys and values.
fn updates(choices: &mut Choices<'_>) -> Updates {
    (0..choices.below(5))
        .map(|_| {
            let (key, value) = (choices.below(20), choices.below(300));
            let key = choices.bytes(key).to_vec();
            let fill = choices.byte();
            (key, (fill != 0).then(|| vec![fill; value]))
        })
        .collect()
}

/// Damages at most 32 bits in a row, which the checksum always finds, or cuts the file.
fn damage(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    if bytes.is_empty() {
        return;
    }
    let at = choices.below(bytes.len());
    if choices.byte().is_multiple_of(4) {
        bytes.truncate(at);
        return;
    }
    let mask = (choices.number() as u32).to_le_bytes();
    for (byte, mask) in bytes[at..].iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// A log whose file has these bytes.
fn log_of(bytes: &[u8]) -> Wal {
    let disk = InMemoryBackend::new();
    disk.set_len(bytes.len() as u64).expect("memory takes it");
    disk.write(0, bytes).expect("memory takes it");
    Wal::open(Box::new(disk), FILE_ID, HALF_BYTES).expect("memory can be read")
}

/// Stored keys and values: what can be split is what it was made of.
pub fn stored_rows(data: &[u8]) {
    if let Some((table, key)) = stored::split_key(data) {
        let mut again = Vec::new();
        stored::write_key(&mut again, table, key);
        assert_eq!(again, data);
        assert!(*data < *stored::table_end(table), "a key is inside of its table");
    }
    if let Some((kind, bytes)) = stored::decode(data) {
        let counter = stored::decode_counter(data);
        assert_eq!(kind == stored::Kind::Counter, counter.is_some());
        match counter {
            Some(counter) => assert_eq!(stored::encode_counter(counter)[..], *data),
            None => assert_eq!(stored::encode_value(bytes.to_vec()), data),
        }
    } else {
        assert_eq!(stored::decode_counter(data), None);
    }
}
