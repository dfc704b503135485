//! The live set as the process begins: the one that was live, with what is new in this binary and in its module directory.
//!
//! What the start is given (built-in modules, files) is compared with what the last start was given. Given again unchanged it says nothing:
//! what somebody has swapped, rolled back or unloaded since stays so. Changed, a file goes live, and a built-in module
//! does where the live one is the built-in of an earlier binary. A live module whose bytes are gone is replaced by its latest version that loads.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future;
use stowage_logic::{Logic, Module, Version};
use stowage_storage::Store;

use super::blobs::Blobs;
use super::deployer::Deployer;
use super::error::DeployError;
use super::history::{self, Action};
use super::inner::Inner;
use super::interview;
use super::live::{self, LiveModule, LiveSet};
use super::migration;
use super::options::{Source, validate};
use super::switch::{Change, Pending};
use super::undo;

/// What [`Source::from`] says of the modules inside the binary.
const BUILT_IN: &str = "built-in";
/// Who asks for what a start brings.
const BY: &str = "start";

/// A module that the start is given.
struct Given {
    source: Source,
    version: Version,
    bytes: Arc<Vec<u8>>,
}

/// A module that is to be live.
struct Planned<'a> {
    row: LiveModule,
    /// Its bytes, where the start is given them.
    given: Option<&'a Given>,
    /// Whether it was not live before.
    new: bool,
}

/// A module of the start, loaded.
struct Ready {
    row: LiveModule,
    module: Arc<Module>,
    migration: Option<Pending>,
}

impl Deployer {
    /// The deployer of a store: serves the live set of the process before, or, at the first start, `initial`. A migration that was cut
    /// short is ended, or undone, before anything is served. `dir` holds the bytes of modules; it is made where it is missing.
    ///
    /// # Errors
    /// When a module of `initial` that is to be live does not load, when storage fails, and, at the first start, when a module's
    /// migration fails.
    pub async fn open(logic: Logic, store: Store, dir: PathBuf, initial: Vec<Source>) -> Result<Deployer, DeployError> {
        if !initial.is_empty() {
            validate(&initial)?;
        }
        let given: Vec<Given> = initial
            .into_iter()
            .map(|mut source| Given {
                version: Version::of(&source.bytes),
                bytes: Arc::new(std::mem::take(&mut source.bytes)),
                source,
            })
            .collect();
        let blobs = Inner::blocking(move || Blobs::open(dir)).await?;
        let deployer = Deployer(Arc::new(Inner::new(logic, store, blobs)));
        deployer.0.end_migration(&given).await?;
        let stored = live::read(&mut deployer.0.store.begin()).unwrap_or_else(|error| {
            tracing::error!(%error, "the live set is lost; the modules of this start serve");
            None
        });
        deployer.0.begin(&given, stored).await?;
        deployer.0.sweep().await;
        Ok(deployer)
    }
}

impl Inner {
    /// Ends the migration that the process before this one did not end.
    async fn end_migration(&self, given: &[Given]) -> Result<(), DeployError> {
        if let Some(row) = migration::unfinished(&self.store)? {
            let set = row.next.set.clone();
            tracing::warn!("a migration was cut short");
            let loading = set.modules.iter().map(|m| self.load_version(m, find(given, m)));
            let modules = future::try_join_all(loading).await;
            if let Some(reason) = self.resume(row, modules).await? {
                for module in set.modules.into_iter().filter(|m| m.since_ms == 0) {
                    let reason = format!("its migration was cut short and could not be ended: {reason}");
                    self.record_abort(module, BY, Some(reason)).await?;
                }
            }
        }
        undo::forget(&self.store).await
    }

    async fn begin(&self, given: &[Given], stored: Option<LiveSet>) -> Result<(), DeployError> {
        let Some(stored) = stored else {
            return self.begin_with(given, LiveSet::default(), true).await;
        };
        match self.begin_with(given, stored.clone(), true).await {
            Err(error @ (DeployError::Migration { .. } | DeployError::Older { .. })) => {
                tracing::error!(%error, "the modules that this start brings do not go live; those that were live serve");
                self.begin_with(given, stored, false).await
            }
            done => done,
        }
    }

