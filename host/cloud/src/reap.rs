//! Removes blobs that no row names any more.
//!
//! Two hosts may meet on one blob: this one removes the last row that named it, another one finds it in the space and names it.
//!
//! * The remover publishes its rows, syncs, and removes the blob only when no row of the space and none of its own that
//!   is still to be published names it, no later than [`DECIDE_WITHIN`] after that sync began.
//! * The uploader stores the blob or finds it there, publishes its row, and confirms the blob twice: at once, and again after
//!   [`CONFIRM_AFTER`](crate::CONFIRM_AFTER). When it is gone it stores it again.
//!
//! If the uploader's row is in the space when the remover syncs, the blob stays. If it comes later, the removal is over
//! [`DECIDE_WITHIN`] and one request later, and the second confirmation sees what became of it. Within one process
//! a [`BlobHold`](crate::BlobHold) does the same without waiting. Nobody removes a blob that was merely uploaded: a removal
//! is asked for by the module whose row named it.

use std::time::Duration;

use tokio::time::Instant;

use crate::cloud::{Pending, update};
use crate::outbox::{self, Staged};
use crate::{Cloud, Error, Hash, RowSink, SpaceChange, mirror};

/// How long after a sync began its word on a blob counts.
const DECIDE_WITHIN: Duration = Duration::from_secs(30);
/// Changes looked at in one step.
const TAKE: u32 = 512;

/// Carries out every removal in the outbox that can be.
pub(crate) async fn blobs(cloud: &Cloud, sink: &dyn RowSink) -> Result<Pending, Error> {
    let mut pending = Pending::Nothing;
    let mut from = 0;
    loop {
        let (staged, more) = outbox::after(&mut cloud.inner().store.begin(), from, TAKE)?;
        let removals: Vec<_> = staged
            .into_iter()
            .filter_map(|staged| match staged.change {
                SpaceChange::DeleteBlob { hash } => Some((hash, staged)),
                _ => None,
            })
            .collect();
        if !removals.is_empty()
            && let Pending::Held = remove(cloud, sink, removals).await?
        {
            pending = Pending::Held;
        }
        match more {
            Some(cursor) => from = cursor,
            None => return Ok(pending),
        }
    }
}

async fn remove(cloud: &Cloud, sink: &dyn RowSink, removals: Vec<(Hash, Staged)>) -> Result<Pending, Error> {
    let mut synced = None;
    let mut pending = Pending::Nothing;
    for (hash, staged) in removals {
        // Asked first without the network: a blob that is shared by rows here is the usual reason to keep it.
        if !is_named(cloud, &hash)? {
            if synced.is_none_or(|at: Instant| at.elapsed() > DECIDE_WITHIN / 2) {
                let begun = Instant::now();
                cloud.sync(sink).await?;
                synced = Some(begun);
            }
            let Some(_removing) = cloud.inner().holds.try_remove(hash) else {
                pending = Pending::Held;
                continue;
            };
            let in_time = synced.is_some_and(|at| at.elapsed() < DECIDE_WITHIN);
            if !in_time {
                return Err(Error::unreachable("lists", "the sync took too long to decide on blobs"));
            }
            // Asked again: rows may have come with the sync, or have been staged before the blob was claimed.
            if mirror::has_unread(&mut cloud.inner().store.begin())? {
                tracing::warn!(%hash, "keeping a blob: a segment that cannot be read may name it");
            } else if !is_named(cloud, &hash)? {
                cloud.space().delete_blob(&hash).await?;
                tracing::debug!(%hash, "removed a blob that no row names");
            }
        }
        update(&cloud.inner().store, |tx| outbox::remove(tx, [&staged])).await?;
    }
    Ok(pending)
}

fn is_named(cloud: &Cloud, hash: &Hash) -> Result<bool, Error> {
    let mut tx = cloud.inner().store.begin();
    Ok(mirror::names(&mut tx, hash)? || outbox::names(&mut tx, hash)?)
}
