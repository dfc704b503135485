//! Acts on versions that do worse than those before them, and ends probations that went well.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{self, BoxFuture};
use stowage_logic::Watch;
use tokio_util::sync::CancellationToken;

use super::deployer::{Deployer, alone};
use super::error::DeployError;
use super::history::{self, Action};
use super::inner::Inner;
use super::switch::Change;

/// Between attempts to act while storage fails.
const PAUSE: Duration = Duration::from_secs(1);
/// Who acts.
const BY: &str = "host";

/// What is watched.
#[derive(Clone)]
enum Whose {
    Probation,
    Canary(String),
}

impl Deployer {
    /// Rolls back generations on probation and aborts canaries that are found too bad, and ends probations, until `stop`. To be run
    /// once.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let left = self
                .0
                .now()
                .probation
                .as_ref()
                .map(|p| (Arc::clone(&p.watch), p.left()));
            let ended = async {
                match left {
                    Some((watch, left)) => {
                        tokio::time::sleep(left).await;
                        watch
                    }
                    None => future::pending().await,
                }
            };
            let acted = tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.changed.notified() => continue,
                (whose, watch, reason) = self.first_tripped() => self.act(whose, watch, reason).await,
                watch = ended => self.end_well(watch).await,
            };
            if let Err(error) = acted {
                tracing::error!(%error, "the trial of a module did not end");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }

    /// Waits until a watch finds its version too bad.
    async fn first_tripped(&self) -> (Whose, Arc<Watch>, String) {
        let watches: Vec<(Whose, Arc<Watch>)> = {
            let now = self.0.now();
            let probation = now.probation.iter().map(|p| (Whose::Probation, Arc::clone(&p.watch)));
            let canaries = now
                .canaries
                .iter()
                .map(|(name, canary)| (Whose::Canary(name.clone()), Arc::clone(&canary.watch)));
            probation.chain(canaries).collect()
        };
        if watches.is_empty() {
            return future::pending().await;
        }
        let waiting = watches.into_iter().map(|(whose, watch)| {
            async move {
                let reason = watch.until_tripped().await;
                (whose, watch, reason)
            }
            .boxed()
        });
        let waiting: Vec<BoxFuture<'_, _>> = waiting.collect();
        future::select_all(waiting).await.0
    }

    async fn act(&self, whose: Whose, watch: Arc<Watch>, reason: String) -> Result<(), DeployError> {
        let this = self.clone();
        alone(async move {
            let _changing = this.0.changing.lock().await;
            match whose {
                Whose::Probation => this.roll_back_tripped(&watch, reason).await,
                Whose::Canary(name) => this.abort_tripped(&name, &watch, reason).await,
            }
        })
        .await
    }

    async fn abort_tripped(&self, name: &str, watch: &Arc<Watch>, reason: String) -> Result<(), DeployError> {
        let Some(canary) = self.0.end_canary(name, Some(watch)) else {
            return Ok(());
        };
        let version = canary.candidate.module.version;
        tracing::error!(module = %name, %version, reason, "the canary is aborted");
        self.0.record_abort(canary.candidate.row(BY), BY, Some(reason)).await
    }

    async fn roll_back_tripped(&self, watch: &Arc<Watch>, reason: String) -> Result<(), DeployError> {
        let Some(probation) = self.probation_of(watch) else {
            return Ok(());
        };
        if probation.migrated {
            tracing::error!(
                reason,
                "the new version does worse, and its data has been migrated: it stays"
            );
            self.0
                .note_reason(format!("{reason}; it stays, for the data was migrated"))
                .await?;
            return self.0.end_probation().await;
        }
        let entry = history::read(&mut self.0.store.begin(), probation.back_to)?;
        let Some(entry) = entry else {
            let gone = format!("generation {} is no longer in the history", probation.back_to);
            self.0.note_reason(format!("{reason}; {gone}, it stays")).await?;
            return self.0.end_probation().await;
        };
        tracing::error!(reason, back_to = probation.back_to, "rolls back");
        let mut modules = Vec::with_capacity(entry.modules.len());
        for row in entry.modules {
            // The modules of the generation before are in memory as long as the probation lasts.
            let module = self.0.fetch(&row).await?;
            modules.push((self.begun_again(row, BY), module));
        }
        let change = Change {
            modules,
            by: BY.to_owned(),
            action: Action::Rollback,
            reason: Some(reason),
            origin: Some(entry.origin.unwrap_or(entry.generation)),
            probation: None,
            migrations: Vec::new(),
            given: None,
        };
        self.0.apply(change).await.map(drop)
    }

    /// The time of a probation is over.
    async fn end_well(&self, watch: Arc<Watch>) -> Result<(), DeployError> {
        let this = self.clone();
        alone(async move {
            let _changing = this.0.changing.lock().await;
            // One that has just been found too bad is not over.
            match this.probation_of(&watch) {
                Some(_) if !watch.tripped() => {
                    tracing::info!(generation = this.generation(), "the probation is over");
                    this.0.end_probation().await
                }
                _ => Ok(()),
            }
        })
        .await
    }

    /// The probation that has this watch, if it still lasts.
    fn probation_of(&self, watch: &Arc<Watch>) -> Option<super::now::Probation> {
        let now = self.0.now();
        let probation = now.probation.as_ref()?;
        Arc::ptr_eq(&probation.watch, watch).then(|| probation.clone())
    }
}

impl Inner {
    /// Writes into the history why the live generation is what it should not be.
    async fn note_reason(&self, reason: String) -> Result<(), DeployError> {
        let generation = self.now().set.generation;
        let noted = self.store.update::<_, DeployError>(|tx| {
            if let Some(mut entry) = history::read(tx, generation)? {
                entry.reason = Some(reason.clone());
                history::write(tx, &entry)?;
            }
            Ok(())
        });
        Ok(noted.await?)
    }
}