    /// Serves `stored`, with what is new in `given` where `follow` says so.
    async fn begin_with(&self, given: &[Given], stored: LiveSet, follow: bool) -> Result<(), DeployError> {
        let mut reasons = Vec::new();
        let mut ready = Vec::new();
        let planned = plan(given, &stored, follow);
        let loading = planned.iter().map(|p| self.load_version(&p.row, p.given));
        for (planned, loaded) in planned.iter().zip(future::join_all(loading).await) {
            match loaded {
                Ok(module) => ready.push(self.ready(planned, module).await?),
                // What this start was given to serve has to load.
                Err(error) if planned.new => return Err(error),
                Err(error) => {
                    tracing::error!(module = %planned.row.name, version = %planned.row.version, %error, "a live module is lost");
                    let (instead, reason) = self.instead_of(&planned.row, given).await?;
                    reasons.push(format!("{}: {error}; {reason}", planned.row.name));
                    ready.extend(instead);
                }
            }
        }
        let bytes = ready
            .iter()
            .filter_map(|r| find(given, &r.row).map(|g| (g.version, Arc::clone(&g.bytes))))
            .collect();
        self.keep(bytes).await?;
        let versions: BTreeMap<String, Version> = given.iter().map(|g| (g.source.name.clone(), g.version)).collect();
        let same = ready
            .iter()
            .map(|r| (&*r.row.name, r.row.version))
            .eq(stored.versions());
        if same && stored.generation != 0 {
            return self.go_on(ready, stored, follow.then_some(versions)).await;
        }
        let (mut modules, mut migrations) = (Vec::new(), Vec::new());
        for Ready { row, module, migration } in ready {
            modules.push((row, module));
            migrations.extend(migration);
        }
        // The generation before has its place in the history.
        self.now().set = stored.clone();
        let change = Change {
            modules,
            by: BY.to_owned(),
            action: Action::Start,
            reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
            origin: None,
            probation: None,
            migrations,
            given: Some(if follow { versions } else { stored.given }),
        };
        self.apply(change).await.map(drop)
    }

    /// Serves the set that was live, its probation included.
    async fn go_on(
        &self,
        ready: Vec<Ready>,
        mut set: LiveSet,
        given: Option<BTreeMap<String, Version>>,
    ) -> Result<(), DeployError> {
        let over = set
            .probation
            .as_ref()
            .is_some_and(|p| p.until_ms <= super::now::now_ms());
        if over {
            set.probation = None;
        }
        if let Some(probation) = set.probation.clone() {
            match self.before(&probation).await {
                Ok(previous) => self.now().modules = previous,
                Err(error) => {
                    tracing::warn!(%error, "the probation ends early: the modules before cannot be loaded");
                    set.probation = None;
                }
            }
        }
        let news = given.filter(|given| *given != set.given);
        if let Some(given) = news {
            set.given = given;
            self.store.update::<_, DeployError>(|tx| live::write(tx, &set)).await?;
        }
        self.install(set, ready.into_iter().map(|r| r.module).collect(), None);
        Ok(())
    }

    /// The modules of the generation that a probation goes back to.
    async fn before(&self, probation: &live::ProbationRow) -> Result<Vec<Arc<Module>>, DeployError> {
        let entry = history::read(&mut self.store.begin(), probation.previous)?;
        let entry = entry.ok_or_else(|| DeployError::NothingToRollBack {
            reason: format!("generation {} is no longer in the history", probation.previous),
        })?;
        future::try_join_all(entry.modules.iter().map(|row| self.fetch(row))).await
    }

