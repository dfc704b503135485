//! A new data directory with what can be read of a damaged one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stowage_storage::{Config, Import, Row as StoredRow, RowValue, SalvageReport, Salvaged, Store};

use crate::check::{self, Depth};
use crate::draft::Draft;
use crate::dump::append_line;
use crate::error::Error;
use crate::files::{DATABASE, NamedFile, find};
use crate::hash::ContentHash;
use crate::manifest::Skipped;
use crate::rows::{Kind, Row};

/// Rows of lost parts of the database, of which nobody knows whether they are the latest.
pub const STRAY_ROWS: &str = "stray-rows.ndjson";

/// What was saved and what was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Salvage {
    /// The tables of the new database, and their rows.
    pub tables: BTreeMap<String, u64>,
    /// Rows of the new database.
    pub rows: u64,
    /// Ranges of keys whose rows are lost, at most 1000.
    pub gaps: Vec<Gap>,
    /// How many such ranges there are.
    pub gap_count: u64,
    /// Rows that made no sense.
    pub unknown_rows: u64,
    /// Rows in [`STRAY_ROWS`] of the new directory.
    pub stray_rows: u64,
    /// Whether the last commit was lost, so that the one before was read.
    pub is_earlier_commit: bool,
    /// Whether damage of single values was noticed: the database has checksums.
    pub is_checked: bool,
    /// Batches that came from the log.
    pub log_batches: u64,
    /// Batches of the log that are lost.
    pub lost_log_batches: u64,
    /// Files that were copied.
    pub files: u64,
    /// Files that are lost, and why.
    pub lost_files: Vec<Skipped>,
    /// What does not fit together in the new directory, at most 1000.
    pub findings: Vec<check::Finding>,
    /// How much does not fit together.
    pub findings_len: u64,
}

/// A range of keys whose rows are lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Table and key of the row before it; null at the start.
    pub after: Option<String>,
    /// Table and key of the row after it; null at the end.
    pub before: Option<String>,
}

impl Salvage {
    /// Whether nothing was lost.
    pub fn is_complete(&self) -> bool {
        self.gap_count == 0
            && self.unknown_rows == 0
            && !self.is_earlier_commit
            && self.lost_log_batches == 0
            && self.lost_files.is_empty()
    }
}

/// Makes a data directory at `to`, which must be absent or empty, with what can be read of `data`.
/// Nothing is written into `data`. Blocks.
///
/// # Errors
/// [`Error::NotEmpty`]; [`Error::Open`] if nothing looks like a database, or a server uses it;
/// [`Error::File`].
pub fn salvage(data: &Path, to: &Path) -> Result<Salvage, Error> {
    let draft = Draft::begin(to)?;
    draft.make_folders()?;
    let mut saved = save_rows(&data.join(DATABASE), draft.path())?;
    for file in find(data)? {
        match copy(data, &file, draft.path())? {
            None => saved.files += 1,
            Some(reason) => saved.lost_files.push(Skipped {
                path: file.path,
                reason,
            }),
        }
    }
    check_result(draft.path(), &mut saved)?;
    draft.finish()?;
    Ok(saved)
}

/// What takes the rows.
struct Saver {
    import: Import,
    stray: BufWriter<fs::File>,
    line: Vec<u8>,
    failure: Option<Error>,
}

impl Saver {
    fn take(&mut self, salvaged: Salvaged<'_>, stray_path: &Path) {
        if self.failure.is_some() {
            return;
        }
        let taken = match salvaged {
            Salvaged::Row(row) => self.import.put(row).map_err(Error::Fill),
            Salvaged::Removed { table, key } => self.import.remove(table, key).map_err(Error::Fill),
            Salvaged::Stray(row) => {
                self.line.clear();
                append_stored_line(&mut self.line, row);
                self.stray.write_all(&self.line).map_err(Error::file(stray_path))
            }
        };
        self.failure = taken.err();
    }
}

