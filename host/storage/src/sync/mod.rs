//! What threads share: locks, pointers, numbers, channels, threads and time.
//!
//! In the program these are the types of std, parking_lot, arc-swap and tokio. In the unit tests
//! each operation is also a point where the scheduler of a test may let another thread run, so that
//! `faults/schedules.rs` runs the real code in thousands of orders.

#[cfg(test)]
pub(crate) mod modelled;
#[cfg(not(test))]
mod real;

#[cfg(test)]
pub(crate) use self::modelled::{
    ArcSwap, AtomicU64, Mutex, RwLock, RwLockReadGuard, mpsc, now, oneshot, receive, sleep, thread,
};
#[cfg(not(test))]
pub(crate) use self::real::{
    ArcSwap, AtomicU64, Mutex, RwLock, RwLockReadGuard, mpsc, now, oneshot, receive, sleep, thread,
};

/// Nothing came in time.
pub(crate) struct Elapsed;
