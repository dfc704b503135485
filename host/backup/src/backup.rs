//! Making a backup: one moment of all rows, and the files that belong to them.
//!
//! ```text
//! reader thread: rows ─▶ chunks ─▶ compress the new ones ─▶ channel (4) ─▶ upload (2 or 8 at once)
//!                                                                            files ─▶ manifest, last
//! ```
//!
//! Writers are not stopped. The reader has a low priority. Memory is bounded by the chunks in the
//! channel and in flight, and by the names of the chunks that the place has.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stowage_storage::{Checkpoint, Store};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

use crate::digest::of_tables;
use crate::error::Error;
use crate::file_upload::{FileError, store_file};
use crate::files;
use crate::hash::ContentHash;
use crate::manifest::{FORMAT, File, Host, Manifest, Skipped, Stored};
use crate::marks::{Mark, RENEWED};
use crate::progress::{Phase, Progress};
use crate::prune::{Pruned, prune};
use crate::reader::{self, Piece, Read};
use crate::target::{Kind, Present, Target};
use crate::uploads::Uploads;

/// Pieces that wait for their upload.
const WAITING: usize = 4;
/// How old an object must be that a prune removes: a backup that was interrupted is begun again and
/// uses what it had stored.
pub const GRACE: Duration = Duration::from_secs(60 * 60);

/// What is backed up.
#[derive(Clone, Debug)]
pub struct Source {
    /// The open database.
    pub store: Store,
    /// The data directory.
    pub data: PathBuf,
}

/// Options of a backup.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many backups of this host are kept, this one included. `None` keeps all.
    pub keep: Option<usize>,
    /// How old an object must be that is removed because no backup names it.
    pub grace: Duration,
    /// Whether the place must have backups. Otherwise it is made one, if nothing else is there.
    pub is_known: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            keep: None,
            grace: GRACE,
            is_known: false,
        }
    }
}

/// A backup that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// What it has.
    pub manifest: Manifest,
    /// What was removed, if a number of backups to keep was given. `Err`: the backup is complete,
    /// but older ones could not be removed.
    pub pruned: Option<Result<Pruned, Arc<Error>>>,
}

/// The host of a data directory.
pub fn host(data: &Path) -> Host {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = match name.trim() {
        "" => "unknown",
        name => name,
    };
    Host {
        name: name.to_owned(),
        data: data.display().to_string(),
    }
}

/// Backs up a host. When it returns, the backup is complete and checked to be there. If it fails or
/// is dropped, the place is as before, but for objects that the next backup uses.
///
/// # Errors
/// [`Error::Cancelled`] after `stop` is cancelled. Others name the file or object.
pub async fn back_up(
    source: &Source,
    target: &Target,
    options: Options,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> Result<Made, Error> {
    let preparing = async {
        match options.is_known {
            true => target.check().await,
            false => target.prepare().await,
        }
    };
    stop.run_until_cancelled(preparing).await.ok_or(Error::Cancelled)??;
    let host = host(&source.data);
    let mark = Mark::of_backup(target, &host, stop).await?;
    let run = Run {
        source,
        target,
        progress,
        stop,
    };
    let made = run.make(&mark, host.clone()).await;
    mark.remove().await;
    let manifest = made?;
    let pruned = match options.keep {
        Some(keep) => {
            progress.begin(Phase::Pruning);
            let pruned = prune(target, &host, keep, Some(&manifest.id), options.grace, stop).await;
            Some(pruned.map_err(Arc::new))
        }
        None => None,
    };
    Ok(Made { manifest, pruned })
}

/// A backup while it is made.
struct Run<'a> {
    source: &'a Source,
    target: &'a Target,
    progress: &'a Arc<Progress>,
    stop: &'a CancellationToken,
}

