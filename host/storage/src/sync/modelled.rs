//! The types of the unit tests. They do what those of the program do. In an execution of shuttle
//! the threads are shuttle's, and before each operation another one may run.
//!
//! All threads of an execution share one thread of the system, so nothing here may block that one.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64 as Number, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout_at;

pub(crate) use parking_lot::RwLockReadGuard;

use super::Elapsed;

/// Errors that a test builds into the order of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Late {
    /// A snapshot is published some time after the operation that publishes it.
    Publish,
    /// A table version rises some time after the operation that raises it.
    Version,
    /// A sync returns some time before it is done.
    Sync,
}

std::thread_local! {
    static LATE: RefCell<HashSet<Late>> = RefCell::default();
    /// What [`now`] adds to the time of the first call.
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs `test` with an error built in.
pub(crate) fn with_late<T>(late: Late, test: impl FnOnce() -> T) -> T {
    LATE.with_borrow_mut(|all| all.insert(late));
    let result = test();
    LATE.with_borrow_mut(|all| all.remove(&late));
    result
}

/// Does something now, or in a thread of its own if a test says so.
pub(crate) fn do_perhaps_late(late: Late, operation: impl FnOnce() + Send + 'static) {
    match is_modelled() && LATE.with_borrow(|all| all.contains(&late)) {
        true => drop(shuttle::thread::spawn(operation)),
        false => operation(),
    }
}

/// Whether this runs in an execution of shuttle.
fn is_modelled() -> bool {
    shuttle::current::try_get_current_task().is_some()
}

/// Another thread may run here.
pub(crate) fn interleave() {
    if is_modelled() {
        shuttle::thread::sleep(Duration::ZERO);
    }
}

/// Gets a lock. Never blocks the system's thread in an execution.
fn acquire<G>(try_lock: impl Fn() -> Option<G>, lock: impl FnOnce() -> G) -> G {
    if !is_modelled() {
        return lock();
    }
    interleave();
    loop {
        if let Some(guard) = try_lock() {
            return guard;
        }
        shuttle::thread::yield_now();
    }
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> parking_lot::MutexGuard<'_, T> {
        acquire(|| self.0.try_lock(), || self.0.lock())
    }
}

#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(parking_lot::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        acquire(|| self.0.try_read(), || self.0.read())
    }

    pub(crate) fn write(&self) -> parking_lot::RwLockWriteGuard<'_, T> {
        acquire(|| self.0.try_write(), || self.0.write())
    }
}

#[derive(Debug)]
pub(crate) struct ArcSwap<T>(Arc<arc_swap::ArcSwap<T>>);

impl<T: Send + Sync + 'static> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self(Arc::new(arc_swap::ArcSwap::from_pointee(value)))
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        interleave();
        self.0.load_full()
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        interleave();
        let pointer = Arc::clone(&self.0);
        do_perhaps_late(Late::Publish, move || pointer.store(value));
    }
}

#[derive(Debug, Default)]
pub(crate) struct AtomicU64(Arc<Number>);

impl AtomicU64 {
    pub(crate) fn load(&self, order: Ordering) -> u64 {
        interleave();
        self.0.load(order)
    }

    pub(crate) fn store(&self, value: u64, order: Ordering) {
        interleave();
        let number = Arc::clone(&self.0);
        do_perhaps_late(Late::Version, move || number.store(value, order));
    }
}

/// The time. In an execution it passes only when somebody sleeps.
pub(crate) fn now() -> Instant {
    if !is_modelled() {
        return Instant::now();
    }
    let began = BEGAN.get().unwrap_or_else(Instant::now);
    BEGAN.set(Some(began));
    began + PASSED.get()
}

pub(crate) fn sleep(time: Duration) {
    match is_modelled() {
        true => {
            PASSED.set(PASSED.get() + time);
            interleave();
        }
        false => std::thread::sleep(time),
    }
}