fn append_stored_line(line: &mut Vec<u8>, row: StoredRow<'_>) {
    let number;
    let (kind, value) = match row.value {
        RowValue::Value(value) => (Kind::Value, value),
        RowValue::Counter(counter) => {
            number = counter.to_le_bytes();
            (Kind::Counter, &number[..])
        }
    };
    let shown = Row {
        key: row.key,
        kind,
        value,
    };
    append_line(line, row.table, shown);
}

fn save_rows(database: &Path, new: &Path) -> Result<Salvage, Error> {
    let stray_path = new.join(STRAY_ROWS);
    let stray = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&stray_path);
    let mut saver = Saver {
        import: Import::create(&new.join(DATABASE))?,
        stray: BufWriter::new(stray.map_err(Error::file(&stray_path))?),
        line: Vec::new(),
        failure: None,
    };
    let report = stowage_storage::salvage(database, |salvaged| saver.take(salvaged, &stray_path))?;
    if let Some(error) = saver.failure {
        return Err(error);
    }
    let stray = saver.stray.into_inner().map_err(io::IntoInnerError::into_error);
    let synced = stray.and_then(|file| file.sync_all());
    synced.map_err(Error::file(&stray_path))?;
    if report.stray_rows == 0 {
        fs::remove_file(&stray_path).map_err(Error::file(&stray_path))?;
    }
    saver.import.finish()?;
    Ok(Salvage::from(report))
}

impl From<SalvageReport> for Salvage {
    fn from(report: SalvageReport) -> Self {
        let place =
            |place: Option<(String, Vec<u8>)>| place.map(|(table, key)| format!("{table} {}", check::shown_key(&key)));
        let gaps = report.gaps.into_iter().map(|gap| Gap {
            after: place(gap.after),
            before: place(gap.before),
        });
        Salvage {
            gaps: gaps.collect(),
            gap_count: report.gap_count,
            unknown_rows: report.unknown_rows,
            stray_rows: report.stray_rows,
            is_earlier_commit: report.is_earlier_commit,
            is_checked: report.is_checked,
            log_batches: report.log_batches,
            lost_log_batches: report.lost_log_batches,
            ..Salvage::default()
        }
    }
}

/// Copies a file whose bytes are what its name says. Otherwise says what is wrong.
fn copy(data: &Path, file: &NamedFile, new: &Path) -> Result<Option<String>, Error> {
    let to = new.join(&file.path);
    let mut from = match fs::File::open(data.join(&file.path)) {
        Ok(from) => from,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let out = fs::File::options().write(true).create_new(true).mode(0o600).open(&to);
    let mut out = out.map_err(Error::file(&to))?;
    let (mut hasher, mut piece) = (Sha256::new(), vec![0; 256 << 10]);
    let problem = loop {
        match io::Read::read(&mut from, &mut piece) {
            Ok(0) => break None,
            Ok(len) => {
                hasher.update(&piece[..len]);
                out.write_all(&piece[..len]).map_err(Error::file(&to))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(error.to_string()),
        }
    };
    let is_right = ContentHash::finish(hasher) == file.hash;
    match problem.or_else(|| (!is_right).then(|| "its SHA-256 is not its name".to_owned())) {
        Some(problem) => {
            fs::remove_file(&to).map_err(Error::file(&to))?;
            Ok(Some(problem))
        }
        None => {
            out.sync_all().map_err(Error::file(&to))?;
            Ok(None)
        }
    }
}

/// Counts what was saved, and says what does not fit together.
fn check_result(new: &Path, saved: &mut Salvage) -> Result<(), Error> {
    let store = Store::open(&new.join(DATABASE), Config::default())?;
    let report = check::check(&store, new, Depth::Quick);
    // The last handle closes the files.
    drop(store);
    let report = report?;
    saved.rows = report.tables.iter().map(|table| table.rows).sum();
    saved.tables = report
        .tables
        .into_iter()
        .map(|table| (table.name, table.rows))
        .collect();
    (saved.findings, saved.findings_len) = (report.findings, report.findings_len);
    Ok(())
}
