//! The real backend, stopped before each disk operation that changes what a crash leaves.
//!
//! An [`Engine`] runs the backend on a thread of its own, and its flusher on another. Both stop
//! before each sync of the database and before each operation on the log, until the test lets them
//! go on. So a test holds the engine at a crash point as long as it wants, and looks at what a
//! power loss would leave.

use std::path::Path;
use std::sync::Arc;
use std::sync::{OnceLock, mpsc};
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

use super::batches::{self, HALF_BYTES};
use super::disk::Disk;
use super::stops::{Go, Returned, Role, Shared, State, Stop, stepped};
use super::trace::Trace;
use crate::backend::opener::Opener;
use crate::backend::redb::RedbBackend;
use crate::backend::{ApplyError, Backend as _, KeyUpdate};
use crate::error::BackendError;

/// A call of the backend.
pub(super) enum Call {
    Open,
    Apply(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Maintain,
    /// Makes the active memtable due for a flush, then does the maintenance.
    Freeze,
    Reopen,
    Close,
}

/// Where a call is.
pub(super) enum Event {
    Stopped(Stop),
    Returned(Returned),
}

/// The backend, and the threads that it stops on.
pub(super) struct Engine {
    disk: Arc<Disk>,
    half_bytes: usize,
    shared: Arc<Shared>,
    calls: Option<mpsc::Sender<Call>>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// A process that has not opened its files yet.
    pub(super) fn new(disk: Arc<Disk>, half_bytes: usize) -> Self {
        let trace = Trace::of(&disk);
        Self::with_trace(disk, half_bytes, trace)
    }

    fn with_trace(disk: Arc<Disk>, half_bytes: usize, trace: Trace) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                trace,
                ..State::default()
            }),
            changed: Condvar::new(),
        });
        let (calls, pending) = mpsc::channel();
        let (files, worker) = (Arc::clone(&disk), Arc::clone(&shared));
        let thread = thread::spawn(move || run(&files, half_bytes, &pending, &worker));
        Self {
            disk,
            half_bytes,
            shared,
            calls: Some(calls),
            thread: Some(thread),
        }
    }

    /// Begins a call. The one before has returned.
    pub(super) fn begin(&self, call: Call) {
        self.calls.as_ref().unwrap().send(call).unwrap();
    }

    /// Waits until the call stops or returns.
    pub(super) fn event(&self) -> Event {
        self.shared
            .wait("the committer", |state| match state.committer.stopped {
                Some(stop) if state.committer.go.is_none() => Some(Event::Stopped(stop)),
                _ => state.returned.take().map(Event::Returned),
            })
    }

    /// Waits until a thread stops, and lets it go on. Returns when its operation is done.
    pub(super) fn go(&self, role: Role, expected: Stop, go: Go) {
        let before = self.shared.wait("a stop", |state| {
            let side = state.side(role);
            let stop = side.stopped.filter(|_| side.go.is_none())?;
            assert_eq!(stop, expected, "{role:?}");
            side.go = Some(go);
            Some(side.passed)
        });
        self.shared.changed.notify_all();
        self.shared
            .wait("an operation", |state| (state.side(role).passed > before).then_some(()));
    }

    /// Waits until the flusher stops before the end of a chunk.
    pub(super) fn flusher_stops(&self) {
        self.shared.wait("the flusher", |state| {
            let side = &state.flusher;
            side.stopped.filter(|_| side.go.is_none()).map(drop)
        });
    }

    /// Lets the call go on until it stops before `stop`.
    pub(super) fn run_to(&self, stop: Stop) {
        loop {
            match self.event() {
                Event::Stopped(at) if at == stop => return,
                Event::Stopped(at) => self.go(Role::Committer, at, Go::Succeed),
                Event::Returned(_) => panic!("the call returned before {stop:?}"),
            }
        }
    }

    /// Lets the call go on until it returns.
    pub(super) fn finish(&self) -> Returned {
        loop {
            match self.event() {
                Event::Stopped(at) => self.go(Role::Committer, at, Go::Succeed),
                Event::Returned(returned) => return returned,
            }
        }
    }

    /// Calls, and lets the call run to its end.
    pub(super) fn call(&self, call: Call) -> Returned {
        self.begin(call);
        self.finish()
    }

    /// Lets the flusher write this many chunks.
    pub(super) fn flush(&self, chunks: usize) {
        for _ in 0..chunks * commit_syncs() {
            self.go(Role::Flusher, Stop::SyncDatabase, Go::Succeed);
        }
    }

    /// Lets the flusher run until its result is received. Returns how often it stopped.
    fn flush_all(&self) -> usize {
        let mut stops = 0;
        for _ in 0..1_000_000 {
            let is_stopped = self.shared.state.lock().flusher.stopped.is_some();
            if is_stopped {
                self.go(Role::Flusher, Stop::SyncDatabase, Go::Succeed);
                stops += 1;
            } else if self.call(Call::Maintain).unwrap().is_some() {
                return stops;
            }
            thread::yield_now();
        }
        panic!("the flush never ends");
    }

    /// Waits until the committer has received the result of a flush.
    ///
    /// # Errors
    /// If the flush failed.
    pub(super) fn release(&self) -> Returned {
        for _ in 0..1_000_000 {
            match self.call(Call::Maintain) {
                Ok(None) => thread::yield_now(),
                released => return released,
            }
        }
        panic!("the result of the flush never arrives");
    }

    /// Whether threads run without stops.
    pub(super) fn set_free(&self, is_free: bool) {
        self.shared.state.lock().is_free = is_free;
        self.shared.changed.notify_all();
    }

    /// All operations until now.
    pub(super) fn trace(&self) -> Trace {
        self.shared.state.lock().trace.clone()
    }

    /// Kills the process, and starts the next one. What was written stays, synced or not.
    pub(super) fn kill(mut self) -> Self {
        self.end();
        Self::with_trace(Arc::clone(&self.disk), self.half_bytes, self.trace())
    }

    /// A process that finds the files as these operations left them.
    pub(super) fn after(trace: Trace, half_bytes: usize) -> Self {
        let disk = Arc::new(Disk::default());
        trace.repeat(&disk);
        Self::with_trace(disk, half_bytes, trace)
    }

    /// Whether the files were opened, by this process or the one it reopens for.
    pub(super) fn is_open(&self) -> bool {
        self.shared.state.lock().is_open
    }

    fn end(&mut self) {
        self.shared.state.lock().is_dead = true;
        self.shared.changed.notify_all();
        drop(self.calls.take());
        if let Some(thread) = self.thread.take() {
            // A panic there is only the consequence of one here.
            let _ = thread.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end();
    }
}

