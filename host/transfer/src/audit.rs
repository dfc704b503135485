//! Looks whether the files of complete downloads are still there.

use std::sync::atomic::{AtomicU64, Ordering};

use stowage_storage::Error as StorageError;

use crate::disk::{Landed, verify};
use crate::engine::Engine;
use crate::table;
use crate::task::{State, code};

/// Lets callers that come while one looks share the next look.
#[derive(Default)]
pub(crate) struct Audits {
    tickets: AtomicU64,
    /// The tickets covered by the last look that began after they were drawn.
    covered: tokio::sync::Mutex<u64>,
}

/// What was found of one file.
struct Finding {
    id: u64,
    revision: u64,
    /// The file as it is now, or `None` when it is gone or different.
    landed: Option<Landed>,
}

impl Engine {
    /// Brings complete downloads whose file was deleted or changed to the state that says so.
    pub(crate) async fn audit(&self) {
        let ticket = self.audits.tickets.fetch_add(1, Ordering::AcqRel) + 1;
        let mut covered = self.audits.covered.lock().await;
        if *covered >= ticket {
            return;
        }
        let covers = self.audits.tickets.load(Ordering::Acquire);
        self.look().await;
        *covered = covers;
    }

    async fn look(&self) {
        let landed = self.board().landed();
        let look = tokio::task::spawn_blocking(move || {
            landed
                .into_iter()
                .filter_map(|(id, revision, landed)| {
                    let now = verify(&landed);
                    (now.as_ref() != Some(&landed)).then_some(Finding {
                        id,
                        revision,
                        landed: now,
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
            self.take_down(findings).await;
        }
    }

    async fn take_down(&self, findings: &[Finding]) {
        let changed = self
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
                    match &finding.landed {
                        Some(landed) => task.landed = Some(landed.clone()),
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
                    self.board().change(id, |kept, _| {
                        if kept.revision < task.revision {
                            *kept = task;
                        }
                    });
                    self.publish(id);
                }
            }
            Err(error) => tracing::warn!(%error, "what became of files could not be taken down"),
        }
    }
}
