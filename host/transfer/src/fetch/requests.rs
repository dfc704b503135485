//! The requests of a download to the space.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use stowage_cloud::{Error as SpaceError, Hash};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::FetchError;
use super::pace::Pace;
use super::plan::Share;
use super::progress::{Piece, Progress};
use crate::engine::Engine;
use crate::outcome::{Outcome, TransferError};

/// Failed requests in a row after which the attempt fails.
const MOST_FAILURES: u32 = 8;
/// A failed request that brought so many bytes ends the row.
const ENOUGH_BYTES: u64 = 1 << 20;

/// How the bytes of the space are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// In parts, with several requests at once.
    Parts,
    /// With one request for the whole blob. For stores without ranges, and after wrong bytes.
    Whole,
}

/// Why a request ended without all its bytes.
enum RequestError {
    /// Others fetch its bytes, or the download has ended.
    NotNeeded,
    /// No bytes came for too long.
    Stalled,
    /// The blob has fewer bytes than the store told before.
    Short {
        found_bytes: u64,
    },
    Space(SpaceError),
}

/// A request that has ended.
pub(super) struct Ended {
    id: u64,
    bytes: u64,
    /// The time to the first byte, and from there to the last.
    times: Option<(Duration, Duration)>,
    result: Result<(), RequestError>,
}

/// The requests of a download.
pub(super) struct Requests<'a> {
    engine: &'a Arc<Engine>,
    /// The number of the task.
    task: u64,
    hash: Hash,
    way: Way,
    progress: Arc<Progress>,
    /// Where the requests put their bytes. `None` once all bytes were received.
    pieces: Option<mpsc::Sender<Piece>>,
    running: FuturesUnordered<BoxFuture<'a, Ended>>,
    /// To cancel a request that was overtaken, by its number.
    overtaken: HashMap<u64, CancellationToken>,
    pace: Pace,
    failures: u32,
}

impl<'a> Requests<'a> {
    pub(super) fn new(
        engine: &'a Arc<Engine>,
        task: u64,
        hash: Hash,
        way: Way,
        progress: Arc<Progress>,
        pieces: mpsc::Sender<Piece>,
    ) -> Requests<'a> {
        Requests {
            engine,
            task,
            hash,
            way,
            progress,
            pieces: Some(pieces),
            running: FuturesUnordered::new(),
            overtaken: HashMap::new(),
            pace: Pace::new(way == Way::Whole),
            failures: 0,
        }
    }

    /// Starts as many requests as there should be.
    pub(super) fn start(&mut self) {
        if self.progress.plan().is_received() {
            self.pieces = None;
        }
        let Some(pieces) = self.pieces.clone().filter(|pieces| !pieces.is_closed()) else {
            return;
        };
        while self.running.len() < self.pace.connections() {
            // The first request of a download is always allowed.
            let permit = match self.running.is_empty() {
                true => None,
                false => match self.engine.more_connections.clone().try_acquire_owned() {
                    Ok(permit) => Some(permit),
                    Err(_) => return,
                },
            };
            let Some(share) = self.share() else {
                return;
            };
            if let Some(token) = share.overtaken.and_then(|id| self.overtaken.remove(&id)) {
                token.cancel();
            }
            let not_needed = CancellationToken::new();
            self.overtaken.insert(share.id, not_needed.clone());
            let request = Request {
                engine: self.engine,
                task: self.task,
                hash: self.hash,
                way: self.way,
                progress: self.progress.clone(),
                pieces: pieces.clone(),
                share,
                not_needed,
                _permit: permit,
            };
            self.running.push(request.run().boxed());
        }
    }

    fn share(&self) -> Option<Share> {
        let now = Instant::now();
        let mut plan = self.progress.plan();
        match self.way {
            Way::Whole => plan.take_all(now),
            Way::Parts => plan.take(now).or_else(|| plan.overtake(now, self.pace.usual()?)),
        }
    }

    /// Waits for the end of a request. Waits for ever if none runs.
    pub(super) async fn next(&mut self) -> Ended {
        match self.running.next().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// Looks at the speed, to choose the number of connections.
    pub(super) fn look(&mut self) {
        let (received, flowing) = {
            let plan = self.progress.plan();
            (plan.received(), plan.flowing())
        };
        self.pace.look(Instant::now(), received, flowing);
    }

    /// Handles the end of a request. An error ends the attempt.
    pub(super) fn end(&mut self, ended: Ended) -> Result<(), FetchError> {
        self.overtaken.remove(&ended.id);
        let received_at = {
            let mut plan = self.progress.plan();
            plan.end(ended.id);
            plan.received_at()
        };
        if let Some((first_byte, rest)) = ended.times {
            self.pace.note(first_byte, ended.bytes, rest);
        }
        let stall_timeout = self.engine.config.stall_timeout;
        let outcome = match ended.result {
            Ok(()) => {
                self.failures = 0;
                return Ok(());
            }
            Err(RequestError::NotNeeded) => return Ok(()),
            Err(RequestError::Stalled) => {
                if received_at.elapsed() < stall_timeout {
                    tracing::debug!(hash = %self.hash, "a connection stalled; another one replaces it");
                    return Ok(());
                }
                Outcome::retry(TransferError::Stalled(stall_timeout))
            }
            Err(RequestError::Short { found_bytes }) => Outcome::retry(TransferError::SourceEnded {
                found_bytes,
                expected_bytes: self.progress.plan().size(),
            }),
            Err(RequestError::Space(SpaceError::NoRanges { .. })) if self.way == Way::Parts => {
                return Err(FetchError::NoRanges);
            }
            Err(RequestError::Space(error)) => {
                self.failures = if ended.bytes < ENOUGH_BYTES {
                    self.failures + 1
                } else {
                    0
                };
                let without_bytes = ended.bytes == 0;
                if without_bytes {
                    self.pace.refused(Instant::now());
                }
                let alone = self.running.is_empty();
                if error.is_transient() && !(without_bytes && alone) && self.failures < MOST_FAILURES {
                    tracing::debug!(hash = %self.hash, %error, "a request failed; its rest is asked for again");
                    return Ok(());
                }
                error.into()
            }
        };
        Err(outcome.into())
    }
}

