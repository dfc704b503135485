//! Batches: rows from the space, for the module that keeps them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use stowage_storage::{Error as StorageError, Transaction};

use crate::mirror::{self, MirroredRow, RowLocation};
use crate::row::{Row, UNKNOWN};
use crate::{Collection, Hash, outbox};

/// The most rows of a batch.
pub const BATCH_LIMIT_ROWS: usize = 500;
/// The most bytes of rows in a batch, unless a single row is larger.
pub const BATCH_LIMIT_BYTES: usize = 4 << 20;

/// Writes rows into the database of this host.
pub trait RowSink: Send + Sync {
    /// Applies a batch in one transaction. It begins the transaction, calls [`Batch::rows`], gives
    /// the rows to the module of the collection, calls [`Batch::record`] and commits. After a
    /// conflict it does all of this again.
    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, crate::SinkError>>;

    /// Whether a module keeps the collection. If none does, the rows are recorded but not applied.
    /// They come again when a module keeps the collection.
    fn keeps(&self, collection: &str) -> bool;

    /// A blob was removed from the space, because no row names it. What this machine keeps of it is
    /// useless. While this runs, no upload of the blob begins.
    fn blob_removed<'a>(&'a self, _hash: &'a Hash) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

/// What a sink did with a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows that the module could not take, for example because a field has another type.
    pub skipped: u32,
}

/// At most [`BATCH_LIMIT_ROWS`] rows of one collection that changed in the space.
#[derive(Debug)]
pub struct Batch {
    collection: &'static Collection,
    work: Work,
    /// How many rows the last [`Batch::rows`] returned.
    handed: AtomicU32,
    /// Segments that must be fetched again, as [`Batch::record`] found.
    refetch: Mutex<BTreeSet<String>>,
}

#[derive(Debug)]
enum Work {
    Upserts(Vec<Upsert>),
    Removals(Vec<Removal>),
}

/// A row that is new or changed.
#[derive(Clone, Debug)]
pub(crate) struct Upsert {
    pub segment: Arc<str>,
    pub row: Row,
}

/// A row that is no longer in its segment.
#[derive(Clone, Debug)]
pub(crate) struct Removal {
    pub segment: Arc<str>,
    pub identity: String,
}

/// What a module must do for a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Rows that are new or changed, with all their fields.
    pub upserts: Vec<Map<String, Value>>,
    /// Identities of rows that were removed.
    pub removals: Vec<String>,
}

impl Batch {
    pub(crate) fn upserts(collection: &'static Collection, upserts: Vec<Upsert>) -> Self {
        Self::new(collection, Work::Upserts(upserts))
    }

    pub(crate) fn removals(collection: &'static Collection, removals: Vec<Removal>) -> Self {
        Self::new(collection, Work::Removals(removals))
    }

    fn new(collection: &'static Collection, work: Work) -> Self {
        Self {
            collection,
            work,
            handed: AtomicU32::new(0),
            refetch: Mutex::default(),
        }
    }

