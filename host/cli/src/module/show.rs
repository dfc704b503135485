//! The reports of the admin API as text.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use console::{measure_text_width, pad_str};
use serde::Serialize;
use stowage_logic::WatchReport;

use crate::output::{self, printable};
use crate::size::ByteSize;
use stowage_deploy::api::ModuleList;
use stowage_deploy::api::{CanaryStatus, CheckReport, Difference, ProbationStatus, ShadowReport, SwapReport};

/// The number of hex digits that identify a version.
const VERSION_DIGITS: usize = 12;

/// Writes a report to stdout, as one line of JSON or as the text of `text`.
pub(super) fn print<T: Serialize>(report: &T, json: bool, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
    let shown = if json {
        serde_json::to_string(report)?
    } else {
        text(report)
    };
    output::line(&shown)?;
    Ok(())
}

/// The first digits of a version.
pub(super) fn version(hex: &str) -> String {
    printable(hex).chars().take(VERSION_DIGITS).collect()
}

/// A time in milliseconds since 1970, in UTC to the second.
pub(super) fn time(ms: u64) -> String {
    let time = UNIX_EPOCH
        .checked_add(Duration::from_millis(ms))
        .unwrap_or(SystemTime::UNIX_EPOCH);
    // Years with more than four digits have no such form.
    if ms < 253_402_300_800_000 {
        humantime::format_rfc3339_seconds(time).to_string()
    } else {
        format!("{ms} ms")
    }
}

/// A time in microseconds.
pub(super) fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

fn micros_or_dash(us: Option<u64>) -> String {
    us.map_or_else(|| "-".to_owned(), micros)
}

/// A table with its heads. Columns are as wide as their widest cell; the last one is not padded.
pub(super) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| {
            rows.iter()
                .filter_map(|row| row.get(c))
                .map(|cell| measure_text_width(cell))
                .max()
                .unwrap_or(0)
        })
        .collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<_> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| pad_str(cell, *width, console::Alignment::Left, None))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

/// The live modules: one line each, and under it the versions on trial.
pub(super) fn modules(list: &ModuleList) -> String {
    let modules = &list.modules;
    const HEADS: [&str; 14] = [
        "MODULE", "VERSION", "SIZE", "SINCE", "BY", "CALLS", "AGAIN", "ERRORS", "TRAPS", "LATE", "P50", "P99",
        "METHODS", "SOURCE",
    ];
    let mut rows = vec![HEADS.map(str::to_owned).to_vec()];
    rows.extend(modules.iter().map(|m| {
        vec![
            printable(&m.name),
            version(&m.version),
            ByteSize(m.size).to_string(),
            time(m.since),
            printable(&m.by),
            m.calls.calls.to_string(),
            m.calls.remembered.to_string(),
            m.calls.failed.to_string(),
            m.calls.traps.to_string(),
            m.calls.deadlines.to_string(),
            micros_or_dash(m.calls.p50_us),
            micros_or_dash(m.calls.p99_us),
            m.methods.len().to_string(),
            printable(&m.source),
        ]
    }));
    let mut lines = table(&rows).into_iter();
    let mut text = format!("generation {}", list.generation);
    for head in lines.by_ref().take(1) {
        text = format!("{text}\n{head}");
    }
    for (line, module) in lines.zip(modules) {
        text.push('\n');
        text.push_str(&line);
        let beside = [
            signed_by(&module.signed_by),
            module.probation.as_ref().map(probation),
            module.shadow.as_ref().map(shadow_line),
            module.canary.as_ref().map(canary_line),
        ];
        for line in beside.into_iter().flatten() {
            text.push_str("\n  ");
            text.push_str(&line);
        }
    }
    for old in &list.draining {
        // Writing to a string does not fail.
        let _ = write!(text, "\ndraining: {} {}", printable(&old.name), version(&old.version));
    }
    text
}

fn signed_by(keys: &[String]) -> Option<String> {
    (!keys.is_empty()).then(|| format!("signed by {}", printable(&keys.join(", "))))
}

fn probation(status: &ProbationStatus) -> String {
    format!("on probation until {}: {}", time(status.until), watch(&status.watch))
}

fn watch(report: &WatchReport) -> String {
    let mut text = format!(
        "{} calls, {} failed and {} answered an error where the version before does not",
        report.calls, report.faults, report.errors
    );
    if let Some(reason) = &report.reason {
        text.push_str("; found too bad: ");
        text.push_str(&printable(reason));
    }
    text
}

/// A shadow on one line.
pub(super) fn shadow_line(report: &ShadowReport) -> String {
    let [live_p50, live_p99] = report.live_us.map(micros_or_dash);
    let [shadow_p50, shadow_p99] = report.shadow_us.map(micros_or_dash);
    format!(
        "shadow {} of {} % since {}: {} compared, {} different, {} skipped; p50 {shadow_p50} (live {live_p50}), p99 {shadow_p99} (live {live_p99})",
        version(&report.version),
        report.percent,
        time(report.since),
        report.compared,
        report.different,
        report.skipped,
    )
}

