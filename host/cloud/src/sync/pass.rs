//! One pass of a sync.
//!
//! A pass lists the segments, fetches those that are stale, and compares each with the mirror.
//!
//! New and changed rows of all segments are applied before any row is removed. So a row that moves
//! from one segment to another is never missing. The version of a segment is recorded when all its
//! rows are applied. If a pass is cut short, the next one fetches the unfinished segments again.
//!
//! Memory is bounded: by the segments that are fetched at once, by the batches, and by the
//! identities of the rows to remove. What does not fit is left to another pass.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::fetches::{FetchedSegment, Fetches, StaleSegment};
use crate::batch::{BATCH_LIMIT_BYTES, BATCH_LIMIT_ROWS, Removal, Upsert};
use crate::mirror::{self, SegmentState};
use crate::row;
use crate::state::CloudState;
use crate::update::update;
use crate::{Batch, COLLECTIONS, Collection, Error, RowSink, SyncReport};

/// The most rows that one pass removes, unless a single segment has more.
const REMOVALS_LIMIT: usize = 500_000;

/// A segment whose rows are being applied, and the state to record afterwards.
struct AppliedSegment {
    collection: &'static Collection,
    segment: Arc<str>,
    /// `None` for a segment that is no longer in the space.
    state: Option<SegmentState>,
}

/// Rows of one collection that wait for a batch, and the segments whose last rows are among them.
struct RowQueue<T> {
    rows: Vec<T>,
    len_bytes: usize,
    segments: Vec<AppliedSegment>,
}

impl<T> Default for RowQueue<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            len_bytes: 0,
            segments: Vec::new(),
        }
    }
}

pub(super) struct Pass<'a> {
    state: &'a CloudState,
    sink: &'a dyn RowSink,
    report: &'a mut SyncReport,
    /// A queue a collection, in the order of [`COLLECTIONS`].
    upserts: [RowQueue<Upsert>; COLLECTIONS.len()],
    removals: [RowQueue<Removal>; COLLECTIONS.len()],
    /// Rows to remove so far.
    removals_len: usize,
    /// Segments that must be fetched again.
    refetch: HashSet<(&'static str, String)>,
    again: bool,
}

impl<'a> Pass<'a> {
    pub(super) fn new(state: &'a CloudState, sink: &'a dyn RowSink, report: &'a mut SyncReport) -> Self {
        Self {
            state,
            sink,
            report,
            upserts: Default::default(),
            removals: Default::default(),
            removals_len: 0,
            refetch: HashSet::new(),
            again: false,
        }
    }

    /// Returns whether another pass is needed.
    pub(super) async fn run(mut self) -> Result<bool, Error> {
        let (stale, vanished) = self.compare().await?;
        let mut fetches = Fetches::new(&self.state.space, stale);
        while let Some(fetched) = fetches.next().await? {
            self.take(fetched).await?;
            if self.removals_len >= REMOVALS_LIMIT {
                self.again |= !fetches.is_empty();
                break;
            }
        }
        drop(fetches);
        for index in 0..COLLECTIONS.len() {
            self.flush_upserts(index).await?;
        }
        for (index, segment) in vanished {
            if self.removals_len >= REMOVALS_LIMIT {
                self.again = true;
                break;
            }
            let digests = self.digests(index, &segment).await?;
            self.remove(index, &segment, digests.into_keys());
            self.removals[index].segments.push(AppliedSegment {
                collection: &COLLECTIONS[index],
                segment,
                state: None,
            });
        }
        for index in 0..COLLECTIONS.len() {
            self.flush_removals(index).await?;
        }
        Ok(self.again)
    }

    /// The segments that changed, and those that are no longer in the space. The latter have the
    /// index of their collection.
    async fn compare(&self) -> Result<(Vec<StaleSegment>, Vec<(usize, Arc<str>)>), Error> {
        let listings = COLLECTIONS
            .iter()
            .map(|collection| self.state.space.segments(collection));
        let listings = futures_util::future::try_join_all(listings).await?;
        let (mut stale, mut vanished) = (Vec::new(), Vec::new());
        let mut tx = self.state.store.begin();
        for (index, (collection, listing)) in COLLECTIONS.iter().zip(listings).enumerate() {
            let kept = self.sink.keeps(collection.name);
            let mut mirrored: HashMap<_, _> = mirror::segments(&mut tx, collection.name)?.into_iter().collect();
            for listed in listing {
                let state = mirrored.remove(&listed.segment);
                let same =
                    state.is_some_and(|state| state.version.as_ref() == Some(&listed.version) && (state.kept || !kept));
                if !same {
                    stale.push(StaleSegment { listed, kept });
                }
            }
            vanished.extend(mirrored.into_keys().map(|segment| (index, Arc::from(segment))));
        }
        Ok((stale, vanished))
    }

