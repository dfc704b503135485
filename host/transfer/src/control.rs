//! What a person wants of a task: paused, cancelled, its place in the queue, its speed.
//!
//! It is stored apart from the task. The engine writes the task, calls write the control. So
//! neither overwrites a change of the other.

use serde::{Deserialize, Serialize};

use crate::change::TaskChange;

/// The priority of a task that nobody gave one.
pub(crate) const DEFAULT_PRIORITY: u8 = 5;

/// The highest priority.
pub(crate) const HIGHEST_PRIORITY: u8 = 9;

/// What a person wants of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Control {
    /// Raised by every change, so that the newer of two copies is known. 0 was never stored.
    pub(crate) revision: u64,
    /// The task waits until it is resumed.
    pub(crate) paused: bool,
    /// When the task was cancelled, in milliseconds since the epoch.
    pub(crate) cancelled_ms: Option<i64>,
    /// 0…9. Higher runs first.
    pub(crate) priority: u8,
    /// The most bytes a second. 0 means no limit.
    pub(crate) bytes_per_second: u64,
    /// A person has seen the task.
    pub(crate) viewed: bool,
}

impl Default for Control {
    fn default() -> Control {
        Control {
            revision: 0,
            paused: false,
            cancelled_ms: None,
            priority: DEFAULT_PRIORITY,
            bytes_per_second: 0,
            viewed: false,
        }
    }
}

impl Control {
    /// Whether the task must not run now.
    pub(crate) fn holds(&self) -> bool {
        self.paused || self.cancelled_ms.is_some()
    }

    /// Lets the task run again.
    pub(crate) fn let_go(&mut self) {
        self.paused = false;
        self.cancelled_ms = None;
    }

    /// Applies a change. [`TaskChange::Remove`] changes nothing here.
    pub(crate) fn apply(&mut self, change: TaskChange, now_ms: i64) {
        match change {
            TaskChange::Pause => self.paused |= self.cancelled_ms.is_none(),
            TaskChange::Resume => self.paused &= self.cancelled_ms.is_some(),
            TaskChange::Cancel => {
                self.cancelled_ms.get_or_insert(now_ms);
            }
            TaskChange::Retry if self.cancelled_ms.is_some() => self.let_go(),
            TaskChange::Retry | TaskChange::Remove => {}
            TaskChange::Priority(priority) => self.priority = priority.min(HIGHEST_PRIORITY),
            TaskChange::BytesPerSecond(bytes) => self.bytes_per_second = bytes,
            TaskChange::Viewed => self.viewed = true,
        }
    }
}
