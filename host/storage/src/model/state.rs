//! A state of the protocol: the files, the memory of the process, and what its callers know.

use super::disk::{self, Database, Log, Slot, Superseded, slots};

/// Keys of the store.
pub(crate) const KEYS: usize = 3;
/// Records that fit a half of the log.
pub(crate) const RECORDS: usize = 2;

/// The number of a write of a caller. It is also the value that it writes. A batch is one write.
pub(crate) type Write = u8;
/// What the store holds, by key.
pub(crate) type Rows = [Option<Write>; KEYS];
/// What a memtable holds: for each key nothing, a value or a removal.
pub(crate) type Memtable = [Option<Option<Write>>; KEYS];

/// The model, with its bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    pub(crate) bounds: Bounds,
    /// An error that is built in.
    pub(crate) mutant: Option<Mutant>,
}

/// How often a run may do what makes it longer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) writes: u8,
    /// Power losses, and kills of the process.
    pub(crate) crashes: u8,
    /// Disk operations that fail.
    pub(crate) errors: u8,
    /// How often the database is taken away while the log stays.
    pub(crate) replacements: u8,
}

/// An error in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mutant {
    /// The batch is published and answered before the log is synced.
    ReplyBeforeSync,
    /// The log goes on in the other half while that half is still being flushed.
    HalfOverwrittenEarly,
    /// The first chunk of a flush sets `batch`, not the last one.
    BatchInFirstChunk,
    /// A close truncates the log before the database holds everything.
    LogTruncatedBeforeFlush,
    /// Replay takes each record with a higher batch, not only the next one.
    ReplayAcceptsGap,
    /// A long batch is written before the memtables are flushed.
    LongBatchBeforeMemtables,
    /// Replay takes a record that is there in part.
    ChecksumIgnored,
    /// Replay takes the records of another database.
    IdentityIgnored,
    /// Recovery flushes its records in several transactions.
    RecoveryInChunks,
    /// An opening does not sync the log that it has read.
    OpeningWithoutSync,
    /// What the log alone holds is served while the database takes no writes. The log is synced,
    /// but not written again after a sync that failed.
    ReadOnlyWithoutRewrite,
    /// Recovery leaves the records in the log, and the next records overwrite them.
    RecoveryWithoutFlush,
    /// The frozen memtable is dropped before its flush has ended.
    MemtableDroppedEarly,
}

/// A crash point of docs/storage.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum CrashPoint {
    C1 = 1,
    C2,
    C3,
    C4,
    C5,
    C6,
    C7,
    C8,
    C9,
    C10,
    C11,
}

/// All crash points, in order.
pub(crate) const CRASH_POINTS: [CrashPoint; 11] = [
    CrashPoint::C1,
    CrashPoint::C2,
    CrashPoint::C3,
    CrashPoint::C4,
    CrashPoint::C5,
    CrashPoint::C6,
    CrashPoint::C7,
    CrashPoint::C8,
    CrashPoint::C9,
    CrashPoint::C10,
    CrashPoint::C11,
];

/// A set of crash points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct CrashPoints(u16);

impl CrashPoints {
    pub(crate) fn contains(self, point: CrashPoint) -> bool {
        self.0 & (1 << point as u16) != 0
    }

