//! What a transaction has written and what then starts.

use crate::control::Control;
use crate::limits::StoredLimits;
use crate::request::Password;
use crate::task::Task;

/// What a call has written in its transaction. After the commit,
/// [`Transfers::release`](crate::Transfers::release) puts it in force. If the transaction is
/// dropped, drop this too.
#[derive(Clone, Debug)]
pub struct Staged(pub(crate) Kind);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A task that was created, or requested again.
    Task {
        task: Task,
        control: Control,
        password: Option<Password>,
        /// Whether the transaction wrote the task.
        changed: bool,
    },
    /// A change of what a person wants of a task.
    Control {
        id: u64,
        task_id: String,
        control: Control,
        /// If the task waits for its next attempt, the attempt starts now.
        now: bool,
    },
    /// A task that was removed.
    Removed(Task),
    /// Limits of all transfers.
    Limits(StoredLimits),
}

impl Staged {
    /// A new task.
    pub(crate) fn new_task(task: Task, password: Option<Password>) -> Staged {
        Staged(Kind::Task {
            task,
            control: Control::default(),
            password,
            changed: true,
        })
    }

    /// The task's identifier. Empty for limits.
    pub fn task_id(&self) -> &str {
        match &self.0 {
            Kind::Task { task, .. } | Kind::Removed(task) => &task.task_id,
            Kind::Control { task_id, .. } => task_id,
            Kind::Limits(_) => "",
        }
    }
}