impl Run<'_> {
    async fn make(&self, mark: &Mark, host: Host) -> Result<Manifest, Error> {
        let storing = self.store_all(host);
        let renewing = async {
            let mut turns = interval_at(Instant::now() + RENEWED, RENEWED);
            loop {
                turns.tick().await;
                // If it fails for an hour, others may take the mark away, which is noticed.
                if let Err(error) = mark.renew_if_there().await {
                    tracing::warn!(%error, "the mark of a backup was not renewed");
                }
            }
        };
        let mut manifest = tokio::select! {
            stored = storing => stored?,
            () = renewing => unreachable!("it never ends"),
            () = self.stop.cancelled() => return Err(Error::Cancelled),
        };
        // From here on it ends soon, so it is not cancelled any more.
        self.progress.begin(Phase::Checking);
        manifest.finished = now_ms();
        self.target.publish(&manifest).await?;
        if let Err(error) = self.check(mark, &manifest).await {
            // An incomplete backup is worse than none.
            self.target.withdraw(&manifest.id).await?;
            return Err(error);
        }
        Ok(manifest)
    }

    async fn store_all(&self, host: Host) -> Result<Manifest, Error> {
        self.progress.begin(Phase::Preparing);
        let chunks = Arc::new(self.target.present(Kind::Chunk).await?);
        let files = self.target.present(Kind::File).await?;
        let at = now_ms();
        let checkpoint = self.source.store.checkpoint().await?;
        self.progress.begin(Phase::Rows);
        let mut stored = Stored::default();
        let read = self.store_rows(checkpoint, chunks, &mut stored).await?;
        self.progress.begin(Phase::Files);
        let (files, skipped) = self.store_files(read.live_modules, &files, &mut stored).await?;
        let summaries = || read.tables.iter().map(|table| &table.summary);
        Ok(Manifest {
            format: FORMAT,
            id: new_id(at),
            at,
            finished: at,
            host,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            rows: summaries().map(|table| table.rows).sum(),
            bytes: summaries().map(|table| table.bytes).sum(),
            digest: of_tables(summaries()),
            tables: read.tables,
            files,
            skipped,
            stored,
        })
    }

    /// Stores the chunks that are not there.
    async fn store_rows(
        &self,
        checkpoint: Checkpoint,
        present: Arc<HashMap<ContentHash, Present>>,
        stored: &mut Stored,
    ) -> Result<Read, Error> {
        let (sender, mut pieces) = mpsc::channel(WAITING);
        let reading = reader::start(checkpoint, present, sender, Arc::clone(self.progress))?;
        let mut uploads = Uploads::new(self.target);
        while let Some(Piece { hash, bytes }) = pieces.recv().await {
            stored.chunks += 1;
            stored.chunk_bytes += bytes.len() as u64;
            self.progress.add_moved(bytes.len() as u64);
            uploads.put(Kind::Chunk.object(hash), bytes).await?;
        }
        uploads.finish().await?;
        // The thread ends when it has read all, or when nobody takes its pieces.
        reading.await.map_err(|_| Error::Panicked)?
    }

    async fn store_files(
        &self,
        live_modules: Vec<(String, ContentHash)>,
        present: &HashMap<ContentHash, Present>,
        stored: &mut Stored,
    ) -> Result<(Vec<File>, Vec<Skipped>), Error> {
        let data = self.source.data.clone();
        let found = tokio::task::spawn_blocking(move || files::find(&data)).await;
        let found = found.map_err(|_| Error::Panicked)??;
        let (mut files, mut skipped) = (Vec::with_capacity(found.len()), Vec::new());
        let mut known: HashSet<ContentHash> = HashSet::new();
        for file in found {
            let is_there = present
                .get(&file.hash)
                .is_some_and(|there| there.len_bytes == file.size);
            if !is_there && !known.contains(&file.hash) {
                match store_file(self.target, &self.source.data, &file, self.progress).await {
                    Ok(Some(())) => {
                        stored.files += 1;
                        stored.file_bytes += file.size;
                    }
                    // It was removed a moment ago: no row of the next moment names it.
                    Ok(None) => continue,
                    Err(FileError::Damaged(reason)) => {
                        tracing::warn!(file = file.path, reason, "a file is left out of the backup");
                        skipped.push(Skipped {
                            path: file.path,
                            reason,
                        });
                        continue;
                    }
                    Err(FileError::Failed(error)) => return Err(error),
                }
            }
            known.insert(file.hash);
            self.progress.add_file(file.size);
            files.push(File {
                path: file.path,
                size: file.size,
                hash: file.hash,
            });
        }
        for (name, version) in live_modules {
            let path = files::module_path(version);
            if !files.iter().any(|file| file.path == path) && !skipped.iter().any(|file| file.path == path) {
                tracing::warn!(file = path, module = name, "the bytes of a live module are missing");
                skipped.push(Skipped {
                    path,
                    reason: format!("it is missing, although the module {name} is live"),
                });
            }
        }
        Ok((files, skipped))
    }

    /// Checks that nobody took away what the manifest names.
    async fn check(&self, mark: &Mark, manifest: &Manifest) -> Result<(), Error> {
        let lost = |what: String| Error::Lost {
            place: self.target.name().to_owned(),
            what,
        };
        let chunks = self.target.present(Kind::Chunk).await?;
        if let Some(hash) = manifest.chunks().find(|hash| !chunks.contains_key(hash)) {
            return Err(lost(Kind::Chunk.object(hash)));
        }
        let files = self.target.present(Kind::File).await?;
        for file in &manifest.files {
            let there = files.get(&file.hash).map(|there| there.len_bytes);
            if there != Some(file.size) {
                return Err(lost(Kind::File.object(file.hash)));
            }
        }
        mark.check().await
    }
}

/// A name that sorts by time, and that no other backup has.
fn new_id(at_ms: u64) -> String {
    let at = UNIX_EPOCH + Duration::from_millis(at_ms);
    let time: String = humantime::format_rfc3339_seconds(at)
        .to_string()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let random = uuid::Uuid::new_v4().simple().to_string();
    // Milliseconds, so that backups of one second have the right order.
    format!("{time}-{:03}-{}", at_ms % 1000, &random[..8])
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
