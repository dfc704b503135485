//! Restoring a backup into a new data directory.
//!
//! Everything is written into a directory beside the new one. After it was compared with the
//! manifest it gets its name. So a restore that fails or is killed leaves no data directory.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use stowage_storage::{Config, Store};
use tokio::sync::mpsc;

use crate::chunk::{self, MAX_BYTES};
use crate::digest::{TableDigest, of_tables};
use crate::draft::Draft;
use crate::error::Error;
use crate::files::{self, DATABASE};
use crate::hash::ContentHash;
use crate::loader::Loader;
use crate::manifest::{File, Manifest, TableSummary};
use crate::progress::{Phase, Progress};
use crate::rows::Moment as _;
use crate::target::{self, Kind, Target};

/// Chunks that are read at once.
const READS: usize = 8;
/// Chunks that wait for the database.
const WAITING: usize = 4;

/// Restores a backup into `data`, which must be absent or empty.
///
/// # Errors
/// [`Error::NotEmpty`]; [`Error::Damaged`] names the object; [`Error::Differs`] if the restored
/// rows are not those of the backup. After an error nothing is there.
pub async fn restore(target: &Target, manifest: &Manifest, data: &Path, progress: &Arc<Progress>) -> Result<(), Error> {
    progress.begin(Phase::Preparing);
    check_files(target, manifest)?;
    let draft = Draft::begin(data)?;
    progress.begin(Phase::Rows);
    restore_rows(target, manifest, &draft.path().join(DATABASE), progress).await?;
    progress.begin(Phase::Files);
    draft.make_folders()?;
    for file in &manifest.files {
        restore_file(target, file, draft.path(), progress).await?;
    }
    progress.begin(Phase::Checking);
    compare(&draft.path().join(DATABASE), manifest).await?;
    draft.finish()
}

