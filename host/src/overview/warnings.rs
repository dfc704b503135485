//! What needs a person: one warning for each thing that is wrong, with what to do.

use serde_json::{Value, json};
use stowage_cloud::Health;
use stowage_deploy::api::{HistoryEntry, ModuleStatus, Severity, Warning};

use super::facts::{Disk, Facts, ms};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Bytes of free disk below which a person is warned.
const LOW_DISK: u64 = 1 << 30;
/// Bytes of free disk below which work soon fails.
const FULL_DISK: u64 = 128 << 20;
/// How long nothing may leave an outbox that is not empty.
const OUTBOX_PATIENCE_MS: u64 = 5 * MINUTE_MS;
/// Most warnings about what the host did to versions.
const MAX_VERSIONS: usize = 5;

/// The warnings that follow from these facts, the most severe first.
pub(super) fn warnings(facts: &Facts<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    warnings.extend(space(facts));
    warnings.extend(outbox(facts));
    warnings.extend(disk(facts));
    warnings.extend(database(facts));
    warnings.extend(versions(facts));
    for module in facts.modules {
        warnings.extend(trials(module));
        warnings.extend(faults(module, facts.now_ms));
    }
    warnings.extend(recording(facts));
    warnings.extend(backup(facts));
    warnings.extend(transfers(facts));
    warnings.extend(errors(facts));
    warnings.sort_by_key(|warning| warning.severity);
    warnings
}

fn warning(id: &str, severity: Severity, message: String, action: &str, parameters: Value) -> Warning {
    Warning {
        id: id.to_owned(),
        severity,
        message,
        action: action.to_owned(),
        parameters,
    }
}

fn space(facts: &Facts<'_>) -> Option<Warning> {
    let Health::OutOfReach { since, why } = facts.health else {
        return None;
    };
    let since = ms(*since);
    Some(warning(
        "space-away",
        Severity::Error,
        format!(
            "the cloud space cannot be reached for {}: {why}",
            ago(facts.now_ms, since)
        ),
        "Check that its disk is mounted, or that the network and the credentials work. Changes and transfers wait and \
         go on by themselves.",
        json!({"since": since, "reason": why}),
    ))
}

fn outbox(facts: &Facts<'_>) -> Option<Warning> {
    let since = facts.outbox_since_ms?;
    let waits = facts.outbox > 0 && facts.now_ms.saturating_sub(since) >= OUTBOX_PATIENCE_MS;
    // A space that is away explains it.
    (waits && *facts.health == Health::Reachable).then(|| {
        warning(
            "outbox-waits",
            Severity::Warning,
            format!(
                "{} changes wait for their way into the space, and none left for {}",
                facts.outbox,
                ago(facts.now_ms, since)
            ),
            "See the server's log for the reason. Check that this server may write to the space.",
            json!({"changes": facts.outbox, "since": since}),
        )
    })
}

fn disk(facts: &Facts<'_>) -> Option<Warning> {
    let Disk { free, total } = facts.disk?;
    let is_low = free < LOW_DISK || free < total / 20;
    is_low.then(|| {
        warning(
            "disk-low",
            if free < FULL_DISK {
                Severity::Error
            } else {
                Severity::Warning
            },
            format!("the disk of {} has only {} MiB free", facts.data.display(), free >> 20),
            "Remove files that nobody needs, or move the data directory to a larger disk. Without room, calls and \
             transfers fail.",
            json!({"dir": facts.data.display().to_string(), "free": free, "total": total}),
        )
    })
}

fn database(facts: &Facts<'_>) -> Option<Warning> {
    let at = facts
        .database_failed_ms
        .filter(|at| is_within(facts.now_ms, *at, HOUR_MS))?;
    Some(warning(
        "database-failed",
        Severity::Error,
        format!("the database could not write {} ago", ago(facts.now_ms, at)),
        "Check the disk of the data directory for room and for errors. The server's log has the reason.",
        json!({"at": at}),
    ))
}

/// What the host did to versions by itself in the last day.
fn versions(facts: &Facts<'_>) -> impl Iterator<Item = Warning> {
    let recent = facts
        .history
        .iter()
        .filter(move |entry| is_within(facts.now_ms, entry.at, DAY_MS));
    recent.filter_map(version).take(MAX_VERSIONS)
}

fn version(entry: &HistoryEntry) -> Option<Warning> {
    let reason = entry.reason.as_ref()?;
    let generation = entry.generation;
    let (id, message, action) = match &*entry.action {
        "rollback" => (
            "rolled-back",
            format!("a new version was rolled back, and generation {generation} serves: {reason}"),
            "Correct the module, check it with a recording, and swap it in again.",
        ),
        "abort" => (
            "canary-aborted",
            format!("a version on trial was given up: {reason}"),
            "Correct the module, and try it again as a shadow or a canary.",
        ),
        _ => (
            "version-failed",
            format!("a version of generation {generation} does badly and stays live: {reason}"),
            "Swap in a corrected version.",
        ),
    };
    let parameters = json!({
        "generation": generation,
        "at": entry.at,
        "action": entry.action,
        "reason": reason,
    });
    Some(warning(id, Severity::Warning, message, action, parameters))
}

