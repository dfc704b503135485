//! From the space to the local rows.
//!
//! A pass lists the segments, fetches those whose version is not the one known, several at once,
//! and compares each with the mirror. New and changed rows of all segments are applied before any
//! row is removed, so that a row which moved from one segment to another is never missing. A
//! segment's version is noted only when all of its rows are applied: a pass that was cut short is
//! done again where it was not finished. Memory is bounded by segments being fetched, by batches,
//! and by the identities of rows to remove; what does not fit is left to another pass.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::batch::{BATCH_LIMIT_BYTES, BATCH_LIMIT_ROWS, Removal, Upsert};
use crate::list::{ListedSegment, Version};
use crate::mirror::{self, SegmentState};
use crate::row;
use crate::segment::Segment;
use crate::state::CloudState;
use crate::update::update;
use crate::{Batch, COLLECTIONS, Collection, Error, RowSink, Space, SyncReport, publish};

/// Segments fetched at once.
const FETCHES_AT_ONCE: usize = 8;
/// Bytes of segments in memory at once, in MiB; a larger segment comes alone.
const FETCH_LIMIT_MIB: u32 = 256;
/// Rows to remove that are remembered in one pass, unless a single segment has more.
const REMOVALS_LIMIT: usize = 500_000;
/// Passes of one sync.
const PASSES_LIMIT: u32 = 16;
/// How long a modification time in whole seconds may still get a second change unnoticed.
const SETTLE_MS: i64 = 3_000;

/// Publishes the outbox, then syncs. One sync runs at a time.
pub(crate) async fn publish_and_sync(state: &CloudState, sink: &dyn RowSink) -> Result<SyncReport, Error> {
    let publish_then_sync = async {
        publish::rows(state).await?;
        run(state, sink).await
    };
    state.sync_runs.run(publish_then_sync).await
}

/// Runs one sync.
async fn run(state: &CloudState, sink: &dyn RowSink) -> Result<SyncReport, Error> {
    let _moving = state.moving.lock().await;
    let total_bytes = state.space.total_bytes().await?;
    update(&state.store, |tx| mirror::put_total_bytes(tx, total_bytes)).await?;
    let mut report = SyncReport::default();
    for _ in 0..PASSES_LIMIT {
        if !Pass::new(state, sink, &mut report).run().await? {
            break;
        }
    }
    Ok(report)
}

/// A segment that differs from what is known of it.
struct StaleSegment {
    listed: ListedSegment,
    kept: bool,
}

/// A segment whose rows are being applied, and the state to note afterwards.
struct AppliedSegment {
    collection: &'static Collection,
    segment: Arc<str>,
    /// `None` for a segment that is no more.
    state: Option<SegmentState>,
}

struct Pass<'a> {
    state: &'a CloudState,
    sink: &'a dyn RowSink,
    report: &'a mut SyncReport,
    upserts: Vec<RowQueue<Upsert>>,
    removals: Vec<RowQueue<Removal>>,
    /// Rows to remove so far.
    removals_len: usize,
    /// Segments that have to be fetched once more.
    refetch: HashSet<(&'static str, String)>,
    again: bool,
}

/// Rows of one collection that wait for a batch, and segments whose rows are all among them.
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

impl<'a> Pass<'a> {
    fn new(state: &'a CloudState, sink: &'a dyn RowSink, report: &'a mut SyncReport) -> Self {
        Self {
            state,
            sink,
            report,
            upserts: COLLECTIONS.iter().map(|_| RowQueue::default()).collect(),
            removals: COLLECTIONS.iter().map(|_| RowQueue::default()).collect(),
            removals_len: 0,
            refetch: HashSet::new(),
            again: false,
        }
    }

