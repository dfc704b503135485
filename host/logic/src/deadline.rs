//! A time limit that costs nothing if the work never waits.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use tokio::task::coop::{Unconstrained, unconstrained};
use tokio::time::{Sleep, sleep_until};

/// The deadline came before the work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

/// Waits for a future until a deadline. The timer is made when the future first has to wait. The
/// future comes pinned, because by value it would take its memory twice in the future made here.
///
/// # Errors
/// When the deadline comes first.
pub async fn within<F: Future>(deadline: Instant, mut future: Pin<&mut F>) -> Result<F::Output, Elapsed> {
    let mut timer: Option<Pin<Box<Unconstrained<Sleep>>>> = None;
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // Unconstrained: work may use up its task's budget at every poll, and the timer must still
        // be polled.
        let timer = timer.get_or_insert_with(|| Box::pin(unconstrained(sleep_until(deadline.into()))));
        timer.as_mut().poll(cx).map(|()| Err(Elapsed))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_ready_future_returns_even_after_the_deadline() {
        assert_eq!(within(Instant::now(), pin!(std::future::ready(1))).await, Ok(1));
    }

    #[tokio::test]
    async fn a_future_that_waits_too_long_elapses() {
        let deadline = Instant::now() + Duration::from_millis(20);
        assert_eq!(within(deadline, pin!(std::future::pending::<()>())).await, Err(Elapsed));
    }

    #[tokio::test]
    async fn a_future_that_is_done_in_time_returns() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        tokio::spawn(async move { sender.send(2) });
        let deadline = Instant::now() + Duration::from_secs(30);
        assert_eq!(within(deadline, pin!(receiver)).await, Ok(Ok(2)));
    }
}
