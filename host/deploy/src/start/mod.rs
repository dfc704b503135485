//! The start of the deployer: which modules are live when the process begins.
//!
//! Usually these are the modules that were live before. The program is started with modules of its
//! own: the built-in ones, and files. They are compared with those of the last start. A module that
//! comes again unchanged changes nothing, so that swaps, rollbacks and unloads survive. A changed
//! file goes live. A changed built-in module goes live if the live one is built-in too. A live
//! module whose bytes are lost is replaced by its latest version that loads.
//!
//! If modules have to be signed, a live module that no key signs any more counts as lost. Its
//! replacement is signed or built-in. A new module of this start that is not signed ends the start.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future;
use stowage_logic::{Logic, Module, Version};
use stowage_storage::Store;

use crate::blobs::Blobs;
use crate::change::{LiveSetChange, PendingMigration};
use crate::deployer::Deployer;
use crate::error::DeployError;
use crate::history::{self, Action};
use crate::lifecycle;
use crate::live_set::{self, LiveModule, LiveSet, ProbationRow};
use crate::migration::undo;
use crate::migration_record as record;
use crate::options::{Source, validate};
use crate::shared::{Shared, run_blocking};
use crate::signature::KeyDir;
use crate::trust::{Trust, Trusted};
use plan::{BY, PlannedModule, StartupModule, find, plan};

/// What makes modules go live only if they are signed.
#[derive(Debug)]
pub struct SignedModules {
    /// The keys. One of them has to have signed each module that is not built-in.
    pub keys: KeyDir,
    /// The built-in modules. One serves in place of a live module of its name that no key signs any
    /// more.
    pub built_in: Vec<Source>,
}

/// The modules that a program starts with.
struct Startup {
    modules: Vec<StartupModule>,
    /// Built-in modules in place of others of their name, if modules have to be signed.
    built_in: Vec<StartupModule>,
}

impl Startup {
    fn trusted(&self) -> BTreeSet<Version> {
        let modules = self.modules.iter().filter(|s| s.is_built_in());
        modules.chain(&self.built_in).map(|s| s.version).collect()
    }

    fn find(&self, row: &LiveModule) -> Option<&StartupModule> {
        find(&self.modules, row).or_else(|| find(&self.built_in, row))
    }
}

/// A module that the start has loaded.
struct LoadedModule {
    row: LiveModule,
    module: Arc<Module>,
    migration: Option<PendingMigration>,
}

impl Deployer {
    /// Opens the deployer of a store and serves the modules that were live before; at the first
    /// start, `startup`. An unfinished migration is finished, or undone, before anything is served.
    /// `dir` holds the bytes of modules; it is created if it is missing.
    ///
    /// # Errors
    /// When a module of `startup` that is to be live does not load, when storage fails, and, at the
    /// first start, when the migration of a module fails.
    pub async fn open(logic: Logic, store: Store, dir: PathBuf, startup: Vec<Source>) -> Result<Deployer, DeployError> {
        Deployer::open_signed(logic, store, dir, startup, None).await
    }

    /// [`Deployer::open`], and with `signed` only signed modules go live from now on.
    ///
    /// # Errors
    /// As [`Deployer::open`]; [`DeployError::Signature`] if a module of `startup` that is to be
    /// live and was not is not signed.
    pub async fn open_signed(
        logic: Logic,
        store: Store,
        dir: PathBuf,
        startup: Vec<Source>,
        signed: Option<SignedModules>,
    ) -> Result<Deployer, DeployError> {
        if !startup.is_empty() {
            validate(&startup)?;
        }
        let (keys, built_in) = signed.map_or((None, Vec::new()), |signed| (Some(signed.keys), signed.built_in));
        let startup = Startup {
            modules: startup.into_iter().map(StartupModule::new).collect(),
            built_in: built_in.into_iter().map(StartupModule::new).collect(),
        };
        let blobs = run_blocking(move || Blobs::open(dir)).await?;
        let trust = Trust::new(keys, startup.trusted());
        let deployer = Deployer(Arc::new(Shared::new(logic, store, blobs, trust)));
        let shared = &deployer.0;
        shared.end_migration(&startup).await?;
        let stored = live_set::read(&mut shared.store.begin()).unwrap_or_else(|error| {
            tracing::error!(%error, "the live set is lost; the modules of this start serve");
            None
        });
        shared.begin(&startup, stored).await?;
        shared.sweep().await;
        Ok(deployer)
    }
}

