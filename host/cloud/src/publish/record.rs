//! Records in the local database what a step did.
//!
//! A transaction records a part of it, so that calls can commit in between. A change that is still
//! in the outbox is published again, which does no harm.

use stowage_storage::{Error as StorageError, Store, Transaction};

use crate::list::SegmentChange;
use crate::mirror::{self, MirroredRow, RowLocation, SegmentState};
use crate::outbox::{self, StagedChange};
use crate::row::UNKNOWN;
use crate::update::update;
use crate::{Collection, Error};

/// Rows or changes of one transaction.
const RECORDS: usize = 256;

/// Records what was done to segments.
pub(super) async fn changes(
    store: &Store,
    collection: &Collection,
    changes: &[(String, SegmentChange)],
) -> Result<(), Error> {
    let mut rest = changes;
    while !rest.is_empty() {
        let mut rows = 0;
        let len = rest
            .iter()
            .take_while(|(_, change)| {
                let fits = rows < RECORDS;
                rows += change.rows.len();
                fits
            })
            .count();
        let (some, later) = rest.split_at(len);
        update(store, |tx| {
            some.iter()
                .try_for_each(|(segment, change)| record(tx, collection, segment, change))
        })
        .await?;
        rest = later;
    }
    Ok(())
}

/// Makes the next sync fetch segments.
pub(super) async fn refetch(store: &Store, collection: &Collection, segments: &[String]) -> Result<(), Error> {
    if segments.is_empty() {
        return Ok(());
    }
    update(store, |tx| {
        segments
            .iter()
            .try_for_each(|segment| mirror::invalidate(tx, collection.name, segment))
    })
    .await
}

/// Removes changes from the outbox.
pub(super) async fn published(store: &Store, changes: &[&StagedChange]) -> Result<(), Error> {
    for some in changes.chunks(RECORDS) {
        update(store, |tx| outbox::remove(tx, some.iter().copied())).await?;
    }
    Ok(())
}

/// Records what was done to one segment. If the space had something else before than the modules
/// have, the next sync fetches the segment.
fn record(
    tx: &mut Transaction,
    collection: &Collection,
    segment: &str,
    change: &SegmentChange,
) -> Result<(), StorageError> {
    let mut surprised = false;
    for (identity, edited) in &change.rows {
        let location = RowLocation {
            collection: collection.name,
            segment,
            identity,
        };
        match edited.after {
            None => mirror::remove_row(tx, location)?,
            Some((digest, blob)) => {
                let mirrored = mirror::row(tx, location)?;
                let expected = mirrored.map(|row| row.digest) == edited.before;
                surprised |= !expected;
                let digest = if expected { digest } else { UNKNOWN };
                mirror::put_row(tx, location, MirroredRow { digest, blob })?;
            }
        }
    }
    let Some(after) = &change.after else {
        // Either there is no segment, or the store does not name its version.
        return match change.before {
            None if change.rows.values().all(|row| row.after.is_none()) => Ok(()),
            _ => mirror::invalidate(tx, collection.name, segment),
        };
    };
    let kept = match (mirror::segment(tx, collection.name, segment)?, &change.before) {
        _ if surprised => None,
        // The modules have all rows of a segment that this host made.
        (None, None) => Some(true),
        (Some(state), Some(before)) if state.version.as_ref() == Some(before) => Some(state.kept),
        // The space will not show this version again, so the segment is fetched anyway.
        (Some(state), _) if state.version.is_some() => return Ok(()),
        _ => None,
    };
    let Some(kept) = kept else {
        return mirror::invalidate(tx, collection.name, segment);
    };
    let state = SegmentState {
        version: Some(after.clone()),
        kept,
        unread: false,
    };
    mirror::put_segment(tx, collection.name, segment, &state)
}
