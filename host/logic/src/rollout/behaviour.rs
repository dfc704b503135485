//! What others can see of a call: its outcome, its writes and its effects. Two versions behave
//! alike if these are equal.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stowage_storage::KeyWrite;

use crate::api::effect::Request;
use crate::call::dry_run::DryRun;
use crate::call::observer::Observation;
use crate::codec::Outcome;

/// The names of the host's own tables begin with this. Modules change them only through requests.
const HOST_TABLES: &str = "host.";

/// A written key: its table, the key and the change.
pub(super) type Written = (String, Vec<u8>, KeyWrite);

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// It returned this value; null where the function returns nothing.
    Ok(Value),
    /// It returned this error; nothing of the call is kept.
    Err(Value),
    /// It did not return: a trap, a limit, an unanswered question. The text is for a person.
    Fault(String),
}

/// How a call ended, what it wrote and what effects it asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// How it ended.
    pub ending: Ending,
    /// Every key of the modules' tables that it wrote, in the order of table and key.
    pub writes: Vec<Written>,
    /// The effects it asked for, in order.
    pub requests: Vec<Request>,
}

impl Behaviour {
    /// What a live call did.
    pub fn of_observation(observation: &Observation) -> Behaviour {
        Behaviour {
            ending: Ending::of(&observation.outcome),
            writes: only_module_tables(observation.footprint.writes.clone()),
            requests: observation.requests.clone(),
        }
    }

    /// What a function would have done.
    pub fn of_dry_run(dry_run: &DryRun) -> Behaviour {
        let ending = match (&dry_run.outcome, &dry_run.asked) {
            (Ok(outcome), _) => Ending::of(outcome),
            (Err(_), Some(question)) => Ending::Fault(format!("it asks {}, which was not asked", question.subject())),
            (Err(error), None) => Ending::Fault(error.to_string()),
        };
        let writes = dry_run.transaction.as_ref().map(|t| t.footprint().writes);
        Behaviour {
            ending,
            writes: only_module_tables(writes.unwrap_or_default()),
            requests: dry_run.requests.clone(),
        }
    }
}

impl Ending {
    /// The JSON of an outcome.
    pub fn of(outcome: &Outcome) -> Ending {
        match outcome {
            Outcome::Done(json) => Ending::Ok(parsed(json)),
            Outcome::Failed(failure) => Ending::Err(parsed(&failure.json)),
        }
    }
}

/// The value of a result's JSON text. The text is empty if there is no value.
fn parsed(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_default()
}

/// Whether the table belongs to the modules rather than to the host.
pub fn is_module_table(table: &str) -> bool {
    !table.starts_with(HOST_TABLES)
}

fn only_module_tables(mut writes: Vec<Written>) -> Vec<Written> {
    writes.retain(|(table, _, _)| is_module_table(table));
    writes
}
