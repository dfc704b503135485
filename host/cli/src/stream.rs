//! An answer that is read piece by piece, because it is long or takes long.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::MAX_ANSWER_BYTES;
use crate::reply::{ClientError, Reply};

/// How long the next piece may take. A server that works sends a sign of life more often.
const PIECE_TIMEOUT: Duration = Duration::from_secs(60);

/// The body of an answer, and the connection that it comes on.
#[derive(Debug)]
pub struct Streamed {
    pub(crate) address: String,
    pub(crate) status: u16,
    pub(crate) body: Incoming,
    /// Drives the connection.
    pub(crate) connection: JoinHandle<()>,
}

impl Streamed {
    /// The next piece. `None` at the end.
    ///
    /// # Errors
    /// [`ClientError::Broken`] if the server ended the body early, [`ClientError::TimedOut`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let frame = timeout(PIECE_TIMEOUT, self.body.frame()).await;
            let frame = frame.map_err(|_| ClientError::TimedOut {
                address: self.address.clone(),
            })?;
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) => return Err(self.broken(error.into())),
            }
        }
    }

    /// The whole answer.
    ///
    /// # Errors
    /// Those of [`Streamed::next`].
    pub(crate) async fn into_reply(mut self) -> Result<Reply, ClientError> {
        let body = Limited::new(&mut self.body, MAX_ANSWER_BYTES).collect().await;
        match body {
            Ok(body) => Ok(Reply {
                address: self.address.clone(),
                status: self.status,
                body: body.to_bytes(),
            }),
            Err(error) => Err(self.broken(error)),
        }
    }

    fn broken(&self, source: Box<dyn std::error::Error + Send + Sync>) -> ClientError {
        ClientError::Broken {
            address: self.address.clone(),
            source,
        }
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
