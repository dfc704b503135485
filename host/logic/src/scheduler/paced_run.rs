//! Long runs give way: a run that needs more than one tick shares a small part of the processors with all others of its kind, so that a
//! module that loops does not slow down the calls of others. One that waits in the host, by a clock, is long too: it keeps no short
//! run from its permit.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::Sleep;

use crate::api::outcome::CallError;
use crate::engine::limits::TICK;
use crate::scheduler::fair_turns::{Turn, Usual};

/// Runs longer than a tick, or that wait, that are let in at once; further ones fail.
pub(crate) const MOST_LONG: usize = 32;

/// What long runs share.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Permits of short runs, and how many there are.
    short: Arc<Semaphore>,
    most_short: usize,
    /// Held for a tick and the rest after it: how much of the processors long runs use.
    slices: Arc<Semaphore>,
    /// A permit a long run. Short runs have their own, which a run that grows long gives back.
    places: Arc<Semaphore>,
}

impl Lane {
    /// A lane beside the runs that hold one of the `most_short` permits of `short`.
    pub(crate) fn new(short: &Arc<Semaphore>, most_short: usize) -> Lane {
        Lane {
            short: Arc::clone(short),
            most_short,
            slices: Arc::new(Semaphore::new(shared_processors())),
            places: Arc::new(Semaphore::new(MOST_LONG)),
        }
    }

    fn has_company(&self) -> bool {
        self.short.available_permits() < self.most_short
    }
}

/// Processors that runs which need much of them share.
pub(crate) fn shared_processors() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / 2).max(1)
}

/// How many ticks a run has been interrupted by, told by the engine's callback.
pub(crate) type Ticks = Arc<AtomicU64>;

enum Phase {
    /// It has had less than a whole tick.
    Short,
    /// It waits for its turn.
    Waiting(BoxFuture<'static, Option<OwnedSemaphorePermit>>),
    /// It runs, for one tick.
    Running(Option<OwnedSemaphorePermit>),
    /// It lets others run as long as it ran, with the turn still taken.
    Resting {
        rest: Pin<Box<Sleep>>,
        _turn: OwnedSemaphorePermit,
    },
}

/// A run that gives way once it is long.
pub(crate) struct Paced<'a, F> {
    run: Pin<&'a mut F>,
    lane: &'a Lane,
    ticks: &'a Ticks,
    /// Ticks at the start of the run.
    first: u64,
    /// Ticks at the start of what it has run without giving way.
    seen: u64,
    /// Ticks when it was looked at last.
    last: u64,
    phase: Phase,
    /// The permit of a short run.
    permit: Option<SemaphorePermit<'a>>,
    /// Its turn, where its function is a heavy one.
    turn: Option<Turn>,
    place: Option<OwnedSemaphorePermit>,
    /// What is known of its function.
    usual: &'a Usual,
}

impl<'a, F> Paced<'a, F> {
    pub(crate) fn new(
        run: Pin<&'a mut F>,
        lane: &'a Lane,
        ticks: &'a Ticks,
        (turn, permit): (Option<Turn>, Option<SemaphorePermit<'a>>),
        usual: &'a Usual,
    ) -> Paced<'a, F> {
        let first = ticks.load(Ordering::Relaxed);
        Paced {
            run,
            lane,
            ticks,
            first,
            seen: first,
            last: first,
            phase: Phase::Short,
            permit,
            turn,
            place: None,
            usual,
        }
    }

    /// Takes a place among the long runs, if it has none, and gives up the one among the short ones.
    fn grow_long(&mut self) -> Result<(), CallError> {
        if self.place.is_none() {
            let place = Arc::clone(&self.lane.places).try_acquire_owned();
            self.place = Some(place.map_err(|_| CallError::Crowded)?);
            self.permit = None;
            self.turn = None;
        }
        Ok(())
    }

    fn wait(&self) -> Phase {
        let slices = Arc::clone(&self.lane.slices);
        // The semaphore is never closed.
        Phase::Waiting(Box::pin(async move { slices.acquire_owned().await.ok() }))
    }
}

impl<F> Drop for Paced<'_, F> {
    fn drop(&mut self) {
        self.usual.note(self.ticks.load(Ordering::Relaxed) - self.first);
    }
}

impl<T, F: Future<Output = wasmtime::Result<T>>> Future for Paced<'_, F> {
    type Output = Result<wasmtime::Result<T>, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.phase {
                Phase::Waiting(turn) => {
                    let turn = ready!(turn.as_mut().poll(cx));
                    this.phase = Phase::Running(turn);
                }
                Phase::Resting { rest, .. } => {
                    ready!(rest.as_mut().poll(cx));
                    this.phase = this.wait();
                }
                Phase::Short | Phase::Running(_) => {
                    if let Poll::Ready(returned) = this.run.as_mut().poll(cx) {
                        return Poll::Ready(Ok(returned));
                    }
                    let ticks = this.ticks.load(Ordering::Relaxed);
                    // Nothing interrupted it: it waits for something else than its turn, and takes nobody's meanwhile.
                    let waits = ticks == std::mem::replace(&mut this.last, ticks);
                    // The first tick may have begun long before the run did.
                    if !waits && matches!(this.phase, Phase::Short) && ticks - this.seen < 2 {
                        return Poll::Pending;
                    }
                    if let Err(crowded) = this.grow_long() {
                        return Poll::Ready(Err(crowded));
                    }
                    if waits {
                        this.phase = Phase::Running(None);
                        return Poll::Pending;
                    }
                    this.seen = ticks;
                    this.phase = match std::mem::replace(&mut this.phase, Phase::Short) {
                        Phase::Running(Some(turn)) if this.lane.has_company() => Phase::Resting {
                            rest: Box::pin(tokio::time::sleep(TICK)),
                            _turn: turn,
                        },
                        _ => {
                            // The others of this thread come first, also where a turn is to be had at once. What was interrupted has
                            // asked to be polled again.
                            this.phase = this.wait();
                            return Poll::Pending;
                        }
                    };
                }
            }
        }
    }
}
