//! A check of everything that the files of a store hold.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError, StorageBackend, StorageError};

use crate::backend::database::DatabaseSnapshot;
use crate::backend::format::{self, FORMAT_VERSION, Format, UNCHECKED_FORMAT};
use crate::backend::pages::CheckedPages;
use crate::backend::scratch::Scratch;
use crate::backend::wal::{HALF_BYTES, Wal};
use crate::backend::{BackendSnapshot as _, opener::file_opener};
use crate::error::{BackendError, OpenError};
use crate::log_file;
use crate::row::{self, RowValue};

/// Memory for pages.
const CACHE_BYTES: usize = 32 << 20;

/// What [`verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The format of the database.
    pub format: u64,
    /// The length of the database file, in bytes.
    pub file_bytes: u64,
    /// The last batch that the database holds.
    pub batch: u64,
    /// The tables of the database, by name. Rows that only the log holds are not counted.
    pub tables: BTreeMap<String, TableReport>,
    /// Batches that only the log holds. The next open writes them into the database.
    pub log_batches: u64,
    /// What is wrong, for people to read. Empty if everything is as it was written.
    pub problems: Vec<String>,
}

/// What a table holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableReport {
    /// Rows with a value.
    pub values: u64,
    /// Rows with a counter.
    pub counters: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

/// Checks the closed store at `path`: the checksum of every page, the order and the connections of
/// all pages as redb checks them, each row, and each record of the log. Nothing is written: what a
/// start would repair is repaired in memory. It reads everything, and takes some seconds for each
/// gigabyte.
///
/// Damage is reported, not an error.
///
/// # Errors
///
/// [`OpenError::InUse`], [`OpenError::NotAStore`], [`OpenError::FormatTooNew`], and
/// [`OpenError::Backend`] if a file cannot be read.
pub fn verify(path: &Path) -> Result<Report, OpenError> {
    let failed = |error: io::Error| format::not_read(path, error.into());
    let mut report = Report {
        file_bytes: std::fs::metadata(path).map_err(failed)?.len(),
        ..Report::default()
    };
    let mut db = match open(path) {
        Ok((db, format)) => {
            report.format = format;
            db
        }
        Err(OpenError::Damaged { damage, .. }) => {
            report.problems.push(format!("the database cannot be opened: {damage}"));
            return Ok(report);
        }
        Err(other) => return Err(other),
    };
    // redb may panic on a damaged file.
    match catch_unwind(AssertUnwindSafe(|| db.check_integrity())) {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => report.problems.push(format!("the pages of the database: {error}")),
        Err(_) => report
            .problems
            .push("the pages of the database: redb panicked".to_owned()),
    }
    if let Err(error) = read_rows(&db, &mut report) {
        report.problems.push(format!("the rows of the database: {error}"));
    }
    match read_log(&db, path) {
        Ok(log) => {
            report.batch = log.flushed;
            report.log_batches = log.last - log.flushed;
            if let Some(later) = log.later {
                let missing = log.last + 1;
                report.problems.push(format!(
                    "the log: batch {missing} cannot be read, but the later batch {later} can"
                ));
            }
        }
        // It may be sound: nobody has read it.
        Err(source @ BackendError::Io(_)) => {
            return Err(OpenError::Backend {
                path: path.with_extension("wal"),
                source,
            });
        }
        Err(error) => report.problems.push(format!("the log: {error}")),
    }
    Ok(report)
}

/// Opens the database with all changes in memory. Returns its format.
fn open(path: &Path) -> Result<(Database, u64), OpenError> {
    let disk = || -> Result<Scratch, OpenError> {
        let disk = file_opener(path.to_path_buf())().map_err(|error| format::not_read(path, error.into()))?;
        Ok(Scratch::new(disk))
    };
    let (db, expected) = match create(path, CheckedPages::new(Box::new(disk()?))) {
        Err(OpenError::FormatTooOld { .. }) => (create(path, disk()?)?, UNCHECKED_FORMAT),
        other => (other?, FORMAT_VERSION),
    };
    match format::read_format(&db).map_err(|error| format::not_read(path, error.into()))? {
        Format::Version(found) if found == expected => Ok((db, found)),
        // A file that is new, or was being created.
        Format::Empty => Ok((db, expected)),
        found => {
            format::check(path, found)?;
            Ok((db, expected))
        }
    }
}

fn create(path: &Path, disk: impl StorageBackend) -> Result<Database, OpenError> {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    let opened = catch_unwind(AssertUnwindSafe(|| builder.create_with_backend(disk)));
    let panicked = |_| {
        Err(DatabaseError::Storage(StorageError::Corrupted(
            "redb panicked".to_owned(),
        )))
    };
    opened
        .unwrap_or_else(panicked)
        .map_err(|error| format::not_opened(path, error))
}

/// Counts the rows of each table.
fn read_rows(db: &Database, report: &mut Report) -> Result<(), BackendError> {
    let mut unknown = 0_u64;
    let (tables, unknown_rows) = (&mut report.tables, &mut unknown);
    DatabaseSnapshot::open(db, &Arc::default())?.walk(&[], &[0xff], false, &mut |key, value| {
        match row::decode(key, value) {
            Some(row) => {
                if !tables.contains_key(row.table) {
                    tables.insert(row.table.to_owned(), TableReport::default());
                }
                if let Some(table) = tables.get_mut(row.table) {
                    match row.value {
                        RowValue::Value(_) => table.values += 1,
                        RowValue::Counter(_) => table.counters += 1,
                    }
                    table.bytes += (row.key.len() + row.value.len_bytes()) as u64;
                }
            }
            None => *unknown_rows += 1,
        }
        std::ops::ControlFlow::Continue(())
    })?;
    match unknown {
        0 => Ok(()),
        _ => Err(BackendError::Corrupted(
            format!("{unknown} have an unknown form").into(),
        )),
    }
}

/// What the log holds.
struct LogState {
    /// The last batch of the database, and of the log.
    flushed: u64,
    last: u64,
    /// A batch after one that is missing.
    later: Option<u64>,
}

fn read_log(db: &Database, path: &Path) -> Result<LogState, BackendError> {
    let (file_id, flushed) = format::identity(db)?;
    let Some(disk) = log_file::open(path)? else {
        return Ok(LogState {
            flushed,
            last: flushed,
            later: None,
        });
    };
    let wal = Wal::open(Box::new(disk), file_id, HALF_BYTES)?;
    let replay = wal.replay(flushed, |_, _| {})?;
    Ok(LogState {
        flushed,
        last: replay.last,
        later: replay.later,
    })
}
