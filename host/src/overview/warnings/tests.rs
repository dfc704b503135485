//! Tests of the warnings: which follow from which facts.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use stowage_deploy::api::{BackupFailure, BackupSummary, CanaryStatus, LastBackup, RecordStatus};

use super::*;
use crate::journal::Errors;

const NOW: u64 = 1_800_000_000_000;

fn well() -> Facts<'static> {
    Facts {
        now_ms: NOW,
        data: Path::new("/data"),
        disk: Some(Disk {
            free: 50 << 30,
            total: 100 << 30,
        }),
        health: &Health::Reachable,
        outbox: 3,
        outbox_since_ms: Some(NOW - MINUTE_MS),
        history: &[],
        modules: &[],
        recording: None,
        backup: None,
        failed_transfers: 0,
        database_failed_ms: None,
        errors: None,
    }
}

fn found(facts: &Facts<'_>) -> Vec<(String, Severity)> {
    let warnings = warnings(facts);
    for warning in &warnings {
        assert!(
            warning.parameters.is_object() && warning.action.ends_with('.'),
            "{warning:?}"
        );
    }
    warnings.into_iter().map(|w| (w.id, w.severity)).collect()
}

fn one(facts: &Facts<'_>) -> (String, Severity) {
    let mut found = found(facts);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn module(status: Value) -> ModuleStatus {
    let mut whole = json!({
        "name": "favorites", "version": "9f2c", "size": 1, "source": "built-in", "since": 1, "by": "start",
        "methods": [], "schema": 1, "calls": stowage_logic::Summary::default(),
        "probation": null, "shadow": null, "canary": null,
    });
    for (name, value) in status.as_object().expect("fields") {
        whole[name] = value.clone();
    }
    serde_json::from_value(whole).expect("a module")
}

#[test]
fn a_server_that_is_well_has_no_warnings() {
    assert_eq!(found(&well()), []);
    let unknown = Facts {
        disk: None,
        outbox: 0,
        outbox_since_ms: None,
        ..well()
    };
    assert_eq!(found(&unknown), []);
}

#[test]
fn a_space_that_is_away_is_told_once() {
    let health = Health::OutOfReach {
        since: UNIX_EPOCH + Duration::from_millis(NOW - HOUR_MS),
        why: "no answer".into(),
    };
    let facts = Facts {
        health: &health,
        outbox_since_ms: Some(1),
        ..well()
    };
    assert_eq!(one(&facts), ("space-away".into(), Severity::Error));
    let warning = &warnings(&facts)[0];
    assert_eq!(
        warning.parameters,
        json!({"since": NOW - HOUR_MS, "reason": "no answer"})
    );
    assert!(warning.message.contains("60 min: no answer"), "{}", warning.message);
}

#[test]
fn an_outbox_that_does_not_empty_is_told() {
    let stuck = Facts {
        outbox_since_ms: Some(NOW - OUTBOX_PATIENCE_MS),
        ..well()
    };
    assert_eq!(one(&stuck).0, "outbox-waits");
    assert_eq!(found(&Facts { outbox: 0, ..stuck }), []);
}

#[test]
fn a_disk_with_little_room_is_told() {
    let with = |free, total| Facts {
        disk: Some(Disk { free, total }),
        ..well()
    };
    assert_eq!(
        one(&with(LOW_DISK - 1, 10 << 30)),
        ("disk-low".into(), Severity::Warning)
    );
    assert_eq!(one(&with(4 << 30, 100 << 30)), ("disk-low".into(), Severity::Warning));
    assert_eq!(one(&with(1, 100 << 30)), ("disk-low".into(), Severity::Error));
    assert_eq!(found(&with(6 << 30, 100 << 30)), []);
}

#[test]
fn what_the_host_did_to_versions_is_told_for_a_day() {
    let entry = |action: &str, at, reason: Option<&str>| HistoryEntry {
        generation: 7,
        at,
        by: "host".into(),
        action: action.into(),
        reason: reason.map(str::to_owned),
        modules: Vec::new(),
        signed_by: Default::default(),
    };
    let history = [
        entry("rollback", NOW - HOUR_MS, Some("3 of 9 calls failed")),
        entry("abort", NOW - HOUR_MS, Some("errors")),
        entry("swap", NOW - HOUR_MS, Some("it stays")),
        entry("swap", NOW - HOUR_MS, None),
        entry("rollback", NOW - DAY_MS, Some("long ago")),
    ];
    let facts = Facts {
        history: &history,
        ..well()
    };
    let ids: Vec<_> = found(&facts).into_iter().map(|w| w.0).collect();
    assert_eq!(ids, ["rolled-back", "canary-aborted", "version-failed"]);
}

#[test]
fn a_module_that_does_badly_is_told() {
    let calls = |last_fault: u64| {
        json!({"calls": {"calls": 9, "failed": 0, "traps": 2, "deadlines": 1, "lastFault": last_fault, "codes": {},
                         "p50Us": null, "p99Us": null}})
    };
    let modules = [module(calls(NOW - 1)), module(calls(NOW - HOUR_MS)), module(json!({}))];
    let facts = Facts {
        modules: &modules,
        ..well()
    };
    assert_eq!(one(&facts), ("module-fails".into(), Severity::Error));
    assert_eq!(warnings(&facts)[0].parameters["traps"], 2);

    let canary = |faults: u64, errors: u64| {
        let watch = json!({"calls": 20, "faults": faults, "errors": errors, "latest": [], "reason": null});
        let canary: CanaryStatus = serde_json::from_value(json!({
            "version": "aa", "since": 1, "percent": 5.0, "methods": [],
            "thresholds": {"faults": 3, "errorsPercent": 5.0, "errors": 5}, "watch": watch,
            "calls": stowage_logic::Summary::default(),
        }))
        .expect("a canary");
        [module(json!({"canary": canary}))]
    };
    let modules = canary(1, 2);
    let facts = Facts {
        modules: &modules,
        ..well()
    };
    assert_eq!(one(&facts).0, "trial-worse");
    assert_eq!(warnings(&facts)[0].parameters["version"], "aa");
    let modules = canary(0, 0);
    let facts = Facts {
        modules: &modules,
        ..well()
    };
    assert_eq!(found(&facts), []);
}

#[test]
fn errors_come_before_warnings() {
    let recording = |open| {
        Some(RecordStatus {
            file: "/tmp/calls.ndjson".into(),
            open,
            calls: 5,
        })
    };
    let facts = Facts {
        recording: recording(false),
        failed_transfers: 2,
        database_failed_ms: Some(NOW - MINUTE_MS),
        errors: Some(Errors {
            count: 1,
            last_ms: NOW - MINUTE_MS,
            last: "a job panicked".into(),
        }),
        ..well()
    };
    let ids: Vec<_> = found(&facts).into_iter().map(|w| w.0).collect();
    assert_eq!(
        ids,
        [
            "database-failed",
            "recording-ended",
            "transfers-failed",
            "server-errors"
        ]
    );
    let later = Facts {
        now_ms: NOW + HOUR_MS,
        recording: recording(true),
        failed_transfers: 0,
        outbox: 0,
        ..facts
    };
    assert_eq!(found(&later), []);
}

#[test]
fn a_backup_that_failed_is_a_warning_and_an_error_when_none_is_young() {
    let summary = |every_seconds, last: Option<u64>, failed: bool| BackupSummary {
        to: Some("file:///backups".into()),
        every_seconds,
        next: None,
        running: false,
        last: last.map(|at| LastBackup { id: None, at }),
        failure: failed.then(|| BackupFailure {
            at: NOW - MINUTE_MS,
            to: "file:///backups".into(),
            message: "the disk is full".into(),
            attempts: 2,
        }),
    };
    let of = |backup: &BackupSummary| {
        found(&Facts {
            backup: Some(backup),
            ..well()
        })
    };
    let hour = Some(3600);
    assert_eq!(of(&summary(hour, None, false)), []);
    let kind = |severity| vec![("backup-failed".to_owned(), severity)];
    assert_eq!(of(&summary(hour, Some(NOW - HOUR_MS), true)), kind(Severity::Warning));
    assert_eq!(of(&summary(hour, Some(NOW - 2 * HOUR_MS), true)), kind(Severity::Error));
    assert_eq!(of(&summary(hour, None, true)), kind(Severity::Error));
    assert_eq!(
        of(&summary(None, None, true)),
        kind(Severity::Warning),
        "one that a person began"
    );
}
