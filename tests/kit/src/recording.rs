//! The calls of a test as a recording.

use stowage_logic::{Logic, Observation};
use stowage_recording::{Header, Line, Summary, capture};

/// The text of a recording with these calls.
pub(crate) fn write(logic: &Logic, observations: &[Observation], started_ms: u64) -> String {
    let mut text = String::new();
    let mut summary = Summary::default();
    push(&mut text, &Line::Header(Header::new(logic, started_ms)));
    for observation in observations {
        let line = capture(logic, observation);
        match &line {
            Line::Skipped(_) => summary.skipped += 1,
            _ => summary.calls += 1,
        }
        push(&mut text, &line);
    }
    summary.bytes = text.len() as u64;
    push(&mut text, &Line::End(summary));
    text
}

fn push(text: &mut String, line: &Line) {
    text.push_str(&serde_json::to_string(line).expect("a line is texts and numbers"));
    text.push('\n');
}