    /// The version of a row, from the bytes that the start is given or from those that were kept.
    async fn load_version(&self, row: &LiveModule, given: Option<&Given>) -> Result<Arc<Module>, DeployError> {
        let Some(given) = given else {
            return self.fetch(row).await;
        };
        let loaded = self.logic.load(&row.name, Vec::clone(&given.bytes)).await;
        let module = loaded.map_err(|source| DeployError::Load {
            from: given.source.from.clone(),
            source,
        })?;
        tracing::info!(module = %row.name, version = %module.version, functions = module.exports.len(), "loaded");
        Ok(Arc::new(module))
    }

    /// Finds out what the rows of a new module are, and whether those stored have to be migrated.
    async fn ready(&self, planned: &Planned<'_>, module: Arc<Module>) -> Result<Ready, DeployError> {
        let mut row = planned.row.clone();
        if !planned.new {
            return Ok(Ready {
                row,
                module,
                migration: None,
            });
        }
        let schema = interview::schema(&self.logic, &module, self.store.begin()).await;
        let data = live::schema(&mut self.store.begin(), &row.name)?;
        row.schema = schema.map_err(|reason| DeployError::Migration {
            name: row.name.clone(),
            old: data,
            new: data,
            reason: format!("schema.version: {reason}"),
        })?;
        self.check_age(std::slice::from_ref(&row))?;
        let migration = row.schema.filter(|new| *new > data).map(|new| Pending {
            name: row.name.clone(),
            old: data,
            new,
        });
        Ok(Ready { row, module, migration })
    }

    /// What serves in place of a live module that is lost: its latest other version that loads and fits the data, or what the start is
    /// given under its name, or nothing; and what to say of it.
    async fn instead_of(&self, lost: &LiveModule, given: &[Given]) -> Result<(Option<Ready>, String), DeployError> {
        let data = live::schema(&mut self.store.begin(), &lost.name)?;
        let fits = |row: &LiveModule| row.version != lost.version && row.schema.unwrap_or(0) == data;
        for mut row in history::versions_of(&self.store, &lost.name)?.into_iter().filter(fits) {
            match self.load_version(&row, find(given, &row)).await {
                Ok(module) => {
                    row.since_ms = 0;
                    row.by = BY.to_owned();
                    let reason = format!("version {} serves instead", row.version);
                    let migration = None;
                    return Ok((Some(Ready { row, module, migration }), reason));
                }
                Err(error) => tracing::warn!(module = %row.name, version = %row.version, %error, "lost as well"),
            }
        }
        let Some(given) = given.iter().find(|g| g.source.name == lost.name) else {
            return Ok((None, "no other version of it is left".into()));
        };
        let planned = Planned {
            row: given.row(),
            given: Some(given),
            new: true,
        };
        let loaded = match self.load_version(&planned.row, planned.given).await {
            Ok(module) => self.ready(&planned, module).await,
            Err(error) => Err(error),
        };
        Ok(match loaded {
            Ok(ready) => (Some(ready), format!("{} serves instead", given.source.from)),
            Err(error) => (None, format!("no other version of it is left ({error})")),
        })
    }
}

impl Given {
    fn row(&self) -> LiveModule {
        LiveModule {
            name: self.source.name.clone(),
            version: self.version,
            size: self.bytes.len() as u64,
            source: self.source.from.clone(),
            since_ms: 0,
            by: BY.to_owned(),
            schema: None,
        }
    }
}

/// The given module with the bytes of a row.
fn find<'a>(given: &'a [Given], row: &LiveModule) -> Option<&'a Given> {
    given
        .iter()
        .find(|g| g.source.name == row.name && g.version == row.version)
}

