//! Calls, by method and module version; instances; changes of the live set; trials.

use std::fmt;

use prometheus_client::registry::Unit;
use stowage_deploy::{Counts, Deployer};
use stowage_logic::Logic;

use super::families::Families;
use super::versions::Shown;

/// The method, module and version of requests that reached no function.
const OTHER: &str = "other";
/// Microseconds of a second.
const US: f64 = 1e6;

/// A number that belongs to a module version.
type OfVersion<'a, const N: usize> = ([(&'a str, &'a str); N], u64);

pub(super) fn encode(families: &mut Families<'_>, logic: &Logic, deployer: &Deployer, shown: &[Shown]) -> fmt::Result {
    calls(families, logic, shown)?;
    runs(families, shown)?;
    instances(families, logic, shown)?;
    let counts = deployer.counts();
    changes(families, &counts)?;
    trials(families, &counts)
}

fn calls(families: &mut Families<'_>, logic: &Logic, shown: &[Shown]) -> fmt::Result {
    let functions: Vec<_> = shown
        .iter()
        .flat_map(|shown| shown.stats.functions().map(move |function| (shown, function)))
        .collect();
    let mut samples = Vec::new();
    for (shown, function) in &functions {
        let codes = function.codes.iter().map(|(code, count)| (code.to_string(), *count));
        let more = (function.more_codes > 0).then(|| (OTHER.to_owned(), function.more_codes));
        samples.extend(
            codes
                .chain(more)
                .map(|(code, count)| (*shown, function.method, code, count)),
        );
    }
    let of_functions = samples.iter().map(|(shown, method, code, count)| {
        let labels = [
            ("method", *method),
            ("module", &*shown.stats.name),
            ("version", &*shown.version),
            ("code", &**code),
        ];
        (labels, *count)
    });
    let refused = logic.refused_requests().map(|(code, count)| (code.to_string(), count));
    let of_nobody = refused.iter().map(|(code, count)| {
        let labels = [("method", OTHER), ("module", ""), ("version", ""), ("code", &**code)];
        (labels, *count)
    });
    families.counter(
        "stowage_calls",
        None,
        "Calls that ended, by the version that ran; requests that reached no function have the method other",
        of_functions.chain(of_nobody),
    )?;
    let labels = |shown: &'_ Shown, method: &'_ str| {
        [
            ("method", method.to_owned()),
            ("module", shown.stats.name.to_string()),
            ("version", shown.version.clone()),
        ]
    };
    let owned: Vec<_> = functions
        .iter()
        .map(|(shown, function)| labels(shown, function.method))
        .collect();
    let borrowed = || {
        owned
            .iter()
            .map(|labels| labels.each_ref().map(|(name, value)| (*name, &**value)))
    };
    families.histogram(
        "stowage_call_duration",
        Some(&Unit::Seconds),
        "From the first attempt of a call to the end of its commit",
        US,
        borrowed().zip(functions.iter().map(|(_, function)| function.times_us.clone())),
    )?;
    families.counter(
        "stowage_cached_responses",
        None,
        "Responses that came from the response cache, without a call",
        borrowed().zip(functions.iter().map(|(_, function)| function.cached)),
    )
}

/// What happened to runs, by module version.
fn runs(families: &mut Families<'_>, shown: &[Shown]) -> fmt::Result {
    let faults = shown.iter().flat_map(|shown| {
        let faults = shown.stats.faults();
        faults.map(|(fault, count)| of_version(shown, "kind", fault.name(), count))
    });
    families.counter(
        "stowage_call_faults",
        None,
        "Calls without an outcome, by what ended them",
        faults,
    )?;
    let retries = shown.iter().flat_map(|shown| {
        let retries = shown.stats.retries();
        retries.map(|(retry, count)| of_version(shown, "reason", retry.name(), count))
    });
    families.counter(
        "stowage_call_retries",
        None,
        "Attempts of calls that were made again",
        retries,
    )?;
    families.counter(
        "stowage_paced_runs",
        None,
        "Runs that waited for their turn, because their function usually takes long",
        shown.iter().map(|shown| (version(shown), shown.stats.paced())),
    )
}

