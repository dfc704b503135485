//! Writes the calls of a test as a recording.

use stowage_logic::{Logic, Observation};
use stowage_recording::{FORMAT, Header, Line, ModuleVersion, Skipped, Summary, capture};

/// The text of a recording of these calls.
pub(crate) fn write(logic: &Logic, observations: &[Observation], started_ms: u64) -> String {
    let modules = logic.generation();
    let header = Header {
        format: FORMAT,
        started_ms,
        modules: modules
            .modules()
            .iter()
            .map(|module| ModuleVersion {
                name: module.name.to_string(),
                version: format!("{:#}", module.version),
            })
            .collect(),
    };
    let mut text = String::new();
    let mut summary = Summary::default();
    push(&mut text, &Line::Header(header));
    for observation in observations {
        let line = match capture(logic, observation) {
            Ok(call) => {
                summary.calls += 1;
                Line::Call(Box::new(call))
            }
            Err(skip) => {
                summary.skipped += 1;
                let export = observation.function.export();
                Line::Skipped(Skipped {
                    interface: format!("{}/{}", export.interface.package, export.interface.interface),
                    function: export.function.clone(),
                    reason: skip.to_string(),
                })
            }
        };
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
