//! The write-ahead log: batches that are durable before the database holds them.
//!
//! A batch is one record. Records follow one another from the start of a half:
//!
//! ```text
//! offset  bytes  field                       (integers are little-endian)
//!      0      4  CRC-32 of all bytes after it
//!      4      4  length of the body
//!      8      8  file id: the database that the log belongs to
//!     16      8  batch number
//!     24      …  body: for each update
//!                4  length of the key
//!                4  length of the value; 2^32-1 removes the key
//!                …  key, then value
//! ```
//!
//! The file has two halves, which are overwritten in turn. While one is filled, the batches of the
//! other are flushed into the database. A record counts only if its checksum holds and its batch is
//! the next one; the next record after the end of a half is at the start of a half. Space is filled
//! with zeros before its first use: a later write then changes no metadata of the file, and
//! `fdatasync` syncs only the data.

use std::io;
use std::mem;

use memchr::memmem;
use redb::StorageBackend;

use super::KeyUpdate;
use super::mutants::{self, Mutant};

/// Bytes before the body of a record.
pub(crate) const HEADER_BYTES: usize = 24;
/// Bytes of a half.
pub(crate) const HALF_BYTES: usize = 32 << 20;
/// A longer record goes to the database directly: it is not worth writing twice.
const RECORD_LIMIT_BYTES: usize = 2 << 20;
/// Space that is zeroed at once.
const GROWTH_BYTES: usize = 1 << 20;
/// The value length that stands for the removal of a key.
const REMOVED: u32 = u32::MAX;

/// The log of one database.
#[derive(Debug)]
pub(crate) struct Wal {
    disk: Box<dyn StorageBackend>,
    /// The database that the log belongs to.
    file_id: u64,
    half_bytes: usize,
    /// The half that is filled, 0 or 1.
    half: usize,
    /// Where the next record goes, from the start of the half.
    end: usize,
    /// The length of the file.
    len: usize,
    /// How much of each half has been zeroed or written.
    zeroed: [usize; 2],
    /// The record that is being built. Empty if there is none, or if it grew too long.
    record: Vec<u8>,
}

impl Wal {
    /// Opens the log of the database `file_id`. `half_bytes` never changes for one file.
    pub(crate) fn open(disk: Box<dyn StorageBackend>, file_id: u64, half_bytes: usize) -> io::Result<Self> {
        let len = usize::try_from(disk.len()?).map_err(io::Error::other)?;
        Ok(Self {
            disk,
            file_id,
            half_bytes,
            half: 0,
            end: 0,
            len,
            zeroed: [len.min(half_bytes), len.saturating_sub(half_bytes).min(half_bytes)],
            record: Vec::new(),
        })
    }

