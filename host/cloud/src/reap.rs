//! Removes blobs that no row names any more.
//!
//! Two hosts may meet on one blob: this one removes the last row that named it, another one finds
//! it in the space and names it.
//!
//! * The remover publishes its rows, syncs, and removes the blob only when no row of the space and
//!   none of its own that is still to be published names it, no later than [`DECIDE_WITHIN`] after
//!   that sync began.
//! * The uploader stores the blob or finds it there, publishes its row, and confirms the blob
//!   twice: at once, and again after [`CONFIRM_AFTER`](crate::CONFIRM_AFTER). When it is gone it
//!   stores it again.
//!
//! If the uploader's row is in the space when the remover syncs, the blob stays. If it comes later,
//! the removal is over [`DECIDE_WITHIN`] and one request later, and the second confirmation sees
//! what became of it. Within one process a [`BlobHold`](crate::BlobHold) does the same without
//! waiting. Nobody removes a blob that was merely uploaded: a removal is asked for by the module
//! whose row named it.

use std::time::Duration;

use tokio::time::Instant;

use crate::outbox::{self, StagedChange};
use crate::state::CloudState;
use crate::update::update;
use crate::{Error, Hash, RowSink, SpaceChange, mirror, sync};

/// How long after a sync began its word on a blob counts.
const DECIDE_WITHIN: Duration = Duration::from_secs(30);
/// Changes looked at in one step.
const TAKE: u32 = 512;

/// What is left of the removals in the outbox.
pub(crate) enum BlobRemovals {
    /// All were carried out.
    Done,
    /// A blob is still held by an upload of this process.
    Held,
}

/// Carries out the removals in the outbox, except those of held blobs.
pub(crate) async fn blobs(state: &CloudState, sink: &dyn RowSink) -> Result<BlobRemovals, Error> {
    let mut left = BlobRemovals::Done;
    let mut from = 0;
    loop {
        let (staged, more) = outbox::after(&mut state.store.begin(), from, TAKE)?;
        let removals: Vec<_> = staged
            .into_iter()
            .filter_map(|staged| match staged.change {
                SpaceChange::DeleteBlob { hash } => Some((hash, staged)),
                _ => None,
            })
            .collect();
        if !removals.is_empty()
            && let BlobRemovals::Held = remove(state, sink, removals).await?
        {
            left = BlobRemovals::Held;
        }
        match more {
            Some(cursor) => from = cursor,
            None => return Ok(left),
        }
    }
}

async fn remove(
    state: &CloudState,
    sink: &dyn RowSink,
    removals: Vec<(Hash, StagedChange)>,
) -> Result<BlobRemovals, Error> {
    let mut synced = None;
    let mut left = BlobRemovals::Done;
    for (hash, staged) in removals {
        // Asked first without the network: a blob that is shared by rows here is the usual reason
        // to keep it.
        if !is_named(state, &hash)? {
            if synced.is_none_or(|at: Instant| at.elapsed() > DECIDE_WITHIN / 2) {
                let begun = Instant::now();
                sync::publish_and_sync(state, sink).await?;
                synced = Some(begun);
            }
            let Some(_removing) = state.holds.try_remove(hash) else {
                left = BlobRemovals::Held;
                continue;
            };
            let in_time = synced.is_some_and(|at| at.elapsed() < DECIDE_WITHIN);
            if !in_time {
                return Err(Error::unreachable("lists", "the sync took too long to decide on blobs"));
            }
            // Asked again: rows may have come with the sync, or have been staged before the blob
            // was claimed.
            if mirror::has_unread(&mut state.store.begin())? {
                tracing::warn!(%hash, "keeping a blob: a segment that cannot be read may name it");
            } else if !is_named(state, &hash)? {
                state.space.delete_blob(&hash).await?;
                tracing::debug!(%hash, "removed a blob that no row names");
            }
        }
        update(&state.store, |tx| outbox::remove(tx, [&staged])).await?;
    }
    Ok(left)
}

fn is_named(state: &CloudState, hash: &Hash) -> Result<bool, Error> {
    let mut tx = state.store.begin();
    Ok(mirror::names(&mut tx, hash)? || outbox::names(&mut tx, hash)?)
}