/// A shadow and the calls that differ.
pub(super) fn shadow(report: &ShadowReport) -> String {
    let mut text = shadow_line(report);
    for difference in &report.differences {
        text.push('\n');
        text.push_str(&self::difference(difference));
    }
    text
}

/// A call that differs in a shadow.
pub(super) fn difference(difference: &Difference) -> String {
    let mut text = format!(
        "  {} {}",
        printable(&difference.method),
        printable(&difference.params.to_string())
    );
    for line in &difference.lines {
        text.push_str("\n    ");
        text.push_str(&printable(line));
    }
    text
}

/// A canary on one line.
pub(super) fn canary_line(status: &CanaryStatus) -> String {
    let methods = if status.methods.is_empty() {
        "all methods".to_owned()
    } else {
        printable(&status.methods.join(", "))
    };
    format!(
        "canary {} for {} % of {methods} since {}: {}; p50 {}, p99 {}",
        version(&status.version),
        status.percent,
        time(status.since),
        watch(&status.watch),
        micros_or_dash(status.calls.p50_us),
        micros_or_dash(status.calls.p99_us),
    )
}

/// A check: one line for each step, with its findings.
pub(super) fn check(report: &CheckReport) -> String {
    let mut text = format!(
        "check of {} {}: {}",
        printable(&report.name),
        version(&report.version),
        if report.passed { "passed" } else { "failed" }
    );
    for step in &report.steps {
        let mark = if step.passed { "ok  " } else { "FAIL" };
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {mark}  {}", printable(&step.name));
        if !step.passed && step.forceable {
            text.push_str("  (--force gets past it)");
        }
        for line in &step.lines {
            text.push_str("\n        ");
            text.push_str(&printable(line));
        }
    }
    text
}

/// The report of a swap.
pub(super) fn swap(report: &SwapReport) -> String {
    let mut lines: Vec<String> = report.checks.iter().map(check).collect();
    if report.migrated_rows > 0 {
        lines.push(format!("migrated: {} rows", report.migrated_rows));
    }
    lines.push(if report.unchanged {
        format!("unchanged: generation {} has these bytes already", report.generation)
    } else {
        format!(
            "live: generation {}, switched in {:.1} ms",
            report.generation,
            report.switch_us as f64 / 1e3
        )
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use stowage_logic::{Summary, Thresholds};

    use super::*;
    use stowage_deploy::api::Draining;
    use stowage_deploy::api::{CheckStep, ModuleStatus};

    #[test]
    fn a_list_has_a_line_a_module_and_one_for_each_trial() {
        let status = ModuleStatus {
            name: "favorites".into(),
            version: "0123456789abcdef".repeat(4),
            size: 4246,
            source: "/x/\u{1b}[2J.wasm".into(),
            since: 1_744_104_587_216,
            by: "command".into(),
            methods: vec!["a".into(), "b".into()],
            schema: Some(1),
            signed_by: vec!["release".into()],
            calls: Summary {
                calls: 7,
                remembered: 3,
                p50_us: Some(120),
                p99_us: Some(1_250),
                ..Summary::default()
            },
            probation: Some(ProbationStatus {
                until: 1_744_104_647_216,
                thresholds: Thresholds::default(),
                watch: WatchReport {
                    calls: 5,
                    faults: 1,
                    ..WatchReport::default()
                },
            }),
            shadow: None,
            canary: None,
        };
        let text = modules(&ModuleList {
            generation: 12,
            modules: vec![status],
            draining: vec![Draining {
                name: "favorites".into(),
                version: "ff".repeat(32),
            }],
        });
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "generation 12",
                "MODULE     VERSION       SIZE     SINCE                 BY       CALLS  AGAIN  ERRORS  TRAPS  LATE  P50     P99     METHODS  SOURCE",
                "favorites  0123456789ab  4.15 KB  2025-04-08T09:29:47Z  command  7      3      0       0      0     120 µs  1.2 ms  2        /x/?[2J.wasm",
                "  signed by release",
                "  on probation until 2025-04-08T09:30:47Z: 5 calls, 1 failed and 0 answered an error where the version before does not",
                "draining: favorites ffffffffffff",
            ]
        );
    }

    #[test]
    fn a_check_shows_what_failed_and_whether_force_helps() {
        let step = |name: &str, passed, forceable, lines: &[&str]| CheckStep {
            name: name.into(),
            passed,
            forceable,
            lines: lines.iter().map(|l| (*l).to_owned()).collect(),
        };
        let report = CheckReport {
            name: "notes".into(),
            version: "ab".repeat(32),
            passed: false,
            steps: vec![
                step("compile", true, false, &[]),
                step("exports", false, true, &["- notes/board: list"]),
            ],
        };
        assert_eq!(
            check(&report),
            "check of notes abababababab: failed\n  ok    compile\n  FAIL  exports  (--force gets past it)\n        - notes/board: list"
        );
    }

    #[test]
    fn times_are_short() {
        assert_eq!(
            [999, 1_000, 999_999, 2_500_000].map(micros),
            ["999 µs", "1.0 ms", "1000.0 ms", "2.5 s"]
        );
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(u64::MAX), format!("{} ms", u64::MAX));
    }
}