    fn insert_if(&mut self, condition: bool, point: CrashPoint) {
        self.0 |= u16::from(condition) << point as u16;
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// What the database file holds durably.
    pub(crate) database: Database,
    /// What was synced of the log.
    pub(crate) durable: Log,
    /// What later writes wrote there, and was overwritten before a sync.
    pub(crate) superseded: Vec<Superseded>,
    /// What a read of the log returns.
    pub(crate) live: Log,
    /// Slots that a failed sync did not write. The page cache has them, and takes them for written.
    pub(crate) dropped: [[bool; RECORDS]; 2],

    pub(crate) phase: Phase,
    /// The half that is filled, and its next slot.
    pub(crate) half: usize,
    pub(crate) end: usize,
    /// The last batch.
    pub(crate) batch: u8,
    pub(crate) active: Memtable,
    pub(crate) frozen: Option<Memtable>,
    pub(crate) flusher: Flusher,
    /// What the read transaction of the latest snapshot sees in the database.
    pub(crate) flushed: Rows,

    /// What readers saw last.
    pub(crate) visible: Rows,
    /// Writes since then that failed, or were lost with the process. Each may be durable or not.
    pub(crate) unknown: Vec<Write>,

    pub(crate) writes: u8,
    pub(crate) crashes: u8,
    pub(crate) errors: u8,
    pub(crate) files: u8,
}

/// What the committer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// No process runs.
    Down {
        /// Where the process was when it crashed.
        crashed_at: CrashPoints,
    },
    /// The files are opened.
    Opening(Opening),
    /// It waits for a request.
    Idle,
    /// What only the log holds is served from memory. Commits are refused.
    ReadOnly,
    /// It commits a batch that goes to the log.
    Logging(Write, Logging),
    /// It commits a batch that goes to the database.
    Bypassing(Write, Bypassing),
    /// It closes the files, for good or to reopen them.
    Closing { step: Closing, reopens: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Opening {
    /// The database is open. If it has no tables, they are created next.
    Database,
    /// The records that count are in a memtable. The log is synced next.
    Replayed { updates: Memtable, batch: u8 },
    /// The memtable is flushed in one transaction, unless an error is built in.
    Flush { updates: Memtable, batch: u8, chunk: u8 },
    /// The database cannot take it. The log is written again and synced next.
    Refused { updates: Memtable, batch: u8 },
    /// Everything is durable. What the database does not hold is in the active memtable.
    Recovered { batch: u8, is_read_only: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Logging {
    /// The half is full: it waits for the flush of the other one, then freezes the memtable.
    Full,
    /// The record fits here.
    Fits,
    /// The record is written, not synced.
    Written,
    /// The record is durable.
    Synced,
    /// Snapshots see the batch.
    Published,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Bypassing {
    /// It waits for the flush of the frozen memtable.
    Waits,
    /// It flushes the active memtable.
    Flush { chunk: u8 },
    /// The database holds everything before the batch.
    Flushed,
    /// The database holds the batch.
    Written,
    /// Snapshots see the batch.
    Published,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Closing {
    /// It waits for the flush of the frozen memtable.
    Waits,
    /// It flushes the active memtable.
    Flush { chunk: u8 },
    /// The database holds everything, and is closed next.
    Flushed,
    /// The database is closed, and the log is truncated next.
    DatabaseClosed,
    /// The log is truncated.
    Truncated,
}

/// What the flusher's thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flusher {
    Waits,
    /// It flushes the frozen memtable, whose last batch is this one. This chunk is next.
    Flushes {
        memtable: Memtable,
        batch: u8,
        chunk: u8,
    },
    /// The result is in the channel.
    Done,
    /// The flush failed. The error is in the channel.
    Failed,
}

impl State {
    /// No files, no process.
    pub(crate) fn new() -> Self {
        Self {
            database: Database::default(),
            durable: Log::default(),
            superseded: Vec::new(),
            live: Log::default(),
            dropped: Default::default(),
            phase: Phase::Down {
                crashed_at: CrashPoints::default(),
            },
            half: 0,
            end: 0,
            batch: 0,
            active: Memtable::default(),
            frozen: None,
            flusher: Flusher::Waits,
            flushed: Rows::default(),
            visible: Rows::default(),
            unknown: Vec::new(),
            writes: 0,
            crashes: 0,
            errors: 0,
            files: 0,
        }
    }

    /// Every log that a power loss may leave now.
    pub(crate) fn images(&self) -> Vec<Log> {
        disk::images(&self.durable, &self.superseded, &self.live)
    }

    /// Writes into the log, without a sync.
    pub(super) fn write(&mut self, half: usize, slot: usize, contents: Slot) {
        let held = std::mem::replace(&mut self.live[half][slot], contents);
        let superseded = (half, slot, held);
        if held != contents && held != self.durable[half][slot] && !self.superseded.contains(&superseded) {
            self.superseded.push(superseded);
        }
        self.dropped[half][slot] = false;
    }

    /// Makes the log durable, without what the page cache takes for written.
    pub(super) fn sync(&mut self) {
        for (half, slot) in slots() {
            if !self.dropped[half][slot] {
                self.durable[half][slot] = self.live[half][slot];
            }
        }
        let dropped = self.dropped;
        self.superseded.retain(|(half, slot, _)| dropped[*half][*slot]);
    }

    /// A sync fails, and writes nothing.
    pub(super) fn fail_to_sync(&mut self) {
        for (half, slot) in slots() {
            self.dropped[half][slot] |= self.durable[half][slot] != self.live[half][slot];
        }
    }

    /// Writes again what the log holds.
    pub(super) fn rewrite(&mut self) {
        self.dropped = Default::default();
    }

    /// Whether snapshots can be read.
    pub(crate) fn is_in_service(&self) -> bool {
        matches!(
            self.phase,
            Phase::Idle | Phase::ReadOnly | Phase::Logging(..) | Phase::Bypassing(..)
        )
    }

    /// The write that is being committed and that no snapshot sees yet.
    pub(crate) fn in_flight(&self) -> Option<Write> {
        match self.phase {
            Phase::Logging(write, step) => (step != Logging::Published).then_some(write),
            Phase::Bypassing(write, step) => (step != Bypassing::Published).then_some(write),
            Phase::Down { .. } | Phase::Opening(_) | Phase::Idle | Phase::ReadOnly | Phase::Closing { .. } => None,
        }
    }

    /// The chunk that is next, and the keys, of the flush that the committer does itself.
    fn own_flush(&self) -> Option<(u8, usize)> {
        match self.phase {
            Phase::Bypassing(_, Bypassing::Flush { chunk })
            | Phase::Closing {
                step: Closing::Flush { chunk },
                ..
            } => Some((chunk, keys(&self.active))),
            _ => None,
        }
    }

    /// The crash points that this state is at.
    pub(crate) fn crash_points(&self) -> CrashPoints {
        let mut points = CrashPoints::default();
        let slot = |log: &Log| log[self.half].get(self.end).copied();
        let (before, now) = (slot(&self.durable), slot(&self.live));
        if let Phase::Logging(_, step) = self.phase {
            let is_first = self.end == 0 && self.frozen.is_some();
            let is_whole = |slot| matches!(slot, Some(Slot::Whole(_)));
            points.insert_if(
                step == Logging::Fits && before == Some(Slot::Absent) && now == Some(Slot::Zero),
                CrashPoint::C1,
            );
            points.insert_if(step == Logging::Written, CrashPoint::C2);
            points.insert_if(matches!(step, Logging::Synced | Logging::Published), CrashPoint::C3);
            points.insert_if(step == Logging::Written && is_whole(before), CrashPoint::C4);
            points.insert_if(
                is_first && matches!(step, Logging::Fits | Logging::Written),
                CrashPoint::C5,
            );
        }
        let own = self.own_flush();
        let in_background = match self.flusher {
            Flusher::Flushes { memtable, chunk, .. } => Some((chunk, keys(&memtable))),
            Flusher::Waits | Flusher::Done | Flusher::Failed => None,
        };
        for (chunk, keys) in own.into_iter().chain(in_background) {
            points.insert_if(chunk > 0, CrashPoint::C6);
            points.insert_if(usize::from(chunk) == keys, CrashPoint::C7);
        }
        points.insert_if(self.flusher == Flusher::Done, CrashPoint::C7);
        match self.phase {
            Phase::Bypassing(_, step) => {
                points.insert_if(matches!(step, Bypassing::Flushed | Bypassing::Written), CrashPoint::C8);
            }
            Phase::Closing { step, .. } => points.insert_if(
                matches!(step, Closing::Flushed | Closing::DatabaseClosed | Closing::Truncated),
                CrashPoint::C9,
            ),
            Phase::Opening(step) => {
                points.insert_if(!matches!(step, Opening::Database), CrashPoint::C10);
                points.insert_if(self.database.file == 0 || self.database.batch == 0, CrashPoint::C11);
            }
            Phase::Down { .. } | Phase::Idle | Phase::ReadOnly | Phase::Logging(..) => {}
        }
        points
    }
}

/// The number of keys in a memtable.
pub(crate) fn keys(memtable: &Memtable) -> usize {
    memtable.iter().flatten().count()
}
