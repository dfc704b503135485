//! The connections of a server: how many there may be, and which one makes room for another.
//!
//! Clients that hold connections without a request must not keep others out. If there is no free
//! seat, the connection that has been idle longest loses its own. A connection is idle if no
//! request of it is being answered and no response waits for its client. One that waits for the
//! rest of a request's head or body is idle too: so clients that send slowly only push out each
//! other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// A connection keeps its seat for this time after it became idle: its next request may be on its
/// way.
const GRACE: Duration = Duration::from_secs(1);
/// How often a new connection looks again for one that has become idle.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// All seats. A cheap handle.
#[derive(Clone, Debug)]
pub(super) struct Seats(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    permits: Arc<Semaphore>,
    /// When the server started: idle times are counted from here.
    begun: Instant,
    number: AtomicU64,
    taken: Mutex<HashMap<u64, Arc<Seat>>>,
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Seat {
    begun: Instant,
    /// Requests that are being answered.
    answering: AtomicUsize,
    /// Bodies of requests that are waited for.
    receiving: AtomicUsize,
    /// Whether bytes wait for the client.
    writing: AtomicBool,
    /// Milliseconds from the server's start until it became idle, or until the body that is waited
    /// for last went on.
    idle_since: AtomicU64,
    /// Cancelled when another connection needs the seat.
    lost: CancellationToken,
}

/// A taken seat. Dropping it frees the place in the list; the permit is freed by its last holder.
pub(super) struct Taken {
    pub(super) seat: Arc<Seat>,
    number: u64,
    seats: Seats,
}

impl Seats {
    /// A number of seats.
    pub(super) fn new(count: usize) -> Seats {
        Seats(Arc::new(Inner {
            permits: Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))),
            begun: Instant::now(),
            number: AtomicU64::new(0),
            taken: Mutex::default(),
        }))
    }

    /// Takes a seat. If there is none, the connection that has been idle longest is asked to end.
    /// If none has been idle for [`GRACE`], this waits until one has, or until one ends.
    pub(super) async fn take(&self) -> (Option<OwnedSemaphorePermit>, Taken) {
        let permits = &self.0.permits;
        let permit = loop {
            match Arc::clone(permits).try_acquire_owned() {
                Ok(permit) => break Some(permit),
                Err(tokio::sync::TryAcquireError::Closed) => break None,
                Err(tokio::sync::TryAcquireError::NoPermits) => {}
            }
            self.end_longest_idle();
            if let Ok(permit) = timeout(LOOK_AGAIN, Arc::clone(permits).acquire_owned()).await {
                break permit.ok();
            }
        };
        let seat = Arc::new(Seat {
            begun: self.0.begun,
            answering: AtomicUsize::new(0),
            receiving: AtomicUsize::new(0),
            writing: AtomicBool::new(false),
            idle_since: AtomicU64::new(since(self.0.begun)),
            lost: CancellationToken::new(),
        });
        let number = self.0.number.fetch_add(1, Ordering::Relaxed);
        self.0.taken.lock().insert(number, Arc::clone(&seat));
        let seats = self.clone();
        (permit, Taken { seat, number, seats })
    }

    fn end_longest_idle(&self) {
        let taken = self.0.taken.lock();
        let now = since(self.0.begun);
        let grace = u64::try_from(GRACE.as_millis()).unwrap_or(u64::MAX);
        let idle = taken
            .values()
            .filter(|seat| seat.is_idle() && !seat.lost.is_cancelled())
            .map(|seat| (seat.idle_since.load(Ordering::Relaxed), seat))
            .filter(|(idle_since, _)| now.saturating_sub(*idle_since) >= grace);
        if let Some((_, seat)) = idle.min_by_key(|(idle_since, _)| *idle_since) {
            tracing::debug!("there is no free connection: the one that was idle longest ends");
            seat.lost.cancel();
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.seats.0.taken.lock().remove(&self.number);
    }
}

impl Seat {
    /// Waits until another connection needs this seat.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Whether a request is being answered.
    pub(super) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Relaxed) > 0
    }

    /// Counts a request as being answered until the result is dropped.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// Counts a body as being waited for until the result is dropped.
    pub(super) fn receiving(self: &Arc<Self>) -> Receiving {
        self.receiving.fetch_add(1, Ordering::Relaxed);
        Receiving(Arc::clone(self))
    }

    /// The connection has not been idle until now.
    pub(super) fn refresh(&self) {
        self.idle_since.store(since(self.begun), Ordering::Relaxed);
    }

    /// Says whether bytes wait for the client.
    pub(super) fn set_writing(&self, writing: bool) {
        if self.writing.swap(writing, Ordering::Relaxed) && !writing {
            self.refresh();
        }
    }

    fn is_idle(&self) -> bool {
        let answering = self.answering.load(Ordering::Relaxed);
        // A request whose body is waited for is being answered, but nothing is done for it.
        answering <= self.receiving.load(Ordering::Relaxed) && !self.writing.load(Ordering::Relaxed)
    }
}

/// Counts a request while it is being answered.
pub(crate) struct Answering(Arc<Seat>);

impl Drop for Answering {
    fn drop(&mut self) {
        let seat = &self.0;
        seat.refresh();
        seat.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts a body while it is waited for.
pub(super) struct Receiving(Arc<Seat>);

impl Drop for Receiving {
    fn drop(&mut self) {
        self.0.receiving.fetch_sub(1, Ordering::Relaxed);
    }
}

fn since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_was_idle_longest_makes_room() {
        let seats = Seats::new(3);
        let (oldest_permit, oldest) = seats.take().await;
        advance(Duration::from_secs(1)).await;
        let (_busy_permit, busy) = seats.take().await;
        advance(Duration::from_secs(1)).await;
        let (_newest_permit, newest) = seats.take().await;
        // The oldest connection has had a request since: the second one has been idle longer.
        advance(Duration::from_secs(1)).await;
        drop(oldest.seat.answering());
        let _answering = busy.seat.answering();
        newest.seat.set_writing(true);

        let waiting = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take().await }
        });
        oldest.seat.lost().await;
        assert!(busy.seat.lost().now_or_never().is_none(), "a request is being answered");
        assert!(
            newest.seat.lost().now_or_never().is_none(),
            "a response waits for its client"
        );
        drop((oldest, oldest_permit));
        let (permit, _taken) = waiting.await.expect("no panic");
        assert!(permit.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_server_lets_a_new_connection_wait_until_one_is_idle() {
        let seats = Seats::new(1);
        let (permit, taken) = seats.take().await;
        let answering = taken.seat.answering();
        let mut waiting = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take().await.0.is_some() }
        });
        assert!(timeout(Duration::from_secs(60), &mut waiting).await.is_err());
        drop(answering);
        taken.seat.lost().await;
        drop((permit, taken));
        assert!(waiting.await.expect("no panic"));
        assert!(seats.0.taken.lock().is_empty(), "seats that were left are forgotten");
    }
}
