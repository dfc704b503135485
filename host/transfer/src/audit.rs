//! Checks that the files of complete downloads still exist.

use std::sync::Arc;

use stowage_storage::Error as StorageError;

use crate::disk::{FinishedFile, verify};
use crate::engine::Engine;
use crate::table;
use crate::task::{State, code};

/// The result of checking one file.
struct Finding {
    id: u64,
    revision: u64,
    /// The file as it is now. `None` if it is gone or has other content.
    finished_file: Option<FinishedFile>,
}

/// Marks complete downloads whose file was deleted or changed.
pub(crate) async fn run(engine: Arc<Engine>) {
    engine.audit_tickets.run(check_files(&engine)).await;
}

async fn check_files(engine: &Engine) {
    let finished_files = engine.tasks().finished_files();
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
    let findings = look
        .await
        .inspect_err(|error| tracing::warn!(%error, "cannot check the files of downloads"));
    for findings in findings.unwrap_or_default().chunks(256) {
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
                // Another revision means another file, or a download that was started again.
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
        .await
        .inspect_err(|error| tracing::warn!(%error, "cannot write the result of checking files"));
    for task in changed.unwrap_or_default() {
        let id = task.id;
        engine.tasks().change(id, |kept| {
            if kept.revision < task.revision {
                *kept = task;
            }
        });
        engine.publish(id);
    }
}
