//! Replays a recording with a module that is checked.

use std::sync::Arc;

use stowage_logic::{Logic, Module};
use stowage_recording::{Recording, RecordingError, ReplayReport, replay};

/// Most differing calls that a report describes.
const MAX_DESCRIBED: usize = 5;

/// Replays `recording` with `module`, beside what is served. Both results are lines for the report:
/// `Ok` where every replayed call did the same, `Err` where one differs or the recording cannot be
/// read.
pub(super) async fn replay_recording(
    logic: &Logic,
    recording: &[u8],
    module: Arc<Module>,
) -> Result<Vec<String>, Vec<String>> {
    let unreadable = |error: RecordingError| vec![format!("the recording: {error}")];
    let mut recording = Recording::new(recording).map_err(unreadable)?;
    let report = replay(logic, &[module], &mut recording).await.map_err(unreadable)?;
    let lines = describe(&report);
    if report.passed() { Ok(lines) } else { Err(lines) }
}

fn describe(report: &ReplayReport) -> Vec<String> {
    let mut lines = vec![match report.replayed {
        0 => "no recorded call is of this module".to_owned(),
        calls => format!("{calls} calls replayed, {} differ", report.different),
    }];
    for difference in report.differences.iter().take(MAX_DESCRIBED) {
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