    /// Passes the updates of each batch after `batch` to `apply`, in order.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn replay(&self, mut batch: u64, mut apply: impl FnMut(u64, &[KeyUpdate<'_>])) -> io::Result<Replay> {
        let bytes = self.read_all()?;
        loop {
            let before = batch;
            for start in [0, self.half_bytes] {
                let mut rest = bytes.get(start..).unwrap_or_default();
                while let Some((body, after)) = self.parse(rest, next_batch(rest, batch)) {
                    batch = next_batch(rest, batch);
                    apply(batch, &Updates(body).collect::<Vec<_>>());
                    rest = after;
                }
            }
            if batch == before {
                let later = self
                    .records(&bytes)
                    .map(|(found, _)| found)
                    .filter(|found| *found > batch + 1);
                return Ok(Replay {
                    last: batch,
                    later: later.min(),
                });
            }
        }
    }

    /// Passes all records after `batch` that can be read to `apply`, in the order of their batches,
    /// whether or not one between them is missing. For a damaged log.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn salvage(&self, batch: u64, mut apply: impl FnMut(u64, &[KeyUpdate<'_>])) -> io::Result<()> {
        let bytes = self.read_all()?;
        let mut records: Vec<_> = self.records(&bytes).filter(|(found, _)| *found > batch).collect();
        records.sort_unstable_by_key(|(batch, _)| *batch);
        for (batch, body) in records {
            apply(batch, &Updates(body).collect::<Vec<_>>());
        }
        Ok(())
    }

    fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len.min(2 * self.half_bytes)];
        self.disk.read(0, &mut bytes)?;
        Ok(bytes)
    }

    /// The whole records of this database, wherever they are: batch and body.
    fn records<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = (u64, &'a [u8])> {
        let file_id = self.file_id.to_le_bytes();
        let found: Vec<_> = memmem::find_iter(bytes, &file_id).collect();
        found.into_iter().filter_map(move |at| {
            let record = bytes.get(at.checked_sub(8)?..)?;
            let batch = u64::from_le_bytes(record.get(16..HEADER_BYTES)?.try_into().ok()?);
            let (body, _) = self.parse(record, batch)?;
            Some((batch, body))
        })
    }

    /// If the bytes begin with the whole record of this batch: its body, and the bytes after it.
    fn parse<'a>(&self, bytes: &'a [u8], batch: u64) -> Option<(&'a [u8], &'a [u8])> {
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
        let mut header = header;
        let (crc, len) = (take_u32(&mut header)?, take_u32(&mut header)?);
        if take_u64(&mut header)? != self.file_id || take_u64(&mut header)? != batch {
            return None;
        }
        let len = usize::try_from(len).ok()?;
        let checked = bytes.get(4..HEADER_BYTES.checked_add(len)?)?;
        (crc32fast::hash(checked) == crc).then(|| rest.split_at(len))
    }

    /// Begins the record of a batch.
    pub(crate) fn begin(&mut self, batch: u64) {
        self.record.clear();
        self.record.extend_from_slice(&[0; 8]);
        self.record.extend_from_slice(&self.file_id.to_le_bytes());
        self.record.extend_from_slice(&batch.to_le_bytes());
    }

    /// Adds an update to the record, unless it grew too long.
    pub(crate) fn push(&mut self, (key, value): KeyUpdate<'_>) {
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

    /// Where the record fits.
    pub(crate) fn fit(&self) -> RecordFit {
        match self.record.len() {
            0 => RecordFit::TooLong,
            len if len > self.half_bytes => RecordFit::TooLong,
            len if self.end + len > self.half_bytes => RecordFit::NextHalf,
            _ => RecordFit::CurrentHalf,
        }
    }

    /// Used bytes of the current half.
    pub(crate) fn used_bytes(&self) -> usize {
        self.end
    }

    /// Makes the file long enough for the record, which fits the current half.
    ///
    /// # Errors
    /// If the disk fails or is full. The log is as before.
    pub(crate) fn make_room(&mut self) -> io::Result<()> {
        self.zero_up_to(self.end + self.record.len())
    }

    /// Makes durable what can be read, if no sync has failed.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.disk.sync_data()
    }

    /// Makes durable what can be read, also after a sync that failed: the system takes what it did
    /// not write then for written, and only a new write helps.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn rewrite(&self) -> io::Result<()> {
        let bytes = self.read_all()?;
        // Zeros are no record.
        let parts = bytes.chunks(GROWTH_BYTES).enumerate();
        let mut parts = parts.filter(|(_, part)| part.iter().any(|byte| *byte != 0));
        match parts.try_for_each(|(n, part)| self.disk.write((n * GROWTH_BYTES) as u64, part)) {
            // A file system that copies what is overwritten has no space for it. A sync must do.
            Err(error) if error.kind() != io::ErrorKind::StorageFull => Err(error),
            _ => self.disk.sync_data(),
        }
    }

    /// Writes the record where [`Wal::make_room`] made room, and makes it durable.
    ///
    /// # Errors
    /// If the disk fails. The record may then be durable or not.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let len = self.record.len();
        let body_len = u32::try_from(len - HEADER_BYTES).map_err(io::Error::other)?;
        self.record[4..8].copy_from_slice(&body_len.to_le_bytes());
        let crc = crc32fast::hash(&self.record[4..]);
        self.record[..4].copy_from_slice(&crc.to_le_bytes());
        let start = self.half * self.half_bytes;
        self.disk.write((start + self.end) as u64, &self.record)?;
        if !mutants::has(Mutant::ReplyBeforeSync) {
            self.disk.sync_data()?;
        }
        self.end += len;
        Ok(())
    }

    /// Fills the current half with zeros at least up to `end`.
    fn zero_up_to(&mut self, end: usize) -> io::Result<()> {
        let zeroed = self.zeroed[self.half];
        if end <= zeroed {
            return Ok(());
        }
        let start = self.half * self.half_bytes;
        let new_end = end.next_multiple_of(GROWTH_BYTES).min(self.half_bytes);
        if start + new_end > self.len {
            self.disk.set_len((start + new_end) as u64)?;
            self.len = start + new_end;
        }
        self.disk.write((start + zeroed) as u64, &vec![0; new_end - zeroed])?;
        self.zeroed[self.half] = new_end;
        Ok(())
    }

    /// Continues at the start of the other half. The database holds the batches of that half.
    pub(crate) fn turn_over(&mut self) {
        self.half = 1 - self.half;
        self.end = 0;
        if self.record.capacity() > RECORD_LIMIT_BYTES / 4 {
            self.record.shrink_to(RECORD_LIMIT_BYTES / 4);
        }
    }

    /// The bytes of the file.
    pub(crate) fn contents(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        self.disk.read(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Truncates the file. The database holds all batches.
    pub(crate) fn empty(&mut self) -> io::Result<()> {
        self.end = 0;
        self.len = 0;
        self.zeroed = [0; 2];
        self.disk.set_len(0)
    }
}

/// The batch of the record that counts after `batch`.
fn next_batch(bytes: &[u8], batch: u64) -> u64 {
    let found = bytes.get(16..HEADER_BYTES).and_then(|mut bytes| take_u64(&mut bytes));
    match found {
        Some(later) if later > batch && mutants::has(Mutant::ReplayAcceptsGap) => later,
        _ => batch + 1,
    }
}

/// What a replay found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Replay {
    /// The last batch.
    pub(crate) last: u64,
    /// A whole record whose batch is more than one above `last`. One above may be of a batch that
    /// failed, behind batches that were flushed since. A record is written only after the one
    /// before is durable, so something between was damaged after it was written.
    pub(crate) later: Option<u64>,
}

