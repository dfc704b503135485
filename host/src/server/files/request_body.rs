//! The body of a request, in pieces. The time without a byte is limited, not the time of it all.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::timeout;

use super::problem::Problem;

/// How long the rest of a body is read after its request was refused. A client that still sends may
/// not see the response otherwise.
const DISCARD_TIME: Duration = Duration::from_secs(5);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    /// No byte came for too long.
    #[error("body: no byte came for {} s", .0.as_secs())]
    Idle(Duration),
    /// The connection ended before the body did.
    #[error("body: the connection ended before the body did")]
    Cut,
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Problem {
        let status = match error {
            BodyError::Idle(_) => StatusCode::REQUEST_TIMEOUT,
            BodyError::Cut => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, error.to_string())
    }
}

/// The body of a request.
pub(super) struct RequestBody {
    body: UnsyncBoxBody<Bytes, BoxError>,
    idle_timeout: Duration,
}

impl RequestBody {
    pub(super) fn new<B>(body: B, idle_timeout: Duration) -> RequestBody
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        RequestBody {
            body: body.map_err(Into::into).boxed_unsync(),
            idle_timeout,
        }
    }

    /// Its bytes, if the client says how many.
    pub(super) fn size(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next bytes. `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let frame = timeout(self.idle_timeout, self.body.frame())
                .await
                .map_err(|_| BodyError::Idle(self.idle_timeout))?;
            let Some(frame) = frame else {
                return Ok(None);
            };
            // Trailers have no meaning here.
            if let Ok(bytes) = frame.map_err(|_| BodyError::Cut)?.into_data() {
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
