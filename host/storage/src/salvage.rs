//! What can be read of a damaged store.

use std::fs::File;
use std::io;
use std::path::Path;

use redb::StorageBackend;
use redb::backends::FileBackend;

use crate::backend::tree::{Met, Tree};
use crate::backend::wal::{HALF_BYTES, Wal};
use crate::backend::{format, scratch::Scratch};
use crate::error::OpenError;
use crate::log_file;
use crate::row::{self, Row};
use crate::stored;

/// What [`salvage`] finds, in this order: the rows of the database by table and key, then the
/// updates of the log from the oldest to the newest, then stray rows.
#[derive(Debug)]
pub enum Salvaged<'a> {
    /// A row as it was written. A later one with the same table and key replaces it.
    Row(Row<'a>),
    /// The log says that this row was removed.
    Removed {
        /// The table.
        table: &'a str,
        /// The key.
        key: &'a [u8],
    },
    /// A row in a page that nothing refers to, where a part of the database is lost. It may have
    /// been changed or removed since. A row with the same table and key may come several times.
    Stray(Row<'a>),
}

/// What [`salvage`] has read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Rows that the database holds.
    pub rows: u64,
    /// Rows of which it is unknown whether they are the latest.
    pub stray_rows: u64,
    /// Where rows are lost, at most [`SalvageReport::MAX_GAPS`] of them.
    pub gaps: Vec<Gap>,
    /// The number of all gaps.
    pub gap_count: u64,
    /// Rows whose contents have no sense. They are left out.
    pub unknown_rows: u64,
    /// Whether the last commit of the database could not be found, so that the one before was read.
    pub is_earlier_commit: bool,
    /// Whether the database has checksums of its pages. Without, damage of values is not noticed.
    pub is_checked: bool,
    /// Batches that were read from the log.
    pub log_batches: u64,
    /// Batches between them that could not be read.
    pub lost_log_batches: u64,
}

impl SalvageReport {
    /// The most gaps that are listed.
    pub const MAX_GAPS: usize = 1000;
}

/// A part of the database that cannot be read: the rows between two places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gap {
    /// Table and key of the row before it; `None` at the start.
    pub after: Option<(String, Vec<u8>)>,
    /// Table and key of the row after it; `None` at the end.
    pub before: Option<(String, Vec<u8>)>,
}

/// Reads what can be read of the store at `path`, also if it cannot be opened. Nothing is written,
/// and no store may have it open.
///
/// Rows of one table and key may come more than once. Putting them into an
/// [`Import`](crate::Import) one after the other leaves the newest that was found. Stray rows are
/// for people to look at.
///
/// # Errors
///
/// [`OpenError::InUse`]; [`OpenError::NotAStore`] if nothing in the file looks like a store;
/// [`OpenError::Backend`] if the files cannot be read.
pub fn salvage(path: &Path, mut sink: impl FnMut(Salvaged<'_>)) -> Result<SalvageReport, OpenError> {
    let failed = |error: io::Error| format::not_read(path, error.into());
    let disk = Scratch::new(open_locked(path)?);
    let mut report = SalvageReport::default();
    let Some((mut tree, header)) = Tree::open(&disk).map_err(failed)? else {
        return Err(OpenError::NotAStore {
            path: path.to_path_buf(),
        });
    };
    report.is_checked = tree.is_checked();
    let mut walk = Walk {
        report: &mut report,
        sink: &mut sink,
        last: None,
        gap: None,
    };
    let mut found = false;
    for is_last in [true, false] {
        let Some(tables) = Tree::table_root(&header, is_last) else {
            continue;
        };
        match tree.row_root(tables).map_err(failed)? {
            Ok(root) => {
                if let Some(root) = root {
                    tree.walk(root, 0, &mut |met| walk.meet(met)).map_err(failed)?;
                }
                walk.report.is_earlier_commit = !is_last;
                found = true;
                break;
            }
            Err(()) => continue,
        }
    }
    if !found {
        // Only stray rows are left.
        walk.meet(Met::Damage);
    }
    walk.end();
    salvage_log(path, &disk, &mut report, &mut sink).map_err(failed)?;
    let mut walk = Walk {
        report: &mut report,
        sink: &mut sink,
        last: None,
        gap: None,
    };
    tree.walk_strays(&mut |met| walk.meet(met)).map_err(failed)?;
    Ok(report)
}

/// Opens the file, as redb locks it. Where files cannot be locked, it is opened without.
fn open_locked(path: &Path) -> Result<Box<dyn StorageBackend>, OpenError> {
    let failed = |error: io::Error| format::not_read(path, error.into());
    let file = File::options().read(true).write(true).open(path);
    let disk = FileBackend::new(file.map_err(failed)?).map_err(|error| format::not_opened(path, error))?;
    match disk.try_lock_range(std::ops::Bound::Unbounded, std::ops::Bound::Unbounded) {
        Ok(false) => Err(OpenError::InUse {
            path: path.to_path_buf(),
        }),
        Ok(true) | Err(_) => Ok(Box::new(disk)),
    }
}

/// The walk through the database.
struct Walk<'w> {
    report: &'w mut SalvageReport,
    sink: &'w mut dyn FnMut(Salvaged<'_>),
    /// The last row.
    last: Option<(String, Vec<u8>)>,
    /// The gap after it.
    gap: Option<Gap>,
}

