//! Fetches the bytes of a blob into a temporary file. Hashes them as they arrive and writes
//! checkpoints.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use stowage_cloud::Hash;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::disk::{PartFile, TargetFile, blocking};
use crate::engine::Engine;
use crate::outcome::{Outcome, TransferError};
use crate::shutdown::stopped;
use crate::source::{Source, failure};
use crate::task::{Checkpoint, Task};

/// The most pieces that wait for the disk. The reader waits when the queue is full.
const PIECES: usize = 8;

/// The time between two reports of progress.
const REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// Why a blob was not fetched.
pub(crate) enum FetchError {
    /// All bytes arrived, but with another hash. The temporary file is useless.
    Mismatch(TransferError),
    /// The attempt ended for another reason.
    Ended(Outcome),
}

impl From<Outcome> for FetchError {
    fn from(outcome: Outcome) -> FetchError {
        FetchError::Ended(outcome)
    }
}

/// The bytes written so far: their number and their hash.
#[derive(Clone, Default)]
struct WritePosition {
    offset: u64,
    hasher: Sha256,
}

impl WritePosition {
    fn checkpoint(self) -> Checkpoint {
        Checkpoint {
            offset: self.offset,
            sha256: self.hasher.finalize().into(),
        }
    }
}

type Shared = Arc<Mutex<WritePosition>>;

fn point(shared: &Shared) -> WritePosition {
    shared.lock().clone()
}

/// Fetches the missing bytes of a blob. The returned file has the length and hash of the blob. It
/// is not synced yet.
pub(crate) async fn fetch(
    engine: &Arc<Engine>,
    task: &Task,
    target_file: &Arc<TargetFile>,
    hash: &Hash,
    source: &Source,
    stop: &mut watch::Receiver<bool>,
) -> Result<Arc<PartFile>, FetchError> {
    let size = source.size();
    let (part, start) = open_part(task, target_file, size).await.map_err(Outcome::failed)?;
    make_room(engine, target_file, &part, size, task.file.protected).await?;
    engine.moved(task.id, start.offset);

    let began_at = start.offset;
    let shared: Shared = Arc::new(Mutex::new(start.clone()));
    let (pieces, queue) = mpsc::channel(PIECES);
    let writer = tokio::task::spawn_blocking({
        let (part, shared) = (part.clone(), shared.clone());
        move || write(&part, start, queue, size, &shared)
    });
    let mut transfer = Transfer {
        engine,
        task,
        part: &part,
        shared: &shared,
        kept: began_at,
    };
    let moved = transfer.pump(source, hash, pieces, stop).await;
    let written = writer
        .await
        .map_err(|error| Outcome::failed(TransferError::Writer(error)))?;

    let end = point(&shared);
    let progressed = end.offset > began_at;
    let ended = match (written, moved) {
        (Err(error), _) => Some(Outcome::failed(error)),
        (Ok(()), Err(outcome)) => Some(outcome),
        (Ok(()), Ok(())) if end.offset < size => {
            let error = TransferError::SourceEnded {
                found_bytes: end.offset,
                expected_bytes: size,
            };
            Some(Outcome::retry(error, progressed))
        }
        (Ok(()), Ok(())) => None,
    };
    engine.moved(task.id, end.offset);
    if let Some(outcome) = ended {
        transfer.keep(end).await;
        let outcome = match outcome {
            Outcome::Retry { error, .. } => Outcome::retry(error, progressed),
            other => other,
        };
        return Err(outcome.into());
    }
    let found: [u8; 32] = end.hasher.clone().finalize().into();
    if end.offset != size || found != *hash.as_bytes() {
        return Err(FetchError::Mismatch(TransferError::WrongHash {
            size,
            expected: *hash,
            found: Hash::from_bytes(found),
        }));
    }
    // Cut what the file may have had beyond this length.
    let trimmed = part.clone();
    blocking(move || trimmed.file.set_len(size))
        .await
        .map_err(Outcome::failed)?;
    if task.file.protected {
        // If the password is wrong, the bytes need not be fetched again.
        transfer.keep(end).await;
    }
    Ok(part)
}

/// Opens the temporary file. If it still matches the checkpoint, the download continues there, else
/// from 0.
async fn open_part(
    task: &Task,
    target_file: &Arc<TargetFile>,
    size: u64,
) -> io::Result<(Arc<PartFile>, WritePosition)> {
    let target_file = target_file.clone();
    let name = task.part_name();
    let checkpoint = task.checkpoint.clone().filter(|point| point.offset <= size);
    blocking(move || {
        let Some(checkpoint) = checkpoint else {
            let (part, _) = target_file.part(&name, 0)?;
            return Ok((Arc::new(part), WritePosition::default()));
        };
        let (part, kept) = target_file.part(&name, checkpoint.offset)?;
        if kept {
            let hasher = part.hash_prefix(checkpoint.offset)?;
            let point = WritePosition {
                offset: checkpoint.offset,
                hasher,
            };
            if point.clone().checkpoint() == checkpoint {
                return Ok((Arc::new(part), point));
            }
            tracing::warn!(
                name,
                "a temporary file does not match its checkpoint; the download starts again"
            );
            let (part, _) = target_file.part(&name, 0)?;
            return Ok((Arc::new(part), WritePosition::default()));
        }
        Ok((Arc::new(part), WritePosition::default()))
    })
    .await
}

