//! A disk whose changes stay in memory: for looking into files without changing them.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;

use parking_lot::Mutex;
use redb::{BackendError as LockError, StorageBackend};

/// The unit of a change.
const BLOCK: u64 = 4096;

/// A disk under which the file stays as it is.
#[derive(Debug)]
pub(crate) struct Scratch {
    disk: Box<dyn StorageBackend>,
    changes: Mutex<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    /// The length now, if it was changed.
    len: Option<u64>,
    /// How much of the file was never cut off.
    kept: Option<u64>,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Scratch {
    pub(crate) fn new(disk: Box<dyn StorageBackend>) -> Self {
        Self {
            disk,
            changes: Mutex::default(),
        }
    }

    /// A block as it is now.
    fn block(&self, changes: &Changes, block: u64) -> io::Result<Vec<u8>> {
        if let Some(bytes) = changes.blocks.get(&block) {
            return Ok(bytes.clone());
        }
        let mut bytes = vec![0; BLOCK as usize];
        let len = self.disk.len()?;
        let known = len
            .min(changes.kept.unwrap_or(len))
            .saturating_sub(block * BLOCK)
            .min(BLOCK);
        if known > 0 {
            self.disk.read(block * BLOCK, &mut bytes[..known as usize])?;
        }
        Ok(bytes)
    }

    /// Passes each touched block to `each`: block, first byte in it, and place in the range.
    fn each_block(
        offset: u64,
        len: usize,
        mut each: impl FnMut(u64, usize, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut done = 0;
        while done < len {
            let at = offset + done as u64;
            let first = (at % BLOCK) as usize;
            let part = (BLOCK as usize - first).min(len - done);
            each(at / BLOCK, first, done..done + part)?;
            done += part;
        }
        Ok(())
    }
}

impl StorageBackend for Scratch {
    fn len(&self) -> io::Result<u64> {
        match self.changes.lock().len {
            Some(len) => Ok(len),
            None => self.disk.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changes = self.changes.lock();
        if changes.blocks.is_empty() && changes.len.is_none() {
            drop(changes);
            return self.disk.read(offset, out);
        }
        let end = offset.saturating_add(out.len() as u64);
        if end > changes.len.map_or_else(|| self.disk.len(), Ok)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Self::each_block(offset, out.len(), |block, first, range| {
            let bytes = self.block(&changes, block)?;
            let part = range.len();
            out[range].copy_from_slice(&bytes[first..first + part]);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut changes = self.changes.lock();
        let before = changes.len.map_or_else(|| self.disk.len(), Ok)?;
        if len < before {
            let kept = changes.kept.unwrap_or(before).min(len);
            changes.kept = Some(kept);
            changes.blocks.retain(|block, _| block * BLOCK < len);
            let last = len / BLOCK;
            if let Some(bytes) = changes.blocks.get_mut(&last) {
                bytes[(len % BLOCK) as usize..].fill(0);
            }
        }
        changes.len = Some(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changes = self.changes.lock();
        let end = offset + data.len() as u64;
        if end > changes.len.map_or_else(|| self.disk.len(), Ok)? {
            changes.len = Some(end);
        }
        Self::each_block(offset, data.len(), |block, first, range| {
            let mut bytes = self.block(&changes, block)?;
            let part = range.len();
            bytes[first..first + part].copy_from_slice(&data[range]);
            changes.blocks.insert(block, bytes);
            Ok(())
        })
    }

    fn close(&self) -> io::Result<()> {
        self.disk.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, LockError> {
        self.disk.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, LockError> {
        self.disk.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), LockError> {
        self.disk.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), LockError> {
        self.disk.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), LockError> {
        self.disk.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, LockError> {
        self.disk.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::random::Random;

    #[test]
    fn changes_are_seen_and_the_file_stays_as_it_is() {
        for seed in 1..=30 {
            let mut random = Random::new(seed);
            let disk = InMemoryBackend::new();
            let mut model: Vec<u8> = (0..20_000).map(|n| n as u8).collect();
            disk.set_len(20_000).unwrap();
            disk.write(0, &model).unwrap();
            let scratch = Scratch::new(Box::new(disk));
            for n in 0..200_u8 {
                let len = scratch.len().unwrap();
                assert_eq!(len as usize, model.len());
                let offset = random.below(len);
                match random.below(5) {
                    0 => {
                        let new_len = random.below(30_000) + 1;
                        scratch.set_len(new_len).unwrap();
                        model.resize(new_len as usize, 0);
                    }
                    1 | 2 => {
                        let bytes = vec![n; random.below(9000) as usize];
                        scratch.write(offset, &bytes).unwrap();
                        let end = offset as usize + bytes.len();
                        model.resize(model.len().max(end), 0);
                        model[offset as usize..end].copy_from_slice(&bytes);
                    }
                    _ => {
                        let mut bytes = vec![0; random.below(len - offset + 1) as usize];
                        scratch.read(offset, &mut bytes).unwrap();
                        assert!(bytes == model[offset as usize..][..bytes.len()], "{seed} {n}");
                    }
                }
            }
            let mut kept = vec![0; 20_000];
            scratch.disk.read(0, &mut kept).unwrap();
            assert!(
                kept.iter().zip(0..).all(|(byte, n)| *byte == n as u8 || n > 255),
                "{seed}"
            );
        }
    }
}
