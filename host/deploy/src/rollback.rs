//! Going back: rollbacks to an earlier generation, and unloading a module.

use std::sync::Arc;
use std::time::Instant;

use stowage_logic::{Generation, Module};

use super::api::SwapReport;
use super::change::LiveSetChange;
use super::deployer::Deployer;
use super::error::DeployError;
use super::history::{self, Action, Entry};
use super::live_set::{self, LiveModule};
use super::shared::run_detached;
use super::swap::describe;
use super::wire::lost_methods;

impl Deployer {
    /// Makes the modules of the previous generation, or of generation `to`, live again as a new
    /// generation. The data stays as it is.
    ///
    /// # Errors
    /// [`DeployError::NothingToRollBack`]; [`DeployError::Older`] if the data has been migrated
    /// since; [`DeployError::Signature`] if modules have to be signed and one is not.
    pub async fn rollback(&self, to: Option<u64>, by: &'static str) -> Result<SwapReport, DeployError> {
        let this = self.clone();
        run_detached(async move {
            let _changing = this.0.changing.lock().await;
            let started = Instant::now();
            let entry = this.rollback_target(to)?;
            this.0.check_data_versions(&entry.modules)?;
            this.verify_rollback(&entry).await?;
            let generation = entry.generation;
            let change = this.change_back_to(entry, by).await;
            let change = change.map_err(|error| DeployError::NothingToRollBack {
                reason: format!("generation {generation} cannot be loaded any more: {error}"),
            })?;
            let applied = this.0.apply(change).await?;
            Ok(describe(&applied, Vec::new(), started.elapsed()))
        })
        .await
    }

    /// Takes a module out. What it overrode is served again.
    ///
    /// # Errors
    /// [`DeployError::NoSuchModule`]; [`DeployError::StillNeeded`] if no other module serves one of
    /// its functions.
    pub async fn unload(&self, name: &str, by: &'static str) -> Result<SwapReport, DeployError> {
        self.take_out(name, by, false).await
    }

    /// As [`Deployer::unload`], even if no module serves some functions afterwards.
    ///
    /// # Errors
    /// [`DeployError::NoSuchModule`].
    pub async fn unload_forced(&self, name: &str, by: &'static str) -> Result<SwapReport, DeployError> {
        self.take_out(name, by, true).await
    }

    async fn take_out(&self, name: &str, by: &'static str, force: bool) -> Result<SwapReport, DeployError> {
        let (this, name) = (self.clone(), name.to_owned());
        run_detached(async move {
            let _changing = this.0.changing.lock().await;
            let started = Instant::now();
            let before = this.0.live_modules();
            let after: Vec<_> = before.iter().filter(|(row, _)| row.name != name).cloned().collect();
            if after.len() == before.len() {
                return Err(DeployError::NoSuchModule { name });
            }
            let table = |modules: &[(LiveModule, Arc<Module>)]| {
                Generation::new(modules.iter().map(|(_, module)| Arc::clone(module)).collect())
            };
            let methods = lost_methods(&table(&before), &table(&after));
            if !methods.is_empty() && !force {
                return Err(DeployError::StillNeeded { name, methods });
            }
            let change = LiveSetChange::new(after, Action::Unload, by);
            let applied = this.0.apply(change).await?;
            Ok(describe(&applied, Vec::new(), started.elapsed()))
        })
        .await
    }

    fn rollback_target(&self, to: Option<u64>) -> Result<Entry, DeployError> {
        let nothing = |reason: String| DeployError::NothingToRollBack { reason };
        let set = self.0.serving().set.clone();
        let Some(to) = to else {
            return history::previous(&self.0.store, &set)?
                .ok_or_else(|| nothing("no other set of modules was live before this one".into()));
        };
        let entry = history::read(&mut self.0.store.begin(), to)?
            .filter(|entry| entry.action != Action::Abort)
            .ok_or_else(|| nothing(format!("the history has no generation {to} that was live")))?;
        if live_set::versions(&entry.modules) == set.versions() {
            return Err(nothing(format!("the modules of generation {to} are live already")));
        }
        Ok(entry)
    }

    /// Verifies the modules of an entry that are not live, also those that are still in memory.
    async fn verify_rollback(&self, entry: &Entry) -> Result<(), DeployError> {
        if !self.0.asks_for_signatures() {
            return Ok(());
        }
        let live = self.0.serving().set.clone();
        let is_live = |row: &LiveModule| {
            live.module(&row.name)
                .is_some_and(|module| module.version == row.version)
        };
        for row in entry.modules.iter().filter(|row| !is_live(row)) {
            let bytes = self.0.bytes_of(row).await?;
            let from = format!("{} {}", row.name, row.version);
            self.0.verify_row(row, &from, &Arc::new(bytes)).await?;
        }
        Ok(())
    }

    /// The change that makes the modules of an entry of the history live again.
    ///
    /// # Errors
    /// When a module of it cannot be loaded.
    pub(crate) async fn change_back_to(&self, entry: Entry, by: &str) -> Result<LiveSetChange, DeployError> {
        let mut modules = Vec::with_capacity(entry.modules.len());
        for row in entry.modules {
            let module = self.0.fetch(&row).await?;
            modules.push((self.renewed(row, by), module));
        }
        Ok(LiveSetChange {
            origin: Some(entry.origin.unwrap_or(entry.generation)),
            ..LiveSetChange::new(modules, Action::Rollback, by)
        })
    }

    /// The row of a module that goes live again. It is unchanged if the module is live now.
    fn renewed(&self, row: LiveModule, by: &str) -> LiveModule {
        let serving = self.0.serving();
        match serving.set.module(&row.name).filter(|live| live.version == row.version) {
            Some(live) => live.clone(),
            None => LiveModule {
                since_ms: 0,
                by: by.to_owned(),
                ..row
            },
        }
    }
}
