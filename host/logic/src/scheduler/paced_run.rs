//! A run that pauses once it is long. A run is long if it needs more than one tick, or if it waits
//! in the host. Long runs share a part of the processors, so a module that loops does not slow down
//! other calls. A run that waits gives its short permit back.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use tokio::sync::SemaphorePermit;
use tokio::time::Sleep;

use super::average_run_time::AverageRunTime;
use super::permits::{Crowded, RunPermits, Scheduler};
use super::tick::{TICK, TickCount};

enum Phase<'a> {
    /// The run has had less than a whole tick.
    Short,
    /// The run waits for a slice.
    Waiting(BoxFuture<'a, Option<SemaphorePermit<'a>>>),
    /// The run goes on for one tick. It holds no slice while it waits in the host.
    Running(Option<SemaphorePermit<'a>>),
    /// The run pauses for a tick and keeps its slice, so that others have the processor.
    Pausing {
        pause: Pin<Box<Sleep>>,
        _slice: SemaphorePermit<'a>,
    },
}

/// A run that pauses once it is long.
pub(crate) struct PacedRun<'a, F> {
    run: Pin<&'a mut F>,
    scheduler: &'a Scheduler,
    ticks: &'a TickCount,
    /// Ticks at the start of the run.
    first: u64,
    /// Ticks at the start of its present slice.
    slice_start: u64,
    /// Ticks at the last poll.
    last: u64,
    phase: Phase<'a>,
    permits: RunPermits<'a>,
    /// The average of the run's function.
    average: &'a AverageRunTime,
}

impl<'a, F> PacedRun<'a, F> {
    pub(crate) fn new(
        run: Pin<&'a mut F>,
        scheduler: &'a Scheduler,
        ticks: &'a TickCount,
        permits: RunPermits<'a>,
        average: &'a AverageRunTime,
    ) -> PacedRun<'a, F> {
        let first = ticks.load(Ordering::Relaxed);
        PacedRun {
            run,
            scheduler,
            ticks,
            first,
            slice_start: first,
            last: first,
            phase: Phase::Short,
            permits,
            average,
        }
    }

    fn wait(&self) -> Phase<'a> {
        Phase::Waiting(Box::pin(self.scheduler.slice()))
    }
}

impl<F> Drop for PacedRun<'_, F> {
    fn drop(&mut self) {
        self.average.add(self.ticks.load(Ordering::Relaxed) - self.first);
    }
}

impl<F: Future> Future for PacedRun<'_, F> {
    type Output = Result<F::Output, Crowded>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.phase {
                Phase::Waiting(slice) => {
                    let slice = ready!(slice.as_mut().poll(cx));
                    this.phase = Phase::Running(slice);
                }
                Phase::Pausing { pause, .. } => {
                    ready!(pause.as_mut().poll(cx));
                    this.phase = this.wait();
                }
                Phase::Short | Phase::Running(_) => {
                    if let Poll::Ready(returned) = this.run.as_mut().poll(cx) {
                        return Poll::Ready(Ok(returned));
                    }
                    let ticks = this.ticks.load(Ordering::Relaxed);
                    // No tick interrupted it, so it waits in the host. It needs no slice meanwhile.
                    let waits = ticks == std::mem::replace(&mut this.last, ticks);
                    // The first tick may have begun long before the run did.
                    if !waits && matches!(this.phase, Phase::Short) && ticks - this.slice_start < 2 {
                        return Poll::Pending;
                    }
                    if let Err(crowded) = this.permits.grow_long(this.scheduler) {
                        return Poll::Ready(Err(crowded));
                    }
                    if waits {
                        this.phase = Phase::Running(None);
                        return Poll::Pending;
                    }
                    this.slice_start = ticks;
                    this.phase = match std::mem::replace(&mut this.phase, Phase::Short) {
                        Phase::Running(Some(slice)) if this.scheduler.has_short_runs() => Phase::Pausing {
                            pause: Box::pin(tokio::time::sleep(TICK)),
                            _slice: slice,
                        },
                        _ => {
                            // The other tasks of this thread come first, even if a slice is free.
                            // An interrupted run has asked to be polled again.
                            this.phase = this.wait();
                            return Poll::Pending;
                        }
                    };
                }
            }
        }
    }
}
