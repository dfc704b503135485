//! From the outbox to the space.
//!
//! Changes are taken in order. Consecutive changes of one collection form a step; the segments of a
//! step are changed side by side, and a step begins when the one before it is in the space.
//! Publishing a change twice does no harm, so a change leaves the outbox only in the transaction
//! that records it as done.
//!
//! An edit of a row that was known here and is gone from the space is dropped, for another host
//! removed the row, and the next sync removes it here. Only a row that names a blob is made again:
//! what is put then is a file that was just uploaded.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value};
use stowage_storage::{Error as StorageError, Store, Transaction};

use crate::exclusion::Guard;
use crate::list::SegmentChange;
use crate::mirror::{self, MirroredRow, RowLocation, SegmentState};
use crate::outbox::{self, StagedChange};
use crate::row::{self, UNKNOWN};
use crate::segment::{self, RowEdit};
use crate::state::CloudState;
use crate::update::update;
use crate::{Collection, Error, SpaceChange};

/// Edits of rows by segment and identity.
type SegmentEdits = BTreeMap<String, HashMap<String, RowEdit>>;

/// Changes taken at once, where they are small: a page of the storage is at most 4 MiB. Rewriting a
/// segment costs about the same for one change as for many.
const TAKE: u32 = 10_000;
/// Rows and changes recorded in one transaction: calls commit between one and the next.
const RECORDS: usize = 256;
/// Segments changed side by side.
const SEGMENTS_AT_ONCE: usize = 8;

/// Whether a row change up to this number is in the outbox.
pub(crate) fn is_pending(store: &Store, until: u64) -> Result<bool, Error> {
    let mut tx = store.begin();
    let mut from = 0;
    loop {
        let (staged, more) = outbox::after(&mut tx, from, TAKE)?;
        if staged
            .iter()
            .any(|staged| staged.number <= until && staged.change.row().is_some())
        {
            return Ok(true);
        }
        match more {
            Some(cursor) if cursor < until => from = cursor,
            _ => return Ok(false),
        }
    }
}

/// Publishes every row change of the outbox. Blobs to remove are passed over: a row that is
/// published before its blob would be removed keeps the blob.
pub(crate) async fn rows(state: &CloudState) -> Result<(), Error> {
    let mut from = 0;
    while let Some(cursor) = some_rows(state, from).await? {
        from = cursor;
    }
    Ok(())
}

/// Publishes the row changes among the first that come after a number, and returns the number to go
/// on after while there may be more.
pub(crate) async fn some_rows(state: &CloudState, from: u64) -> Result<Option<u64>, Error> {
    let _moving = state.moving.lock().await;
    // Reading so many takes a while, and the threads of the calls have no time for it.
    let store = state.store.clone();
    let read = tokio::task::spawn_blocking(move || outbox::after(&mut store.begin(), from, TAKE));
    let (staged, more) = read.await.map_err(Error::storage)??;
    let mut rest = &staged[..];
    while let Some(first) = rest.first() {
        let collection = first.change.row().map(|(collection, _)| collection);
        let len = rest
            .iter()
            .take_while(|s| s.change.row().map(|(name, _)| name) == collection)
            .count();
        let (step, later) = rest.split_at(len);
        if let Some(collection) = collection {
            publish_step(state, collection, step).await?;
        }
        rest = later;
    }
    Ok(more)
}