/// What is to be live, in the order of loading.
fn plan<'a>(given: &'a [Given], stored: &LiveSet, follow: bool) -> Vec<Planned<'a>> {
    let first = stored.generation == 0;
    let is_news = |g: &Given| follow && stored.given.get(&g.source.name) != Some(&g.version);
    let mut planned = Vec::with_capacity(stored.modules.len() + given.len());
    for row in &stored.modules {
        let named = given.iter().find(|g| g.source.name == row.name);
        let replaced = named.filter(|g| {
            g.version != row.version && is_news(g) && (g.source.from != BUILT_IN || row.source == BUILT_IN)
        });
        planned.push(match replaced {
            Some(g) => Planned {
                row: g.row(),
                given: Some(g),
                new: true,
            },
            None => Planned {
                row: row.clone(),
                given: find(given, row),
                new: false,
            },
        });
    }
    for g in given {
        let known = stored.given.contains_key(&g.source.name);
        let unloaded = known && (g.source.from == BUILT_IN || !is_news(g));
        if stored.module(&g.source.name).is_none() && (first || (is_news(g) && !unloaded)) {
            planned.push(Planned {
                row: g.row(),
                given: Some(g),
                new: true,
            });
        }
    }
    planned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, bytes: &[u8], from: &str) -> Given {
        Given {
            source: Source {
                name: name.into(),
                bytes: Vec::new(),
                from: from.into(),
            },
            version: Version::of(bytes),
            bytes: Arc::new(bytes.to_vec()),
        }
    }

    fn live(given: &[Given], live: &[(&str, &[u8], &str)]) -> LiveSet {
        LiveSet {
            generation: 1,
            modules: live
                .iter()
                .map(|(name, bytes, from)| LiveModule {
                    since_ms: 1,
                    ..super::tests::given(name, bytes, from).row()
                })
                .collect(),
            given: given.iter().map(|g| (g.source.name.clone(), g.version)).collect(),
            ..LiveSet::default()
        }
    }

    fn planned(given: &[Given], stored: &LiveSet) -> Vec<(String, Version, bool)> {
        plan(given, stored, true)
            .into_iter()
            .map(|p| (p.row.name, p.row.version, p.new))
            .collect()
    }

    fn expect(expected: &[(&str, &[u8], bool)]) -> Vec<(String, Version, bool)> {
        expected
            .iter()
            .map(|(name, bytes, new)| ((*name).to_owned(), Version::of(bytes), *new))
            .collect()
    }

    #[test]
    fn the_first_start_serves_what_it_is_given() {
        let new = [given("a", b"1", BUILT_IN), given("b", b"1", "/m/b.wasm")];
        assert_eq!(
            planned(&new, &LiveSet::default()),
            expect(&[("a", b"1", true), ("b", b"1", true)])
        );
    }

    #[test]
    fn a_new_binary_brings_its_built_in_modules_where_nobody_chose_others() {
        let old = [given("a", b"1", BUILT_IN), given("b", b"1", BUILT_IN)];
        let stored = live(&old, &[("a", b"1", BUILT_IN), ("b", b"mine", "upload")]);
        let new = [given("a", b"2", BUILT_IN), given("b", b"2", BUILT_IN)];
        assert_eq!(
            planned(&new, &stored),
            expect(&[("a", b"2", true), ("b", b"mine", false)])
        );
    }

    #[test]
    fn what_is_given_again_unchanged_leaves_swaps_and_unloads_as_they_were() {
        let old = [
            given("a", b"1", "/m/a.wasm"),
            given("b", b"1", BUILT_IN),
            given("c", b"2", BUILT_IN),
        ];
        let stored = live(&old, &[("a", b"swapped", "upload"), ("c", b"1", BUILT_IN)]);
        assert_eq!(
            planned(&old, &stored),
            expect(&[("a", b"swapped", false), ("c", b"1", false)])
        );
    }

    #[test]
    fn a_file_that_changed_goes_live_and_so_does_a_module_that_is_new() {
        let old = [given("a", b"1", "/m/a.wasm")];
        let stored = live(&old, &[("a", b"swapped", "upload")]);
        let new = [given("a", b"2", "/m/a.wasm"), given("z", b"1", BUILT_IN)];
        assert_eq!(planned(&new, &stored), expect(&[("a", b"2", true), ("z", b"1", true)]));
    }

    #[test]
    fn modules_that_are_no_longer_given_stay_live() {
        let old = [given("a", b"1", "/m/a.wasm")];
        let stored = live(&old, &[("a", b"1", "/m/a.wasm")]);
        assert_eq!(planned(&[], &stored), expect(&[("a", b"1", false)]));
    }
}
