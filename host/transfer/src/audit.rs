//! Looks whether the files of complete downloads are still there.

use stowage_storage::Error as StorageError;

use crate::disk::{FinishedFile, verify};
use crate::engine::Engine;
use crate::table;
use crate::task::{State, code};

/// What was found of one file.
struct Finding {
    id: u64,
    revision: u64,
    /// The file as it is now, or `None` when it is gone or different.
    finished_file: Option<FinishedFile>,
}

/// Brings complete downloads whose file was deleted or changed to the state that says so.
pub(crate) async fn run(engine: &Engine) {
    engine.audit_tickets.run(check_files(engine)).await;
}

async fn check_files(engine: &Engine) {
    let finished_files = engine.board().finished_files();
    let look = tokio::task::spawn_blocking(move || {
        finished_files
            .into_iter()
            .filter_map(|(id, revision, finished_file)| {
                let now = verify(&finished_file);
                (now.as_ref() != Some(&finished_file)).then_some(Finding {
                    id,
                    revision,
                    finished_file: now,
                })
            })
            .collect::<Vec<_>>()
    });
    let findings = match look.await {
        Ok(findings) => findings,
        Err(error) => {
            tracing::warn!(%error, "the files of downloads could not be looked at");
            return;
        }
    };
    for findings in findings.chunks(256) {
        record(engine, findings).await;
    }
}

async fn record(engine: &Engine, findings: &[Finding]) {
    let changed = engine
        .store
        .update::<_, StorageError>(|tx| {
            let mut changed = Vec::new();
            for finding in findings {
                let Some(mut task) = table::get(tx, finding.id)? else {
                    continue;
                };
                // Another revision is another file, or the same one begun anew.
                if task.revision != finding.revision || task.state != State::Done {
                    continue;
                }
                task.revision += 1;
                match &finding.finished_file {
                    Some(finished_file) => task.finished_file = Some(finished_file.clone()),
                    None => {
                        task.state = State::Deleted;
                        task.code = code::NONE;
                    }
                }
                table::put(tx, &task)?;
                changed.push(task);
            }
            Ok(changed)
        })
        .await;
    match changed {
        Ok(changed) => {
            for task in changed {
                let id = task.id;
                engine.board().change(id, |kept, _| {
                    if kept.revision < task.revision {
                        *kept = task;
                    }
                });
                engine.publish(id);
            }
        }
        Err(error) => tracing::warn!(%error, "what became of files could not be taken down"),
    }
}
