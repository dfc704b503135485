//! Recorded calls run again, and what they do otherwise.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stowage_logic::{Behaviour, DryRun, Facts, Function, Logic, Module, Moment, Services, differences};
use stowage_storage::{CommitError, Config, Error, KeyRange, Store, Transaction};
use wasmtime::component::Val;

use crate::format::{Call, Content, Line};
use crate::reader::{Recording, RecordingError};
use crate::replayed::Replayed;

/// Calls whose differences are kept; further ones are counted.
const MOST_DIFFERENT: usize = 100;
/// Functions that are named as absent; calls of further ones are counted under the last.
const MOST_ABSENT: usize = 256;

/// How a version did on recorded calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayReport {
    /// Recorded calls that were run again.
    pub replayed: u64,
    /// Those in which the version did otherwise.
    pub different: u64,
    /// The first of them, at most 100.
    pub differences: Vec<CallDifference>,
    /// Recorded calls of functions that the modules do not export, by function.
    pub absent: BTreeMap<String, u64>,
    /// Calls that the recording had to leave out, for their size or because too many came at once.
    pub unrecorded: u64,
    /// Whether the recording has its end; without one it was cut short.
    pub complete: bool,
}

/// A recorded call in which a version did otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallDifference {
    /// The line of the recording, counted from 1.
    pub line: u64,
    /// The function: `im-favorites/create-im-favorite-folder`.
    pub function: String,
    /// Its arguments.
    pub params: Map<String, Value>,
    /// What differs, a line each: the place and both sides.
    pub lines: Vec<String>,
}

impl ReplayReport {
    /// Whether calls were run again and all did what was recorded.
    pub fn passed(&self) -> bool {
        self.different == 0 && self.replayed > 0
    }
}

/// Why calls cannot be run again.
#[derive(Debug, thiserror::Error)]
enum Unfilled {
    #[error(transparent)]
    Storage(#[from] Error),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Runs recorded calls on these modules; where two have a function, on the later one. The modules are of this `logic`, whose store and
/// services take no part. The recording is read as it goes, on the caller's thread.
///
/// # Errors
/// When the recording cannot be read, or a line of it is none.
pub async fn replay<R: BufRead>(
    logic: &Logic,
    modules: &[Arc<Module>],
    recording: &mut Recording<R>,
) -> Result<ReplayReport, RecordingError> {
    let store = Store::in_memory(Config::default());
    let services = Arc::new(Replayed::default());
    let replayer = Replayer {
        logic: logic.with_store(store.clone(), Arc::clone(&services) as Arc<dyn Services>),
        store,
        services,
        modules,
    };
    let mut report = ReplayReport::default();
    while let Some(line) = recording.next_line()? {
        match line {
            Line::Header(_) => {
                return Err(RecordingError::Line {
                    line: recording.line(),
                    reason: "a second header".into(),
                });
            }
            Line::Skipped(_) => report.unrecorded += 1,
            Line::End(summary) => report.unrecorded += summary.dropped,
            Line::Call(call) => {
                let Some(function) = replayer.function(&call) else {
                    count_absent(&mut report.absent, &call);
                    continue;
                };
                let lines = replayer
                    .run(&function, &call)
                    .await
                    .map_err(|error| RecordingError::Line {
                        line: recording.line(),
                        reason: format!("what the call read cannot be stored: {error}"),
                    })?;
                report.replayed += 1;
                if lines.is_empty() {
                    continue;
                }
                report.different += 1;
                if report.differences.len() < MOST_DIFFERENT {
                    report.differences.push(CallDifference {
                        line: recording.line(),
                        function: function_path(&call),
                        params: call.params,
                        lines,
                    });
                }
            }
        }
    }
    report.complete = recording.is_complete();
    replayer.store.close().await;
    Ok(report)
}

/// `im-favorites/create-im-favorite-folder`.
fn function_path(call: &Call) -> String {
    let interface = call
        .interface
        .split_once('/')
        .map_or(call.interface.as_str(), |(_, i)| i);
    format!("{interface}/{}", call.function)
}

fn count_absent(absent: &mut BTreeMap<String, u64>, call: &Call) {
    let function = function_path(call);
    if absent.len() < MOST_ABSENT || absent.contains_key(&function) {
        *absent.entry(function).or_default() += 1;
    } else if let Some(mut last) = absent.last_entry() {
        *last.get_mut() += 1;
    }
}

struct Replayer<'a> {
    logic: Logic,
    store: Store,
    services: Arc<Replayed>,
    modules: &'a [Arc<Module>],
}

impl Replayer<'_> {
    fn function(&self, call: &Call) -> Option<Function> {
        let (package, interface) = call.interface.split_once('/')?;
        self.modules
            .iter()
            .rev()
            .filter_map(|module| Function::find(module, interface, &call.function))
            .find(|function| function.export().interface.package == package)
    }

