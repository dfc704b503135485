//! Removes old finished tasks.

use stowage_storage::{Error as StorageError, Transaction};

use crate::disk::TargetDirectory;
use crate::engine::Engine;
use crate::row::Direction;
use crate::task::{State, Task};
use crate::{staging, table};

/// Tasks that are removed in one transaction.
const FORGOTTEN_AT_ONCE: usize = 256;

/// Removes the oldest finished tasks beyond the number that is kept.
pub(crate) async fn run(engine: &Engine) {
    loop {
        let surplus = engine.tasks().surplus(engine.config.finished_kept, FORGOTTEN_AT_ONCE);
        if surplus.is_empty() {
            return;
        }
        let removed = engine
            .store
            .update::<_, StorageError>(|tx| {
                let mut removed = Vec::new();
                for id in &surplus {
                    match table::get(tx, *id)? {
                        Some(task) if !task.state.is_terminal() && !is_cancelled(tx, *id)? => continue,
                        Some(task) => table::remove(tx, &task)?,
                        None => {}
                    }
                    removed.push(*id);
                }
                Ok(removed)
            })
            .await
            .inspect_err(|error| tracing::warn!(%error, "cannot remove finished tasks"));
        let forgotten = engine.tasks().forget(&removed.unwrap_or_default());
        if forgotten.is_empty() {
            return;
        }
        for task in &forgotten {
            engine.feed.forget(task.id);
            staging::remove_unneeded(engine, task).await;
        }
        remove_parts(engine, forgotten).await;
    }
}

fn is_cancelled(tx: &mut Transaction, id: u64) -> Result<bool, StorageError> {
    Ok(table::control(tx, id)?.cancelled_ms.is_some())
}

/// Removes the temporary files of downloads that did not complete, and the parts of uploads.
pub(crate) async fn remove_parts(engine: &Engine, tasks: Vec<Task>) {
    for task in &tasks {
        if let (Some(upload), Ok(hash)) = (&task.part_upload, task.file.hash.parse()) {
            engine.cloud.space().abort_upload(&hash, upload).await;
        }
    }
    let targets: Vec<_> = tasks
        .into_iter()
        .filter(|task| task.direction == Direction::Download && task.state != State::Done)
        .filter_map(|task| {
            let target = engine.roots.locate(task.directory.as_ref()).ok()?;
            Some((target, [task.part_name(), task.opened_name()]))
        })
        .collect();
    if targets.is_empty() {
        return;
    }
    let removal = tokio::task::spawn_blocking(move || {
        for (target, names) in targets {
            let Ok(directory) = TargetDirectory::existing(&target) else {
                continue;
            };
            for name in names {
                if let Err(error) = directory.remove(&name) {
                    tracing::debug!(name, %error, "cannot remove a temporary file");
                }
            }
        }
    });
    if let Err(error) = removal.await {
        tracing::warn!(%error, "cannot remove temporary files");
    }
}
