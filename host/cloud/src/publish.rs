//! From the outbox to the space.
//!
//! The changes of one row are published in order. Of the changes that are read together, those of
//! one collection form a step: calls change several collections, so steps of neighbours only would
//! be short, and each costs round trips. Other hosts see folders before the files in them, and
//! removals of files before those of their folders. A step edits its segments side by side. The
//! next step begins when this one is in the space.
//!
//! Publishing a change twice does no harm. So a change leaves the outbox after it is recorded.

mod plan;
mod record;
mod step;

use std::collections::HashSet;

use stowage_storage::Store;

use crate::collection::COLLECTIONS;
use crate::outbox::{self, StagedChange};
use crate::state::CloudState;
use crate::{Collection, Error, SpaceChange};

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
    let staged = by_collection(staged);
    for step in staged.chunk_by(|one, next| collection_of(one) == collection_of(next)) {
        if let Some(collection) = collection_of(&step[0]) {
            publish_step(state, collection, step).await?;
        }
    }
    Ok(more)
}

/// Sorts changes into steps: rows that stay, then rows that are removed. Those of one row keep
/// their order.
fn by_collection(mut staged: Vec<StagedChange>) -> Vec<StagedChange> {
    let mut removed = HashSet::new();
    for StagedChange { change, .. } in &staged {
        if let Some((collection, identity)) = change.row() {
            let row = (collection.to_owned(), identity.to_owned());
            match change {
                SpaceChange::DeleteRow { .. } => drop(removed.insert(row)),
                _ => drop(removed.remove(&row)),
            }
        }
    }
    staged.sort_by_cached_key(|staged| {
        let row = staged.change.row();
        let is_removed = row.is_some_and(|(collection, identity)| {
            let row = (collection.to_owned(), identity.to_owned());
            removed.contains(&row)
        });
        let place = row.and_then(|(collection, _)| COLLECTIONS.iter().position(|known| known.name == collection));
        let place = place.unwrap_or(COLLECTIONS.len());
        let place = if is_removed { COLLECTIONS.len() - place } else { place };
        (is_removed, place)
    });
    staged
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

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    #[test]
    fn steps_are_by_collection_and_the_changes_of_a_row_keep_their_order() {
        let put = |collection: &str, identity: &str| SpaceChange::PutRow {
            collection: collection.to_owned(),
            identity: identity.to_owned(),
            fields: Map::new(),
        };
        let delete = |collection: &str, identity: &str| SpaceChange::DeleteRow {
            collection: collection.to_owned(),
            identity: identity.to_owned(),
        };
        let changes = [
            put("temp-files", "a"),
            put("temp-folders", "f"),
            delete("temp-folders", "old"),
            delete("temp-files", "in old"),
            delete("temp-files", "b"),
            put("unknown", "x"),
            put("temp-files", "b"),
            put("temp-folders", "f"),
            put("temp-files", "in old"),
            delete("temp-files", "in old"),
        ];
        let staged = changes.into_iter().enumerate().map(|(number, change)| StagedChange {
            number: number as u64,
            change,
        });
        let numbers: Vec<_> = by_collection(staged.collect())
            .iter()
            .map(|staged| staged.number)
            .collect();
        // Folders, files, what is unknown; then removals of files, of folders.
        assert_eq!(numbers, [1, 7, 0, 4, 6, 5, 3, 8, 9, 2]);
    }
}