/// Reserves disk space for the rest of the file. A protected file also needs space for its plain
/// content.
async fn make_room(
    engine: &Engine,
    target_file: &Arc<TargetFile>,
    part: &Arc<PartFile>,
    size: u64,
    protected: bool,
) -> Result<(), Outcome> {
    let _one_at_a_time = engine.reserving.lock().await;
    let min_free = engine.config.min_free_bytes;
    let (target_file, part) = (target_file.clone(), part.clone());
    let room = blocking(move || {
        let missing = size.saturating_sub(part.occupied()?);
        let needed = missing.saturating_add(if protected { size } else { 0 });
        let free = target_file.free_bytes()?;
        if needed > 0 && free < needed.saturating_add(min_free) {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!("the download needs {needed} bytes, {min_free} bytes must stay free, {free} bytes are free"),
            ));
        }
        part.reserve(size)
    });
    room.await.map_err(Outcome::failed)
}

/// Writes the pieces as they arrive. Blocks.
fn write(
    part: &PartFile,
    mut point: WritePosition,
    mut queue: mpsc::Receiver<Bytes>,
    size: u64,
    shared: &Shared,
) -> io::Result<()> {
    while let Some(piece) = queue.blocking_recv() {
        if point.offset + piece.len() as u64 > size {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the source sent more bytes than its size",
            ));
        }
        part.file.write_all_at(&piece, point.offset)?;
        point.hasher.update(&piece);
        point.offset += piece.len() as u64;
        *shared.lock() = point.clone();
    }
    Ok(())
}

struct Transfer<'a> {
    engine: &'a Arc<Engine>,
    task: &'a Task,
    part: &'a Arc<PartFile>,
    shared: &'a Shared,
    /// Bytes covered by the last checkpoint.
    kept: u64,
}

impl Transfer<'_> {
    /// Sends the pieces of the source to the writer. Reports progress and writes checkpoints.
    async fn pump(
        &mut self,
        source: &Source,
        hash: &Hash,
        pieces: mpsc::Sender<Bytes>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Outcome> {
        let config = &self.engine.config;
        let began_at = point(self.shared).offset;
        let opening = source.read(self.engine, hash, began_at);
        let mut stream = tokio::select! {
            opened = opening => opened.map_err(|error| failure(error, false))?,
            () = sleep_until(Instant::now() + config.stall_timeout) => return Err(self.stalled()),
            () = stopped(stop) => return Err(Outcome::Stopped),
        };
        let mut stall = Instant::now() + config.stall_timeout;
        let mut reports = interval(REPORT_INTERVAL);
        reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        let mut saving = futures_util::future::Fuse::terminated();
        let ended = loop {
            tokio::select! {
                piece = stream.next() => match piece {
                    None => break Ok(()),
                    Some(Err(error)) => break Err(failure(error, false)),
                    Some(Ok(piece)) => {
                        // The writer ended early with an error. The caller reads that error.
                        if pieces.send(piece).await.is_err() {
                            break Ok(());
                        }
                        stall = Instant::now() + config.stall_timeout;
                    }
                },
                kept = &mut saving => self.kept = kept,
                _ = reports.tick() => {
                    let point = point(self.shared);
                    self.engine.moved(self.task.id, point.offset);
                    let fresh = point.offset - self.kept;
                    let due = fresh >= config.checkpoint_bytes
                        || fresh > 0 && last.elapsed() >= config.checkpoint_interval;
                    if due && futures_util::future::FusedFuture::is_terminated(&saving) {
                        last = Instant::now();
                        saving = save(self.engine.clone(), self.task.id, self.part.clone(), point, self.kept)
                            .boxed()
                            .fuse();
                    }
                }
                () = sleep_until(stall) => break Err(self.stalled()),
                () = stopped(stop) => break Err(Outcome::Stopped),
            }
        };
        if !futures_util::future::FusedFuture::is_terminated(&saving) {
            self.kept = saving.await;
        }
        ended
    }

    fn stalled(&self) -> Outcome {
        Outcome::retry(TransferError::Stalled(self.engine.config.stall_timeout), false)
    }

    /// Writes a last checkpoint.
    async fn keep(&mut self, point: WritePosition) {
        if point.offset > self.kept {
            let (engine, part) = (self.engine.clone(), self.part.clone());
            self.kept = save(engine, self.task.id, part, point, self.kept).await;
        }
    }
}

/// Syncs the file, then writes a checkpoint at `point`. Returns the bytes covered by the newest
/// checkpoint.
async fn save(engine: Arc<Engine>, id: u64, part: Arc<PartFile>, point: WritePosition, before: u64) -> u64 {
    let offset = point.offset;
    if let Err(error) = blocking(move || part.file.sync_data()).await {
        tracing::warn!(id, %error, "cannot sync a download; its checkpoint stays");
        return before;
    }
    let checkpoint = point.checkpoint();
    match engine.persist(id, |task| task.checkpoint = Some(checkpoint)).await {
        Ok(()) => offset,
        Err(error) => {
            tracing::warn!(id, %error, "cannot write a checkpoint");
            before
        }
    }
}