/// Writes the rows of all chunks into a new database.
async fn restore_rows(
    target: &Target,
    manifest: &Manifest,
    database: &Path,
    progress: &Arc<Progress>,
) -> Result<(), Error> {
    let (sender, chunks) = mpsc::channel(WAITING);
    let mut loader = Loader::create(database)?;
    let loading = tokio::task::spawn_blocking(move || {
        load(&mut loader, chunks)?;
        loader.finish().map_err(LoadError::from)
    });
    let names = manifest
        .tables
        .iter()
        .flat_map(|table| table.chunks.iter().map(move |hash| (table.summary.name.clone(), *hash)));
    let mut reads = stream::iter(names)
        .map(|(table, hash)| async move {
            let object = Kind::Chunk.object(hash);
            let stored = target.read(&object, MAX_BYTES as u64).await?;
            progress.add_moved(stored.len() as u64);
            let bytes = tokio::task::spawn_blocking(move || chunk::decompress(&stored, hash)).await;
            let bytes = bytes.map_err(|_| Error::Panicked)?;
            let bytes = bytes.map_err(|error| target.damaged(&object, error))?;
            Ok::<_, Error>(LoadedChunk {
                table,
                object,
                bytes: bytes.into(),
            })
        })
        .buffered(READS);
    let mut failure = None;
    while let Some(read) = reads.next().await {
        match read {
            Ok(chunk) => {
                progress.add_rows(0, chunk.bytes.len() as u64);
                // If the loader ended, it says why.
                if sender.send(chunk).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    drop(sender);
    let loaded = loading.await.map_err(|_| Error::Panicked)?;
    match (failure, loaded) {
        (Some(error), _) => Err(error),
        (None, Err(LoadError::Chunk(object, error))) => Err(target.damaged(&object, error)),
        (None, Err(LoadError::Failed(error))) => Err(error),
        (None, Ok(())) => Ok(()),
    }
}

/// A chunk on its way into the database.
struct LoadedChunk {
    table: String,
    object: String,
    bytes: Bytes,
}

/// Why rows were not loaded.
pub(crate) enum LoadError {
    /// The chunk of this object is malformed.
    Chunk(String, chunk::ChunkError),
    Failed(Error),
}

impl From<Error> for LoadError {
    fn from(error: Error) -> Self {
        LoadError::Failed(error)
    }
}

fn load(loader: &mut Loader, mut chunks: mpsc::Receiver<LoadedChunk>) -> Result<(), LoadError> {
    while let Some(LoadedChunk { table, object, bytes }) = chunks.blocking_recv() {
        for row in chunk::rows(&bytes) {
            let row = row.map_err(|error| LoadError::Chunk(object.clone(), error))?;
            loader.push(&table, row)?;
        }
    }
    Ok(())
}

/// Fails unless a manifest names files that a data directory may have, each once.
fn check_files(target: &Target, manifest: &Manifest) -> Result<(), Error> {
    let wrong = |file: &File, reason| {
        let reason = format!("the file {:?} {reason}", file.path);
        Err(target.damaged(&target::manifest_object(&manifest.id), reason))
    };
    let mut paths = HashSet::new();
    for file in &manifest.files {
        match files::place(Path::new(""), &file.path) {
            None => return wrong(file, "is none of a backup"),
            Some((_, named)) if named != file.hash => return wrong(file, "has another hash than its name says"),
            Some(_) if !paths.insert(&file.path) => return wrong(file, "is named twice"),
            Some(_) => {}
        }
    }
    Ok(())
}

/// Writes one file, whose bytes are checked.
async fn restore_file(target: &Target, file: &File, data: &Path, progress: &Progress) -> Result<(), Error> {
    let object = Kind::File.object(file.hash);
    let place = data.join(&file.path);
    let got = target.get(&object).await?.ok_or_else(|| target.missing(&object))?;
    // Before the disk is full of it.
    if got.meta.size != file.size {
        let reason = format!("it has {} bytes, and the backup says {}", got.meta.size, file.size);
        return Err(target.damaged(&object, reason));
    }
    let mut out = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&place)
        .map_err(Error::file(&place))?;
    let mut hasher = Sha256::new();
    let mut bytes = got.into_stream();
    while let Some(piece) = bytes.try_next().await.map_err(|error| target.failed(&object, &error))? {
        hasher.update(&piece);
        progress.add_moved(piece.len() as u64);
        let written = tokio::task::spawn_blocking(move || out.write_all(&piece).map(|()| out));
        out = written
            .await
            .map_err(|_| Error::Panicked)?
            .map_err(Error::file(&place))?;
    }
    if ContentHash::finish(hasher) != file.hash {
        return Err(target.damaged(&object, "its SHA-256 is not its name"));
    }
    let synced = tokio::task::spawn_blocking(move || out.sync_all());
    synced
        .await
        .map_err(|_| Error::Panicked)?
        .map_err(Error::file(&place))?;
    progress.add_file(file.size);
    Ok(())
}

/// Compares every row of a restored database with the manifest.
async fn compare(database: &Path, manifest: &Manifest) -> Result<(), Error> {
    let store = Store::open(database, Config::default())?;
    let reading = {
        let store = store.clone();
        tokio::task::spawn_blocking(move || summaries(&store))
    };
    let read = reading.await.map_err(|_| Error::Panicked);
    store.close().await;
    let found = read??;
    let expected: Vec<_> = manifest.tables.iter().map(|table| table.summary.clone()).collect();
    for name in expected.iter().chain(&found).map(|table| &table.name) {
        let of = |tables: &[TableSummary]| {
            let table = tables.iter().find(|table| table.name == *name);
            table.map_or_else(
                || "no rows".to_owned(),
                |table| format!("{} rows with digest {}", table.rows, table.digest),
            )
        };
        let (expected, found) = (of(&expected), of(&found));
        if expected != found {
            return Err(Error::Differs {
                table: name.clone(),
                expected,
                found,
            });
        }
    }
    let digest = of_tables(&found);
    match digest == manifest.digest {
        true => Ok(()),
        false => Err(Error::Differs {
            table: "(all tables)".to_owned(),
            expected: manifest.digest.to_string(),
            found: digest.to_string(),
        }),
    }
}

/// What each table of a store has. Blocks.
///
/// # Errors
/// [`Error::Read`].
pub fn summaries(store: &Store) -> Result<Vec<TableSummary>, Error> {
    let rows = store.snapshot();
    let mut found = Vec::new();
    for name in rows.tables()? {
        let mut digest = TableDigest::default();
        rows.walk_table(&name, |row| {
            digest.push(row);
            ControlFlow::<()>::Continue(())
        })?;
        found.push(digest.finish(&name));
    }
    Ok(found)
}