fn instances(families: &mut Families<'_>, logic: &Logic, shown: &[Shown]) -> fmt::Result {
    families.gauge(
        "stowage_idle_instances",
        None,
        "Instances that wait for a call",
        shown.iter().map(|shown| (version(shown), shown.idle_instances())),
    )?;
    families.counter(
        "stowage_instances_created",
        None,
        "Instances that were made for calls",
        shown.iter().map(|shown| (version(shown), shown.stats.instances_made())),
    )?;
    let dropped = shown.iter().flat_map(|shown| {
        let dropped = shown.stats.instances_dropped();
        dropped.map(|(end, count)| of_version(shown, "reason", end.name(), count))
    });
    families.counter(
        "stowage_instances_dropped",
        None,
        "Instances that are not used again, by the reason",
        dropped,
    )?;
    let (held, all) = logic.permits();
    families.gauge("stowage_running_calls", None, "Calls that run now", [([], held)])?;
    families.gauge(
        "stowage_max_running_calls",
        None,
        "Calls that may run at once; further ones wait",
        [([], all)],
    )
}

fn changes(families: &mut Families<'_>, counts: &Counts) -> fmt::Result {
    families.gauge(
        "stowage_generation",
        None,
        "The number of the generation of modules that serves",
        [([], counts.generation)],
    )?;
    let made = counts
        .changes
        .iter()
        .map(|(action, count)| ([("action", *action)], *count));
    families.counter(
        "stowage_module_changes",
        None,
        "Changes of the live modules, by what was done; abort is a version on trial that was given up",
        made,
    )?;
    families.counter(
        "stowage_module_changes_refused",
        None,
        "Swaps that were refused or failed",
        [([], counts.failed_changes)],
    )?;
    families.gauge(
        "stowage_draining_versions",
        None,
        "Versions that serve no more and have calls in flight",
        [([], counts.draining)],
    )?;
    families.gauge(
        "stowage_migration_running",
        None,
        "1 while a migration of data runs",
        [([], u64::from(counts.migrating))],
    )
}

/// What versions on trial did since their trial began. The samples go with the trial.
fn trials(families: &mut Families<'_>, counts: &Counts) -> fmt::Result {
    let trials: Vec<_> = counts
        .trials
        .iter()
        .map(|trial| (trial, trial.version.to_string()))
        .collect();
    let labels = || {
        trials.iter().map(|(trial, version)| {
            [
                ("module", &*trial.module),
                ("version", &**version),
                ("trial", trial.trial),
            ]
        })
    };
    let watches = || counts.trials.iter().map(|trial| &trial.watch);
    families.gauge(
        "stowage_trial_calls",
        None,
        "Calls that a version on trial was given since its trial began",
        labels().zip(watches().map(|watch| watch.calls)),
    )?;
    families.gauge(
        "stowage_trial_faults",
        None,
        "Calls that a version on trial failed and the version before did not",
        labels().zip(watches().map(|watch| watch.faults)),
    )?;
    families.gauge(
        "stowage_trial_errors",
        None,
        "Errors of a version on trial that the version before does not return",
        labels().zip(watches().map(|watch| watch.errors)),
    )?;
    let shadows: Vec<_> = counts
        .shadows
        .iter()
        .map(|shadow| (shadow, shadow.version.to_string()))
        .collect();
    let compared = shadows.iter().flat_map(|(shadow, version)| {
        let results = [
            ("different", shadow.different),
            ("same", shadow.compared.saturating_sub(shadow.different)),
            ("skipped", shadow.skipped),
        ];
        results.map(|(result, count)| {
            let labels = [("module", &*shadow.module), ("version", &**version), ("result", result)];
            (labels, count)
        })
    });
    families.gauge(
        "stowage_shadow_calls",
        None,
        "Live calls that a shadow has compared or skipped since it began",
        compared,
    )
}

fn version(shown: &Shown) -> [(&str, &str); 2] {
    [("module", &*shown.stats.name), ("version", &*shown.version)]
}

fn of_version<'a>(shown: &'a Shown, name: &'a str, value: &'a str, count: u64) -> OfVersion<'a, 3> {
    let [module, version] = version(shown);
    ([module, version, (name, value)], count)
}
