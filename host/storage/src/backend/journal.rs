//! The journal: batches that are durable beside the database before the database itself writes them.
//!
//! One record a batch, one after another from the start of the file:
//!
//! ```text
//! record: crc32 of what follows · length of the body · file · batch · body     (4, 4, 8, 8 bytes, little-endian)
//! body:   length of the key · length of the value, or 2^32-1 to remove the key · key · value, for each change
//! ```
//!
//! A file is written over and over: once the database has made its batches durable by itself, the next record goes to the start. So
//! a record counts only if it is whole and its batch is the one after the last that counts. Room is filled with zeros before
//! it is used, for a write over bytes that are there already needs nothing but the bytes to be synced.

use std::io;
use std::mem;

use redb::StorageBackend;

use super::Change;

/// Bytes before a record's body.
const HEAD: usize = 24;
/// The journal is written anew from its start before it grows beyond this many bytes.
const LIMIT_BYTES: usize = 16 << 20;
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
    /// Where the next record goes.
    end: usize,
    /// Bytes that are there.
    room: usize,
    /// The record in the making; empty while there is none, or where it has grown too long.
    record: Vec<u8>,
}

impl Journal {
    pub(crate) fn open(disk: Box<dyn StorageBackend>, file: u64) -> io::Result<Self> {
        let room = usize::try_from(disk.len()?).map_err(io::Error::other)?;
        Ok(Self {
            disk,
            file,
            end: 0,
            room,
            record: Vec::new(),
        })
    }

    /// Hands over each change of the batches after `batch`, in order, and returns the number of the last one.
    pub(crate) fn replay<E: From<io::Error>>(
        &self,
        mut batch: u64,
        mut apply: impl FnMut(Change<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut text = vec![0; self.room.min(LIMIT_BYTES)];
        self.disk.read(0, &mut text)?;
        let mut rest = &text[..];
        while let Some((body, after)) = self.next(rest, batch + 1) {
            for change in Changes(body) {
                apply(change)?;
            }
            batch += 1;
            rest = after;
        }
        Ok(batch)
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

    /// Makes the record durable, and says whether it did: one that is too long for what room is left is not written.
    ///
    /// # Errors
    /// Where the disk fails; whether the record will count then is not known.
    pub(crate) fn write(&mut self) -> io::Result<bool> {
        let len = self.record.len();
        if len == 0 || self.end + len > LIMIT_BYTES {
            return Ok(false);
        }
        let body_len = u32::try_from(len - HEAD).map_err(io::Error::other)?;
        self.record[4..8].copy_from_slice(&body_len.to_le_bytes());
        let crc = crc32fast::hash(&self.record[4..]);
        self.record[..4].copy_from_slice(&crc.to_le_bytes());
        if self.end + len > self.room {
            let room = (self.end + len).next_multiple_of(GROWTH_BYTES);
            self.disk.set_len(room as u64)?;
            self.disk.write(self.room as u64, &vec![0; room - self.room])?;
            self.room = room;
        }
        self.disk.write(self.end as u64, &self.record)?;
        self.disk.sync_data()?;
        self.end += len;
        Ok(true)
    }

    /// The database holds everything by itself: the next record goes to the start.
    pub(crate) fn rewind(&mut self) {
        self.end = 0;
        if self.record.capacity() > RECORD_LIMIT_BYTES / 4 {
            self.record = Vec::new();
        }
    }

    /// Gives its room back. The database holds everything by itself.
    pub(crate) fn empty(&mut self) -> io::Result<()> {
        self.end = 0;
        self.room = 0;
        self.disk.set_len(0)
    }
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

    fn write(journal: &mut Journal, batch: u64, changes: &[Change<'_>]) -> bool {
        journal.begin(batch);
        for change in changes {
            journal.push(*change);
        }
        journal.write().unwrap()
    }

    type Owned = (Vec<u8>, Option<Vec<u8>>);

    fn replay(journal: &Journal, after: u64) -> (u64, Vec<Owned>) {
        let mut found = vec![];
        let last = journal.replay(after, |(key, value)| {
            found.push((key.to_vec(), value.map(<[u8]>::to_vec)));
            Ok::<_, io::Error>(())
        });
        (last.unwrap(), found)
    }

    #[test]
    fn the_batches_after_the_last_durable_one_come_back() {
        let mut journal = Journal::open(Box::new(InMemoryBackend::new()), 7).unwrap();
        assert!(write(&mut journal, 5, &[(b"a", Some(b"1")), (b"b", None)]));
        assert!(write(&mut journal, 6, &[(b"a", Some(b""))]));
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
    fn what_an_earlier_turn_left_behind_does_not_count() {
        let mut journal = Journal::open(Box::new(InMemoryBackend::new()), 7).unwrap();
        for batch in 1..=3 {
            assert!(write(&mut journal, batch, &[(b"key", Some(&[batch as u8]))]));
        }
        journal.rewind();
        assert!(write(&mut journal, 4, &[(b"key", Some(b"4"))]));
        assert_eq!(
            replay(&journal, 3),
            (4, vec![(b"key".to_vec(), Some(b"4".to_vec()))]),
            "batch 2 follows it in the file"
        );
    }

    #[test]
    fn a_damaged_record_ends_the_journal() {
        let mut journal = Journal::open(Box::new(InMemoryBackend::new()), 7).unwrap();
        assert!(write(&mut journal, 1, &[(b"a", Some(b"1"))]));
        let second = journal.end;
        assert!(write(&mut journal, 2, &[(b"b", Some(b"2"))]));
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
        let mut journal = Journal::open(Box::new(InMemoryBackend::new()), 7).unwrap();
        let value = vec![1; RECORD_LIMIT_BYTES];
        assert!(!write(&mut journal, 1, &[(b"long", Some(&value)), (b"short", None)]));
        let value = vec![1; RECORD_LIMIT_BYTES / 2];
        let mut batch = 0;
        while write(&mut journal, batch + 1, &[(b"k", Some(&value))]) {
            batch += 1;
        }
        assert_eq!(batch as usize, LIMIT_BYTES / value.len() - 1);
        assert_eq!(replay(&journal, 0).0, batch);
        journal.rewind();
        assert!(write(&mut journal, batch + 2, &[(b"k", None)]));
        assert_eq!(replay(&journal, batch + 1).0, batch + 2);
        journal.empty().unwrap();
        assert_eq!(replay(&journal, batch + 1).0, batch + 1);
    }
}
