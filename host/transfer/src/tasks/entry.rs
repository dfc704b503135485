//! A task in memory.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::bucket::Bucket;
use crate::control::Control;
use crate::request::Password;
use crate::row::Row;
use crate::speed::Speed;
use crate::task::{State, Task, code};

/// What the engine does with a task now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing. The task has ended, is held, or waits for a password.
    Idle,
    /// It waits in the queue, or for a running download of the same blob.
    Ready,
    /// It runs.
    Running,
    /// It is retried at this time.
    Retry(Instant),
}

/// A task in memory.
pub(super) struct Entry {
    pub(super) task: Task,
    /// What a person wants of it.
    pub(super) control: Control,
    pub(super) phase: Phase,
    pub(super) password: Option<Password>,
    /// Bytes transferred so far.
    pub(super) transferred: u64,
    pub(super) speed: Speed,
    /// Failures in a row without progress.
    pub(super) failures: u32,
    /// The disk was full at the last attempt.
    pub(super) lacks_room: bool,
    /// A call has removed it. It goes when its attempt has ended.
    pub(super) removed: bool,
    /// When it came to the queue. Smaller is earlier.
    pub(super) arrival: u64,
    /// Limits its speed.
    pub(super) bucket: Arc<Bucket>,
    /// Stops the attempt that runs.
    pub(super) stop: CancellationToken,
    /// The span of the next attempt, if a call is traced that waits for it.
    pub(super) span: Option<Span>,
    /// Its place among the tasks that have ended: when that was, in milliseconds since the epoch.
    pub(super) ended_ms: Option<i64>,
}

impl Entry {
    pub(super) fn new(task: Task, control: Control, password: Option<Password>) -> Entry {
        Entry {
            phase: Phase::Idle,
            password,
            transferred: task.checkpoint_offset(),
            speed: Speed::default(),
            failures: 0,
            lacks_room: false,
            removed: false,
            arrival: 0,
            bucket: Arc::new(Bucket::new(control.bytes_per_second)),
            stop: CancellationToken::new(),
            span: None,
            ended_ms: None,
            control,
            task,
        }
    }

    /// Whether it stays as it is until a person asks for it again.
    pub(super) fn has_ended(&self) -> bool {
        self.task.state.is_terminal() || self.control.cancelled_ms.is_some()
    }

    /// When it ended, if it has, in milliseconds since the epoch.
    pub(super) fn end_ms(&self) -> Option<i64> {
        if self.task.state.is_terminal() {
            Some(self.task.finished_ms)
        } else {
            self.control.cancelled_ms
        }
    }

    /// State and error code as a person sees them. A task that is told to pause is paused at once,
    /// although its attempt may need a moment to stop.
    pub(super) fn state(&self) -> (State, i32) {
        if self.task.state.is_terminal() {
            (self.task.state, self.task.code)
        } else if self.removed || self.control.cancelled_ms.is_some() {
            (State::Failed, code::CANCELLED)
        } else if self.control.paused {
            (State::Paused, code::NONE)
        } else {
            (self.task.state, self.task.code)
        }
    }

    /// The row of the feed. `source` is the path of an uploaded file.
    pub(super) fn row(&self, source: String) -> Row {
        let (state, code) = self.state();
        let mut row = self.task.row(state, code, self.transferred, source);
        if state == State::Active && self.phase == Phase::Running {
            row.speed = self.speed.bytes_per_second();
            row.remaining = self.speed.remaining(row.size.saturating_sub(self.transferred));
        }
        row.view = u8::from(self.control.viewed);
        row.priority = self.control.priority;
        row
    }
}
