//! Fetches the bytes of a blob into a temporary file. Hashes them as they arrive and writes
//! checkpoints.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Fuse, FusedFuture};
use futures_util::{FutureExt, StreamExt};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use stowage_cloud::Hash;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::disk::{PartFile, TargetDirectory, blocking};
use crate::engine::Engine;
use crate::outcome::{Outcome, TransferError};
use crate::source::Source;
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

/// Fetches the missing bytes of a blob. The returned file has the length and hash of the blob. It
/// is not synced yet.
pub(crate) async fn fetch(
    engine: &Arc<Engine>,
    task: &Task,
    directory: &Arc<TargetDirectory>,
    hash: &Hash,
    source: Source,
) -> Result<Arc<PartFile>, FetchError> {
    let size = source.size();
    let (part, start) = open_part(task, directory, size).await.map_err(Outcome::failed)?;
    make_room(engine, directory, &part, size, task.file.protected).await?;
    engine.report_progress(task.id, start.offset);

    let began_at = start.offset;
    let mut transfer = Transfer {
        engine,
        task,
        part: &part,
        written: Arc::new(Mutex::new(start)),
        saved: began_at,
    };
    let outcome = transfer.run(source, hash).await.err();
    let end = transfer.position();
    engine.report_progress(task.id, end.offset);
    if let Some(outcome) = outcome {
        let progressed = end.offset > began_at;
        transfer.save_last(end).await;
        return Err(FetchError::Ended(match outcome {
            Outcome::Retry { error, .. } => Outcome::Retry { error, progressed },
            other => other,
        }));
    }
    let found: [u8; 32] = end.hasher.clone().finalize().into();
    if found != *hash.as_bytes() {
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
        transfer.save_last(end).await;
    }
    Ok(part)
}

/// Opens the temporary file. If it still matches the checkpoint, the download continues there, else
/// from 0.
async fn open_part(
    task: &Task,
    directory: &Arc<TargetDirectory>,
    size: u64,
) -> io::Result<(Arc<PartFile>, WritePosition)> {
    let directory = directory.clone();
    let name = task.part_name();
    let checkpoint = task.checkpoint.clone().filter(|checkpoint| checkpoint.offset <= size);
    blocking(move || {
        if let Some(checkpoint) = checkpoint
            && let Some(part) = directory.existing_part(&name, checkpoint.offset)?
        {
            let position = WritePosition {
                offset: checkpoint.offset,
                hasher: part.hash_prefix(checkpoint.offset)?,
            };
            if position.clone().checkpoint() == checkpoint {
                return Ok((Arc::new(part), position));
            }
            tracing::warn!(
                name,
                "a temporary file does not match its checkpoint; the download starts again"
            );
        }
        Ok((Arc::new(directory.new_part(&name)?), WritePosition::default()))
    })
    .await
}

/// Reserves disk space for the rest of the file. A protected file also needs space for its plain
/// content.
async fn make_room(
    engine: &Engine,
    directory: &Arc<TargetDirectory>,
    part: &Arc<PartFile>,
    size: u64,
    protected: bool,
) -> Result<(), Outcome> {
    let _one_at_a_time = engine.reserving.lock().await;
    let min_free = engine.config.min_free_bytes;
    let (directory, part) = (directory.clone(), part.clone());
    let room = blocking(move || {
        let missing = size.saturating_sub(part.occupied()?);
        let needed = missing.saturating_add(if protected { size } else { 0 });
        let free = directory.free_bytes()?;
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
    mut pieces: mpsc::Receiver<Bytes>,
    size: u64,
    written: &Mutex<WritePosition>,
) -> io::Result<()> {
    let mut position = written.lock().clone();
    while let Some(piece) = pieces.blocking_recv() {
        if position.offset + piece.len() as u64 > size {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the source sent more bytes than its size",
            ));
        }
        part.file.write_all_at(&piece, position.offset)?;
        position.hasher.update(&piece);
        position.offset += piece.len() as u64;
        *written.lock() = position.clone();
    }
    Ok(())
}

