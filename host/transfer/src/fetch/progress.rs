//! What the threads of a download share: its file, and how far writing and hashing are.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::plan::Plan;
use crate::disk::PartFile;
use crate::task::Checkpoint;

/// Bytes that the hasher reads at a time.
const READ_BYTES: usize = 128 << 10;
/// The most ranges that a checkpoint keeps behind its prefix.
const MOST_RANGES: usize = 1000;

/// Bytes to write.
pub(super) struct Piece {
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
}

/// Why hashing ended early.
pub(super) enum HashError {
    /// The file does not match its checkpoint.
    Changed,
    /// The file cannot be read.
    Io(io::Error),
}

struct State {
    plan: Plan,
    /// Whether the download has ended. Then the threads end soon.
    ended: bool,
}

/// What the threads of a download share.
pub(super) struct Progress {
    pub(super) part: Arc<PartFile>,
    /// The checkpoint that the download continues from.
    known: Option<Checkpoint>,
    state: Mutex<State>,
    /// Notified when bytes were written, and at the end.
    changed: Condvar,
    /// How far the hasher is, once it is beyond the known checkpoint.
    hashed: Mutex<Option<(u64, Sha256)>>,
}

impl Progress {
    pub(super) fn new(part: Arc<PartFile>, known: Option<Checkpoint>, plan: Plan) -> Progress {
        Progress {
            part,
            known,
            state: Mutex::new(State { plan, ended: false }),
            changed: Condvar::new(),
            hashed: Mutex::new(None),
        }
    }

    pub(super) fn plan(&self) -> impl std::ops::DerefMut<Target = Plan> {
        MutexGuard::map(self.state.lock(), |state| &mut state.plan)
    }

    /// Tells the threads that the download has ended.
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
        self.changed.notify_all();
    }

    /// Notes that bytes are in the file. Returns whether the download goes on.
    pub(super) fn wrote(&self, range: Range<u64>) -> bool {
        let mut state = self.state.lock();
        state.plan.wrote(range);
        let goes_on = !state.ended;
        drop(state);
        self.changed.notify_all();
        goes_on
    }

    /// Waits until the prefix is longer than `offset`, and returns its length. `None` if the
    /// download has ended.
    fn prefix_beyond(&self, offset: u64) -> Option<u64> {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return None;
            }
            let prefix = state.plan.written().prefix();
            if prefix > offset {
                return Some(prefix);
            }
            self.changed.wait(&mut state);
        }
    }

    /// What a checkpoint may say after the file is synced. Take it before the sync.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        let hashed = self.hashed.lock().clone();
        let (offset, sha256) = match (hashed, &self.known) {
            (Some((offset, hasher)), _) => (offset, hasher.finalize().into()),
            (None, Some(known)) => (known.offset, known.sha256),
            (None, None) => (0, Sha256::digest(b"").into()),
        };
        let state = self.state.lock();
        let behind = state.plan.written().iter().filter(|range| range.end > offset);
        Checkpoint {
            offset,
            sha256,
            ranges: behind
                .map(|range| (range.start.max(offset), range.end))
                .take(MOST_RANGES)
                .collect(),
        }
    }

    /// Writes pieces until there are no more. Blocks.
    pub(super) fn write(&self, mut pieces: mpsc::Receiver<Piece>) -> io::Result<()> {
        while let Some(Piece { offset, bytes }) = pieces.blocking_recv() {
            self.part.write_all_at(&bytes, offset)?;
            self.wrote(offset..offset + bytes.len() as u64);
        }
        Ok(())
    }

    /// Hashes what is in the file, as far as it has no gap. Returns the hash of the whole file, or
    /// `None` if the download ended before. Blocks.
    pub(super) fn hash(&self) -> Result<Option<[u8; 32]>, HashError> {
        let size = self.plan().size();
        let known = self.known.as_ref();
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut offset = 0;
        loop {
            if let Some(known) = known
                && offset == known.offset
                && hasher.clone().finalize()[..] != known.sha256
            {
                return Err(HashError::Changed);
            }
            if known.is_none_or(|known| offset >= known.offset) {
                *self.hashed.lock() = Some((offset, hasher.clone()));
            }
            if offset >= size {
                return Ok(Some(hasher.finalize().into()));
            }
            let Some(prefix) = self.prefix_beyond(offset) else {
                return Ok(None);
            };
            // Stops at the end of the checkpoint, to compare its hash.
            let end = match known {
                Some(known) if offset < known.offset => prefix.min(known.offset),
                _ => prefix,
            };
            let len = usize::try_from(end - offset).map_or(READ_BYTES, |len| len.min(READ_BYTES));
            self.part
                .read_exact_at(&mut buffer[..len], offset)
                .map_err(HashError::Io)?;
            hasher.update(&buffer[..len]);
            offset += len as u64;
        }
    }
}
