//! The tables of tasks against each other.

use std::ops::ControlFlow;

use serde::Deserialize;

use super::findings::Findings;
use crate::error::Error;
use crate::rows::{Moment as _, Rows};

/// The table of tasks: number → task.
pub(super) const TASKS: &str = "host.tasks";
const TASK_IDS: &str = "host.task-ids";
const CONTROLS: &str = "host.task-controls";

/// What checks read of a task.
#[derive(Deserialize)]
pub(super) struct Task {
    pub(super) id: u64,
    pub(super) task_id: String,
    pub(super) state: String,
    pub(super) file: TaskFile,
    #[serde(default)]
    pub(super) moved: bool,
    #[serde(default)]
    pub(super) prepared: String,
}

/// The file of a task.
#[derive(Deserialize)]
pub(super) struct TaskFile {
    pub(super) hash: String,
}

/// Checks that tasks and identifiers name each other, and that controls have a task.
pub(super) fn check(rows: &mut Rows, findings: &mut Findings) -> Result<(), Error> {
    let mut lookups = Vec::new();
    rows.walk_table(TASKS, |row| {
        match rmp_serde::from_slice::<Task>(row.value) {
            Ok(task) if task.id.to_be_bytes() == row.key => lookups.push((row.key.to_vec(), task.task_id)),
            Ok(task) => findings.add_row(TASKS, row.key, format!("the task says that its number is {}", task.id)),
            Err(error) => findings.add_row(TASKS, row.key, format!("the task cannot be decoded: {error}")),
        }
        ControlFlow::<()>::Continue(())
    })?;
    for (number, task_id) in lookups {
        if rows.get(TASK_IDS, task_id.as_bytes())?.as_ref() != Some(&number) {
            let problem = format!("its identifier {task_id:?} does not lead to it");
            findings.add_row(TASKS, &number, problem);
        }
    }
    for (table, problem) in [
        (TASK_IDS, "there is no task of this number"),
        (CONTROLS, "there is no task of this number"),
    ] {
        let mut numbers = Vec::new();
        rows.walk_table(table, |row| {
            let number = if table == TASK_IDS { row.value } else { row.key };
            numbers.push((row.key.to_vec(), number.to_vec()));
            ControlFlow::<()>::Continue(())
        })?;
        for (key, number) in numbers {
            if number.is_empty() || rows.get(TASKS, &number)?.is_none() {
                findings.add_row(table, &key, problem);
            }
        }
    }
    Ok(())
}