/// One attempt to fetch the missing bytes of a blob.
struct Transfer<'a> {
    engine: &'a Arc<Engine>,
    task: &'a Task,
    part: &'a Arc<PartFile>,
    /// The position of the writer.
    written: Arc<Mutex<WritePosition>>,
    /// Bytes covered by the last checkpoint.
    saved: u64,
}

impl Transfer<'_> {
    fn position(&self) -> WritePosition {
        self.written.lock().clone()
    }

    /// Writes all bytes of the source to the file.
    async fn run(&mut self, source: Source, hash: &Hash) -> Result<(), Outcome> {
        let size = source.size();
        let (pieces, queue) = mpsc::channel(PIECES);
        let writer = tokio::task::spawn_blocking({
            let (part, written) = (self.part.clone(), self.written.clone());
            move || write(&part, queue, size, &written)
        });
        let sent = self.send(source, hash, pieces).await;
        // An error of the writer explains why sending ended.
        writer
            .await
            .map_err(|error| Outcome::failed(TransferError::Writer(error)))?
            .map_err(Outcome::failed)?;
        sent?;
        let found_bytes = self.position().offset;
        if found_bytes < size {
            return Err(Outcome::retry(TransferError::SourceEnded {
                found_bytes,
                expected_bytes: size,
            }));
        }
        Ok(())
    }

    /// Sends the pieces of the source to the writer. Reports progress and writes checkpoints.
    async fn send(&mut self, source: Source, hash: &Hash, pieces: mpsc::Sender<Bytes>) -> Result<(), Outcome> {
        let config = &self.engine.config;
        let opening = source.read(self.engine, hash, self.position().offset);
        let mut stream = self
            .engine
            .unless_stopped(timeout(config.stall_timeout, opening))
            .await?
            .map_err(|_| self.stalled())??;
        let mut stall = Instant::now() + config.stall_timeout;
        let mut reports = interval(REPORT_INTERVAL);
        reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        let mut saving = Fuse::terminated();
        let ended = loop {
            tokio::select! {
                piece = stream.next() => match piece {
                    None => break Ok(()),
                    Some(Err(error)) => break Err(error.into()),
                    Some(Ok(piece)) => {
                        // The writer ended early with an error. The caller reads that error.
                        if pieces.send(piece).await.is_err() {
                            break Ok(());
                        }
                        stall = Instant::now() + config.stall_timeout;
                    }
                },
                saved = &mut saving => self.saved = saved,
                _ = reports.tick() => {
                    let position = self.position();
                    self.engine.report_progress(self.task.id, position.offset);
                    let unsaved = position.offset - self.saved;
                    let due = unsaved >= config.checkpoint_bytes
                        || unsaved > 0 && last.elapsed() >= config.checkpoint_interval;
                    if due && saving.is_terminated() {
                        last = Instant::now();
                        saving = self.save(position).boxed().fuse();
                    }
                }
                () = sleep_until(stall) => break Err(self.stalled()),
                () = self.engine.stop.cancelled() => break Err(Outcome::Stopped),
            }
        };
        if !saving.is_terminated() {
            self.saved = saving.await;
        }
        ended
    }

    fn stalled(&self) -> Outcome {
        Outcome::retry(TransferError::Stalled(self.engine.config.stall_timeout))
    }

    /// Writes a last checkpoint.
    async fn save_last(&mut self, position: WritePosition) {
        if position.offset > self.saved {
            self.saved = self.save(position).await;
        }
    }

    /// Syncs the file, then writes a checkpoint at `position`. Returns the bytes covered by the
    /// newest checkpoint.
    fn save(&self, position: WritePosition) -> impl Future<Output = u64> + Send + use<> {
        let (engine, part) = (self.engine.clone(), self.part.clone());
        let (id, before) = (self.task.id, self.saved);
        async move {
            let offset = position.offset;
            if let Err(error) = blocking(move || part.file.sync_data()).await {
                tracing::warn!(id, %error, "cannot sync a download; its checkpoint stays");
                return before;
            }
            let checkpoint = position.checkpoint();
            match engine.persist(id, |task| task.checkpoint = Some(checkpoint)).await {
                Ok(()) => offset,
                Err(error) => {
                    tracing::warn!(id, %error, "cannot write a checkpoint");
                    before
                }
            }
        }
    }
}
