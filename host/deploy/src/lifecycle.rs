//! The functions that a module may export for the host to manage it: its self-test, the data
//! version of its rows, and the steps of its migration.

use std::sync::Arc;

use serde_json::Value;
use stowage_logic::{DryRun, Function, Logic, Module, Moment, Outcome};
use stowage_storage::Transaction;
use wasmtime::component::Val;

const HOST_PACKAGE: &str = "stowage:host";

/// The result of one step of a module's migration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MigrationStep {
    /// Where the next step begins; none when the migration is done.
    pub(crate) cursor: Option<Vec<u8>>,
    /// Rows that the step changed.
    pub(crate) rows: u64,
    /// Rows that the migration changes in total, if that is known.
    pub(crate) total: Option<u64>,
}

/// A step that has run and is not committed.
pub(crate) struct UncommittedStep {
    pub(crate) step: MigrationStep,
    /// As the step left it.
    pub(crate) transaction: Transaction,
    /// What it requested from the host, to be released after the commit.
    pub(crate) effects: DryRun,
}

/// One of these functions; none if the module does not export it.
fn find(module: &Arc<Module>, interface: &str, function: &str) -> Option<Function> {
    Function::find(module, interface, function).filter(|f| f.export().interface.package == HOST_PACKAGE)
}

/// Runs the module's self-test on what the transaction sees; none if it has no self-test. The
/// transaction is dropped.
pub(crate) async fn self_test(
    logic: &Logic,
    module: &Arc<Module>,
    transaction: Transaction,
) -> Option<Result<(), String>> {
    let function = find(module, "self-test", "run")?;
    let dry_run = logic
        .run_in_transaction(transaction, &function, &[], &Moment::now())
        .await;
    Some(returned(&dry_run).map(drop))
}

/// The data version that the module declares; none if it declares none.
pub(crate) async fn data_version(
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
    let value = returned(&dry_run)?;
    match value.as_u64().and_then(|v| u32::try_from(v).ok()) {
        Some(version) => Ok(Some(version)),
        None => Err(format!("schema.version returned {value}, expected a u32")),
    }
}

/// Runs a step of the module's migration from data version `old`, in a transaction that the caller
/// commits. An error is text for the report.
pub(crate) async fn migrate(
    logic: &Logic,
    module: &Arc<Module>,
    transaction: Transaction,
    old: u32,
    cursor: Option<&[u8]>,
    moment: &Moment,
) -> Result<UncommittedStep, String> {
    let Some(function) = find(module, "schema", "migrate") else {
        return Err("the module exports no schema.migrate".into());
    };
    let cursor = cursor.map(|bytes| Box::new(Val::List(bytes.iter().copied().map(Val::U8).collect())));
    let params = [Val::U32(old), Val::Option(cursor)];
    let mut effects = logic.run_in_transaction(transaction, &function, &params, moment).await;
    let value = returned(&effects)?;
    let step = step(&value).ok_or_else(|| format!("schema.migrate returned {value}, expected a step"))?;
    let Some(transaction) = effects.transaction.take() else {
        return Err("the step left no transaction".into());
    };
    Ok(UncommittedStep {
        step,
        transaction,
        effects,
    })
}

fn step(value: &Value) -> Option<MigrationStep> {
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
    Some(MigrationStep {
        cursor,
        rows: value.get("rows")?.as_u64()?,
        total: value.get("total")?.as_u64(),
    })
}

/// The value that a function returned, as JSON. If it returned an error, the text of that.
fn returned(dry_run: &DryRun) -> Result<Value, String> {
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
    fn only_a_record_with_the_fields_of_a_step_is_one() {
        let all = json!({"cursor": [1, 255], "rows": 3, "total": 9});
        let expected = MigrationStep {
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
