//! Acts on versions that do worse than their predecessors, and ends probations that went well.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{self, BoxFuture};
use stowage_logic::Watch;
use tokio_util::sync::CancellationToken;

use super::deployer::Deployer;
use super::error::DeployError;
use super::history;
use super::probation::Probation;
use super::shared::{Shared, run_detached};

/// The pause between two attempts to act while storage fails.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Who acts, as the history shows it.
const BY: &str = "host";

/// What a watch belongs to.
#[derive(Clone)]
enum WatchOwner {
    Probation,
    /// The canary of this module.
    Canary(String),
}

impl Deployer {
    /// Supervises trials until `stop`: rolls back generations on probation and aborts canaries that
    /// exceed a threshold, and ends probations whose time is over. Run it once.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let acted = tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.watches_changed.notified() => continue,
                (owner, watch, reason) = self.first_tripped() => self.act(owner, watch, reason).await,
                watch = self.probation_over() => self.end_well(watch).await,
            };
            if let Err(error) = acted {
                tracing::error!(%error, "a trial could not be ended; trying again");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(RETRY_PAUSE) => {}
                }
            }
        }
    }

    /// Waits until the time of the probation is over.
    async fn probation_over(&self) -> Arc<Watch> {
        let probation = self.0.serving().probation.clone();
        match probation {
            Some(probation) => {
                tokio::time::sleep(probation.left()).await;
                probation.watch
            }
            None => future::pending().await,
        }
    }

    /// Waits until a version exceeds a threshold of its watch.
    async fn first_tripped(&self) -> (WatchOwner, Arc<Watch>, String) {
        let watches: Vec<(WatchOwner, Arc<Watch>)> = {
            let serving = self.0.serving();
            let probation = serving.probation.iter();
            let probation = probation.map(|p| (WatchOwner::Probation, Arc::clone(&p.watch)));
            let canaries = serving.canaries.iter();
            let canaries = canaries.map(|(name, c)| (WatchOwner::Canary(name.clone()), Arc::clone(&c.watch)));
            probation.chain(canaries).collect()
        };
        if watches.is_empty() {
            return future::pending().await;
        }
        let waiting = watches.into_iter().map(|(owner, watch)| {
            async move {
                let reason = watch.until_tripped().await;
                (owner, watch, reason)
            }
            .boxed()
        });
        let waiting: Vec<BoxFuture<'_, _>> = waiting.collect();
        future::select_all(waiting).await.0
    }

    async fn act(&self, owner: WatchOwner, watch: Arc<Watch>, reason: String) -> Result<(), DeployError> {
        let this = self.clone();
        run_detached(async move {
            let _changing = this.0.changing.lock().await;
            match owner {
                WatchOwner::Probation => this.roll_back_tripped(&watch, reason).await,
                WatchOwner::Canary(name) => this.abort_tripped(&name, &watch, reason).await,
            }
        })
        .await
    }

    async fn abort_tripped(&self, name: &str, watch: &Arc<Watch>, reason: String) -> Result<(), DeployError> {
        let Some(canary) = self.0.end_canary(name, Some(watch)) else {
            return Ok(());
        };
        let version = canary.candidate.module.version;
        tracing::error!(module = %name, %version, reason, "a canary exceeded its thresholds and is aborted");
        self.0.record_abort(canary.candidate.row(BY), BY, Some(reason)).await
    }

    async fn roll_back_tripped(&self, watch: &Arc<Watch>, reason: String) -> Result<(), DeployError> {
        let Some(probation) = self.probation_of(watch) else {
            return Ok(());
        };
        if probation.migrated {
            return self
                .keep_tripped(format!("{reason}; it stays, for the data was migrated"))
                .await;
        }
        let back_to = probation.back_to;
        let Some(entry) = history::read(&mut self.0.store.begin(), back_to)? else {
            let gone = format!("generation {back_to} is no longer in the history");
            return self.keep_tripped(format!("{reason}; {gone}, it stays")).await;
        };
        let modules = self.0.serving().on_probation().join(" ");
        tracing::error!(
            modules,
            reason,
            back_to,
            "a new version exceeded its thresholds and is rolled back"
        );
        // The modules of the previous generation are in memory while the probation lasts.
        let mut change = self.change_back_to(entry, BY).await?;
        change.reason = Some(reason);
        self.0.apply(change).await.map(drop)
    }

    /// Keeps a version that exceeded its thresholds, because there is no way back: records why, and
    /// ends the probation.
    async fn keep_tripped(&self, reason: String) -> Result<(), DeployError> {
        let modules = self.0.serving().on_probation().join(" ");
        tracing::error!(modules, reason, "a new version exceeded its thresholds");
        self.0.note_reason(reason).await?;
        self.0.end_probation().await
    }

    /// Ends a probation whose time is over.
    async fn end_well(&self, watch: Arc<Watch>) -> Result<(), DeployError> {
        let this = self.clone();
        run_detached(async move {
            let _changing = this.0.changing.lock().await;
            // A watch that tripped in the last moment is acted on instead.
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
    fn probation_of(&self, watch: &Arc<Watch>) -> Option<Probation> {
        let serving = self.0.serving();
        let probation = serving.probation.as_ref()?;
        Arc::ptr_eq(&probation.watch, watch).then(|| probation.clone())
    }
}

impl Shared {
    /// Writes into the history entry of the live generation what is wrong with it.
    async fn note_reason(&self, reason: String) -> Result<(), DeployError> {
        let generation = self.serving().set.generation;
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