/// One request.
struct Request<'a> {
    engine: &'a Arc<Engine>,
    task: u64,
    hash: Hash,
    way: Way,
    progress: Arc<Progress>,
    pieces: mpsc::Sender<Piece>,
    share: Share,
    /// Cancelled when another request has taken all its bytes.
    not_needed: CancellationToken,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Request<'_> {
    async fn run(self) -> Ended {
        let began = Instant::now();
        let mut first_byte = None;
        let mut bytes = 0;
        let result = self.receive(&mut first_byte, &mut bytes).await;
        Ended {
            id: self.share.id,
            bytes,
            times: first_byte.map(|at: Instant| (at.duration_since(began), at.elapsed())),
            result,
        }
    }

    async fn receive(&self, first_byte: &mut Option<Instant>, bytes: &mut u64) -> Result<(), RequestError> {
        let space = self.engine.cloud.space();
        let range = self.share.range.clone();
        let is_whole = self.way == Way::Whole || range == (0..self.progress.plan().size());
        // Bytes before this range in the answer.
        let mut before = if is_whole { range.start } else { 0 };
        let opening = async {
            match is_whole {
                true => space.read_whole_blob(&self.hash).await,
                false => space.read_blob_part(&self.hash, range.clone()).await,
            }
        };
        let patience = self.engine.config.stall_timeout;
        // The store makes several attempts to open a request.
        let mut stream = self
            .unless_stalled(patience / 2, opening)
            .await?
            .map_err(RequestError::Space)?;
        let mut offset = range.start;
        while !self.progress.plan().has_all(self.share.id) {
            let next = self.unless_stalled(patience / 4, stream.next()).await?;
            let Some(mut piece) = next.transpose().map_err(RequestError::Space)? else {
                return Err(RequestError::Short { found_bytes: offset });
            };
            first_byte.get_or_insert_with(Instant::now);
            let skipped = usize::try_from(before).map_or(piece.len(), |before| before.min(piece.len()));
            before -= skipped as u64;
            piece = piece.slice(skipped..);
            if piece.is_empty() {
                continue;
            }
            let paid = self.engine.throttle(self.task, piece.len() as u64);
            self.not_needed
                .run_until_cancelled(paid)
                .await
                .ok_or(RequestError::NotNeeded)?;
            let own = self.progress.plan().receive(self.share.id, piece.len(), Instant::now());
            *bytes += own as u64;
            self.pass_on(offset, piece.slice(..own)).await?;
            offset += own as u64;
        }
        Ok(())
    }

    /// Gives bytes to the writer. They belong to this request, so it must not be cancelled here.
    async fn pass_on(&self, offset: u64, bytes: Bytes) -> Result<(), RequestError> {
        let piece = Piece { offset, bytes };
        // The writer ended early with an error, which ends the attempt.
        self.pieces.send(piece).await.map_err(|_| RequestError::NotNeeded)
    }

    async fn unless_stalled<T>(&self, patience: Duration, work: impl Future<Output = T>) -> Result<T, RequestError> {
        self.not_needed
            .run_until_cancelled(timeout(patience, work))
            .await
            .ok_or(RequestError::NotNeeded)?
            .map_err(|_| RequestError::Stalled)
    }
}
