//! From the outbox to the space.
//!
//! Changes are taken in order. Consecutive changes of one collection form a step; the segments of a step are changed side by
//! side, and a step begins when the one before it is in the space. Publishing a change twice does no harm, so a change
//! leaves the outbox only in the transaction that records it as done.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value};
use stowage_storage::{Error as StorageError, Store, Transaction};

use crate::cloud::{Inner, update};
use crate::exclusion::Guard;
use crate::list::Changed;
use crate::mirror::{self, Known, Place, SegmentState};
use crate::outbox::{self, Staged};
use crate::row::UNKNOWN;
use crate::segment::{self, Edit};
use crate::{Change, Collection, Error};

/// Changes taken at once.
const TAKE: u32 = 512;
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

/// Publishes every row change of the outbox. Blobs to remove are passed over: a row that is published before its blob
/// would be removed keeps the blob.
pub(crate) async fn rows(inner: &Inner) -> Result<(), Error> {
    let _moving = inner.moving.lock().await;
    let mut from = 0;
    loop {
        let (staged, more) = outbox::after(&mut inner.store.begin(), from, TAKE)?;
        let mut rest = &staged[..];
        while let Some(first) = rest.first() {
            let collection = first.change.row().map(|(collection, _)| collection);
            let len = rest
                .iter()
                .take_while(|s| s.change.row().map(|(name, _)| name) == collection)
                .count();
            let (step, later) = rest.split_at(len);
            if let Some(collection) = collection {
                publish_step(inner, collection, step).await?;
            }
            rest = later;
        }
        match more {
            Some(cursor) => from = cursor,
            None => return Ok(()),
        }
    }
}

async fn publish_step(inner: &Inner, collection: &str, step: &[Staged]) -> Result<(), Error> {
    let Some(collection) = Collection::named(collection) else {
        tracing::error!(
            collection,
            "dropping changes of a collection that this program does not know"
        );
        return forget(inner, step).await;
    };
    let exclusion = inner.space.exclusion().await?;
    let guard = exclusion.enter(&inner.space).await?;
    let plan = Plan::of(collection, step, &mut inner.store.begin())?;
    let edits = plan.segments;
    let held = &guard;
    // Owned items: a future that borrows them is not known to be `Send` for every lifetime.
    let outcomes: Vec<_> = stream::iter(edits)
        .map(|(segment, edits)| async move { edit(inner, held, collection, &segment, &edits).await })
        .buffer_unordered(SEGMENTS_AT_ONCE)
        .collect()
        .await;
    drop(guard);
    let mut done = Vec::new();
    let mut open = HashSet::new();
    let mut failure = None;
    for outcome in outcomes {
        done.extend(outcome.changed);
        if let Some(error) = outcome.failure {
            open.extend(outcome.open);
            failure = Some(error);
        }
    }
    let published: Vec<_> = step
        .iter()
        .filter(|staged| {
            staged
                .change
                .row()
                .is_some_and(|(_, identity)| !open.contains(identity))
        })
        .cloned()
        .collect();
    update(&inner.store, |tx| {
        for (segment, changed) in &done {
            record(tx, collection, segment, changed)?;
        }
        outbox::remove(tx, &published)
    })
    .await?;
    inner.progress();
    failure.map_or(Ok(()), Err)
}

async fn forget(inner: &Inner, step: &[Staged]) -> Result<(), Error> {
    update(&inner.store, |tx| outbox::remove(tx, step)).await?;
    inner.progress();
    Ok(())
}

/// What a step does to each segment.
struct Plan {
    segments: BTreeMap<String, HashMap<String, Edit>>,
}

impl Plan {
    fn of(collection: &Collection, step: &[Staged], tx: &mut Transaction) -> Result<Self, StorageError> {
        let mut edits: BTreeMap<&str, Edit> = BTreeMap::new();
        for Staged { change, .. } in step {
            match change {
                Change::PutRow { identity, fields, .. } => {
                    let edit = match edits.remove(identity.as_str()) {
                        None => Edit::Set(fields.clone()),
                        Some(Edit::Remove) => Edit::Replace(fields.clone()),
                        Some(Edit::Set(old)) => Edit::Set(merged(old, fields)),
                        Some(Edit::Update(old)) => Edit::Update(merged(old, fields)),
                        Some(Edit::Replace(old)) => Edit::Replace(merged(old, fields)),
                    };
                    edits.insert(identity, edit);
                }
                Change::DeleteRow { identity, .. } => drop(edits.insert(identity, Edit::Remove)),
                Change::DeleteBlob { .. } => {}
            }
        }
        let mut segments: BTreeMap<String, HashMap<String, Edit>> = BTreeMap::new();
        for (identity, edit) in edits {
            let home = segment::default_segment(identity);
            let mut known = mirror::segments_of(tx, collection.name, identity)?;
            match edit {
                // Every copy has to go, also one that we have not seen yet in the place where it would be.
                Edit::Remove => known.push(home),
                Edit::Replace(fields) => {
                    // Other copies would bring the old fields back.
                    for segment in known.into_iter().filter(|segment| *segment != home) {
                        segments
                            .entry(segment)
                            .or_default()
                            .insert(identity.to_owned(), Edit::Remove);
                    }
                    segments
                        .entry(home)
                        .or_default()
                        .insert(identity.to_owned(), Edit::Replace(fields));
                    continue;
                }
                Edit::Set(fields) | Edit::Update(fields) => {
                    let segment = known.into_iter().next().unwrap_or_else(|| home.clone());
                    let edit = if segment == home {
                        Edit::Set(fields)
                    } else {
                        Edit::Update(fields)
                    };
                    segments.entry(segment).or_default().insert(identity.to_owned(), edit);
                    continue;
                }
            }
            for segment in known {
                segments
                    .entry(segment)
                    .or_default()
                    .insert(identity.to_owned(), Edit::Remove);
            }
        }
        Ok(Self { segments })
    }
}

