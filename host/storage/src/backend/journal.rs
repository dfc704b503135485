//! The journal: batches that are durable beside the database before the database itself writes them.
//!
//! One record a batch, one after another from the start of the file:
//!
//! ```text
//! record: crc32 of what follows · length of the body · file · batch · body     (4, 4, 8, 8 bytes, little-endian)
//! body:   length of the key · length of the value, or 2^32-1 to remove the key · key · value, for each change
//! ```
//!
//! The file has two halves, which are written over and over in turn: while one is written, the database takes up the batches of the
//! other. So a record counts only if it is whole and its batch is the one after the last that counts, and where a half ends, the next
//! record is at the start of one of them. Room is filled with zeros before it is used, for a write over bytes that are there already needs
//! nothing but the bytes to be synced.

use std::io;
use std::mem;

use redb::StorageBackend;

use super::Change;

/// Bytes before a record's body.
const HEAD: usize = 24;
/// Where the second half begins.
pub(crate) const HALF_BYTES: usize = 32 << 20;
/// Where it began in format 2.
const FORMER_HALF_BYTES: usize = 16 << 20;
/// A longer record is not worth writing twice.
const RECORD_LIMIT_BYTES: usize = 2 << 20;
/// Room that is made at once.
const GROWTH_BYTES: usize = 1 << 20;
/// Stands for the length of a value where the key is removed.
const REMOVED: u32 = u32::MAX;

/// The journal of one database.
#[derive(Debug)]
pub(crate) struct Journal {
    disk: Box<dyn StorageBackend>,
    /// The database it belongs to.
    file: u64,
    half_bytes: usize,
    /// The half that is written, and where in it the next record goes.
    half: usize,
    end: usize,
    /// The length of the file, and how much of each half has been written to.
    len: usize,
    room: [usize; 2],
    /// The record in the making; empty while there is none, or where it has grown too long.
    record: Vec<u8>,
}

impl Journal {
    /// Opens the journal of the database `file`, whose second half begins at `half_bytes`: for one file always the same.
    pub(crate) fn open(disk: Box<dyn StorageBackend>, file: u64, half_bytes: usize) -> io::Result<Self> {
        let len = usize::try_from(disk.len()?).map_err(io::Error::other)?;
        Ok(Self {
            disk,
            file,
            half_bytes,
            half: 0,
            end: 0,
            len,
            room: [len.min(half_bytes), len.saturating_sub(half_bytes).min(half_bytes)],
            record: Vec::new(),
        })
    }

    /// Hands over the changes of each batch after `batch`, in order, and returns the number of the last one.
    pub(crate) fn replay(&self, mut batch: u64, mut apply: impl FnMut(u64, &[Change<'_>])) -> io::Result<u64> {
        let mut text = vec![0; self.len.min(2 * self.half_bytes)];
        self.disk.read(0, &mut text)?;
        loop {
            let before = batch;
            // What lies where halves do not begin any more is no record, for the number of the file is known to nobody who writes values.
            for start in [0, self.half_bytes, FORMER_HALF_BYTES] {
                let mut rest = text.get(start..).unwrap_or_default();
                while let Some((body, after)) = self.next(rest, batch + 1) {
                    batch += 1;
                    apply(batch, &Changes(body).collect::<Vec<_>>());
                    rest = after;
                }
            }
            if batch == before {
                return Ok(batch);
            }
        }
    }

    /// The body of the record of this batch, and what follows the record.
    fn next<'a>(&self, text: &'a [u8], batch: u64) -> Option<(&'a [u8], &'a [u8])> {
        let (head, rest) = text.split_at_checked(HEAD)?;
        let mut head = head;
        let (crc, len) = (take_u32(&mut head)?, take_u32(&mut head)?);
        if take_u64(&mut head)? != self.file || take_u64(&mut head)? != batch {
            return None;
        }
        let len = usize::try_from(len).ok()?;
        let checked = text.get(4..HEAD.checked_add(len)?)?;
        (crc32fast::hash(checked) == crc).then(|| rest.split_at(len))
    }

    /// Begins the record of a batch.
    pub(crate) fn begin(&mut self, batch: u64) {
        self.record.clear();
        self.record.extend_from_slice(&[0; 8]);
        self.record.extend_from_slice(&self.file.to_le_bytes());
        self.record.extend_from_slice(&batch.to_le_bytes());
    }

    /// Adds a change to the record, unless that has grown too long.
    pub(crate) fn push(&mut self, (key, value): Change<'_>) {
        if self.record.is_empty() {
            return;
        }
        let (Ok(key_len), Ok(value_len)) = (
            u32::try_from(key.len()),
            value.map_or(Ok(REMOVED), |value| u32::try_from(value.len())),
        ) else {
            self.record = Vec::new();
            return;
        };
        if self.record.len() + 8 + key.len() + value.map_or(0, <[u8]>::len) > RECORD_LIMIT_BYTES {
            self.record = Vec::new();
            return;
        }
        self.record.extend_from_slice(&key_len.to_le_bytes());
        self.record.extend_from_slice(&value_len.to_le_bytes());
        self.record.extend_from_slice(key);
        self.record.extend_from_slice(value.unwrap_or_default());
    }

    /// Where the record has to go.
    pub(crate) fn place(&self) -> Place {
        match self.record.len() {
            0 => Place::Nowhere,
            len if len > self.half_bytes => Place::Nowhere,
            len if self.end + len > self.half_bytes => Place::NextHalf,
            _ => Place::Here,
        }
    }

    /// Bytes of the half that are used.
    pub(crate) fn used_bytes(&self) -> usize {
        self.end
    }

    /// Makes the record durable at its place, which is [`Place::Here`].
    ///
    /// # Errors
    /// Where the disk fails; whether the record will count then is not known.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let len = self.record.len();
        let body_len = u32::try_from(len - HEAD).map_err(io::Error::other)?;
        self.record[4..8].copy_from_slice(&body_len.to_le_bytes());
        let crc = crc32fast::hash(&self.record[4..]);
        self.record[..4].copy_from_slice(&crc.to_le_bytes());
        let start = self.half * self.half_bytes;
        let room = self.room[self.half];
        if self.end + len > room {
            let more = (self.end + len).next_multiple_of(GROWTH_BYTES).min(self.half_bytes);
            if start + more > self.len {
                self.disk.set_len((start + more) as u64)?;
                self.len = start + more;
            }
            self.disk.write((start + room) as u64, &vec![0; more - room])?;
            self.room[self.half] = more;
        }
        self.disk.write((start + self.end) as u64, &self.record)?;
        self.disk.sync_data()?;
        self.end += len;
        Ok(())
    }