impl Shared {
    /// Finishes or undoes the migration that the previous process did not finish.
    async fn end_migration(&self, startup: &Startup) -> Result<(), DeployError> {
        if let Some(row) = record::unfinished(&self.store)? {
            let set = row.change.set.clone();
            tracing::warn!("a migration was interrupted");
            let loading = set.modules.iter().map(|m| self.load_version(m, startup.find(m)));
            let modules = future::try_join_all(loading).await;
            let modules = modules.map(|modules| modules.into_iter().map(|(module, _)| module).collect());
            if let Some(reason) = self.resume_migration(row, modules).await? {
                for module in set.modules.into_iter().filter(|m| m.since_ms == 0) {
                    let reason = format!("its migration was interrupted and could not be finished: {reason}");
                    self.record_abort(module, BY, Some(reason)).await?;
                }
            }
        }
        undo::forget(&self.store).await
    }

    /// Serves the stored set with the changes of this start, or without them if they cannot be
    /// migrated.
    async fn begin(&self, startup: &Startup, stored: Option<LiveSet>) -> Result<(), DeployError> {
        let Some(stored) = stored else {
            return self.begin_with(startup, LiveSet::default(), true).await;
        };
        match self.begin_with(startup, stored.clone(), true).await {
            Err(error @ (DeployError::Migration { .. } | DeployError::Older { .. })) => {
                tracing::error!(%error, "the new modules of this start do not go live; the previous ones serve");
                self.begin_with(startup, stored, false).await
            }
            done => done,
        }
    }

    /// Serves `stored`; with `take_new`, new modules of `startup` go live.
    async fn begin_with(&self, startup: &Startup, stored: LiveSet, take_new: bool) -> Result<(), DeployError> {
        let planned = plan(&startup.modules, &stored, take_new);
        let bytes = |rows: Vec<&LiveModule>| {
            let startup = rows.into_iter().filter_map(|row| startup.find(row));
            startup.map(|s| (s.version, Arc::clone(&s.bytes))).collect()
        };
        // The disk syncs what is planned while the modules are loaded.
        let keeping = self.keep(bytes(planned.iter().map(|p| &p.row).collect()));
        let ((loaded, reasons), _) = future::try_join(self.load_planned(&planned, startup), keeping).await?;
        // A module in place of one that is lost was not planned. The others are there already.
        self.keep(bytes(loaded.iter().map(|l| &l.row).collect())).await?;
        let versions: BTreeMap<_, _> = startup
            .modules
            .iter()
            .map(|s| (s.source.name.clone(), s.version))
            .collect();
        let is_same = loaded
            .iter()
            .map(|l| (&*l.row.name, l.row.version))
            .eq(stored.versions());
        if is_same && stored.generation != 0 {
            return self.continue_with(loaded, stored, take_new.then_some(versions)).await;
        }
        let (mut modules, mut migrations) = (Vec::new(), Vec::new());
        for LoadedModule { row, module, migration } in loaded {
            modules.push((row, module));
            migrations.extend(migration);
        }
        // The change refers to the set before it.
        self.serving().set = stored.clone();
        let change = LiveSetChange {
            reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
            migrations,
            startup: Some(if take_new { versions } else { stored.startup }),
            ..LiveSetChange::new(modules, Action::Start, BY)
        };
        self.apply(change).await.map(drop)
    }