/// Waits for a message, at most until `due`. In an execution that time comes whenever nothing waits
/// in the queue and the scheduler wants it to.
pub(crate) fn receive<T>(queue: &mut Receiver<T>, due: Option<Instant>, clock: &Runtime) -> Result<Option<T>, Elapsed> {
    match (is_modelled(), due) {
        (true, None) => {
            interleave();
            Ok(shuttle::future::block_on(queue.recv()))
        }
        (true, Some(_)) => {
            interleave();
            match queue.try_recv() {
                Ok(message) => Ok(Some(message)),
                Err(tokio::sync::mpsc::error::TryRecvError::Disconnected) => Ok(None),
                Err(tokio::sync::mpsc::error::TryRecvError::Empty) => {
                    shuttle::thread::yield_now();
                    Err(Elapsed)
                }
            }
        }
        (false, None) => Ok(queue.blocking_recv()),
        (false, Some(due)) => clock
            .block_on(async { timeout_at(due.into(), queue.recv()).await })
            .map_err(|_| Elapsed),
    }
}

/// A channel for one message.
pub(crate) mod oneshot {
    use tokio::sync::oneshot;

    pub(crate) use tokio::sync::oneshot::Receiver;

    #[derive(Debug)]
    pub(crate) struct Sender<T>(oneshot::Sender<T>);

    impl<T> Sender<T> {
        pub(crate) fn send(self, message: T) -> Result<(), T> {
            super::interleave();
            let sent = self.0.send(message);
            super::interleave();
            sent
        }
    }

    pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        (Sender(sender), receiver)
    }
}

/// Bounded channels between threads.
pub(crate) mod mpsc {
    use std::sync::mpsc;
    use std::time::Duration;

    pub(crate) use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError};

    pub(crate) enum SyncSender<T> {
        Real(mpsc::SyncSender<T>),
        Modelled(shuttle::sync::mpsc::SyncSender<T>),
    }

    pub(crate) enum Receiver<T> {
        Real(mpsc::Receiver<T>),
        Modelled(shuttle::sync::mpsc::Receiver<T>),
    }

    pub(crate) fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
        if super::is_modelled() {
            let (sender, receiver) = shuttle::sync::mpsc::sync_channel(bound);
            return (SyncSender::Modelled(sender), Receiver::Modelled(receiver));
        }
        let (sender, receiver) = mpsc::sync_channel(bound);
        (SyncSender::Real(sender), Receiver::Real(receiver))
    }

    impl<T> SyncSender<T> {
        pub(crate) fn send(&self, message: T) -> Result<(), SendError<T>> {
            match self {
                Self::Real(sender) => sender.send(message),
                Self::Modelled(sender) => sender.send(message),
            }
        }
    }

    impl<T> Receiver<T> {
        pub(crate) fn recv(&self) -> Result<T, RecvError> {
            match self {
                Self::Real(receiver) => receiver.recv(),
                Self::Modelled(receiver) => receiver.recv(),
            }
        }

        pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
            match self {
                Self::Real(receiver) => receiver.try_recv(),
                Self::Modelled(receiver) => receiver.try_recv(),
            }
        }

        /// In an execution it waits without a limit.
        pub(crate) fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
            match self {
                Self::Real(receiver) => receiver.recv_timeout(timeout),
                Self::Modelled(receiver) => receiver.recv_timeout(timeout),
            }
        }
    }
}

/// Threads.
pub(crate) mod thread {
    use std::io;
    use std::thread;

    #[derive(Default)]
    pub(crate) struct Builder(String);

    pub(crate) enum JoinHandle<T> {
        Real(thread::JoinHandle<T>),
        Modelled(shuttle::thread::JoinHandle<T>),
    }

    impl Builder {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn name(self, name: String) -> Self {
            Self(name)
        }

        pub(crate) fn spawn<T: Send + 'static>(
            self,
            run: impl FnOnce() -> T + Send + 'static,
        ) -> io::Result<JoinHandle<T>> {
            if super::is_modelled() {
                let thread = shuttle::thread::Builder::new().name(self.0).spawn(run);
                return thread.map(JoinHandle::Modelled);
            }
            thread::Builder::new().name(self.0).spawn(run).map(JoinHandle::Real)
        }
    }

    impl<T> JoinHandle<T> {
        pub(crate) fn join(self) -> thread::Result<T> {
            match self {
                Self::Real(thread) => thread.join(),
                Self::Modelled(thread) => thread.join(),
            }
        }
    }
}
