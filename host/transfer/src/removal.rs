//! Removes the unfinished files of tasks that calls have removed.

use std::sync::Arc;
use std::time::Duration;

use stowage_storage::Error as StorageError;
use tokio::time::sleep;

use crate::engine::Engine;
use crate::task::Task;
use crate::{prune, staging, table};

/// Tasks that are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: usize = 256;

/// How long the feed keeps the last row of a removed task, so that its subscribers get it.
const LAST_ROW_STAYS: Duration = Duration::from_secs(5);

/// Removes the unfinished files of removed tasks, and then forgets the tasks.
pub(crate) async fn run(engine: Arc<Engine>, tasks: Vec<Task>) {
    let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    prune::remove_parts(&engine, tasks.clone()).await;
    for task in &tasks {
        staging::remove_unneeded(&engine, task).await;
    }
    for ids in ids.chunks(FORGOTTEN_AT_ONCE) {
        let forgotten = engine
            .store
            .update::<_, StorageError>(|tx| ids.iter().try_for_each(|id| table::forget_removed(tx, *id)));
        if let Err(error) = forgotten.await {
            // The next start removes the files again, which is harmless: see `Tasks::next`.
            tracing::warn!(%error, "cannot forget removed tasks");
        }
    }
    for task in &tasks {
        engine.tasks().end_removal(task);
    }
    engine.wake.notify_one();
    engine.stop.run_until_cancelled(sleep(LAST_ROW_STAYS)).await;
    for id in ids {
        engine.feed.forget(id);
    }
}