fn merged(mut old: Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    old.extend(new.iter().map(|(name, value)| (name.clone(), value.clone())));
    old
}

/// How the edits of one segment went.
#[derive(Default)]
struct Outcome {
    changed: Vec<(String, Changed)>,
    /// Rows whose edit is not in the space.
    open: Vec<String>,
    failure: Option<Error>,
}

async fn edit(
    inner: &Inner,
    guard: &Guard,
    collection: &'static Collection,
    segment: &str,
    edits: &HashMap<String, Edit>,
) -> Outcome {
    let mut outcome = Outcome::default();
    match inner.space.edit_segment(guard, collection, segment, edits).await {
        Ok(changed) => {
            let homeless = homeless(&changed, edits);
            report_refused(collection, segment, &changed, edits);
            outcome.changed.push((segment.to_owned(), changed));
            settle(
                inner,
                guard,
                collection,
                homeless,
                segment::default_segment,
                &mut outcome,
            )
            .await;
        }
        Err(Error::Malformed { object, reason }) => {
            tracing::error!(object, reason, "the segment is left as it is; new rows go beside it");
            let stranded = edits.iter().filter_map(|(identity, edit)| match edit {
                Edit::Set(fields) | Edit::Update(fields) | Edit::Replace(fields) => {
                    Some((identity.clone(), Edit::Set(fields.clone())))
                }
                Edit::Remove => None,
            });
            settle(
                inner,
                guard,
                collection,
                stranded.collect(),
                segment::overflow_segment,
                &mut outcome,
            )
            .await;
        }
        Err(error) => {
            outcome.open.extend(edits.keys().cloned());
            outcome.failure = Some(error);
        }
    }
    outcome
}

/// Rows that were to be updated where they are no more.
fn homeless(changed: &Changed, edits: &HashMap<String, Edit>) -> HashMap<String, Edit> {
    let gone = edits.iter().filter_map(|(identity, edit)| match edit {
        Edit::Update(fields) if changed.rows.get(identity).is_some_and(|row| row.after.is_none()) => {
            Some((identity.clone(), Edit::Set(fields.clone())))
        }
        _ => None,
    });
    gone.collect()
}

fn report_refused(collection: &Collection, segment: &str, changed: &Changed, edits: &HashMap<String, Edit>) {
    for identity in edits.keys().filter(|identity| !changed.rows.contains_key(*identity)) {
        tracing::error!(
            ?collection,
            segment,
            identity,
            "dropping a change that would make the row too long"
        );
    }
}

/// Sets rows in the segment that `home` says.
async fn settle(
    inner: &Inner,
    guard: &Guard,
    collection: &'static Collection,
    rows: HashMap<String, Edit>,
    home: fn(&str) -> String,
    outcome: &mut Outcome,
) {
    let mut segments: BTreeMap<String, HashMap<String, Edit>> = BTreeMap::new();
    for (identity, edit) in rows {
        segments.entry(home(&identity)).or_default().insert(identity, edit);
    }
    for (segment, edits) in segments {
        match inner.space.edit_segment(guard, collection, &segment, &edits).await {
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
                outcome.open.extend(edits.into_keys());
                outcome.failure = Some(error);
            }
        }
    }
}

/// Notes what a change of a segment did. What the space had before tells whether the modules have all of it: if not,
/// the next sync fetches the segment.
fn record(tx: &mut Transaction, collection: &Collection, segment: &str, changed: &Changed) -> Result<(), StorageError> {
    let mut surprised = false;
    for (identity, edited) in &changed.rows {
        let place = Place {
            collection: collection.name,
            segment,
            identity,
        };
        let known = mirror::row(tx, place)?;
        match edited.after {
            None => mirror::remove_row(tx, place)?,
            Some((digest, blob)) => {
                let expected = known.map(|known| known.digest) == edited.before;
                surprised |= !expected;
                let digest = if expected { digest } else { UNKNOWN };
                mirror::put_row(tx, place, Known { digest, blob })?;
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
