//! What the deployer asks others for: replays of recordings, and the recording that looks on at calls.

use std::sync::Arc;

use stowage_logic::{Logic, Module};
use stowage_recording::{Recording, ReplayReport, replay};

use stowage_deploy::{Deployer, Recordings, ReplayResult};

/// Calls of a recording that differ and are told in a check.
const TOLD: usize = 5;

/// Connects the recordings with the deployer, whose generations they look on at.
pub fn connect(deployer: &Deployer, recordings: &Arc<Recordings>) {
    deployer.replay_with(Arc::new(|logic, bytes, module| {
        Box::pin(async move { replayed(&logic, &bytes, module).await })
    }));
    let recordings = Arc::clone(recordings);
    deployer.look_on_with(Arc::new(move |generation| recordings.observe(generation)));
}

async fn replayed(logic: &Logic, bytes: &[u8], module: Arc<Module>) -> ReplayResult {
    let unreadable = |error: stowage_recording::RecordingError| vec![format!("the recording: {error}")];
    let mut recording = Recording::new(bytes).map_err(unreadable)?;
    let report = replay(logic, &[module], &mut recording).await.map_err(unreadable)?;
    let lines = told(&report);
    if report.passed() { Ok(lines) } else { Err(lines) }
}

fn told(report: &ReplayReport) -> Vec<String> {
    let mut lines = vec![match report.replayed {
        0 => "no recorded call is of this module".to_owned(),
        calls => format!("{calls} calls replayed, {} differ", report.different),
    }];
    for difference in report.differences.iter().take(TOLD) {
        lines.push(format!("line {}: {}", difference.line, difference.function));
        lines.extend(difference.lines.iter().map(|line| format!("  {line}")));
    }
    if report.unrecorded > 0 {
        lines.push(format!("not recorded: {} calls", report.unrecorded));
    }
    if !report.complete {
        lines.push("the recording was cut short".to_owned());
    }
    lines
}
