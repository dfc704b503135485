//! The check of modules before anything of them is visible.

use std::sync::Arc;

use stowage_logic::{Generation, LoadError, Logic, Module, Moment, Route, Version};
use stowage_storage::Store;

use super::api::{CheckReport, CheckStep};
use super::error::DeployError;
use super::interview::{self, Stepped};
use super::live;
use super::now::{is_method, wire_name};
use super::replay::replay_recording;

/// Lines of a step that are told.
const MOST_LINES: usize = 200;

/// A module after its check.
pub(super) struct Examined {
    pub(super) report: CheckReport,
    /// The version of its rows; none where it names none.
    pub(super) schema: Option<u32>,
    /// The version of the stored rows.
    pub(super) data: u32,
}

impl Examined {
    /// Whether it may go live.
    pub(super) fn admits(&self, force: bool) -> bool {
        self.report.steps.iter().all(|s| s.passed || (force && s.forceable))
    }
}

/// What checks are made with.
pub(super) struct Checker<'a> {
    pub(super) logic: &'a Logic,
    pub(super) store: &'a Store,
    /// What is live.
    pub(super) before: &'a [Arc<Module>],
    /// What would be.
    pub(super) after: &'a [Arc<Module>],
}

fn step(name: &str, passed: bool, forceable: bool, lines: Vec<String>) -> CheckStep {
    let mut lines = lines;
    if lines.len() > MOST_LINES {
        let left_out = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("and {left_out} lines more"));
    }
    CheckStep {
        name: name.into(),
        passed,
        forceable,
        lines,
    }
}

/// The report of a module with these steps.
fn report(name: &str, version: Version, steps: Vec<CheckStep>) -> CheckReport {
    CheckReport {
        name: name.into(),
        version: format!("{version:#}"),
        passed: steps.iter().all(|s| s.passed),
        steps,
    }
}

/// The report of a module that was not even loaded.
pub(super) fn unloadable(name: &str, version: Version, error: &LoadError) -> CheckReport {
    let compiled = |then: &str| {
        vec![
            step("compile", true, false, vec!["a component".into()]),
            step(then, false, false, vec![error.to_string()]),
        ]
    };
    let steps = match error {
        LoadError::Compile { .. } => vec![step("compile", false, false, vec![error.to_string()])],
        LoadError::Import { .. } | LoadError::Link { .. } => compiled("imports"),
        LoadError::Type { .. } | LoadError::AmbiguousName { .. } | LoadError::NoExports { .. } => {
            let mut steps = compiled("exports");
            steps.insert(1, step("imports", true, false, vec!["all of them allowed".into()]));
            steps
        }
    };
    report(name, version, steps)
}

/// The report of a check that was not begun.
pub(super) fn not_begun(name: &str, version: Version, error: &DeployError) -> CheckReport {
    report(
        name,
        version,
        vec![step("compile", false, false, vec![error.to_string()])],
    )
}