    /// The next record goes to the start of the other half, whose batches the database holds by itself.
    pub(crate) fn turn_over(&mut self) {
        self.half = 1 - self.half;
        self.end = 0;
        if self.record.capacity() > RECORD_LIMIT_BYTES / 4 {
            self.record.shrink_to(RECORD_LIMIT_BYTES / 4);
        }
    }

    /// Gives its room back. The database holds everything by itself.
    pub(crate) fn empty(&mut self) -> io::Result<()> {
        self.end = 0;
        self.len = 0;
        self.room = [0; 2];
        self.disk.set_len(0)
    }
}

/// Where a record has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Here,
    /// What is left of this half is too short.
    NextHalf,
    /// It is too long for any.
    Nowhere,
}

/// The changes of a body whose checksum held.
struct Changes<'a>(&'a [u8]);

impl<'a> Iterator for Changes<'a> {
    type Item = Change<'a>;

    fn next(&mut self) -> Option<Change<'a>> {
        let (key, value) = (take_u32(&mut self.0)?, take_u32(&mut self.0)?);
        let key = take(&mut self.0, key)?;
        let value = match value {
            REMOVED => None,
            len => Some(take(&mut self.0, len)?),
        };
        Some((key, value))
    }
}

fn take<'a>(from: &mut &'a [u8], len: u32) -> Option<&'a [u8]> {
    let (taken, rest) = mem::take(from).split_at_checked(usize::try_from(len).ok()?)?;
    *from = rest;
    Some(taken)
}

