//! Changes of tasks that a person asks for.

use crate::row::Direction;

/// A change of a task. Repeating a change is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskChange {
    /// The task waits until it is resumed, also after a restart of the host. Its progress is kept.
    /// Nothing happens to a task that has ended.
    Pause,
    /// A paused task continues. A task that waits for its next attempt starts it now.
    Resume,
    /// The task ends as failed, with code 499. Its unfinished file stays until the task is removed
    /// or retried. Nothing happens to a task that has ended.
    Cancel,
    /// A task that ended without success starts again: failed, cancelled, deleted, invalid, or out
    /// of space.
    Retry,
    /// The task and its unfinished files go. A finished file stays.
    Remove,
    /// The place in the queue, 0…9. Higher runs first; tasks of one priority run in the order of
    /// their arrival. A new task has 5.
    Priority(u8),
    /// The most bytes a second of this task. 0 means no limit.
    BytesPerSecond(u64),
    /// A person has seen the task.
    Viewed,
}

/// Which tasks. An absent field matches every task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Uploads or downloads.
    pub direction: Option<Direction>,
    /// The platform, 0…4.
    pub platform: Option<u8>,
    /// The status as on the wire.
    pub status: Option<i32>,
}