impl Checker<'_> {
    /// Checks one of the modules that would be live.
    ///
    /// # Errors
    /// When storage fails. What is wrong with the module is told in the report.
    pub(super) async fn examine(
        &self,
        module: &Arc<Module>,
        size: usize,
        recording: Option<Vec<u8>>,
    ) -> Result<Examined, DeployError> {
        let functions = module.exports.len();
        let mut steps = vec![
            step(
                "compile",
                true,
                false,
                vec![format!("{size} bytes, {functions} functions")],
            ),
            step("imports", true, false, vec!["all of them allowed".into()]),
            self.exports(module),
        ];
        let data = live::schema(&mut self.store.begin(), &module.name)?;
        let mut examined = Examined {
            report: report(&module.name, module.version, Vec::new()),
            schema: None,
            data,
        };
        match self.logic.instantiate(module).await {
            Ok(()) => {
                steps.push(step("instantiate", true, false, Vec::new()));
                let (schema, migrated) = self.schema(module, data, &mut examined).await;
                steps.extend(self.self_test(module, migrated).await);
                steps.push(schema);
                if let Some(recording) = recording {
                    steps.push(self.replay(module, recording).await);
                }
            }
            Err(error) => steps.push(step("instantiate", false, false, vec![error.to_string()])),
        }
        examined.report = report(&module.name, module.version, steps);
        Ok(examined)
    }

    /// What clients would notice: functions that nobody would serve any more, or with another type.
    fn exports(&self, module: &Arc<Module>) -> CheckStep {
        let before = Generation::new(self.before.to_vec());
        let after = Generation::new(self.after.to_vec());
        let is_ours = |route: &&Route| *route.module().name == *module.name;
        // By function: the lines about it.
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        let mut compatible = true;
        let mut kept = 0;
        for old in before.routes() {
            let lines = match after.version_of(old.function()) {
                None if is_ours(&old) => vec![format!("- {}", text(old))],
                Some(new) if is_ours(&new) => changes(old, new),
                _ => continue,
            };
            compatible &= lines.is_empty();
            kept += usize::from(lines.is_empty());
            found.push((old.export().function.clone(), lines));
        }
        for new in after.routes().filter(is_ours) {
            if before.version_of(new.function()).is_none() {
                found.push((new.export().function.clone(), vec![format!("+ {}", text(new))]));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let unchanged = (kept > 0).then(|| format!("{kept} functions as they were"));
        let lines = unchanged
            .into_iter()
            .chain(found.into_iter().flat_map(|(_, lines)| lines))
            .collect();
        step("exports", compatible, true, lines)
    }

    /// Compares the version of the module's rows with that of the stored ones; where they are to be migrated, tries the first step.
    /// That, if it was the last one as well, is the state that the self-test runs on.
    async fn schema(&self, module: &Arc<Module>, data: u32, examined: &mut Examined) -> (CheckStep, Migrated) {
        let failed = |line: String| (step("schema", false, false, vec![line]), Migrated::No);
        let passed = |line: String, migrated| (step("schema", true, false, vec![line]), migrated);
        match interview::schema(self.logic, module, self.store.begin()).await {
            Err(reason) => return failed(format!("schema.version: {reason}")),
            Ok(version) => examined.schema = version,
        }
        let Some(version) = examined.schema else {
            return match data {
                0 => passed("its rows have no version".into(), Migrated::No),
                _ => failed(format!(
                    "names no version of its rows, and those stored are of version {data}"
                )),
            };
        };
        if version < data {
            return failed(format!(
                "keeps rows of version {version}, and those stored are of version {data}"
            ));
        }
        if version == data {
            return passed(format!("its rows are those stored, of version {data}"), Migrated::No);
        }
        let tried = interview::migrate(self.logic, module, self.store.begin(), data, None, &Moment::now()).await;
        match tried {
            Err(reason) => failed(format!(
                "the migration from version {data} to {version} would fail: {reason}"
            )),
            Ok(stepped) => {
                let rows = stepped.step.rows;
                match stepped.step.cursor {
                    None => passed(
                        format!("rows are brought from version {data} to {version}: {rows} in one step"),
                        Migrated::Whole(Box::new(stepped)),
                    ),
                    Some(_) => {
                        let total = stepped.step.total.map_or_else(String::new, |t| format!(" of {t}"));
                        passed(
                            format!(
                                "rows are brought from version {data} to {version} in steps, while calls wait: {rows}{total} in the first"
                            ),
                            Migrated::InPart,
                        )
                    }
                }
            }
        }
    }

    async fn self_test(&self, module: &Arc<Module>, migrated: Migrated) -> Option<CheckStep> {
        let transaction = match migrated {
            Migrated::No => self.store.begin(),
            Migrated::Whole(stepped) => stepped.transaction,
            Migrated::InPart => {
                return Some(step(
                    "self-test",
                    true,
                    true,
                    vec!["not run: the data is migrated in several steps".into()],
                ));
            }
        };
        let result = interview::self_test(self.logic, module, transaction).await?;
        Some(match result {
            Ok(()) => step("self-test", true, true, Vec::new()),
            Err(reason) => step("self-test", false, true, reason.lines().map(str::to_owned).collect()),
        })
    }

    async fn replay(&self, module: &Arc<Module>, recording: Vec<u8>) -> CheckStep {
        match replay_recording(self.logic, &recording, Arc::clone(module)).await {
            Ok(lines) => step("replay", true, true, lines),
            Err(lines) => step("replay", false, true, lines),
        }
    }
}

/// What became of the data when the migration was tried.
enum Migrated {
    /// There is none to do, or it failed.
    No,
    /// The transaction holds all of it.
    Whole(Box<Stepped>),
    /// There are further steps.
    InPart,
}

/// Fails the schema step of a module that is to run beside the live one, on the same rows, but would migrate them.
pub(super) fn forbid_migration(examined: &mut Examined) {
    let Some(version) = examined.schema.filter(|v| *v != examined.data) else {
        return;
    };
    let data = examined.data;
    for step in examined
        .report
        .steps
        .iter_mut()
        .filter(|s| s.name == "schema" && s.passed)
    {
        step.passed = false;
        step.lines.push(format!(
            "beside the live version it sees rows of version {data}; it has to be swapped in to migrate them to {version}"
        ));
        examined.report.passed = false;
    }
}

fn text(route: &Route) -> String {
    route
        .function()
        .signature()
        .map_or_else(|| wire_name(route), |s| s.text())
}

fn changes(old: &Route, new: &Route) -> Vec<String> {
    if old.module().version == new.module().version {
        return Vec::new();
    }
    let (Some(before), Some(after)) = (old.function().signature(), new.function().signature()) else {
        return vec![format!("- {}", wire_name(old)), format!("+ {}", wire_name(new))];
    };
    before.changes(&after)
}

/// The methods of `before` that `after` does not serve, as they are called on the wire.
pub(super) fn lost_methods(before: &Generation, after: &Generation) -> Vec<String> {
    let mut lost: Vec<String> = before
        .routes()
        .filter(|route| after.version_of(route.function()).is_none())
        .map(|route| match is_method(route) {
            true => wire_name(route),
            false => format!("{} of {}", route.export().function, route.export().interface.interface),
        })
        .collect();
    lost.sort();
    lost
}