/// Versions on trial that do worse than the one before.
fn trials(module: &ModuleStatus) -> impl Iterator<Item = Warning> {
    let canary = module.canary.as_ref().map(|c| ("canary", &c.version, &c.watch));
    let probation = module
        .probation
        .as_ref()
        .map(|p| ("probation", &module.version, &p.watch));
    canary
        .into_iter()
        .chain(probation)
        .filter_map(move |(kind, version, watch)| {
            let worse = watch.faults + watch.errors;
            (worse > 0).then(|| {
                warning(
                    "trial-worse",
                    Severity::Warning,
                    format!(
                        "{}: the version on {kind} did worse in {worse} of {} calls",
                        module.name, watch.calls
                    ),
                    "Look at the calls in the list of modules. Abort the canary, or roll back.",
                    json!({
                        "module": module.name,
                        "version": version,
                        "trial": kind,
                        "calls": watch.calls,
                        "faults": watch.faults,
                        "errors": watch.errors,
                    }),
                )
            })
        })
}

/// A module whose calls trapped or ran out of time in the last hour.
fn faults(module: &ModuleStatus, now_ms: u64) -> Option<Warning> {
    let at = module.calls.last_fault.filter(|at| is_within(now_ms, *at, HOUR_MS))?;
    let (traps, deadlines) = (module.calls.traps, module.calls.deadlines);
    Some(warning(
        "module-fails",
        Severity::Error,
        format!(
            "{}: {} calls trapped or ran out of time since it was loaded, the last one {} ago",
            module.name,
            traps + deadlines,
            ago(now_ms, at)
        ),
        "Read the module's log. Roll back, or swap in a corrected version.",
        json!({
            "module": module.name,
            "version": module.version,
            "traps": traps,
            "deadlines": deadlines,
            "at": at,
        }),
    ))
}

fn recording(facts: &Facts<'_>) -> Option<Warning> {
    let recording = facts.recording.as_ref().filter(|recording| !recording.open)?;
    let file = recording.file.display().to_string();
    Some(warning(
        "recording-ended",
        Severity::Warning,
        format!(
            "the recording to {file} ended by itself after {} calls: it reached its bound, or the disk failed",
            recording.calls
        ),
        "Stop it with `stowage record --stop`: that closes the file and says what it holds.",
        json!({"file": file, "calls": recording.calls}),
    ))
}

/// A backup that failed. It is an error when none was made for twice the time of the schedule.
fn backup(facts: &Facts<'_>) -> Option<Warning> {
    let backup = facts.backup?;
    let failure = backup.failure.as_ref()?;
    let last = backup.last.as_ref().map(|last| last.at);
    let is_late = backup.every_seconds.is_some_and(|every| {
        let patience_ms = every.saturating_mul(2000);
        last.is_none_or(|last| facts.now_ms.saturating_sub(last) >= patience_ms)
    });
    let since = match last {
        Some(last) => format!("the newest one is {} old", ago(facts.now_ms, last)),
        None => "there is none".to_owned(),
    };
    Some(warning(
        "backup-failed",
        if is_late { Severity::Error } else { Severity::Warning },
        format!("a backup to {} failed, and {since}: {}", failure.to, failure.message),
        "Check that the place of the backups is there, has room and takes the credentials. The server tries again by \
         itself if backups are scheduled.",
        json!({
            "to": failure.to,
            "at": failure.at,
            "reason": failure.message,
            "attempts": failure.attempts,
            "last": last,
        }),
    ))
}

fn transfers(facts: &Facts<'_>) -> Option<Warning> {
    let count = facts.failed_transfers;
    (count > 0).then(|| {
        warning(
            "transfers-failed",
            Severity::Warning,
            format!("{count} transfers failed, and nobody has seen them"),
            "Look at the transfers, and retry or remove them.",
            json!({"count": count}),
        )
    })
}

fn errors(facts: &Facts<'_>) -> Option<Warning> {
    let errors = facts
        .errors
        .as_ref()
        .filter(|e| is_within(facts.now_ms, e.last_ms, HOUR_MS))?;
    Some(warning(
        "server-errors",
        Severity::Warning,
        format!(
            "the server logged {} errors since it started, the last one {} ago: {}",
            errors.count,
            ago(facts.now_ms, errors.last_ms),
            errors.last
        ),
        "Read the server's log.",
        json!({"count": errors.count, "at": errors.last_ms, "last": errors.last}),
    ))
}

fn is_within(now_ms: u64, at_ms: u64, time_ms: u64) -> bool {
    now_ms.saturating_sub(at_ms) < time_ms
}

/// How long ago a time was, for a person.
fn ago(now_ms: u64, at_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(at_ms) / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests;