/// Where a record fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordFit {
    CurrentHalf,
    /// The rest of the current half is too short.
    NextHalf,
    /// It fits no half, or is longer than [`RECORD_LIMIT_BYTES`].
    TooLong,
}

/// The updates in a body whose checksum held.
struct Updates<'a>(&'a [u8]);

impl<'a> Iterator for Updates<'a> {
    type Item = KeyUpdate<'a>;

    fn next(&mut self) -> Option<KeyUpdate<'a>> {
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

    /// A half of a small log.
    const HALF: usize = 4096;

    fn wal() -> Wal {
        Wal::open(Box::new(InMemoryBackend::new()), 7, HALF).unwrap()
    }

    /// Writes a batch. Where the half is full, the database holds the other one.
    fn write(wal: &mut Wal, batch: u64, updates: &[KeyUpdate<'_>]) {
        wal.begin(batch);
        for update in updates {
            wal.push(*update);
        }
        if wal.fit() == RecordFit::NextHalf {
            wal.turn_over();
        }
        assert_eq!(wal.fit(), RecordFit::CurrentHalf);
        wal.make_room().unwrap();
        wal.write().unwrap();
    }

    type Owned = (Vec<u8>, Option<Vec<u8>>);

    fn replay(wal: &Wal, after: u64) -> (u64, Vec<Owned>) {
        let mut found = vec![];
        let last = wal.replay(after, |_, updates| {
            let owned = |(key, value): &KeyUpdate<'_>| (key.to_vec(), value.map(<[u8]>::to_vec));
            found.extend(updates.iter().map(owned));
        });
        (last.unwrap().last, found)
    }

    #[test]
    fn the_batches_after_the_last_durable_one_come_back() {
        let mut wal = wal();
        write(&mut wal, 5, &[(b"a", Some(b"1")), (b"b", None)]);
        write(&mut wal, 6, &[(b"a", Some(b""))]);
        let both = [
            (b"a".to_vec(), Some(b"1".to_vec())),
            (b"b".to_vec(), None),
            (b"a".to_vec(), Some(vec![])),
        ];
        assert_eq!(replay(&wal, 4), (6, both.to_vec()));
        assert_eq!(replay(&wal, 6), (6, vec![]), "the database has them already");
        assert_eq!(replay(&wal, 3), (3, vec![]), "one between is missing");
        wal.file_id = 8;
        assert_eq!(replay(&wal, 4), (4, vec![]), "another database's");
    }

    #[test]
    fn the_halves_take_turns_and_records_of_an_earlier_turn_do_not_count() {
        let mut wal = wal();
        let value = [1; 500];
        let (mut batch, mut firsts) = (0, vec![1]);
        for _ in 0..100 {
            batch += 1;
            let half = wal.half;
            write(&mut wal, batch, &[(b"key", Some(&value))]);
            if wal.half != half {
                firsts.push(batch);
            }
            // The database holds the earlier batches of this half, and perhaps those of the other.
            for first in firsts.iter().rev().take(2) {
                let (last, found) = replay(&wal, first - 1);
                assert_eq!((last, found.len() as u64), (batch, batch - (first - 1)), "from {first}");
            }
        }
        assert_eq!(wal.len, 2 * HALF);
    }

    #[test]
    fn a_damaged_record_ends_the_log() {
        let mut wal = wal();
        write(&mut wal, 1, &[(b"a", Some(b"1"))]);
        let second = wal.end;
        write(&mut wal, 2, &[(b"b", Some(b"2"))]);
        for at in second..wal.end {
            let mut byte = [0];
            wal.disk.read(at as u64, &mut byte).unwrap();
            wal.disk.write(at as u64, &[byte[0] ^ 0x10]).unwrap();
            assert_eq!(replay(&wal, 0).0, 1, "byte {at}");
            wal.disk.write(at as u64, &byte).unwrap();
        }
        assert_eq!(replay(&wal, 0).0, 2);
    }

    /// The end of a log that was cut by a crash has no records behind it.
    #[test]
    fn a_damaged_record_before_others_is_told_from_the_end_of_the_log() {
        let mut wal = wal();
        let mut ends = vec![0];
        for batch in 1..=20 {
            write(&mut wal, batch, &[(b"key", Some(&[batch as u8; 300]))]);
            ends.push(wal.half * HALF + wal.end);
        }
        assert_eq!(wal.replay(0, |_, _| {}).unwrap().later, None);
        for (batch, end) in ends.iter().enumerate().skip(1) {
            let mut byte = [0];
            wal.disk.read(*end as u64 - 1, &mut byte).unwrap();
            wal.disk.write(*end as u64 - 1, &[byte[0] ^ 1]).unwrap();
            let found = wal.replay(0, |_, _| {}).unwrap();
            let later = (batch < 20).then_some(batch as u64 + 1);
            assert_eq!((found.last, found.later), (batch as u64 - 1, later));
            let mut salvaged = vec![];
            wal.salvage(0, |batch, _| salvaged.push(batch)).unwrap();
            assert_eq!(salvaged.len(), 19, "all others are salvaged");
            assert!(salvaged.is_sorted());
            wal.disk.write(*end as u64 - 1, &byte).unwrap();
        }
    }

    #[test]
    fn a_record_that_does_not_fit_is_left_to_the_database() {
        let mut wal = Wal::open(Box::new(InMemoryBackend::new()), 7, HALF_BYTES).unwrap();
        let fit = |wal: &mut Wal, len: usize| {
            wal.begin(1);
            wal.push((b"long", Some(&vec![1; len])));
            wal.push((b"short", None));
            wal.fit()
        };
        assert_eq!(fit(&mut wal, RECORD_LIMIT_BYTES), RecordFit::TooLong);
        assert_eq!(fit(&mut wal, RECORD_LIMIT_BYTES - 100), RecordFit::CurrentHalf);
        wal.half_bytes = HALF;
        assert_eq!(fit(&mut wal, HALF), RecordFit::TooLong);
        write(&mut wal, 1, &[(b"k", Some(&[1; HALF / 2]))]);
        assert_eq!(fit(&mut wal, HALF / 2), RecordFit::NextHalf);
        wal.empty().unwrap();
        assert_eq!(replay(&wal, 0).0, 0);
    }
}