    /// Runs one call on what it read, and tells what it did otherwise.
    async fn run(&self, function: &Function, call: &Call) -> Result<Vec<String>, Unfilled> {
        self.fill(call).await?;
        self.services.follow(call);
        let params = match params(function, call) {
            Ok(params) => params,
            Err(mismatch) => return Ok(vec![mismatch]),
        };
        let moment = Moment {
            now_ms: call.now_ms,
            seed: call.seed,
        };
        let mut facts = Facts::default();
        for (question, answer) in &call.facts {
            facts.insert(question.clone(), answer.clone());
        }
        let snapshot = self.store.snapshot();
        let dry_run = self.logic.dry_run(function, &params, &moment, &snapshot, &facts).await;
        let mut lines = differences(&call.behaviour(), &Behaviour::of_dry_run(&dry_run));
        lines.extend(reads(call, &dry_run));
        Ok(lines)
    }

    /// Makes the store hold what the call read, and nothing else.
    async fn fill(&self, call: &Call) -> Result<(), Unfilled> {
        let mut transaction = self.store.begin();
        let tables = transaction.snapshot().tables().map_err(Error::from)?;
        for table in tables {
            transaction.delete_range(&table, &KeyRange::all())?;
        }
        for read in &call.reads.keys {
            if let Some(content) = &read.content {
                put(&mut transaction, &read.place.table, &read.place.key.0, content)?;
            }
        }
        for range in &call.reads.ranges {
            for entry in &range.entries {
                put(&mut transaction, &range.table, &entry.key.0, &entry.content)?;
            }
        }
        self.store.commit(transaction).await?;
        Ok(())
    }
}

fn put(transaction: &mut Transaction, table: &str, key: &[u8], content: &Content) -> Result<(), Error> {
    match content {
        Content::Value(value) => transaction.put(table, key, value.0.clone()),
        Content::Counter(counter) => {
            // Of a key that the call before left behind nothing is to be added to.
            transaction.delete(table, key)?;
            transaction.add(table, key, *counter)
        }
    }
}

/// The arguments as the version takes them.
fn params(function: &Function, call: &Call) -> Result<Vec<Val>, String> {
    let taken = &function.export().params;
    if let Some(name) = call.params.keys().find(|name| taken.iter().all(|(n, _)| n != *name)) {
        return Err(format!("parameters: {name} is not taken any more"));
    }
    taken
        .iter()
        .map(|(name, decoder)| decoder.decode_member(&call.params, name))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("parameters: {error}"))
}

/// Reads that were not recorded: what they found is not what they would have found.
fn reads(call: &Call, dry_run: &DryRun) -> Vec<String> {
    let Some(transaction) = &dry_run.transaction else {
        return Vec::new();
    };
    let footprint = transaction.footprint();
    if footprint.reads_cut {
        return vec!["reads more than was recorded: more than a read set keeps".into()];
    }
    let mut lacking = call.reads.lack(&footprint).into_iter();
    let mut lines: Vec<_> = lacking
        .by_ref()
        .take(5)
        .map(|place| format!("reads more than was recorded: {place}"))
        .collect();
    let more = lacking.count();
    if more > 0 {
        lines.push(format!("and {more} reads more that were not recorded"));
    }
    lines
}
