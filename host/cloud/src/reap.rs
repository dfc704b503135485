//! Removes blobs that no row names any more.
//!
//! One host may remove the last row that names a blob, while another host finds the blob in the
//! space and names it.
//!
//! * The remover publishes its rows and syncs. It removes the blob only if no row of the space and
//!   no pending row names it, and within [`DECIDE_WITHIN`] of the start of that sync.
//! * The uploader stores the blob or finds it in the space. It publishes its row and confirms the
//!   blob twice: at once, and after [`CONFIRM_AFTER`](crate::CONFIRM_AFTER). If the blob is not
//!   there, it stores the blob again.
//!
//! If the remover's sync sees the uploader's row, the blob stays. If the row comes later, the
//! removal is over before the second confirmation, which sees its result. Within one process a
//! [`BlobHold`](crate::BlobHold) does the same without waiting. A blob that was only uploaded is
//! never removed: removals come from the module whose row named the blob.

use std::time::Duration;

use tokio::time::Instant;

use crate::outbox::{self, StagedChange};
use crate::state::CloudState;
use crate::update::update;
use crate::{Error, Hash, RowSink, SpaceChange, mirror, sync};

/// How long after its start a sync can decide that a blob is removed.
const DECIDE_WITHIN: Duration = Duration::from_secs(30);
/// Changes that are read at once.
const TAKE: u32 = 512;

/// What is left of the removals in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlobRemovals {
    /// All were carried out.
    Done,
    /// Some wait: an upload of this process holds a blob, or a change of a row before the removal
    /// is not published.
    Waiting,
}

/// Carries out the removals in the outbox, except those of held blobs and those behind a change of
/// a row. Such a change came while the others were published. It may be the deletion of the row
/// that names the blob. Until it is published, the mirror has that row, and the removal would be
/// dropped as if the row stayed.
pub(crate) async fn blobs(state: &CloudState, sink: &dyn RowSink) -> Result<BlobRemovals, Error> {
    let mut left = BlobRemovals::Done;
    let mut from = 0;
    loop {
        let (staged, more) = outbox::after(&mut state.store.begin(), from, TAKE)?;
        let read = staged.len();
        let removals: Vec<_> = staged
            .into_iter()
            .map_while(|staged| match staged.change {
                SpaceChange::DeleteBlob { hash } => Some((hash, staged)),
                _ => None,
            })
            .collect();
        let all_are_removals = removals.len() == read;
        if !removals.is_empty()
            && let BlobRemovals::Waiting = remove(state, sink, removals).await?
        {
            left = BlobRemovals::Waiting;
        }
        if !all_are_removals {
            return Ok(BlobRemovals::Waiting);
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
        // Usually a row here still names the blob. Then the network is not needed.
        if !is_named(state, &hash)? {
            if synced.is_none_or(|at: Instant| at.elapsed() > DECIDE_WITHIN / 2) {
                let begun = Instant::now();
                sync::publish_and_sync(state, sink).await?;
                synced = Some(begun);
            }
            let Some(_removing) = state.holds.try_remove(hash) else {
                left = BlobRemovals::Waiting;
                continue;
            };
            let in_time = synced.is_some_and(|at| at.elapsed() < DECIDE_WITHIN);
            if !in_time {
                return Err(Error::unreachable("lists", "the sync took too long to decide on blobs"));
            }
            // Asked again: rows may have come with the sync, or may have been staged before the
            // claim.
            if mirror::has_unread(&mut state.store.begin())? {
                tracing::warn!(%hash, "keeping a blob: a segment that cannot be read may name it");
            } else if !is_named(state, &hash)? {
                state.space.delete_blob(&hash).await?;
                sink.blob_removed(&hash).await;
                tracing::debug!(%hash, "removed a blob that no row names");
            }
        }
        update(&state.store, |tx| outbox::remove(tx, [&staged])).await?;
    }
    Ok(left)
}

/// Whether a row here, or one that is not published yet, names the blob.
pub(crate) fn is_named(state: &CloudState, hash: &Hash) -> Result<bool, Error> {
    let mut tx = state.store.begin();
    Ok(mirror::names(&mut tx, hash)? || outbox::names(&mut tx, hash)?)
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;
    use stowage_storage::{Config, KeyRange, Store};

    use super::*;
    use crate::{Applied, Batch, Cloud, OpenOptions, SinkError, Space, publish};

    /// Keeps nothing: the mirror knows the rows.
    struct NoSink;

    impl RowSink for NoSink {
        fn apply<'a>(&'a self, _: &'a Batch) -> BoxFuture<'a, Result<Applied, SinkError>> {
            Box::pin(async { Ok(Applied::default()) })
        }

        fn keeps(&self, _: &str) -> bool {
            false
        }
    }

    async fn stage(cloud: &Cloud, store: &Store, changes: &[SpaceChange]) {
        let mut tx = store.begin();
        for change in changes {
            cloud.stage(&mut tx, change).expect("a valid change");
        }
        store.commit(tx).await.expect("memory takes it");
    }

    /// A row was deleted while the publisher worked on earlier changes. The publisher dropped the
    /// removal of its blob, because the mirror still had the row. The blob stayed for ever.
    #[tokio::test]
    async fn a_removal_waits_for_the_deletion_of_the_row_before_it() {
        let store = Store::in_memory(Config::default());
        let options = OpenOptions {
            create: Some(1 << 20),
            ..Default::default()
        };
        let space = Space::open("memory:///", options).await.expect("memory");
        let cloud = Cloud::open(space.clone(), store.clone()).await.expect("open");
        let hash = Hash::of(b"x");
        space.put_blob(&b"x"[..], &hash, 1).await.expect("memory takes it");
        let named = [("hash".to_owned(), hash.to_string().into())];
        let (collection, identity) = ("favorites".to_owned(), "a".to_owned());
        let put = SpaceChange::PutRow {
            collection: collection.clone(),
            identity: identity.clone(),
            fields: named.into_iter().collect(),
        };
        stage(&cloud, &store, &[put]).await;
        let state = cloud.state();
        publish::rows(state).await.expect("published");
        // These come after the publisher has read the outbox.
        let delete = SpaceChange::DeleteRow { collection, identity };
        stage(&cloud, &store, &[delete, SpaceChange::DeleteBlob { hash }]).await;
        assert_eq!(blobs(state, &NoSink).await.expect("a decision"), BlobRemovals::Waiting);
        assert!(space.head_blob(&hash).await.expect("memory").is_some());
        publish::rows(state).await.expect("published");
        assert_eq!(blobs(state, &NoSink).await.expect("a decision"), BlobRemovals::Done);
        assert_eq!(space.head_blob(&hash).await.expect("memory"), None, "no row names it");
        let left = store.begin().count("host.cloud-outbox", &KeyRange::all());
        assert_eq!(left.expect("readable"), 0);
    }
}
