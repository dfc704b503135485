//! From the outbox to the space.
//!
//! Changes are published in order. Consecutive changes of one collection form a step. A step edits
//! its segments side by side. The next step begins when this one is in the space.
//!
//! Publishing a change twice does no harm. So a change leaves the outbox after it is recorded.

mod plan;
mod record;
mod step;

use stowage_storage::Store;

use crate::outbox::{self, StagedChange};
use crate::state::CloudState;
use crate::{Collection, Error};

use step::{Step, StepOutcome};

/// Changes that are read at once, if they are small: a page of the storage has at most 4 MiB.
/// Rewriting a segment costs about the same for one change as for many.
const TAKE: u32 = 10_000;

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

/// Publishes every row change of the outbox. It does not remove blobs, because a row that is
/// published later may name them.
pub(crate) async fn rows(state: &CloudState) -> Result<(), Error> {
    let mut from = 0;
    while let Some(cursor) = some_rows(state, from).await? {
        from = cursor;
    }
    Ok(())
}

/// Publishes the row changes among the next changes after a number. If there may be more changes,
/// returns the number after which they come.
pub(crate) async fn some_rows(state: &CloudState, from: u64) -> Result<Option<u64>, Error> {
    let _moving = state.moving.lock().await;
    // Many changes take a while to read, so this must not block a thread that runs calls.
    let store = state.store.clone();
    let read = tokio::task::spawn_blocking(move || outbox::after(&mut store.begin(), from, TAKE));
    let (staged, more) = read.await.map_err(Error::storage)??;
    for step in staged.chunk_by(|one, next| collection_of(one) == collection_of(next)) {
        if let Some(collection) = collection_of(&step[0]) {
            publish_step(state, collection, step).await?;
        }
    }
    Ok(more)
}

fn collection_of(staged: &StagedChange) -> Option<&str> {
    staged.change.row().map(|(collection, _)| collection)
}

async fn publish_step(state: &CloudState, collection: &str, changes: &[StagedChange]) -> Result<(), Error> {
    let Some(collection) = Collection::named(collection) else {
        tracing::error!(
            collection,
            "dropping changes of a collection that this program does not know"
        );
        return remove_published(state, changes.iter()).await;
    };
    let exclusion = state.space.exclusion().await?;
    let guard = exclusion.enter(state.space.objects()).await?;
    let edits = plan::edits(collection, changes, &mut state.store.begin()).await?;
    let step = Step {
        space: &state.space,
        guard: &guard,
        collection,
    };
    let StepOutcome {
        changes: done,
        refetch,
        unpublished,
        failure,
        ..
    } = step.run(edits).await;
    drop(guard);
    record::changes(&state.store, collection, &done).await?;
    record::refetch(&state.store, collection, &refetch).await?;
    let is_published = |staged: &&StagedChange| {
        let row = staged.change.row();
        row.is_some_and(|(_, identity)| !unpublished.contains(identity))
    };
    remove_published(state, changes.iter().filter(is_published)).await?;
    failure.map_or(Ok(()), Err)
}

async fn remove_published(state: &CloudState, changes: impl Iterator<Item = &StagedChange>) -> Result<(), Error> {
    record::published(&state.store, &changes.collect::<Vec<_>>()).await?;
    state.notify_published();
    Ok(())
}
