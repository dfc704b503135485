//! Errors that a test builds into the engine, to show that the simulator finds them.
//!
//! Outside of the unit tests [`has`] is always false, and the compiler removes what depends on it.

/// An error in the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// A batch is answered before the log is synced.
    ReplyBeforeSync,
    /// The log goes on in the other half while that half is still being flushed.
    HalfOverwrittenEarly,
    /// The first chunk of a flush sets `batch`, not the last one.
    BatchInFirstChunk,
    /// Replay takes each record with a higher batch, not only the next one.
    ReplayAcceptsGap,
    /// Checksums of pages are written after the sync of the pages.
    ChecksumsAfterSync,
    /// An opening does not sync the log that it has read.
    OpeningWithoutSync,
    /// Recovery flushes its records in several transactions.
    RecoveryInChunks,
}

/// Whether this error is built in.
#[cfg(not(test))]
pub(super) const fn has(_: Mutant) -> bool {
    false
}

#[cfg(test)]
pub(crate) use self::built_in::{has, with};

#[cfg(test)]
mod built_in {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        static BUILT_IN: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    pub(crate) fn has(mutant: Mutant) -> bool {
        BUILT_IN.get() == Some(mutant)
    }

    /// Runs a test with this error, on this thread alone.
    pub(crate) fn with<T>(mutant: Mutant, run: impl FnOnce() -> T) -> T {
        BUILT_IN.set(Some(mutant));
        let done = run();
        BUILT_IN.set(None);
        done
    }
}
