//! Fetches the bytes of a blob into a temporary file, and verifies their hash.
//!
//! From the space, several requests at once bring pieces. One thread writes them, another one
//! hashes what is in the file as far as it has no gap. A file of this machine is copied instead.

mod pace;
mod plan;
mod progress;
mod ranges;
mod requests;
mod transfer;

use std::io;
use std::sync::Arc;

use stowage_cloud::Hash;
use tokio::time::Instant;

use crate::disk::{PartFile, TargetDirectory, blocking};
use crate::engine::Engine;
use crate::outcome::{Outcome, TransferError};
use crate::source::Source;
use crate::task::{Checkpoint, Task};
use plan::Plan;
use progress::Progress;
use ranges::Ranges;
pub(crate) use requests::Way;
use transfer::Transfer;

/// Why a blob was not fetched.
pub(crate) enum FetchError {
    /// All bytes arrived, but with another hash. The temporary file is useless.
    WrongHash(TransferError),
    /// The temporary file does not match its checkpoint. It is useless.
    Changed,
    /// The store does not send parts of a blob. It may send the whole.
    NoRanges,
    /// The attempt ended for another reason.
    Ended(Outcome),
}

impl From<Outcome> for FetchError {
    fn from(outcome: Outcome) -> FetchError {
        FetchError::Ended(outcome)
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
    way: Way,
) -> Result<Arc<PartFile>, FetchError> {
    let size = source.size();
    let (part, known) = open_part(task, directory, size).await.map_err(Outcome::failed)?;
    make_room(engine, directory, &part, size, task.file.protected).await?;

    let written = written(known.as_ref(), way);
    let began_at = written.total();
    engine.report_progress(task.id, began_at);
    let plan = Plan::new(size, written, Instant::now());
    let progress = Arc::new(Progress::new(part.clone(), known, plan));
    let mut transfer = Transfer::new(engine, task, progress.clone(), began_at);
    let ended = transfer.run(source, *hash, way).await;
    let end = progress.plan().written().total();
    engine.report_progress(task.id, end);
    let found = match ended {
        Ok(found) => found,
        Err(error) => {
            if !matches!(error, FetchError::Changed) {
                transfer.save_last().await;
            }
            return Err(match error {
                FetchError::Ended(Outcome::Retry { error, .. }) => FetchError::Ended(Outcome::Retry {
                    error,
                    progressed: end > began_at,
                }),
                other => other,
            });
        }
    };
    if found != *hash.as_bytes() {
        return Err(FetchError::WrongHash(TransferError::WrongHash {
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
        transfer.save_last().await;
    }
    Ok(part)
}

/// Opens the temporary file, and returns the checkpoint to continue from. Without one, the file is
/// empty.
async fn open_part(
    task: &Task,
    directory: &Arc<TargetDirectory>,
    size: u64,
) -> io::Result<(Arc<PartFile>, Option<Checkpoint>)> {
    let directory = directory.clone();
    let name = task.part_name();
    let checkpoint = task.checkpoint.clone().filter(|checkpoint| checkpoint.fits(size));
    blocking(move || {
        if let Some(checkpoint) = checkpoint
            && let Some(part) = directory.existing_part(&name, checkpoint.end())?
        {
            return Ok((Arc::new(part), Some(checkpoint)));
        }
        Ok((Arc::new(directory.new_part(&name)?), None))
    })
    .await
}

/// The bytes that are in the file. One request for the whole continues only from the prefix.
fn written(known: Option<&Checkpoint>, way: Way) -> Ranges {
    let Some(known) = known else {
        return Ranges::default();
    };
    let more = match way {
        Way::Parts => known.ranges.as_slice(),
        Way::Whole => &[],
    };
    std::iter::once(0..known.offset)
        .chain(more.iter().map(|&(start, end)| start..end))
        .collect()
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