async fn publish_step(state: &CloudState, collection: &str, step: &[StagedChange]) -> Result<(), Error> {
    let Some(collection) = Collection::named(collection) else {
        tracing::error!(
            collection,
            "dropping changes of a collection that this program does not know"
        );
        return forget(state, &step.iter().collect::<Vec<_>>()).await;
    };
    let exclusion = state.space.exclusion().await?;
    let guard = exclusion.enter(state.space.objects()).await?;
    let plan = Plan::of(collection, step, &mut state.store.begin()).await?;
    let edits = plan.segments;
    let held = &guard;
    // Owned items: a future that borrows them is not known to be `Send` for every lifetime.
    let outcomes: Vec<_> = stream::iter(edits)
        .map(|(segment, edits)| async move { edit(state, held, collection, &segment, &edits).await })
        .buffer_unordered(SEGMENTS_AT_ONCE)
        .collect()
        .await;
    let mut all = StepOutcome::default();
    for outcome in outcomes {
        all.add(outcome);
    }
    let missing = std::mem::take(&mut all.missing);
    if !missing.is_empty() {
        edit_missing(state, held, collection, missing, &mut all).await;
    }
    drop(guard);
    let StepOutcome {
        changed: done,
        refetch,
        unpublished,
        failure,
        ..
    } = all;
    let published: Vec<_> = step
        .iter()
        .filter(|staged| {
            staged
                .change
                .row()
                .is_some_and(|(_, identity)| !unpublished.contains(identity))
        })
        .collect();
    note(state, collection, &done, &refetch).await?;
    forget(state, &published).await?;
    failure.map_or(Ok(()), Err)
}

/// Notes what became of segments, a few at a time: what is noted and still in the outbox is
/// published again, which does no harm.
async fn note(
    state: &CloudState,
    collection: &Collection,
    done: &[(String, SegmentChange)],
    refetch: &[String],
) -> Result<(), Error> {
    let mut rest = done;
    while !rest.is_empty() {
        let mut rows = 0;
        let len = rest
            .iter()
            .take_while(|(_, changed)| {
                let fits = rows < RECORDS;
                rows += changed.rows.len();
                fits
            })
            .count();
        let (some, later) = rest.split_at(len);
        update(&state.store, |tx| {
            some.iter()
                .try_for_each(|(segment, changed)| record(tx, collection, segment, changed))
        })
        .await?;
        rest = later;
    }
    if refetch.is_empty() {
        return Ok(());
    }
    update(&state.store, |tx| {
        refetch
            .iter()
            .try_for_each(|segment| mirror::invalidate(tx, collection.name, segment))
    })
    .await
}

/// Takes changes out of the outbox.
async fn forget(state: &CloudState, published: &[&StagedChange]) -> Result<(), Error> {
    for some in published.chunks(RECORDS) {
        update(&state.store, |tx| outbox::remove(tx, some.iter().copied())).await?;
    }
    state.notify_published();
    Ok(())
}

/// What one row is to be after a step.
enum WantedRow {
    /// These fields, and the others as they are.
    With(Map<String, Value>),
    /// These fields only.
    Only(Map<String, Value>),
    /// No such row.
    Absent,
}

/// What a step does to each segment.
struct Plan {
    segments: SegmentEdits,
}

impl Plan {
    async fn of(collection: &Collection, step: &[StagedChange], tx: &mut Transaction) -> Result<Self, StorageError> {
        let mut rows: BTreeMap<&str, WantedRow> = BTreeMap::new();
        for StagedChange { change, .. } in step {
            match change {
                SpaceChange::PutRow { identity, fields, .. } => {
                    let row = match rows.remove(identity.as_str()) {
                        None => WantedRow::With(fields.clone()),
                        Some(WantedRow::Absent) => WantedRow::Only(fields.clone()),
                        Some(WantedRow::With(old)) => WantedRow::With(merged(old, fields)),
                        Some(WantedRow::Only(old)) => WantedRow::Only(merged(old, fields)),
                    };
                    rows.insert(identity, row);
                }
                SpaceChange::DeleteRow { identity, .. } => drop(rows.insert(identity, WantedRow::Absent)),
                SpaceChange::DeleteBlob { .. } => {}
            }
        }
        let mut plan = Self {
            segments: SegmentEdits::new(),
        };
        // Most collections have none, and need not be asked about each row.
        let has_strays = mirror::has_strays(tx, collection.name)?;
        for (n, (identity, row)) in rows.into_iter().enumerate() {
            if n % RECORDS == RECORDS - 1 {
                tokio::task::yield_now().await;
            }
            let default = segment::default_segment(identity);
            let segments = match has_strays {
                true => mirror::segments_of(tx, collection.name, identity)?,
                false => mirror::in_default_segment(tx, collection.name, identity)?
                    .into_iter()
                    .collect(),
            };
            match row {
                WantedRow::With(fields) => match segments.into_iter().next() {
                    Some(segment) => plan.add(segment, identity, RowEdit::Update(fields)),
                    None => plan.add(default, identity, RowEdit::Set(fields)),
                },
                WantedRow::Only(fields) => {
                    // Other copies would bring the old fields back.
                    for segment in segments.into_iter().filter(|segment| *segment != default) {
                        plan.add(segment, identity, RowEdit::Remove);
                    }
                    plan.add(default, identity, RowEdit::Replace(fields));
                }
                WantedRow::Absent => {
                    // Every copy has to go, also one that we have not seen yet in the segment where
                    // it would be.
                    for segment in segments.into_iter().chain([default]) {
                        plan.add(segment, identity, RowEdit::Remove);
                    }
                }
            }
        }
        Ok(plan)
    }