    /// Queues the rows of a fetched segment that differ from the mirror.
    async fn take(&mut self, fetched: FetchedSegment) -> Result<(), Error> {
        let FetchedSegment {
            stale: StaleSegment { listed, kept },
            content,
            permit: _permit,
        } = fetched;
        let index = index_of(listed.collection);
        let name: Arc<str> = listed.segment.as_str().into();
        let applied = |version, unread| AppliedSegment {
            collection: listed.collection,
            segment: Arc::clone(&name),
            state: Some(SegmentState { version, kept, unread }),
        };
        let (segment, version) = match content {
            Ok(Some(content)) => content,
            // It vanished since it was listed. The next sync lists again.
            Ok(None) => return Ok(()),
            Err(Error::Malformed { object, reason }) => {
                tracing::error!(object, reason, "the segment is passed over; its rows stay as they were");
                self.report.malformed += 1;
                return self.record(vec![applied(Some(listed.version.clone()), true)]).await;
            }
            Err(error) => return Err(error),
        };
        self.report.segments += 1;
        self.report.skipped = self.report.skipped.saturating_add(segment.skipped());
        if segment.skipped() > 0 {
            tracing::warn!(
                object = listed.object,
                lines = segment.skipped(),
                "lines that are no rows are left out"
            );
        }
        let mut digests = self.digests(index, &name).await?;
        for identity in segment.identities() {
            let Some(line) = segment.line(identity) else { continue };
            if digests.remove(identity) == Some(row::digest(line)) {
                continue;
            }
            let Some(row) = segment.row(identity) else { continue };
            let queue = &mut self.upserts[index];
            queue.len_bytes += line.len();
            queue.rows.push(Upsert {
                segment: Arc::clone(&name),
                row,
            });
            if queue.rows.len() >= BATCH_LIMIT_ROWS || queue.len_bytes >= BATCH_LIMIT_BYTES {
                self.flush_upserts(index).await?;
            }
        }
        if digests.is_empty() {
            self.upserts[index].segments.push(applied(version, false));
        } else {
            self.remove(index, &name, digests.into_keys());
            self.removals[index].segments.push(applied(version, false));
        }
        Ok(())
    }

    /// The digests of a segment's rows in the mirror.
    async fn digests(&self, index: usize, segment: &Arc<str>) -> Result<HashMap<String, row::Digest>, Error> {
        let (store, segment) = (self.state.store.clone(), Arc::clone(segment));
        let read = tokio::task::spawn_blocking(move || {
            let mut tx = store.begin();
            let mut digests = HashMap::new();
            let mut after: Option<String> = None;
            loop {
                let (rows, more) = mirror::rows_of(&mut tx, COLLECTIONS[index].name, &segment, after.as_deref())?;
                digests.extend(rows.into_iter().map(|(identity, row)| (identity, row.digest)));
                match more {
                    Some(last) => after = Some(last),
                    None => return Ok(digests),
                }
            }
        });
        read.await.map_err(Error::storage)?
    }

    fn remove(&mut self, index: usize, segment: &Arc<str>, identities: impl ExactSizeIterator<Item = String>) {
        self.removals_len += identities.len();
        self.removals[index].rows.extend(identities.map(|identity| Removal {
            segment: Arc::clone(segment),
            identity,
        }));
    }

    async fn flush_upserts(&mut self, index: usize) -> Result<(), Error> {
        let RowQueue { rows, segments, .. } = std::mem::take(&mut self.upserts[index]);
        if !rows.is_empty() {
            self.report.upserts += self.apply(Batch::upserts(&COLLECTIONS[index], rows)).await?;
        }
        self.record(segments).await
    }

    async fn flush_removals(&mut self, index: usize) -> Result<(), Error> {
        let RowQueue { mut rows, segments, .. } = std::mem::take(&mut self.removals[index]);
        while !rows.is_empty() {
            let batch = rows.split_off(rows.len().saturating_sub(BATCH_LIMIT_ROWS));
            self.report.removals += self.apply(Batch::removals(&COLLECTIONS[index], batch)).await?;
        }
        self.record(segments).await
    }

    /// Has a module apply a batch. If no module keeps the rows, they are only recorded. Returns how
    /// many rows the module took.
    async fn apply(&mut self, batch: Batch) -> Result<u32, Error> {
        let collection = batch.collection();
        if !self.sink.keeps(collection) {
            update(&self.state.store, |tx| batch.record_unkept(tx)).await?;
            return Ok(0);
        }
        let applied = self.sink.apply(&batch).await.map_err(|source| Error::Sink {
            collection: collection.to_owned(),
            source: Arc::new(source),
        })?;
        self.report.skipped = self.report.skipped.saturating_add(applied.skipped);
        for segment in batch.take_refetch() {
            self.refetch.insert((collection, segment));
            self.again = true;
        }
        Ok(batch.handed().saturating_sub(applied.skipped))
    }

    /// Records the state of segments whose rows are all applied.
    async fn record(&mut self, segments: Vec<AppliedSegment>) -> Result<(), Error> {
        if segments.is_empty() {
            return Ok(());
        }
        let refetch = &self.refetch;
        update(&self.state.store, |tx| {
            for applied in &segments {
                let (name, segment) = (applied.collection.name, &*applied.segment);
                match &applied.state {
                    Some(state) => {
                        let mut state = state.clone();
                        if refetch.contains(&(name, segment.to_string())) {
                            state.version = None;
                        }
                        mirror::put_segment(tx, name, segment, &state)?;
                    }
                    // Rows stay if they have a pending change, or if their module is away.
                    None if mirror::rows_of(tx, name, segment, None)?.0.is_empty() => {
                        mirror::remove_segment(tx, name, segment)?;
                    }
                    None => mirror::invalidate(tx, name, segment)?,
                }
            }
            Ok(())
        })
        .await
    }
}

fn index_of(collection: &Collection) -> usize {
    COLLECTIONS.iter().position(|other| other == collection).unwrap_or(0)
}
