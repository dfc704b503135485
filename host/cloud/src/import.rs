//! Publishes real files: their blobs and the rows that name them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use crate::blob::Put;
use crate::segment::{RowEdit, default_segment};
use crate::{Error, Space};

mod entry;
mod find;
mod kind;
mod prepare;
mod report;
mod walk;

pub use kind::Kind;
pub use report::{Failure, Report};

use entry::{Folder, NewRow};
use prepare::PreparedFile;

/// Rows that are published together.
const ROWS_AT_ONCE: usize = 256;

/// What to do with the files.
#[derive(Clone)]
pub struct Plan {
    /// What they become.
    pub kind: Kind,
    /// Encrypt each with this password.
    pub password: Option<String>,
}

/// Watches an import.
pub trait ImportProgress: Send {
    /// A file is read and hashed; its `len_bytes` stored bytes are about to move.
    fn file_started(&mut self, name: &str, len_bytes: u64);
    /// That many more of them have moved.
    fn bytes(&mut self, count: u64);
    /// The file's blob is in the space.
    fn file_done(&mut self);
}

/// Publishes files, and folders with all that is in them. Symbolic links are not followed. A file
/// that cannot be read is reported and the others go on. A row that the space has already stays as
/// it is: importing the same file to the same place twice changes nothing, and known bytes under
/// another name do not rename the cloud storage's file.
///
/// # Errors
/// [`Error::Malformed`] for a folder or conversation name that no row can have; what the space
/// returns. What was imported until then stays.
pub async fn import(
    space: &Space,
    plan: &Plan,
    paths: &[PathBuf],
    progress: &mut dyn ImportProgress,
) -> Result<Report, Error> {
    let mut report = Report::default();
    let (files, failures) = walk::files(paths.to_vec()).await?;
    report.failures = failures;
    let mut rows = RowBuffer {
        space,
        waiting: Vec::new(),
        strays: HashMap::new(),
    };
    let folder = Folder::find(space, &plan.kind).await?;
    rows.waiting.extend(folder.row.clone());
    let mut failed = None;
    for path in files {
        match import_file(space, plan, &folder, &path, progress, &mut report).await {
            Ok(row) => rows.waiting.push(row),
            Err(error @ (Error::Local { .. } | Error::Mismatch { .. } | Error::TooLarge { .. })) => {
                report.failures.push(Failure {
                    path,
                    reason: error.to_string(),
                });
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
        if rows.waiting.len() >= ROWS_AT_ONCE {
            rows.publish().await?;
        }
    }
    rows.publish().await?;
    failed.map_or(Ok(report), Err)
}

async fn import_file(
    space: &Space,
    plan: &Plan,
    folder: &Folder,
    path: &Path,
    progress: &mut dyn ImportProgress,
    report: &mut Report,
) -> Result<NewRow, Error> {
    let name = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let prepared = PreparedFile::of(path, plan.password.clone()).await?;
    progress.file_started(&name, prepared.len_bytes);
    let row = folder.file(&name, &prepared)?;
    let (hash, len_bytes) = (prepared.hash, prepared.len_bytes);
    let mut moved = ProgressReader {
        file: tokio::fs::File::from_std(prepared.file),
        progress,
        count: 0,
    };
    let put = space.put_blob(&mut moved, &hash, len_bytes).await?;
    let left = len_bytes.saturating_sub(moved.count);
    if left > 0 {
        progress.bytes(left);
    }
    progress.file_done();
    report.files += 1;
    report.len_bytes += len_bytes;
    report.present += u64::from(put == Put::Present);
    Ok(row)
}

/// Rows that wait to be published.
struct RowBuffer<'a> {
    space: &'a Space,
    waiting: Vec<NewRow>,
    /// By collection: the segments of rows that another writer keeps elsewhere than we would, as
    /// they were when the collection's first row was to be published.
    strays: HashMap<&'static str, HashMap<String, Arc<str>>>,
}

impl RowBuffer<'_> {
    async fn publish(&mut self) -> Result<(), Error> {
        let mut segments: HashMap<(&'static str, String), HashMap<String, RowEdit>> = HashMap::new();
        let mut order = Vec::new();
        for NewRow {
            collection,
            identity,
            fields,
        } in self.waiting.drain(..)
        {
            let strays = match self.strays.entry(collection.name) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    let is_stray = |segment: &str, identity: &str| segment != default_segment(identity);
                    unknown.insert(self.space.segments_of_rows(collection, is_stray).await?)
                }
            };
            // A row lives in one segment only.
            let segment = strays
                .get(&identity)
                .map_or_else(|| default_segment(&identity), |segment| segment.to_string());
            let key = (collection.name, segment);
            if !segments.contains_key(&key) {
                order.push((collection, key.clone()));
            }
            // Of files with the same bytes the first gives the name, here as in the space.
            let edits = segments.entry(key).or_default();
            edits.entry(identity).or_insert(RowEdit::Make(fields));
        }
        let exclusion = self.space.exclusion().await?;
        for (collection, key) in order {
            let guard = exclusion.enter(self.space.objects()).await?;
            if let Some(edits) = segments.get(&key) {
                self.space.edit_segment(&guard, collection, &key.1, edits).await?;
            }
        }
        Ok(())
    }
}

/// A file that tells how much of it was read.
struct ProgressReader<'a> {
    file: tokio::fs::File,
    progress: &'a mut dyn ImportProgress,
    count: u64,
}

impl AsyncRead for ProgressReader<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.file).poll_read(context, buffer);
        let count = (buffer.filled().len() - before) as u64;
        if count > 0 {
            self.count += count;
            self.progress.bytes(count);
        }
        polled
    }
}