fn take_u32(from: &mut &[u8]) -> Option<u32> {
    take(from, 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn take_u64(from: &mut &[u8]) -> Option<u64> {
    take(from, 8)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    /// A half of a small journal.
    const HALF: usize = 4096;

    fn journal() -> Journal {
        Journal::open(Box::new(InMemoryBackend::new()), 7, HALF).unwrap()
    }

    /// Writes a batch where it fits, with the database taking up the other half where it does not.
    fn write(journal: &mut Journal, batch: u64, changes: &[Change<'_>]) {
        journal.begin(batch);
        for change in changes {
            journal.push(*change);
        }
        if journal.place() == Place::NextHalf {
            journal.turn_over();
        }
        assert_eq!(journal.place(), Place::Here);
        journal.write().unwrap();
    }

    type Owned = (Vec<u8>, Option<Vec<u8>>);

    fn replay(journal: &Journal, after: u64) -> (u64, Vec<Owned>) {
        let mut found = vec![];
        let last = journal.replay(after, |_, changes| {
            let owned = |(key, value): &Change<'_>| (key.to_vec(), value.map(<[u8]>::to_vec));
            found.extend(changes.iter().map(owned));
        });
        (last.unwrap(), found)
    }

    #[test]
    fn the_batches_after_the_last_durable_one_come_back() {
        let mut journal = journal();
        write(&mut journal, 5, &[(b"a", Some(b"1")), (b"b", None)]);
        write(&mut journal, 6, &[(b"a", Some(b""))]);
        let both = [
            (b"a".to_vec(), Some(b"1".to_vec())),
            (b"b".to_vec(), None),
            (b"a".to_vec(), Some(vec![])),
        ];
        assert_eq!(replay(&journal, 4), (6, both.to_vec()));
        assert_eq!(replay(&journal, 6), (6, vec![]), "the database has them already");
        assert_eq!(replay(&journal, 3), (3, vec![]), "one between is missing");
        journal.file = 8;
        assert_eq!(replay(&journal, 4), (4, vec![]), "another database's");
    }

    #[test]
    fn the_halves_take_turns_and_what_an_earlier_turn_left_behind_does_not_count() {
        let mut journal = journal();
        let value = [1; 500];
        let (mut batch, mut firsts) = (0, vec![1]);
        for _ in 0..100 {
            batch += 1;
            let half = journal.half;
            write(&mut journal, batch, &[(b"key", Some(&value))]);
            if journal.half != half {
                firsts.push(batch);
            }
            // The database holds what was in this half before, and may hold what is in the other.
            for first in firsts.iter().rev().take(2) {
                let (last, found) = replay(&journal, first - 1);
                assert_eq!((last, found.len() as u64), (batch, batch - (first - 1)), "from {first}");
            }
        }
        assert_eq!(journal.len, 2 * HALF);
    }

    #[test]
    fn a_damaged_record_ends_the_journal() {
        let mut journal = journal();
        write(&mut journal, 1, &[(b"a", Some(b"1"))]);
        let second = journal.end;
        write(&mut journal, 2, &[(b"b", Some(b"2"))]);
        for at in second..journal.end {
            let mut byte = [0];
            journal.disk.read(at as u64, &mut byte).unwrap();
            journal.disk.write(at as u64, &[byte[0] ^ 0x10]).unwrap();
            assert_eq!(replay(&journal, 0).0, 1, "byte {at}");
            journal.disk.write(at as u64, &byte).unwrap();
        }
        assert_eq!(replay(&journal, 0).0, 2);
    }

    #[test]
    fn what_does_not_fit_is_left_to_the_database() {
        let mut journal = Journal::open(Box::new(InMemoryBackend::new()), 7, HALF_BYTES).unwrap();
        let place = |journal: &mut Journal, len: usize| {
            journal.begin(1);
            journal.push((b"long", Some(&vec![1; len])));
            journal.push((b"short", None));
            journal.place()
        };
        assert_eq!(place(&mut journal, RECORD_LIMIT_BYTES), Place::Nowhere);
        assert_eq!(place(&mut journal, RECORD_LIMIT_BYTES - 100), Place::Here);
        journal.half_bytes = HALF;
        assert_eq!(place(&mut journal, HALF), Place::Nowhere);
        write(&mut journal, 1, &[(b"k", Some(&[1; HALF / 2]))]);
        assert_eq!(place(&mut journal, HALF / 2), Place::NextHalf);
        journal.empty().unwrap();
        assert_eq!(replay(&journal, 0).0, 0);
    }

    /// Before there were halves, a journal went on from its start to the end.
    #[test]
    fn a_journal_without_halves_is_read() {
        let mut journal = Journal::open(Box::new(InMemoryBackend::new()), 7, 4 * HALF).unwrap();
        for batch in 1..=10 {
            write(&mut journal, batch, &[(b"key", Some(&[1; 900]))]);
        }
        journal.half_bytes = 2 * HALF;
        assert_eq!(replay(&journal, 0).0, 10);
    }

    #[test]
    fn a_journal_with_shorter_halves_is_read() {
        let mut journal = Journal::open(Box::new(InMemoryBackend::new()), 7, FORMER_HALF_BYTES).unwrap();
        let value = vec![1; 1 << 20];
        for batch in 1..=10 {
            write(&mut journal, batch, &[(b"key", Some(&value))]);
        }
        journal.turn_over();
        for batch in 11..=20 {
            write(&mut journal, batch, &[(b"key", Some(&value))]);
        }
        journal.half_bytes = HALF_BYTES;
        assert_eq!(replay(&journal, 0).0, 20);
        assert_eq!(replay(&journal, 10).0, 20, "the first half has been taken up");
    }
}