    fn add(&mut self, segment: String, identity: &str, edit: RowEdit) {
        self.segments
            .entry(segment)
            .or_default()
            .insert(identity.to_owned(), edit);
    }
}

fn merged(mut old: Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    old.extend(new.iter().map(|(name, value)| (name.clone(), value.clone())));
    old
}

/// How edits of segments went.
#[derive(Default)]
struct StepOutcome {
    changed: Vec<(String, SegmentChange)>,
    /// Rows that were to be updated where they are no more, with the fields to set.
    missing: HashMap<String, Map<String, Value>>,
    /// Segments that such rows are gone from: the next sync has to fetch them.
    refetch: Vec<String>,
    /// Rows whose edit is not in the space.
    unpublished: HashSet<String>,
    failure: Option<Error>,
}

impl StepOutcome {
    fn add(&mut self, other: Self) {
        self.changed.extend(other.changed);
        self.missing.extend(other.missing);
        self.refetch.extend(other.refetch);
        self.unpublished.extend(other.unpublished);
        self.failure = other.failure.or(self.failure.take());
    }
}

async fn edit(
    state: &CloudState,
    guard: &Guard,
    collection: &'static Collection,
    segment: &str,
    edits: &HashMap<String, RowEdit>,
) -> StepOutcome {
    let mut outcome = StepOutcome::default();
    match state.space.edit_segment(guard, collection, segment, edits).await {
        Ok(mut changed) => {
            report_refused(collection, segment, &changed, edits);
            outcome.missing = missing_rows(&changed, edits);
            if !outcome.missing.is_empty() {
                // The mirror keeps them for now: it is how a sync knows that the modules still have
                // them.
                changed
                    .rows
                    .retain(|identity, _| !outcome.missing.contains_key(identity));
                outcome.refetch.push(segment.to_owned());
            }
            outcome.changed.push((segment.to_owned(), changed));
        }
        Err(Error::Malformed { object, reason }) => {
            tracing::error!(object, reason, "the segment is left as it is; new rows go beside it");
            let mut overflow = SegmentEdits::new();
            for (identity, edit) in edits {
                if let RowEdit::Set(fields)
                | RowEdit::Update(fields)
                | RowEdit::Make(fields)
                | RowEdit::Replace(fields) = edit
                {
                    let segment_edits = overflow.entry(segment::overflow_segment(identity)).or_default();
                    segment_edits.insert(identity.clone(), RowEdit::Set(fields.clone()));
                }
            }
            edit_elsewhere(state, guard, collection, overflow, &mut outcome).await;
        }
        Err(error) => {
            outcome.unpublished.extend(edits.keys().cloned());
            outcome.failure = Some(error);
        }
    }
    outcome
}

fn missing_rows(changed: &SegmentChange, edits: &HashMap<String, RowEdit>) -> HashMap<String, Map<String, Value>> {
    let gone = edits.iter().filter_map(|(identity, edit)| match edit {
        RowEdit::Update(fields) if changed.rows.get(identity).is_some_and(|row| row.after.is_none()) => {
            Some((identity.clone(), fields.clone()))
        }
        _ => None,
    });
    gone.collect()
}

