//! Makes the line of an observed call.

use serde_json::{Map, Value};
use stowage_logic::codec::json;
use stowage_logic::{Answer, Behaviour, Export, Facts, HIDDEN, Logic, Observation, Question, ServiceError};
use stowage_storage::KeyWrite;

use crate::base64_bytes::Base64Bytes;
use crate::line::{Line, MAX_LINE_BYTES, Skipped};
use crate::reads::{self, MAX_READ_BYTES, ReadsError};
use crate::recorded_call::{RecordedCall, RecordedKey, RecordedWrite, WrittenKey};

/// Bytes of keys and values that a recorded call may have written.
const MAX_WRITTEN_BYTES: u64 = 4 << 20;

/// The end of the names of parameters and fields that hold a password, in any case.
const PASSWORD: &str = "password";

/// Why a call is not recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Skip {
    #[error(transparent)]
    Reads(#[from] ReadsError),
    #[error("it wrote more than {} MiB", MAX_WRITTEN_BYTES >> 20)]
    Writes,
    #[error("its line is longer than {} MiB", MAX_LINE_BYTES >> 20)]
    Line,
    /// The read set holds an outline only.
    #[error("it read more than a read set keeps")]
    ReadsCut,
    /// JSON would decode to another value.
    #[error("its parameter {0} has no JSON form")]
    Parameter(String),
    /// Arguments of Rust types are not observed.
    #[error("it was called with typed values")]
    Typed,
    #[error("the size of the space cannot be read: {0}")]
    TotalBytes(#[from] ServiceError),
}

/// The line of a call: the call, or why it is left out. It reads the snapshot again, which may
/// block: do not call it while the client waits.
pub fn capture(logic: &Logic, observation: &Observation) -> Line {
    match recorded(logic, observation) {
        Ok(call) => Line::Call(Box::new(call)),
        Err(skip) => {
            let export = observation.function.export();
            skipped(interface(export), export.function.clone(), &skip)
        }
    }
}

/// The line of a call that is left out.
pub(crate) fn skipped(interface: String, function: String, reason: &Skip) -> Line {
    Line::Skipped(Skipped {
        interface,
        function,
        reason: reason.to_string(),
    })
}

/// The interface without its version.
fn interface(export: &Export) -> String {
    format!("{}/{}", export.interface.package, export.interface.interface)
}

fn recorded(logic: &Logic, observation: &Observation) -> Result<RecordedCall, Skip> {
    let footprint = &observation.footprint;
    if footprint.reads_cut {
        return Err(Skip::ReadsCut);
    }
    let export = observation.function.export();
    let params = params(observation)?;
    let behaviour = Behaviour::of_observation(observation);
    if bytes_of(&behaviour.writes) > MAX_WRITTEN_BYTES {
        return Err(Skip::Writes);
    }
    let mut transaction = logic.begin_at(&observation.snapshot);
    let reads = reads::look_up(&mut transaction, footprint, MAX_READ_BYTES)?;
    let written = |(table, key, change)| WrittenKey {
        key: RecordedKey {
            table,
            key: Base64Bytes(key),
        },
        change: RecordedWrite::from(change),
    };
    Ok(RecordedCall {
        module: observation.function.module().name.to_string(),
        version: format!("{:#}", observation.function.module().version),
        interface: interface(export),
        function: export.function.clone(),
        params,
        now_ms: observation.moment.now_ms,
        seed: observation.moment.seed,
        facts: facts(&observation.facts),
        total_bytes: logic.total_bytes(&mut transaction)?,
        reads,
        writes: behaviour.writes.into_iter().map(written).collect(),
        requests: behaviour.requests,
        outcome: behaviour.ending,
    })
}

/// Bytes of the keys and values that a call wrote.
pub(crate) fn bytes_of(writes: &[(String, Vec<u8>, KeyWrite)]) -> u64 {
    let bytes = |change: &KeyWrite| match change {
        KeyWrite::Put(value) => value.len(),
        KeyWrite::Delete | KeyWrite::Add(_) | KeyWrite::Counter(_) => 8,
    };
    writes
        .iter()
        .map(|(_, key, change)| (key.len() + bytes(change)) as u64)
        .sum()
}

/// The arguments as JSON, which decodes to the same values.
fn params(observation: &Observation) -> Result<Map<String, Value>, Skip> {
    let export = observation.function.export();
    if export.params.len() != observation.params.len() {
        return Err(Skip::Typed);
    }
    let mut params: Map<String, Value> = export
        .params
        .iter()
        .zip(&observation.params)
        .map(|((name, _), value)| (name.clone(), json(value)))
        .collect();
    for ((name, decoder), value) in export.params.iter().zip(&observation.params) {
        if decoder.decode_member(&params, name).as_ref() != Ok(value) {
            return Err(Skip::Parameter(name.clone()));
        }
    }
    for (name, value) in &mut params {
        hide(name, value);
    }
    Ok(params)
}

/// Replaces each string whose name says that it is a password, such as `filePassword`, by
/// [`HIDDEN`].
fn hide(name: &str, value: &mut Value) {
    match value {
        Value::String(text) if name.to_ascii_lowercase().ends_with(PASSWORD) => HIDDEN.clone_into(text),
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| hide(name, value)),
        Value::Array(items) => items.iter_mut().for_each(|value| hide(name, value)),
        _ => {}
    }
}

fn facts(facts: &Facts) -> Vec<(Question, Answer)> {
    facts
        .iter()
        .map(|(question, answer)| (question.clone().without_passwords(), answer.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_password_is_hidden_at_any_depth_and_an_absent_one_stays_absent() {
        let mut value = json!({"filePassword": "s", "list": [{"password": "t", "other": "u"}], "passwords": "v"});
        hide("params", &mut value);
        assert_eq!(
            value,
            json!({"filePassword": HIDDEN, "list": [{"password": HIDDEN, "other": "u"}], "passwords": "v"})
        );
        let mut absent = json!({"password": null});
        hide("params", &mut absent);
        assert_eq!(absent, json!({"password": null}));
    }

    #[test]
    fn an_asked_password_is_hidden() {
        let mut asked = Facts::default();
        let question = Question::Password {
            hash: "h".into(),
            password: Some("secret".into()),
        };
        asked.insert(question, Answer::Password(Ok(true)));
        assert!(!format!("{:?}", facts(&asked)).contains("secret"));
    }
}