    /// Returns whether another pass is needed.
    async fn run(mut self) -> Result<bool, Error> {
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
            let known = self.known(index, &segment).await?;
            self.remove(index, &segment, known.into_keys());
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

    /// The segments that changed, and those that are no more with the index of their collection.
    async fn compare(&self) -> Result<(Vec<StaleSegment>, Vec<(usize, Arc<str>)>), Error> {
        let listings = COLLECTIONS
            .iter()
            .map(|collection| self.state.space.segments(collection));
        let listings = futures_util::future::try_join_all(listings).await?;
        let (mut stale, mut vanished) = (Vec::new(), Vec::new());
        let mut tx = self.state.store.begin();
        for (index, (collection, listed)) in COLLECTIONS.iter().zip(listings).enumerate() {
            let kept = self.sink.keeps(collection.name);
            let mut known: HashMap<_, _> = mirror::segments(&mut tx, collection.name)?.into_iter().collect();
            for listed in listed {
                let state = known.remove(&listed.segment);
                let same =
                    state.is_some_and(|state| state.version.as_ref() == Some(&listed.version) && (state.kept || !kept));
                if !same {
                    stale.push(StaleSegment { listed, kept });
                }
            }
            vanished.extend(known.into_keys().map(|segment| (index, Arc::from(segment))));
        }
        Ok((stale, vanished))
    }

    /// Sorts the rows of a fetched segment into those to apply and those to remove.
    async fn take(&mut self, fetched: FetchedSegment) -> Result<(), Error> {
        let FetchedSegment {
            stale: StaleSegment { listed, kept },
            content,
            _permit,
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
            // It vanished since it was listed; the next sync lists again.
            Ok(None) => return Ok(()),
            Err(Error::Malformed { object, reason }) => {
                tracing::error!(object, reason, "the segment is passed over; its rows stay as they were");
                self.report.malformed += 1;
                return self.note(vec![applied(Some(listed.version.clone()), true)]).await;
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
        let mut known = self.known(index, &name).await?;
        for identity in segment.identities() {
            let Some(line) = segment.line(identity) else { continue };
            if known.remove(identity) == Some(row::digest(line)) {
                continue;
            }
            let Some(row) = segment.row(identity) else { continue };
            let pending = &mut self.upserts[index];
            pending.len_bytes += line.len();
            pending.rows.push(Upsert {
                segment: Arc::clone(&name),
                row,
            });
            if pending.rows.len() >= BATCH_LIMIT_ROWS || pending.len_bytes >= BATCH_LIMIT_BYTES {
                self.flush_upserts(index).await?;
            }
        }
        if known.is_empty() {
            self.upserts[index].segments.push(applied(version, false));
        } else {
            self.remove(index, &name, known.into_keys());
            self.removals[index].segments.push(applied(version, false));
        }
        Ok(())
    }

    /// The digests of a segment's rows as they are known here.
    async fn known(&self, index: usize, segment: &Arc<str>) -> Result<HashMap<String, row::Digest>, Error> {
        let (store, segment) = (self.state.store.clone(), Arc::clone(segment));
        let read = tokio::task::spawn_blocking(move || {
            let mut tx = store.begin();
            let mut known = HashMap::new();
            let mut after: Option<String> = None;
            loop {
                let (rows, more) = mirror::rows_of(&mut tx, COLLECTIONS[index].name, &segment, after.as_deref())?;
                known.extend(rows.into_iter().map(|(identity, row)| (identity, row.digest)));
                match more {
                    Some(last) => after = Some(last),
                    None => return Ok(known),
                }
            }
        });
        read.await.map_err(Error::storage)?
    }

    fn remove(&mut self, index: usize, segment: &Arc<str>, identities: impl Iterator<Item = String>) {
        let pending = &mut self.removals[index];
        let before = pending.rows.len();
        pending.rows.extend(identities.map(|identity| Removal {
            segment: Arc::clone(segment),
            identity,
        }));
        self.removals_len += pending.rows.len() - before;
    }

    async fn flush_upserts(&mut self, index: usize) -> Result<(), Error> {
        let RowQueue { rows, segments, .. } = std::mem::take(&mut self.upserts[index]);
        if !rows.is_empty() {
            self.report.upserts += self.apply(Batch::upserts(&COLLECTIONS[index], rows)).await?;
        }
        self.note(segments).await
    }

    async fn flush_removals(&mut self, index: usize) -> Result<(), Error> {
        let RowQueue { mut rows, segments, .. } = std::mem::take(&mut self.removals[index]);
        while !rows.is_empty() {
            let batch = rows.split_off(rows.len().saturating_sub(BATCH_LIMIT_ROWS));
            self.report.removals += self.apply(Batch::removals(&COLLECTIONS[index], batch)).await?;
        }
        self.note(segments).await
    }

    /// Has a batch applied, or noted where no module keeps its rows. Returns the rows that were
    /// taken.
    async fn apply(&mut self, batch: Batch) -> Result<u32, Error> {
        if !self.sink.keeps(batch.collection()) {
            update(&self.state.store, |tx| batch.record_unkept(tx)).await?;
            return Ok(0);
        }
        let applied = self.sink.apply(&batch).await.map_err(|source| Error::Sink {
            collection: batch.collection().to_owned(),
            source: Arc::new(source),
        })?;
        self.report.skipped = self.report.skipped.saturating_add(applied.skipped);
        let name = COLLECTIONS
            .iter()
            .find(|collection| collection.name == batch.collection())
            .map_or("", |c| c.name);
        for segment in batch.take_refetch() {
            self.refetch.insert((name, segment));
            self.again = true;
        }
        Ok(batch.handed().saturating_sub(applied.skipped))
    }

    /// Notes the state of segments whose rows are all applied.
    async fn note(&mut self, segments: Vec<AppliedSegment>) -> Result<(), Error> {
        if segments.is_empty() {
            return Ok(());
        }
        let refetch = &self.refetch;
        update(&self.state.store, |tx| {
            for AppliedSegment {
                collection,
                segment,
                state,
            } in &segments
            {
                let name = collection.name;
                match state {
                    Some(state) => {
                        let fetch = refetch.contains(&(name, segment.to_string()));
                        let version = state.version.clone().filter(|_| !fetch);
                        let state = SegmentState {
                            version,
                            ..state.clone()
                        };
                        mirror::put_segment(tx, name, segment, &state)?;
                    }
                    // Rows may be left that have a pending change, or that a module which is away
                    // still has.
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

/// A segment as it was fetched.
struct FetchedSegment {
    stale: StaleSegment,
    /// `None` when it is no longer there.
    content: Result<Option<(Segment, Option<Version>)>, Error>,
    /// Counts towards the limit until the segment is dropped.
    _permit: OwnedSemaphorePermit,
}

/// Fetches segments, several at once. Dropped, it stops.
struct Fetches {
    space: Space,
    waiting: std::vec::IntoIter<StaleSegment>,
    running: JoinSet<Result<FetchedSegment, Error>>,
    room_mib: Arc<Semaphore>,
}

impl Fetches {
    fn new(space: &Space, stale: Vec<StaleSegment>) -> Self {
        Self {
            space: space.clone(),
            waiting: stale.into_iter(),
            running: JoinSet::new(),
            room_mib: Arc::new(Semaphore::new(FETCH_LIMIT_MIB as usize)),
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.len() == 0 && self.running.is_empty()
    }

    async fn next(&mut self) -> Result<Option<FetchedSegment>, Error> {
        while self.running.len() < FETCHES_AT_ONCE
            && let Some(stale) = self.waiting.next()
        {
            self.running
                .spawn(fetch(self.space.clone(), stale, Arc::clone(&self.room_mib)));
        }
        match self.running.join_next().await {
            Some(fetched) => fetched.map_err(|error| Error::unreachable("lists", error))?.map(Some),
            None => Ok(None),
        }
    }
}

async fn fetch(space: Space, stale: StaleSegment, room_mib: Arc<Semaphore>) -> Result<FetchedSegment, Error> {
    let mib = u32::try_from(stale.listed.len_bytes >> 20)
        .unwrap_or(u32::MAX)
        .saturating_add(1)
        .min(FETCH_LIMIT_MIB);
    let permit = room_mib
        .acquire_many_owned(mib)
        .await
        .map_err(|error| Error::unreachable("lists", error))?;
    let listed = &stale.listed;
    let content = match space.read_segment(listed.collection, &listed.segment).await {
        Ok((segment, meta)) => {
            let version = match () {
                // What was fetched may be newer than what was listed.
                () if listed.version.is_tag() => Some(Version::of(&meta)),
                () if is_settled(listed.modified_ms) => Some(listed.version.clone()),
                () => None,
            };
            Ok(Some((segment, version)))
        }
        Err(Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    Ok(FetchedSegment {
        stale,
        content,
        _permit: permit,
    })
}

/// Whether a modification time tells this state from every later one: it is fine enough, or long
/// enough ago.
fn is_settled(modified_ms: i64) -> bool {
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_millis() as i64);
    modified_ms % 1000 != 0 || now_ms - modified_ms > SETTLE_MS
}
