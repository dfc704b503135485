//! The span of a transfer, for traces.

use tracing::Span;
use tracing::field::Empty;

use crate::row::Direction;
use crate::task::{State, Task};

/// The target of all spans for traces; `stowage-logic` has the same.
const TARGET: &str = "stowage::span";

impl Direction {
    /// Its name in metrics and traces.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Upload => "upload",
            Direction::Download => "download",
        }
    }
}

/// The next attempt of a task. If a call released the task, the span belongs to that call, and
/// includes the wait in the queue.
pub(crate) fn transfer(task: &Task) -> Span {
    tracing::debug_span!(
        target: TARGET,
        "transfer",
        task_id = task.task_id,
        direction = task.direction.name(),
        size = task.file.size,
        bytes = Empty,
        state = Empty,
        code = Empty,
        otel.status_code = Empty,
    )
}

/// Notes how an attempt ended, after so many bytes.
pub(crate) fn ended(span: &Span, task: &Task, bytes: u64) {
    span.record("bytes", bytes).record("state", task.state.name());
    if task.code != 0 {
        span.record("code", task.code);
    }
    if matches!(task.state, State::Failed | State::Invalid | State::NoSpace) {
        span.record("otel.status_code", "ERROR");
    }
}
