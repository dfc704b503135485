//! A call that was looked on at, as a recording holds it.

use serde_json::{Map, Value};
use stowage_logic::codec::json;
use stowage_logic::{Behaviour, Facts, HIDDEN, Logic, Observation, Question};

use crate::bytes::Bytes;
use crate::format::{Call, Change, Place, Write};
use crate::reads::{self, Unreadable};

/// Bytes of keys and values that a recorded call may have read.
const MOST_READ_BYTES: usize = 4 << 20;
/// Bytes of keys and values that a recorded call may have written.
const MOST_WRITTEN_BYTES: usize = 4 << 20;

/// What the name of a parameter or a field ends with that holds a password, whatever its case.
const PASSWORD: &str = "password";

/// Why a call cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum Skip {
    /// It read more than fits.
    #[error("it read more than {} MiB", MOST_READ_BYTES >> 20)]
    Reads,
    /// It wrote more than fits.
    #[error("it wrote more than {} MiB", MOST_WRITTEN_BYTES >> 20)]
    Writes,
    /// Its record is a line longer than fits.
    #[error("its record is longer than {} MiB", crate::reader::MOST_LINE_BYTES >> 20)]
    Line,
    /// It read so much that the read set keeps only an outline of it.
    #[error("it read more than a read set keeps")]
    ReadsCut,
    /// An argument does not survive the way to JSON and back.
    #[error("its parameter {0} has no JSON form")]
    Parameter(String),
    /// It was called with values of Rust types, which are not seen.
    #[error("it was called with typed values")]
    Typed,
    /// The snapshot can no longer be read.
    #[error("what it read cannot be read again: {0}")]
    Storage(String),
}

/// The record of a call. It reads the snapshot again, which may block: call it off the call's way.
///
/// # Errors
/// When the call is larger than a recording holds, or does not fit into JSON.
pub fn capture(logic: &Logic, observation: &Observation) -> Result<Call, Skip> {
    let footprint = &observation.footprint;
    if footprint.reads_cut {
        return Err(Skip::ReadsCut);
    }
    let export = observation.function.export();
    let params = params(observation)?;
    let behaviour = Behaviour::of_observation(observation);
    let written: usize = behaviour
        .writes
        .iter()
        .map(|(_, key, change)| {
            key.len()
                + match change {
                    stowage_storage::KeyWrite::Put(value) => value.len(),
                    _ => 8,
                }
        })
        .sum();
    if written > MOST_WRITTEN_BYTES {
        return Err(Skip::Writes);
    }
    let mut transaction = logic.begin_at(&observation.snapshot);
    let reads =
        reads::look_up(&mut transaction, footprint, MOST_READ_BYTES).map_err(|unreadable| match unreadable {
            Unreadable::TooLarge => Skip::Reads,
            Unreadable::Storage(error) => Skip::Storage(error.to_string()),
        })?;
    Ok(Call {
        module: observation.function.module().name.to_string(),
        version: format!("{:#}", observation.function.module().version),
        interface: format!("{}/{}", export.interface.package, export.interface.interface),
        function: export.function.clone(),
        params,
        now_ms: observation.moment.now_ms,
        seed: observation.moment.seed,
        facts: facts(&observation.facts),
        total_bytes: logic
            .total_bytes(&mut transaction)
            .map_err(|error| Skip::Storage(error.to_string()))?,
        reads,
        writes: behaviour
            .writes
            .into_iter()
            .map(|(table, key, change)| Write {
                place: Place { table, key: Bytes(key) },
                change: Change::from(change),
            })
            .collect(),
        requests: behaviour.requests,
        outcome: behaviour.ending,
    })
}

/// The arguments as JSON that decodes to the same values.
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

/// Puts [`HIDDEN`] in the place of every text whose name says that it is a password: `password`, `filePassword`.
fn hide(name: &str, value: &mut Value) {
    match value {
        Value::String(text) if name.to_ascii_lowercase().ends_with(PASSWORD) => HIDDEN.clone_into(text),
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| hide(name, value)),
        Value::Array(items) => items.iter_mut().for_each(|value| hide(name, value)),
        _ => {}
    }
}

fn facts(facts: &Facts) -> Vec<(Question, stowage_logic::CloudAnswer)> {
    let mut facts: Vec<_> = facts.iter().cloned().collect();
    for (question, _) in &mut facts {
        if let Question::Password {
            password: Some(password),
            ..
        } = question
        {
            HIDDEN.clone_into(password);
        }
    }
    facts
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
        asked.insert(question, stowage_logic::CloudAnswer::Password(Ok(true)));
        assert!(!format!("{:?}", facts(&asked)).contains("secret"));
    }
}
