//! Opening both files, and bringing the database up to the log.

use std::io;
use std::path::Path;
use std::sync::Arc;

use redb::Database;

use super::memtable::Memtable;
use super::mutants::{self, Mutant};
use super::opener::Opener;
use super::read_errors::ReadErrors;
use super::wal::Wal;
use super::{flusher, format};
use crate::error::{BackendError, OpenError};

/// The open files after recovery.
pub(super) struct Recovered {
    pub(super) db: Database,
    pub(super) log: Log,
    /// If the database cannot take what the log holds: why.
    pub(super) problem: Option<BackendError>,
}

/// Opens the database and recovers what only the log holds. If the database cannot take it,
/// because a page is damaged or the disk is full, both are read as they are.
pub(super) fn recover(path: &Path, opener: &Opener) -> Result<Recovered, OpenError> {
    let (db, log) = open_both(path, opener)?;
    // What was read must be what a power loss leaves. Otherwise a truncation may be undone, and
    // bring back a record whose sync had failed, after readers saw a state without it.
    if !mutants::has(Mutant::OpeningWithoutSync) {
        let synced = log.wal.sync();
        synced.map_err(|error| format::not_read(path, error.into()))?;
    }
    if log.batch == log.flushed_batch {
        return Ok(Recovered { db, log, problem: None });
    }
    // After a sync that failed, this one may have succeeded without making a record durable. In
    // one transaction, the database gets all of a batch or nothing.
    let chunk_keys = match mutants::has(Mutant::RecoveryInChunks) {
        false => usize::MAX,
        true => opener.chunk_keys,
    };
    match flusher::flush(&db, &log.recovered, log.batch, chunk_keys) {
        Ok(()) => {
            let log = Log {
                flushed_batch: log.batch,
                recovered: Memtable::default(),
                ..log
            };
            Ok(Recovered { db, log, problem: None })
        }
        Err(error) if error.is_damage() || error.is_no_space() => {
            // An error of the disk makes redb refuse everything until it is opened again.
            drop((db, log));
            let (db, log) = open_both(path, opener)?;
            // What readers see from now on must stay.
            let rewritten = log.wal.rewrite();
            rewritten.map_err(|error| format::not_read(path, error.into()))?;
            tracing::error!(path = %path.display(), %error, "the storage takes no writes");
            Ok(Recovered {
                db,
                log,
                problem: Some(error),
            })
        }
        Err(error) => Err(format::not_read(path, error)),
    }
}

/// The log after it was read.
pub(super) struct Log {
    pub(super) wal: Wal,
    /// What only the log holds.
    pub(super) recovered: Memtable,
    /// The last batch of the database, and the last one of both files.
    pub(super) flushed_batch: u64,
    pub(super) batch: u64,
    pub(super) errors: Arc<ReadErrors>,
}

/// Opens both files, and reads the records after the last batch of the database.
fn open_both(path: &Path, opener: &Opener) -> Result<(Database, Log), OpenError> {
    let failed = |error: io::Error| format::not_read(path, error.into());
    let disk = (opener.database)().map_err(failed)?;
    let errors = Arc::default();
    let db = format::open(path, disk, opener.cache_size_bytes, &errors)?;
    let (file_id, flushed_batch) = format::identity(&db).map_err(|error| format::not_read(path, error))?;
    let disk = (opener.wal)().map_err(failed)?;
    let wal = Wal::open(disk, file_id, opener.half_bytes).map_err(failed)?;
    let recovered = Memtable::default();
    let replay = wal.replay(flushed_batch, |batch, updates| recovered.insert(batch, updates));
    let replay = replay.map_err(failed)?;
    if let Some(later) = replay.later {
        let missing = replay.last + 1;
        return Err(OpenError::Damaged {
            path: path.with_extension("wal"),
            damage: format!("batch {missing} cannot be read, but the later batch {later} can"),
        });
    }
    let log = Log {
        wal,
        recovered,
        flushed_batch,
        batch: replay.last,
        errors,
    };
    Ok((db, log))
}