    /// The collection's name.
    pub fn collection(&self) -> &'static str {
        self.collection.name
    }

    /// How many rows it has. [`Batch::rows`] may return fewer.
    pub fn len(&self) -> usize {
        match &self.work {
            Work::Upserts(upserts) => upserts.len(),
            Work::Removals(removals) => removals.len(),
        }
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the module must do, as of this transaction. Two kinds of rows are left out: rows with a
    /// pending change, because the local row is newer, and rows that an earlier segment holds too.
    ///
    /// # Errors
    /// What the transaction's reads return.
    pub fn rows(&self, tx: &mut Transaction) -> Result<Rows, StorageError> {
        let mut rows = Rows::default();
        let pending = self.pending(tx)?;
        match &self.work {
            Work::Upserts(upserts) => {
                let first = first_segments(upserts);
                for Upsert { segment, row } in upserts {
                    let identity = row.identity.as_str();
                    if first[identity] == &**segment
                        && !pending.contains(identity)
                        && !self.is_preceded(tx, segment, identity)?
                    {
                        rows.upserts.push(row.fields.clone());
                    }
                }
            }
            Work::Removals(removals) => {
                for Removal { segment, identity } in removals {
                    let elsewhere = self.elsewhere(tx, segment, identity)?.is_some();
                    if !elsewhere && !pending.contains(identity.as_str()) {
                        rows.removals.push(identity.clone());
                    }
                }
            }
        }
        let handed = rows.upserts.len() + rows.removals.len();
        self.handed
            .store(u32::try_from(handed).unwrap_or(u32::MAX), Ordering::Relaxed);
        Ok(rows)
    }

    /// Records that the batch is applied. Call it in the transaction of [`Batch::rows`], after the
    /// module.
    ///
    /// # Errors
    /// What the transaction's reads and writes return.
    pub fn record(&self, tx: &mut Transaction) -> Result<(), StorageError> {
        let pending = self.pending(tx)?;
        match &self.work {
            Work::Upserts(upserts) => {
                for Upsert { segment, row } in upserts {
                    // The module has other fields of a pending row. When the change is published,
                    // the row is fetched again. Its blob counts anyway.
                    let pending = pending.contains(row.identity.as_str());
                    let digest = if pending { UNKNOWN } else { row.digest };
                    let blob = row.blob;
                    mirror::put_row(tx, self.location(segment, &row.identity), MirroredRow { digest, blob })?;
                }
            }
            Work::Removals(removals) => {
                for Removal { segment, identity } in removals {
                    if !pending.contains(identity.as_str()) {
                        self.record_removal(tx, segment, identity)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Records rows of a collection that no module keeps, because they may name blobs.
    pub(crate) fn record_unkept(&self, tx: &mut Transaction) -> Result<(), StorageError> {
        match &self.work {
            Work::Upserts(upserts) => {
                for Upsert { segment, row } in upserts {
                    let mirrored = MirroredRow {
                        digest: UNKNOWN,
                        blob: row.blob,
                    };
                    mirror::put_row(tx, self.location(segment, &row.identity), mirrored)?;
                }
            }
            Work::Removals(removals) => {
                for Removal { segment, identity } in removals {
                    let location = self.location(segment, identity);
                    // A row that a module has is removed from it when the module is back.
                    if mirror::row(tx, location)?.is_some_and(|mirrored| mirrored.digest == UNKNOWN) {
                        mirror::remove_row(tx, location)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// How many rows were given to the module.
    pub(crate) fn handed(&self) -> u32 {
        self.handed.load(Ordering::Relaxed)
    }

    /// Segments that must be fetched again because of this batch.
    pub(crate) fn take_refetch(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.refetch.lock())
    }

    /// Rows of the batch that have a pending change.
    fn pending(&self, tx: &mut Transaction) -> Result<HashSet<&str>, StorageError> {
        let identities: Vec<&str> = match &self.work {
            Work::Upserts(upserts) => upserts.iter().map(|upsert| &*upsert.row.identity).collect(),
            Work::Removals(removals) => removals.iter().map(|removal| &*removal.identity).collect(),
        };
        outbox::pending(tx, self.collection(), identities.into_iter())
    }

    fn location<'a>(&'a self, segment: &'a str, identity: &'a str) -> RowLocation<'a> {
        RowLocation {
            collection: self.collection.name,
            segment,
            identity,
        }
    }

    /// Whether an earlier segment holds the row too. The first segment of a row counts.
    fn is_preceded(&self, tx: &mut Transaction, segment: &str, identity: &str) -> Result<bool, StorageError> {
        let first = mirror::segments_of(tx, self.collection(), identity)?.into_iter().next();
        Ok(first.is_some_and(|first| first.as_str() < segment))
    }

    /// The first other segment that holds the row after this batch.
    fn elsewhere(&self, tx: &mut Transaction, segment: &str, identity: &str) -> Result<Option<String>, StorageError> {
        let Work::Removals(removals) = &self.work else {
            return Ok(None);
        };
        let segments = mirror::segments_of(tx, self.collection(), identity)?;
        Ok(segments.into_iter().find(|other| {
            other != segment
                && !removals
                    .iter()
                    .any(|removal| removal.identity == identity && *removal.segment == **other)
        }))
    }

    fn record_removal(&self, tx: &mut Transaction, segment: &str, identity: &str) -> Result<(), StorageError> {
        let gone = self.location(segment, identity);
        let old = mirror::row(tx, gone)?;
        let counted = !self.is_preceded(tx, segment, identity)?;
        mirror::remove_row(tx, gone)?;
        // The row is still in another segment. If that row is not what the module has, it must come
        // again.
        if counted && let Some(other) = self.elsewhere(tx, segment, identity)? {
            let location = self.location(&other, identity);
            if let Some(mut row) = mirror::row(tx, location)?
                && Some(row.digest) != old.map(|old| old.digest)
            {
                row.digest = UNKNOWN;
                mirror::put_row(tx, location, row)?;
                mirror::invalidate(tx, self.collection(), &other)?;
                self.refetch.lock().insert(other);
            }
        }
        Ok(())
    }
}

/// The first segment of each identity of a batch.
fn first_segments(upserts: &[Upsert]) -> HashMap<&str, &str> {
    let mut first: HashMap<&str, &str> = HashMap::with_capacity(upserts.len());
    for Upsert { segment, row } in upserts {
        let entry = first.entry(&row.identity).or_insert(segment);
        *entry = (*entry).min(segment);
    }
    first
}
