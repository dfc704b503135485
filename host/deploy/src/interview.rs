//! What a module says about itself: its self-test, the version of its rows, a step of its migration.

use std::sync::Arc;

use serde_json::Value;
use stowage_logic::{DryRun, Function, Logic, Module, Moment, Outcome};
use stowage_storage::Transaction;
use wasmtime::component::Val;

const HOST_PACKAGE: &str = "stowage:host";

/// How far a migration has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    /// Where to go on; none when it is done.
    pub(super) cursor: Option<Vec<u8>>,
    /// Rows that the step changed.
    pub(super) rows: u64,
    /// Rows there are to change in all, if that is known.
    pub(super) total: Option<u64>,
}

/// A step that has run and is not committed.
pub(super) struct Stepped {
    pub(super) step: Step,
    /// As the step left it, without a deadline.
    pub(super) transaction: Transaction,
    /// What it asked for, to be released after the commit.
    pub(super) effects: DryRun,
}

/// A function in which a module speaks about itself; none where it does not.
fn find(module: &Arc<Module>, interface: &str, function: &str) -> Option<Function> {
    Function::find(module, interface, function).filter(|f| f.export().interface.package == HOST_PACKAGE)
}

/// Asks the module whether it works on what the transaction sees; none where it has no self-test. The transaction is dropped.
pub(super) async fn self_test(
    logic: &Logic,
    module: &Arc<Module>,
    transaction: Transaction,
) -> Option<Result<(), String>> {
    let function = find(module, "self-test", "run")?;
    let dry_run = logic
        .run_in_transaction(transaction, &function, &[], &Moment::now())
        .await;
    Some(answer(&dry_run).map(drop))
}

/// The version of the module's rows; none where it names none.
pub(super) async fn schema(
    logic: &Logic,
    module: &Arc<Module>,
    transaction: Transaction,
) -> Result<Option<u32>, String> {
    let Some(function) = find(module, "schema", "version") else {
        return Ok(None);
    };
    let dry_run = logic
        .run_in_transaction(transaction, &function, &[], &Moment::now())
        .await;
    let value = answer(&dry_run)?;
    match value.as_u64().and_then(|v| u32::try_from(v).ok()) {
        Some(version) => Ok(Some(version)),
        None => Err(format!("schema.version answers {value}, expected a u32")),
    }
}

/// Runs a step of the module's migration from version `old` in a transaction that the caller commits.
pub(super) async fn migrate(
    logic: &Logic,
    module: &Arc<Module>,
    transaction: Transaction,
    old: u32,
    cursor: Option<&[u8]>,
    moment: &Moment,
) -> Result<Stepped, String> {
    let Some(function) = find(module, "schema", "migrate") else {
        return Err("the module exports no schema.migrate".into());
    };
    let cursor = cursor.map(|bytes| Box::new(Val::List(bytes.iter().copied().map(Val::U8).collect())));
    let params = [Val::U32(old), Val::Option(cursor)];
    let mut effects = logic.run_in_transaction(transaction, &function, &params, moment).await;
    let value = answer(&effects)?;
    let step = step(&value).ok_or_else(|| format!("schema.migrate answers {value}, expected a step"))?;
    let Some(transaction) = effects.transaction.take() else {
        return Err("the step left no transaction".into());
    };
    Ok(Stepped {
        step,
        transaction,
        effects,
    })
}

fn step(value: &Value) -> Option<Step> {
    let cursor = match value.get("cursor")? {
        Value::Null => None,
        Value::Array(bytes) => Some(
            bytes
                .iter()
                .map(|b| b.as_u64().and_then(|b| u8::try_from(b).ok()))
                .collect::<Option<Vec<u8>>>()?,
        ),
        _ => return None,
    };
    Some(Step {
        cursor,
        rows: value.get("rows")?.as_u64()?,
        total: value.get("total")?.as_u64(),
    })
}

/// What a function answered, as JSON. An error of its own is its text.
fn answer(dry_run: &DryRun) -> Result<Value, String> {
    match dry_run.outcome.as_ref().map_err(ToString::to_string)? {
        Outcome::Done(json) => serde_json::from_slice(json).map_err(|error| error.to_string()),
        Outcome::Failed(failure) => Err(match serde_json::from_slice(&failure.json) {
            Ok(Value::String(text)) => text,
            _ => String::from_utf8_lossy(&failure.json).into_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_step_is_read_from_its_record_and_from_nothing_else() {
        let all = json!({"cursor": [1, 255], "rows": 3, "total": 9});
        let expected = Step {
            cursor: Some(vec![1, 255]),
            rows: 3,
            total: Some(9),
        };
        assert_eq!(step(&all), Some(expected));
        let last = json!({"cursor": null, "rows": 0, "total": null});
        assert_eq!(step(&last).map(|s| (s.cursor, s.total)), Some((None, None)));
        for wrong in [
            json!(3),
            json!({"cursor": [256], "rows": 1, "total": null}),
            json!({"rows": 1}),
        ] {
            assert_eq!(step(&wrong), None, "{wrong}");
        }
    }
}
