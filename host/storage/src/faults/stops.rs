//! Where the threads of a backend stop: before each sync of the database, and before each operation
//! on the log.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use redb::StorageBackend;

use super::disk::{Attached, Disk, Name};
use super::trace::{self, Change, Operation, Trace};
use crate::backend::BackendSnapshot;
use crate::backend::opener::Opener;
use crate::error::BackendError;

/// A test that waits longer has found a deadlock.
const PATIENCE: Duration = Duration::from_secs(60);

/// The operation before which a thread stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The log is opened. The database is open.
    OpenLog,
    /// The log is made longer, or filled with zeros.
    GrowLog,
    WriteRecord,
    SyncLog,
    TruncateLog,
    /// The database is synced: the end of a commit.
    SyncDatabase,
}

/// What a stopped operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Go {
    Succeed,
    /// It fails without an effect. What a sync did not write then, no later sync writes.
    Fail,
    /// The same, because the disk is full.
    FailFull,
    /// It fails, but it had an effect: a sync all, a write half.
    FailLate,
}

/// The two threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Committer,
    Flusher,
}

#[derive(Default)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) trace: Trace,
    pub(super) committer: Side,
    pub(super) flusher: Side,
    /// Nothing stops.
    pub(super) is_free: bool,
    /// The process was killed: nothing has an effect any more.
    pub(super) is_dead: bool,
    pub(super) returned: Option<Returned>,
    /// Whether the first call to open the files succeeded.
    pub(super) is_open: bool,
}

#[derive(Default)]
pub(super) struct Side {
    pub(super) stopped: Option<Stop>,
    pub(super) go: Option<Go>,
    /// How many stops it has left behind.
    pub(super) passed: u64,
}

impl State {
    pub(super) fn side(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Committer => &mut self.committer,
            Role::Flusher => &mut self.flusher,
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// Waits until `found` has a value.
    pub(super) fn wait<T>(&self, what: &str, mut found: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut state = self.state.lock();
        loop {
            if let Some(found) = found(&mut state) {
                return found;
            }
            let waited = self.changed.wait_for(&mut state, PATIENCE);
            assert!(!waited.timed_out(), "waited too long for {what}");
        }
    }

    /// Stops the thread before an operation.
    pub(super) fn stop(&self, stop: Stop) -> (MutexGuard<'_, State>, Go) {
        let role = match thread::current().name() {
            Some("storage-flusher") => Role::Flusher,
            _ => Role::Committer,
        };
        let mut state = self.state.lock();
        state.side(role).stopped = Some(stop);
        self.changed.notify_all();
        loop {
            let go = match (state.is_dead, state.is_free, state.side(role).go.take()) {
                (true, ..) => Some(Go::Fail),
                (_, _, Some(go)) => Some(go),
                (_, true, None) => Some(Go::Succeed),
                (_, false, None) => None,
            };
            if let Some(go) = go {
                let side = state.side(role);
                side.stopped = None;
                side.passed += 1;
                return (state, go);
            }
            self.changed.wait(&mut state);
        }
    }
}

/// A file that stops its users.
#[derive(Debug)]
struct Stepped {
    name: Name,
    file: Attached,
    shared: Arc<Shared>,
}

impl Stepped {
    /// Does an operation, after a stop if it has one.
    fn change(&self, stop: Option<Stop>, change: Change) -> io::Result<()> {
        let (mut state, go) = match stop {
            Some(stop) => self.shared.stop(stop),
            None => {
                let state = self.shared.state.lock();
                let go = if state.is_dead { Go::Fail } else { Go::Succeed };
                (state, go)
            }
        };
        let change = match (go, change) {
            (Go::FailLate, Change::Write(offset, mut bytes)) => {
                bytes.truncate(bytes.len() / 2);
                Change::Write(offset, bytes)
            }
            (_, change) => change,
        };
        let done = match (go, change) {
            (Go::Succeed | Go::FailLate, change) => Some(change),
            (Go::Fail | Go::FailFull, Change::Sync) if !state.is_dead => Some(Change::FailedSync),
            (Go::Fail | Go::FailFull, _) => None,
        };
        if let Some(change) = done {
            change.apply(&self.file)?;
            state.trace.push(Operation {
                name: self.name,
                change,
            });
        }
        drop(state);
        self.shared.changed.notify_all();
        result(go)
    }

    /// Whether the last operation on this file changed its length.
    fn has_grown(&self) -> bool {
        let state = self.shared.state.lock();
        let last = state.trace.last(self.name);
        matches!(last, Some(Change::SetLen(_)))
    }
}

impl StorageBackend for Stepped {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let stop = match (self.name, len) {
            (Name::Wal, 0) => Some(Stop::TruncateLog),
            (Name::Wal, _) => Some(Stop::GrowLog),
            (Name::Database, _) => None,
        };
        self.change(stop, Change::SetLen(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let stop = match self.name {
            Name::Wal => Some(Stop::SyncLog),
            // redb also syncs a new length before it uses it.
            Name::Database => (!self.has_grown()).then_some(Stop::SyncDatabase),
        };
        self.change(stop, Change::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let is_zero = data.iter().all(|byte| *byte == 0);
        let stop = match self.name {
            Name::Wal if is_zero => Some(Stop::GrowLog),
            Name::Wal => Some(Stop::WriteRecord),
            Name::Database => None,
        };
        self.change(stop, Change::Write(offset, data.to_vec()))
    }
}

fn result(go: Go) -> io::Result<()> {
    match go {
        Go::Succeed => Ok(()),
        Go::Fail | Go::FailLate => Err(io::Error::other("as planned")),
        Go::FailFull => Err(io::ErrorKind::StorageFull.into()),
    }
}

/// What a call returned: the new state, if there is one.
pub(super) type Returned = Result<Option<Arc<dyn BackendSnapshot>>, BackendError>;

/// Opens the files of a disk so that their users stop.
pub(super) fn stepped(disk: &Arc<Disk>, shared: &Arc<Shared>, half_bytes: usize) -> Opener {
    let stepped = |name| {
        let (disk, shared) = (Arc::clone(disk), Arc::clone(shared));
        move || Stepped {
            name,
            file: disk.attach(name),
            shared: Arc::clone(&shared),
        }
    };
    let (wal, shared) = (stepped(Name::Wal), Arc::clone(shared));
    let open_log = move || {
        let (_, go) = shared.stop(Stop::OpenLog);
        shared.changed.notify_all();
        result(go).map(|()| wal())
    };
    trace::opener(stepped(Name::Database), open_log, half_bytes)
}
