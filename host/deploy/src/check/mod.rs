//! The check of a module before anything of it is visible.

mod exports;
mod replay;
mod report;

pub(crate) use report::{not_begun, unloadable, unsigned};

use std::sync::Arc;

use stowage_logic::{Logic, Module, Moment};
use stowage_storage::Store;

use crate::api::{CheckReport, CheckStep};
use crate::change::PendingMigration;
use crate::error::DeployError;
use crate::lifecycle::{self, UncommittedStep};
use crate::live_set;
use crate::trust::Trusted;
use exports::compare_exports;
use replay::replay_recording;
use report::{forceable_step, imports_allowed, report, signed, step};

/// What a check found out.
pub(crate) struct CheckOutcome {
    pub(crate) report: CheckReport,
    /// The data version that the module declares; none if it declares none.
    pub(crate) schema: Option<u32>,
    /// The data version of the stored rows.
    data: u32,
}

impl CheckOutcome {
    /// Whether the module may go live.
    pub(crate) fn admits(&self, force: bool) -> bool {
        self.report.steps.iter().all(|s| s.passed || (force && s.forceable))
    }

    /// The migration that the module needs to go live under this name.
    pub(crate) fn migration(&self, name: &str) -> Option<PendingMigration> {
        let new = self.schema.filter(|schema| *schema > self.data)?;
        Some(PendingMigration {
            name: name.to_owned(),
            old: self.data,
            new,
        })
    }

    /// Fails the schema step of a module that would migrate data: a trial works on the rows of the
    /// live version.
    pub(crate) fn forbid_migration(&mut self) {
        let data = self.data;
        let Some(version) = self.schema.filter(|schema| *schema != data) else {
            return;
        };
        let mut steps = self.report.steps.iter_mut();
        if let Some(step) = steps.find(|s| s.name == "schema" && s.passed) {
            step.passed = false;
            step.lines.push(format!(
                "a trial works on the stored rows, which have data version {data}; swap the module in to migrate \
                 them to {version}"
            ));
            self.report.passed = false;
        }
    }
}

/// The inputs of a check.
pub(crate) struct Checker<'a> {
    pub(crate) logic: &'a Logic,
    pub(crate) store: &'a Store,
    /// The live modules.
    pub(crate) before: &'a [Arc<Module>],
    /// The modules that would be live.
    pub(crate) after: &'a [Arc<Module>],
}

/// What trying the migration did to the data.
enum TriedMigration {
    /// None is needed, or it failed.
    None,
    /// The transaction holds all of it.
    Complete(Box<UncommittedStep>),
    /// It has further steps.
    Partial,
}

impl Checker<'_> {
    /// Checks one of the modules that would be live.
    ///
    /// # Errors
    /// When storage fails. What is wrong with the module is in the report.
    pub(crate) async fn examine(
        &self,
        module: &Arc<Module>,
        size: usize,
        trusted: &Trusted,
        recording: Option<Vec<u8>>,
    ) -> Result<CheckOutcome, DeployError> {
        let functions = module.exports.len();
        let mut steps: Vec<_> = signed(trusted).into_iter().collect();
        steps.extend([
            step("compile", true, vec![format!("{size} bytes, {functions} functions")]),
            imports_allowed(),
            compare_exports(module, self.before, self.after),
        ]);
        let data = live_set::data_version(&mut self.store.begin(), &module.name)?;
        let mut schema = None;
        match self.logic.instantiate(module).await {
            Ok(()) => {
                steps.push(step("instantiate", true, Vec::new()));
                let (schema_step, tried) = self.check_data_version(module, data, &mut schema).await;
                steps.extend(self.self_test(module, tried).await);
                steps.push(schema_step);
                if let Some(recording) = recording {
                    steps.push(self.replay(module, &recording).await);
                }
            }
            Err(error) => steps.push(step("instantiate", false, vec![error.to_string()])),
        }
        Ok(CheckOutcome {
            report: report(&module.name, module.version, steps),
            schema,
            data,
        })
    }

    /// Compares the module's data version, which it writes to `schema`, with that of the stored
    /// rows. If they are to be migrated, tries the first step. If that is the last step too, the
    /// self-test runs on its result.
    async fn check_data_version(
        &self,
        module: &Arc<Module>,
        data: u32,
        schema: &mut Option<u32>,
    ) -> (CheckStep, TriedMigration) {
        let failed = |line: String| (step("schema", false, vec![line]), TriedMigration::None);
        let passed = |line: String| (step("schema", true, vec![line]), TriedMigration::None);
        match lifecycle::data_version(self.logic, module, self.store.begin()).await {
            Err(reason) => return failed(format!("schema.version: {reason}")),
            Ok(version) => *schema = version,
        }
        match *schema {
            None if data == 0 => passed("the module declares no data version".into()),
            None => failed(format!(
                "the module declares no data version, but the stored rows have version {data}"
            )),
            Some(version) if version < data => failed(format!(
                "the module's data version is {version}, but the stored rows have version {data}"
            )),
            Some(version) if version == data => {
                passed(format!("the module's data version is that of the stored rows, {data}"))
            }
            Some(version) => self.try_migration(module, data, version).await,
        }
    }

    /// Runs the first step of a migration, without a commit.
    async fn try_migration(&self, module: &Arc<Module>, data: u32, version: u32) -> (CheckStep, TriedMigration) {
        let moment = Moment::now();
        let run = match lifecycle::migrate(self.logic, module, self.store.begin(), data, None, &moment).await {
            Ok(run) => run,
            Err(reason) => {
                let line = format!("the migration from data version {data} to {version} would fail: {reason}");
                return (step("schema", false, vec![line]), TriedMigration::None);
            }
        };
        let rows = run.step.rows;
        if run.step.cursor.is_none() {
            let line = format!("a migration from data version {data} to {version} changes {rows} rows in one step");
            return (
                step("schema", true, vec![line]),
                TriedMigration::Complete(Box::new(run)),
            );
        }
        let total = run.step.total.map_or_else(String::new, |t| format!(" of {t}"));
        let line = format!(
            "a migration from data version {data} to {version} takes several steps, while calls wait: the first \
             changes {rows}{total} rows"
        );
        (step("schema", true, vec![line]), TriedMigration::Partial)
    }

    async fn self_test(&self, module: &Arc<Module>, tried: TriedMigration) -> Option<CheckStep> {
        let transaction = match tried {
            TriedMigration::None => self.store.begin(),
            TriedMigration::Complete(run) => run.transaction,
            TriedMigration::Partial => {
                let line = "not run: the data is migrated in several steps".to_owned();
                return Some(forceable_step("self-test", true, vec![line]));
            }
        };
        let result = lifecycle::self_test(self.logic, module, transaction).await?;
        let lines = result.as_ref().err().map_or("", |reason| reason.as_str()).lines();
        let lines = lines.map(str::to_owned).collect();
        Some(forceable_step("self-test", result.is_ok(), lines))
    }

    async fn replay(&self, module: &Arc<Module>, recording: &[u8]) -> CheckStep {
        let replayed = replay_recording(self.logic, recording, Arc::clone(module)).await;
        let passed = replayed.is_ok();
        let (Ok(lines) | Err(lines)) = replayed;
        forceable_step("replay", passed, lines)
    }
}
