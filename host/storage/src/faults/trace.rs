//! What was done to the two files, and what a power loss leaves of it.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redb::StorageBackend;

use super::batches::SPREAD;
use super::disk::{Attached, Disk, Name};
use crate::backend::flusher::FlushMode;
use crate::backend::opener::{HEAL_INTERVAL, Opener};
use crate::backend::redb::RedbBackend;
use crate::backend::{Backend as _, BackendSnapshot};
use crate::error::{BackendError, OpenError};
use crate::random::Random;

const NAMES: [Name; 2] = [Name::Database, Name::Wal];

/// A change of a file.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
    /// A sync that failed. No later one makes durable what was written before it.
    FailedSync,
}

impl Change {
    pub(super) fn apply(&self, file: &Attached) -> io::Result<()> {
        match self {
            Self::Write(offset, bytes) => file.write(*offset, bytes),
            Self::SetLen(len) => file.set_len(*len),
            Self::Sync => file.sync_data(),
            Self::FailedSync => Ok(()),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) name: Name,
    pub(super) change: Change,
}

/// All operations on a disk, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace(Vec<Operation>);

/// What a power loss leaves of the operations that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Nothing,
    Everything,
    /// Those on the log.
    Log,
    /// The n-th of them, for each set bit n.
    Operations(u64),
    /// Any sectors of them.
    Sectors {
        seed: u64,
    },
}

impl Trace {
    /// The trace that makes the files of this disk.
    pub(super) fn of(disk: &Arc<Disk>) -> Self {
        let mut trace = Self::default();
        for name in NAMES {
            let file = disk.attach(name);
            let mut bytes = vec![0; file.len().unwrap() as usize];
            if bytes.is_empty() {
                continue;
            }
            file.read(0, &mut bytes).unwrap();
            trace.push(Operation {
                name,
                change: Change::Write(0, bytes),
            });
            trace.push(Operation {
                name,
                change: Change::Sync,
            });
        }
        trace
    }

    pub(super) fn push(&mut self, operation: Operation) {
        self.0.push(operation);
    }

    /// The last change of a file.
    pub(super) fn last(&self, name: Name) -> Option<&Change> {
        let last = self.0.iter().rev().find(|operation| same(operation.name, name));
        last.map(|operation| &operation.change)
    }

    /// The number of operations that a power loss may undo.
    pub(super) fn unsynced(&self) -> usize {
        (0..self.0.len()).filter(|at| !self.is_durable(*at)).count()
    }

    /// The number of these operations on a file.
    pub(super) fn unsynced_on(&self, name: Name) -> usize {
        let on_file = |at: &usize| same(self.0[*at].name, name) && !self.is_durable(*at);
        (0..self.0.len()).filter(on_file).count()
    }

    /// As if this file had never been there.
    pub(super) fn without(&self, name: Name) -> Self {
        let others = self.0.iter().filter(|operation| !same(operation.name, name));
        Self(others.cloned().collect())
    }

    /// As if the process had been killed before redb wrote what it has not synced.
    pub(super) fn before_commit(&self) -> Self {
        let kept = (0..self.0.len()).filter(|at| same(self.0[*at].name, Name::Wal) || self.is_durable(*at));
        Self(kept.map(|at| self.0[at].clone()).collect())
    }

    /// Does all operations on an empty disk.
    pub(super) fn repeat(&self, disk: &Arc<Disk>) {
        for operation in &self.0 {
            operation.change.apply(&disk.attach(operation.name)).unwrap();
        }
    }

    fn is_durable(&self, at: usize) -> bool {
        let Operation { name, change } = &self.0[at];
        let mut later = self.0[at..].iter().filter(|later| same(later.name, *name));
        let is_synced = later.find_map(|later| match later.change {
            Change::Sync => Some(true),
            Change::FailedSync => Some(false),
            Change::Write(..) | Change::SetLen(_) => None,
        });
        matches!(change, Change::FailedSync) || is_synced == Some(true)
    }

    /// The disk after a power loss.
    pub(super) fn after_power_loss(&self, kept: Kept) -> Arc<Disk> {
        let disk = Arc::new(Disk::default());
        let files = NAMES.map(|name| disk.attach(name));
        let mut unsynced = 0;
        for (at, operation) in self.0.iter().enumerate() {
            let is_kept = self.is_durable(at) || {
                unsynced += 1;
                match kept {
                    Kept::Nothing => false,
                    Kept::Everything | Kept::Sectors { .. } => true,
                    Kept::Log => same(operation.name, Name::Wal),
                    Kept::Operations(set) => set & (1 << (unsynced - 1)) != 0,
                }
            };
            if is_kept {
                operation.change.apply(&files[operation.name as usize]).unwrap();
            }
        }
        match kept {
            Kept::Sectors { seed } => Arc::new(disk.after_power_loss(&mut Random::new(seed | 1 << 32))),
            _ => {
                for file in files {
                    file.sync_data().unwrap();
                }
                disk
            }
        }
    }
}

fn same(one: Name, other: Name) -> bool {
    one as usize == other as usize
}

/// Stored keys and values.
pub(super) type Stored = BTreeMap<Vec<u8>, Vec<u8>>;

/// Everything that a state holds.
///
/// # Errors
/// If it cannot be read.
pub(super) fn stored(state: &dyn BackendSnapshot) -> Result<Stored, BackendError> {
    let mut found = Stored::new();
    state.walk(&[0], &[0xff], false, &mut |key, value| {
        found.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Opens the two files through these functions.
pub(super) fn opener<D: StorageBackend, W: StorageBackend>(
    database: impl Fn() -> D + Send + 'static,
    wal: impl Fn() -> io::Result<W> + Send + 'static,
    half_bytes: usize,
) -> Opener {
    Opener {
        database: Box::new(move || Ok(Box::new(database()))),
        wal: Box::new(move || Ok(Box::new(wal()?))),
        has_space: Box::new(|| Ok(())),
        cache_size_bytes: 1 << 20,
        half_bytes,
        fill_bytes: half_bytes,
        flush_mode: FlushMode::Thread,
        chunk_keys: SPREAD,
        first_retry: Duration::ZERO,
        heal_interval: HEAL_INTERVAL,
    }
}

/// Opens the files of a disk without stops, and returns what they hold after recovery.
///
/// # Errors
/// If they cannot be opened.
pub(super) fn recovered(disk: &Arc<Disk>, half_bytes: usize) -> Result<Stored, OpenError> {
    let (database, wal) = (Arc::clone(disk), Arc::clone(disk));
    let opener = opener(
        move || database.attach(Name::Database),
        move || Ok(wal.attach(Name::Wal)),
        half_bytes,
    );
    let backend = RedbBackend::open_with(Path::new("disk"), opener)?;
    Ok(stored(&*backend.snapshot().unwrap()).unwrap())
}
