//! Publishes files: their blobs, and the rows that name them.

use std::path::{Path, PathBuf};

use crate::blob::Put;
use crate::{Error, Space};

mod entry;
mod find;
mod kind;
mod prepare;
mod progress;
mod report;
mod row_buffer;
mod walk;

pub use kind::Kind;
pub use progress::ImportProgress;
pub use report::{Failure, Report};

use entry::{Folder, NewRow};
use prepare::PreparedFile;
use progress::ProgressReader;
use row_buffer::RowBuffer;

/// What to do with the files.
#[derive(Clone)]
pub struct Plan {
    /// What the files become.
    pub kind: Kind,
    /// Encrypt each with this password.
    pub password: Option<String>,
}

/// Publishes files, and folders with all their files. Symbolic links are not followed. A file that
/// cannot be read is reported, and the others are imported. A row that is already in the space
/// stays as it is. So a second import of a file changes nothing, and a file of the cloud storage
/// keeps its name if the same bytes are imported with another name.
///
/// # Errors
/// [`Error::Malformed`] if no row can have the name of the folder or conversation. What the space
/// returns. Files that were imported before the error stay.
pub async fn import(
    space: &Space,
    plan: &Plan,
    paths: &[PathBuf],
    progress: &mut dyn ImportProgress,
) -> Result<Report, Error> {
    let mut report = Report::default();
    let (files, failures) = walk::files(paths.to_vec()).await?;
    report.failures = failures;
    let mut rows = RowBuffer::new(space);
    let folder = Folder::find(space, &plan.kind).await?;
    if let Some(row) = folder.row.clone() {
        rows.push(row).await?;
    }
    let mut failed = None;
    for path in files {
        match import_file(space, plan, &folder, &path, progress, &mut report).await {
            Ok(row) => rows.push(row).await?,
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
