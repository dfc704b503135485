//! The body of a request, in pieces. The time of it all is not limited, but a client must send
//! some bytes in each part of it: a body that only drips would hold its connection for ever.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::{Instant, timeout};

use super::problem::Problem;

/// How long the rest of a body is read after its request was refused. A client that still sends may
/// not see the response otherwise.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Fewest bytes a second, on average over the time limit.
const MIN_RATE: u64 = 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    /// Too few bytes came in the time limit.
    #[error("body: fewer than {MIN_RATE} bytes a second came for {} s", .0.as_secs())]
    Slow(Duration),
    /// The connection ended before the body did.
    #[error("body: the connection ended before the body did")]
    Cut,
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Problem {
        let status = match error {
            BodyError::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            BodyError::Cut => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, error.to_string())
    }
}

/// The body of a request.
pub(super) struct RequestBody {
    body: UnsyncBoxBody<Bytes, BoxError>,
    limit: Duration,
    /// Bytes of this part of the body.
    came: u64,
    /// How long this part was waited for. The time that the reader needs elsewhere does not count.
    waited: Duration,
}

impl RequestBody {
    /// A body of which [`MIN_RATE`] bytes a second must come in each `limit`.
    pub(super) fn new<B>(body: B, limit: Duration) -> RequestBody
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        RequestBody {
            body: body.map_err(Into::into).boxed_unsync(),
            limit,
            came: 0,
            waited: Duration::ZERO,
        }
    }

    /// Its bytes, if the client says how many.
    pub(super) fn size(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next bytes. `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let began = Instant::now();
            let frame = timeout(self.limit.saturating_sub(self.waited), self.body.frame()).await;
            self.waited += began.elapsed();
            let Some(frame) = frame.map_err(|_| BodyError::Slow(self.limit))? else {
                return Ok(None);
            };
            // Trailers have no meaning here.
            if let Ok(bytes) = frame.map_err(|_| BodyError::Cut)?.into_data() {
                self.came = self.came.saturating_add(bytes.len() as u64);
                if self.came >= MIN_RATE * self.limit.as_secs().max(1) {
                    (self.came, self.waited) = (0, Duration::ZERO);
                }
                return Ok(Some(bytes));
            }
        }
    }

    /// Reads the rest and forgets it.
    pub(super) async fn discard(mut self) {
        let all = async { while let Ok(Some(_)) = self.next().await {} };
        // A client that still sends after this time loses its connection.
        let _ = timeout(DISCARD_TIME, all).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tokio::time::sleep;

    use super::*;

    /// A body that brings `len_bytes` after each `pause`, `count` times.
    fn dripping(len_bytes: usize, pause: Duration, count: usize) -> RequestBody {
        let frames = stream::unfold(0, move |number| async move {
            if number == count {
                return None;
            }
            sleep(pause).await;
            let frame = Ok::<_, BoxError>(Frame::data(Bytes::from(vec![0; len_bytes])));
            Some((frame, number + 1))
        });
        RequestBody::new(StreamBody::new(frames), Duration::from_secs(30))
    }

    async fn read(mut body: RequestBody) -> Result<usize, BodyError> {
        let mut all = 0;
        while let Some(bytes) = body.next().await? {
            all += bytes.len();
        }
        Ok(all)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_ends_and_one_on_a_slow_link_is_read_whole() {
        let slow = Err(BodyError::Slow(Duration::from_secs(30)));
        assert_eq!(read(dripping(1, Duration::from_secs(1), 100)).await, slow);
        assert_eq!(read(dripping(1000, Duration::from_secs(1), 100)).await, slow);
        assert_eq!(read(dripping(1, Duration::from_secs(31), 1)).await, slow);
        assert_eq!(read(dripping(2000, Duration::from_secs(1), 600)).await, Ok(1_200_000));
        assert_eq!(read(dripping(60_000, Duration::from_secs(29), 20)).await, Ok(1_200_000));
        assert_eq!(
            read(dripping(1, Duration::from_secs(1), 20)).await,
            Ok(20),
            "it is short"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_is_busy_does_not_blame_the_client() {
        let mut body = dripping(10, Duration::from_millis(100), 10);
        while body.next().await.expect("in time").is_some() {
            sleep(Duration::from_secs(60)).await;
        }
    }
}