/// Looks for rows that are gone from their segment and updates them where they are now. A row that
/// is nowhere was removed by another host. It is made again only if it names a blob: then it is a
/// later upload and no edit.
async fn edit_missing(
    state: &CloudState,
    guard: &Guard,
    collection: &'static Collection,
    missing: HashMap<String, Map<String, Value>>,
    outcome: &mut StepOutcome,
) {
    let found = state
        .space
        .segments_of_rows(collection, |_, identity| missing.contains_key(identity));
    let segments_now = match found.await {
        Ok(segments) => segments,
        Err(error) => {
            outcome.unpublished.extend(missing.into_keys());
            outcome.failure = Some(error);
            return;
        }
    };
    let mut segments = SegmentEdits::new();
    for (identity, fields) in missing {
        let (segment, edit) = match segments_now.get(&identity) {
            Some(segment) => (segment.to_string(), RowEdit::Update(fields)),
            None if row::blob(&fields).is_some() => (segment::default_segment(&identity), RowEdit::Set(fields)),
            None => {
                tracing::info!(
                    ?collection,
                    identity,
                    "dropping an edit of a row that another host removed"
                );
                continue;
            }
        };
        segments.entry(segment).or_default().insert(identity, edit);
    }
    edit_elsewhere(state, guard, collection, segments, outcome).await;
}

fn report_refused(collection: &Collection, segment: &str, changed: &SegmentChange, edits: &HashMap<String, RowEdit>) {
    for identity in edits.keys().filter(|identity| !changed.rows.contains_key(*identity)) {
        tracing::error!(
            ?collection,
            segment,
            identity,
            "dropping a change that would make the row too long"
        );
    }
}

/// Carries out edits that could not be carried out where they were to be.
async fn edit_elsewhere(
    state: &CloudState,
    guard: &Guard,
    collection: &'static Collection,
    segments: SegmentEdits,
    outcome: &mut StepOutcome,
) {
    for (segment, edits) in segments {
        match state.space.edit_segment(guard, collection, &segment, &edits).await {
            Ok(changed) => {
                report_refused(collection, &segment, &changed, &edits);
                outcome.changed.push((segment, changed));
            }
            Err(Error::Malformed { object, reason }) => {
                tracing::error!(
                    object,
                    reason,
                    rows = edits.len(),
                    "dropping changes: there is no room for them"
                );
            }
            Err(error) => {
                outcome.unpublished.extend(edits.into_keys());
                outcome.failure = Some(error);
            }
        }
    }
}

/// Notes what a change of a segment did. What the space had before tells whether the modules have
/// all of it: if not, the next sync fetches the segment.
fn record(
    tx: &mut Transaction,
    collection: &Collection,
    segment: &str,
    changed: &SegmentChange,
) -> Result<(), StorageError> {
    let mut surprised = false;
    for (identity, edited) in &changed.rows {
        let location = RowLocation {
            collection: collection.name,
            segment,
            identity,
        };
        let mirrored = mirror::row(tx, location)?;
        match edited.after {
            None => mirror::remove_row(tx, location)?,
            Some((digest, blob)) => {
                let expected = mirrored.map(|row| row.digest) == edited.before;
                surprised |= !expected;
                let digest = if expected { digest } else { UNKNOWN };
                mirror::put_row(tx, location, MirroredRow { digest, blob })?;
            }
        }
    }
    let Some(after) = &changed.after else {
        // Nothing was there and nothing was made, or the store does not say what it made.
        return match changed.before {
            None if changed.rows.values().all(|row| row.after.is_none()) => Ok(()),
            _ => mirror::invalidate(tx, collection.name, segment),
        };
    };
    let state = match (mirror::segment(tx, collection.name, segment)?, &changed.before) {
        _ if surprised => None,
        // A segment that we made has nothing that the modules do not have.
        (None, None) => Some(SegmentState {
            version: Some(after.clone()),
            kept: true,
            unread: false,
        }),
        (Some(state), Some(before)) if state.version.as_ref() == Some(before) => Some(SegmentState {
            version: Some(after.clone()),
            kept: state.kept,
            unread: false,
        }),
        // Its version is one that the space will not show again.
        (Some(state), _) if state.version.is_some() => return Ok(()),
        _ => None,
    };
    match state {
        Some(state) => mirror::put_segment(tx, collection.name, segment, &state),
        None => mirror::invalidate(tx, collection.name, segment),
    }
}
