//! Runs recorded calls again and compares what they do.

use std::io::BufRead;
use std::sync::Arc;

use stowage_logic::{Behaviour, DryRun, Facts, Function, Logic, Module, Moment, Services, differences};
use stowage_storage::{Config, Error, KeyRange, Store, Transaction};
use wasmtime::component::Val;

use crate::line::Line;
use crate::recorded_call::{Content, RecordedCall};
use crate::recorded_services::RecordedServices;
use crate::recording::{LineError, Recording, RecordingError};
use crate::report::ReplayReport;

/// Reads that were not recorded, of which a report names this many.
const MAX_NAMED_READS: usize = 5;

/// Runs recorded calls on these modules. If two export a function, the later one runs it. The
/// modules are those of `logic`; its store and its services take no part. The recording is read on
/// the caller's thread.
///
/// # Errors
/// When the recording cannot be read.
pub async fn replay<R: BufRead>(
    logic: &Logic,
    modules: &[Arc<Module>],
    recording: &mut Recording<R>,
) -> Result<ReplayReport, RecordingError> {
    let store = Store::in_memory(Config::default());
    let services = Arc::new(RecordedServices::default());
    let replayer = Replayer {
        logic: logic.with_store(store.clone(), Arc::clone(&services) as Arc<dyn Services>),
        store,
        services,
        modules,
    };
    let mut report = ReplayReport::default();
    while let Some(line) = recording.next_line()? {
        match line {
            Line::Header(_) => return Err(recording.error(LineError::SecondHeader)),
            Line::Skipped(_) => report.unrecorded += 1,
            Line::End(summary) => report.unrecorded += summary.dropped,
            Line::Call(call) => match replayer.function(&call) {
                None => report.add_absent(&call),
                Some(function) => {
                    let differences = replayer.run(&function, &call).await;
                    let differences = differences.map_err(|error| recording.error(error))?;
                    report.add(recording.line(), *call, differences);
                }
            },
        }
    }
    report.complete = recording.is_complete();
    replayer.store.close().await;
    Ok(report)
}

struct Replayer<'a> {
    logic: Logic,
    store: Store,
    services: Arc<RecordedServices>,
    modules: &'a [Arc<Module>],
}

impl Replayer<'_> {
    fn function(&self, call: &RecordedCall) -> Option<Function> {
        let (package, interface) = call.interface.split_once('/')?;
        self.modules
            .iter()
            .rev()
            .filter_map(|module| Function::find(module, interface, &call.function))
            .find(|function| function.export().interface.package == package)
    }

    /// Runs one call on what it read, and returns the differences.
    async fn run(&self, function: &Function, call: &RecordedCall) -> Result<Vec<String>, LineError> {
        self.fill(call).await?;
        self.services.follow(call);
        let params = match params(function, call) {
            Ok(params) => params,
            Err(difference) => return Ok(vec![difference]),
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
        lines.extend(unrecorded_reads(call, &dry_run));
        Ok(lines)
    }

    /// Makes the store hold what the call read, and nothing else.
    async fn fill(&self, call: &RecordedCall) -> Result<(), LineError> {
        let mut transaction = self.store.begin();
        for table in transaction.snapshot().tables().map_err(Error::from)? {
            transaction.delete_range(&table, &KeyRange::all())?;
        }
        for read in &call.reads.keys {
            if let Some(content) = &read.content {
                put(&mut transaction, &read.key.table, &read.key.key.0, content)?;
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
            // The call before may have left a counter, which must not be added to.
            transaction.delete(table, key)?;
            transaction.add(table, key, *counter)
        }
    }
}

/// The arguments, decoded for this version of the function. An error is a difference.
fn params(function: &Function, call: &RecordedCall) -> Result<Vec<Val>, String> {
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

/// Reads that were not recorded. What the recorded call would have found there is unknown.
fn unrecorded_reads(call: &RecordedCall, dry_run: &DryRun) -> Vec<String> {
    let Some(transaction) = &dry_run.transaction else {
        return Vec::new();
    };
    let footprint = transaction.footprint();
    if footprint.reads_cut {
        return vec!["reads more than was recorded: more than a read set keeps".into()];
    }
    let missing = call.reads.missing(&footprint);
    let named = missing.iter().take(MAX_NAMED_READS);
    let mut lines: Vec<_> = named
        .map(|read| format!("reads more than was recorded: {read}"))
        .collect();
    if missing.len() > MAX_NAMED_READS {
        let more = missing.len() - MAX_NAMED_READS;
        lines.push(format!("and {more} more reads that were not recorded"));
    }
    lines
}
