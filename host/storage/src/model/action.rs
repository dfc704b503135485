//! What may happen next. A step of the protocol names the function of the real code that it stands
//! for.

use super::disk::Log;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// A process starts, and opens the database: `format::open`.
    Start,
    /// `format::create_tables`.
    CreateTables,
    /// `Wal::open` and `Wal::replay`.
    Replay,
    /// `Wal::sync` in `recovery::recover`.
    SyncReplayed,
    /// `flusher::flush` in `recovery::recover`, which is one transaction.
    RecoveryFlush,
    /// `Wal::rewrite` in `recovery::recover`, after a flush that was refused.
    RewriteLog,
    /// `OpenFiles::start`, and `Committer::publish`.
    Serve,
    /// `RedbBackend::retry_flush` opens the files again.
    Retry,

    /// `Committer::commit` calls `OpenFiles::apply`, which calls `finish_flush`. The record fits
    /// the current half, or the other one.
    BeginShort,
    /// The same, with a batch that skips the log.
    BeginLong,
    /// `OpenFiles::wait_for_flush`, or `finish_flush` in `OpenFiles::maintain`.
    Release,
    /// `OpenFiles::freeze`, because the half is full.
    Freeze,
    /// `OpenFiles::freeze`, because `OpenFiles::is_due`.
    FreezeByAge,
    /// `Wal::zero_up_to`.
    Grow,
    /// The write in `Wal::write`.
    WriteRecord,
    /// The sync in `Wal::write`.
    SyncRecord,
    /// A commit of `flusher::flush` in `OpenFiles::flush_all`.
    OwnChunk,
    /// `FlushTransaction::commit_batch` in `OpenFiles::apply_to_database`.
    WriteLong,
    /// The memtable gets the batch: `OpenFiles::log`. Then `VersionRegistry::advance` and
    /// `Committer::publish`.
    Publish,
    /// `Committer::reply`.
    Reply,

    /// A commit of `flusher::flush` on the flusher's thread.
    FlusherChunk,

    /// `Store::close`: the queue is empty, and `OpenFiles::close` begins.
    Close,
    /// `Database::close` of redb.
    CloseDatabase,
    /// `Wal::empty`.
    Truncate,
    /// The process ends, or `RedbBackend::reopen` goes on.
    Closed,

    /// The next disk operation of the committer fails. It had an effect, or none. What a sync did
    /// not write then, no later sync writes.
    Fail { has_effect: bool },
    /// The next commit of the flusher fails. It had an effect, or none.
    FailFlusher { has_effect: bool },
    /// The database cannot take what only the log holds: it has no space, or a damaged page.
    RefuseFlush,
    /// The process is killed. What it wrote is still in the page cache.
    Kill,
    /// The machine stops, and the disk holds this log.
    LosePower(Log),
    /// Somebody moves the database away. The log stays.
    ReplaceDatabase,
}