    /// Loads the planned modules. A live module that is lost is replaced; the reasons say by what.
    async fn load_planned(
        &self,
        planned: &[PlannedModule<'_>],
        startup: &Startup,
    ) -> Result<(Vec<LoadedModule>, Vec<String>), DeployError> {
        let mut loaded = Vec::with_capacity(planned.len());
        let mut reasons = Vec::new();
        let loading = planned.iter().map(|p| self.load_version(&p.row, p.startup));
        for (planned, result) in planned.iter().zip(future::join_all(loading).await) {
            match result {
                Ok((module, trusted)) => loaded.push(self.with_data_version(planned, module, trusted).await?),
                // A new module of this start has to load.
                Err(error) if planned.is_new => return Err(error),
                Err(error) => {
                    tracing::error!(
                        module = %planned.row.name, version = %planned.row.version, %error, "a live module is lost"
                    );
                    let (replacement, reason) = self.replacement_of(&planned.row, startup).await?;
                    reasons.push(format!("{}: {error}; {reason}", planned.row.name));
                    loaded.extend(replacement);
                }
            }
        }
        Ok((loaded, reasons))
    }

    /// Serves the stored set unchanged, with its probation. `startup` are the modules of this
    /// start, to be stored if they differ.
    async fn continue_with(
        &self,
        loaded: Vec<LoadedModule>,
        mut set: LiveSet,
        startup: Option<BTreeMap<String, Version>>,
    ) -> Result<(), DeployError> {
        let now_ms = crate::clock::now_ms();
        set.probation = set.probation.filter(|probation| probation.until_ms > now_ms);
        if let Some(probation) = &set.probation {
            match self.previous_modules(probation).await {
                Ok(previous) => self.serving().modules = previous,
                Err(error) => {
                    tracing::warn!(%error, "the probation ends early: the previous modules cannot be loaded");
                    set.probation = None;
                }
            }
        }
        let (rows, modules): (Vec<_>, Vec<_>) = loaded.into_iter().map(|l| (l.row, l.module)).unzip();
        let startup = startup.unwrap_or_else(|| set.startup.clone());
        // The rows differ if other keys signed the modules than those that are noted.
        if startup != set.startup || rows != set.modules {
            set.startup = startup;
            set.modules = rows;
            self.store
                .update::<_, DeployError>(|tx| live_set::write(tx, &set))
                .await?;
        }
        self.publish(set, modules, None);
        Ok(())
    }

    /// The modules of the generation that a probation rolls back to.
    async fn previous_modules(&self, probation: &ProbationRow) -> Result<Vec<Arc<Module>>, DeployError> {
        let entry = history::read(&mut self.store.begin(), probation.previous)?;
        let entry = entry.ok_or_else(|| DeployError::NothingToRollBack {
            reason: format!("generation {} is no longer in the history", probation.previous),
        })?;
        future::try_join_all(entry.modules.iter().map(|row| self.fetch(row))).await
    }

    /// Loads the version of a row, from the bytes of `startup` or from those on disk.
    async fn load_version(
        &self,
        row: &LiveModule,
        startup: Option<&StartupModule>,
    ) -> Result<(Arc<Module>, Trusted), DeployError> {
        let Some(startup) = startup else {
            return self.fetch_from_disk(row).await;
        };
        let trusted = self.verify_row(row, &startup.source.from, &startup.bytes).await?;
        let loaded = self.logic.load(&row.name, Vec::clone(&startup.bytes)).await;
        let module = loaded.map_err(|source| DeployError::Load {
            from: startup.source.from.clone(),
            source,
        })?;
        tracing::info!(module = %row.name, version = %module.version, functions = module.exports.len(), "loaded");
        Ok((Arc::new(module), trusted))
    }

    /// Asks a new module for its data version, and whether the stored rows have to be migrated to
    /// it.
    async fn with_data_version(
        &self,
        planned: &PlannedModule<'_>,
        module: Arc<Module>,
        trusted: Trusted,
    ) -> Result<LoadedModule, DeployError> {
        let mut row = planned.row.clone();
        if trusted != Trusted::Unasked {
            row.signed_by = trusted.keys();
        }
        if !planned.is_new {
            return Ok(LoadedModule {
                row,
                module,
                migration: None,
            });
        }
        let declared = lifecycle::data_version(&self.logic, &module, self.store.begin()).await;
        let data = live_set::data_version(&mut self.store.begin(), &row.name)?;
        row.schema = declared.map_err(|reason| DeployError::Migration {
            name: row.name.clone(),
            old: data,
            new: data,
            reason: format!("schema.version: {reason}"),
        })?;
        self.check_data_versions(std::slice::from_ref(&row))?;
        let migration = row.schema.filter(|new| *new > data).map(|new| PendingMigration {
            name: row.name.clone(),
            old: data,
            new,
        });
        Ok(LoadedModule { row, module, migration })
    }

    /// What serves in place of a live module that is lost: its latest other version that loads and
    /// fits the data, else the module of its name in `startup`, else nothing. The text says which.
    /// If modules have to be signed, each of these is.
    async fn replacement_of(
        &self,
        lost: &LiveModule,
        startup: &Startup,
    ) -> Result<(Option<LoadedModule>, String), DeployError> {
        let data = live_set::data_version(&mut self.store.begin(), &lost.name)?;
        let fits = |row: &LiveModule| row.version != lost.version && row.schema.unwrap_or(0) == data;
        for mut row in history::versions_of(&self.store, &lost.name)?.into_iter().filter(fits) {
            match self.load_version(&row, startup.find(&row)).await {
                Ok((module, trusted)) => {
                    row.signed_by = trusted.keys();
                    row.since_ms = 0;
                    row.by = BY.to_owned();
                    let reason = format!("version {} serves instead", row.version);
                    let migration = None;
                    return Ok((Some(LoadedModule { row, module, migration }), reason));
                }
                Err(error) => {
                    tracing::warn!(module = %row.name, version = %row.version, %error, "this version is lost too");
                }
            }
        }
        let mut reason = "no other version of it is left".to_owned();
        let same_name = |s: &&StartupModule| s.source.name == lost.name;
        for startup in startup.modules.iter().chain(&startup.built_in).filter(same_name) {
            let planned = PlannedModule::new(startup);
            let loaded = match self.load_version(&planned.row, planned.startup).await {
                Ok((module, trusted)) => self.with_data_version(&planned, module, trusted).await,
                Err(error) => Err(error),
            };
            match loaded {
                Ok(loaded) => return Ok((Some(loaded), format!("{} serves instead", startup.source.from))),
                Err(error) => reason = format!("no other version of it is left ({error})"),
            }
        }
        Ok((None, reason))
    }
}