/// How often redb syncs its file in a commit, beside the sync of a new length.
pub(super) fn commit_syncs() -> usize {
    static MEASURED: OnceLock<usize> = OnceLock::new();
    *MEASURED.get_or_init(|| {
        let engine = Engine::new(Arc::new(Disk::default()), HALF_BYTES);
        engine.call(Call::Open).unwrap();
        engine.call(Call::Apply(batches::short(1))).unwrap();
        engine.call(Call::Freeze).unwrap();
        // Two keys of the model, and the commit that sets `batch`.
        let (stops, commits) = (engine.flush_all(), 3);
        assert!(
            stops > 0 && stops.is_multiple_of(commits),
            "{stops} syncs in {commits} commits"
        );
        stops / commits
    })
}

/// The thread of the committer.
fn run(disk: &Arc<Disk>, half_bytes: usize, calls: &mpsc::Receiver<Call>, shared: &Arc<Shared>) {
    let mut backend: Option<RedbBackend> = None;
    while let Ok(call) = calls.recv() {
        let returned = match (call, &mut backend) {
            (Call::Open, None) => open(stepped(disk, shared, half_bytes), &mut backend),
            (Call::Close, Some(open)) => open.close().map(|()| None),
            (Call::Open | Call::Reopen, Some(open)) => open.reopen().and_then(|()| open.snapshot().map(Some)),
            (Call::Apply(updates), Some(open)) => {
                let mut updates = updates
                    .iter()
                    .map(|(key, value)| -> KeyUpdate<'_> { (key, value.as_deref()) });
                let state = open.apply(&mut updates).map(Some).map_err(|error| match error {
                    ApplyError::Refused(error) | ApplyError::Failed(error) => error,
                });
                open.set_due(false);
                state
            }
            (Call::Maintain, Some(open)) => open.maintain(),
            (Call::Freeze, Some(open)) => {
                open.set_due(true);
                open.maintain()
            }
            (_, None) => panic!("the backend is not open"),
        };
        let mut state = shared.state.lock();
        state.is_open = backend.is_some();
        state.returned = Some(returned);
        drop(state);
        shared.changed.notify_all();
    }
}

fn open(opener: Opener, backend: &mut Option<RedbBackend>) -> Returned {
    match RedbBackend::open_with(Path::new("disk"), opener) {
        Ok(open) => {
            let state = open.snapshot();
            *backend = Some(open);
            state.map(Some)
        }
        Err(error) => Err(BackendError::Failed(error.to_string().into())),
    }
}