impl Walk<'_> {
    fn meet(&mut self, met: Met<'_>) {
        match met {
            Met::Damage => {
                let after = self.last.clone();
                self.gap.get_or_insert(Gap { after, before: None });
            }
            Met::Row(key, value) => match row::decode(key, value) {
                Some(row) => {
                    let place = (row.table.to_owned(), row.key.to_vec());
                    if let Some(gap) = self.gap.take() {
                        let before = Some(place.clone());
                        self.close_gap(Gap { before, ..gap });
                    }
                    self.last = Some(place);
                    self.report.rows += 1;
                    (self.sink)(Salvaged::Row(row));
                }
                None => self.report.unknown_rows += 1,
            },
            // Leaves of other trees of redb hold no rows of this form.
            Met::Stray(key, value) => {
                if let Some(row) = row::decode(key, value)
                    && stored::check_table(row.table).is_ok()
                    && !row.key.is_empty()
                {
                    self.report.stray_rows += 1;
                    (self.sink)(Salvaged::Stray(row));
                }
            }
        }
    }

    fn close_gap(&mut self, gap: Gap) {
        self.report.gap_count += 1;
        if self.report.gaps.len() < SalvageReport::MAX_GAPS {
            self.report.gaps.push(gap);
        }
    }

    fn end(&mut self) {
        if let Some(gap) = self.gap.take() {
            self.close_gap(gap);
        }
    }
}

/// Reads the records of the log. Which database it belongs to, and which batches that holds, is
/// told by the database if it can be opened, and else by the log alone.
fn salvage_log(
    path: &Path,
    disk: &Scratch,
    report: &mut SalvageReport,
    sink: &mut dyn FnMut(Salvaged<'_>),
) -> io::Result<()> {
    let Some(log) = log_file::open(path)? else {
        return Ok(());
    };
    let Some((file_id, batch)) = Tree::identity(disk)? else {
        return Ok(());
    };
    let wal = Wal::open(Box::new(log), file_id, HALF_BYTES)?;
    let mut last = batch;
    wal.salvage(batch, |batch, updates| {
        report.lost_log_batches += batch.saturating_sub(last + 1);
        report.log_batches += 1;
        last = batch;
        for (key, value) in updates {
            let row = value.map(|value| row::decode(key, value));
            match (row, stored::split_key(key)) {
                (Some(Some(row)), _) => sink(Salvaged::Row(row)),
                (None, Some((table, key))) => sink(Salvaged::Removed { table, key }),
                _ => report.unknown_rows += 1,
            }
        }
    })
}
