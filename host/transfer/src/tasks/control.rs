//! What calls change of the tasks in memory: pause, cancel, priority, removal.

use std::collections::hash_map;

use super::entry::{Entry, Phase};
use super::{Tasks, waits_for_password};
use crate::change::{TaskChange, TaskFilter};
use crate::control::Control;
use crate::row::Row;
use crate::task::{State, Task, code};

impl Tasks {
    /// Puts a control in force, unless a newer one is. With `now`, a task that waits for its next
    /// attempt starts it.
    pub(crate) fn set_control(&mut self, id: u64, control: Control, now: bool) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if entry.removed {
            return;
        }
        if control.revision > entry.control.revision {
            entry.bucket.set_rate(control.bytes_per_second);
            let before = std::mem::replace(&mut entry.control, control);
            if entry.phase == Phase::Ready {
                self.ready[super::queue_of(&entry.task)].remove(before.priority, entry.arrival, id);
                self.enqueue(id);
            }
        }
        self.settle(id, now);
    }

    /// Makes the task do what its control says.
    pub(super) fn settle(&mut self, id: u64, now: bool) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if entry.control.holds() || entry.removed {
            match entry.phase {
                Phase::Running => entry.stop.cancel(),
                Phase::Ready => {
                    let queue = super::queue_of(&entry.task);
                    self.ready[queue].remove(entry.control.priority, entry.arrival, id);
                    entry.phase = Phase::Idle;
                }
                Phase::Retry(at) => {
                    self.retries.remove(&(at, id));
                    entry.phase = Phase::Idle;
                }
                Phase::Idle => {}
            }
        } else {
            match entry.phase {
                Phase::Idle if entry.task.state.is_terminal() => {}
                Phase::Idle if waits_for_password(&entry.task, entry.password.as_ref()) => {
                    entry.task.state = State::Paused;
                    entry.task.code = code::WRONG_PASSWORD;
                }
                Phase::Idle => self.make_ready(id),
                Phase::Retry(at) if now => {
                    self.retries.remove(&(at, id));
                    self.make_ready(id);
                }
                Phase::Ready | Phase::Retry(_) | Phase::Running => {}
            }
        }
        self.index_end(id);
    }

    /// Marks a task as removed and stops it. Returns its last row, if it is known. `source` gives
    /// the path of an uploaded file.
    pub(crate) fn remove(&mut self, task: Task, source: impl Fn(&Task) -> String) -> Option<Row> {
        let id = task.id;
        *self.removing.entry(task.task_id.clone()).or_default() += 1;
        let Some(entry) = self.entries.get_mut(&id) else {
            self.removed.push(task);
            return None;
        };
        entry.removed = true;
        let row = entry.row(source(&entry.task));
        self.settle(id, false);
        if self.entries.get(&id).is_some_and(|entry| entry.phase == Phase::Idle) {
            self.drop_removed(id);
        }
        Some(row)
    }

    /// Moves a removed task, which does not run, to those whose files must go.
    pub(super) fn drop_removed(&mut self, id: u64) {
        if let Some(entry) = self.entries.remove(&id) {
            self.unindex(&entry);
            self.removed.push(entry.task);
        }
    }

    /// The removed tasks whose unfinished files must go.
    pub(crate) fn take_removed(&mut self) -> Vec<Task> {
        std::mem::take(&mut self.removed)
    }

    /// Tells that the unfinished files of a removed task are gone. A new task may use its
    /// identifier.
    pub(crate) fn end_removal(&mut self, task: &Task) {
        if let hash_map::Entry::Occupied(mut count) = self.removing.entry(task.task_id.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// The tasks that match and that a change concerns: their numbers and identifiers.
    pub(crate) fn concerned(&self, filter: &TaskFilter, change: TaskChange) -> Vec<(u64, String)> {
        self.entries
            .iter()
            .filter(|(_, entry)| matches(entry, filter) && concerns(entry, change))
            .map(|(id, entry)| (*id, entry.task.task_id.clone()))
            .collect()
    }

    /// The rows that match, in the order of their numbers.
    pub(crate) fn list(
        &self,
        filter: &TaskFilter,
        newest_first: bool,
        skip: usize,
        limit: usize,
        source: impl Fn(&Task) -> String,
    ) -> Vec<Row> {
        let matching = self.entries.values().filter(|entry| matches(entry, filter));
        let row = |entry: &Entry| entry.row(source(&entry.task));
        if newest_first {
            matching.rev().skip(skip).take(limit).map(row).collect()
        } else {
            matching.skip(skip).take(limit).map(row).collect()
        }
    }
}

fn matches(entry: &Entry, filter: &TaskFilter) -> bool {
    let task = &entry.task;
    !entry.removed
        && filter.direction.is_none_or(|direction| direction == task.direction)
        && filter.platform.is_none_or(|platform| platform == task.platform)
        && filter
            .status
            .is_none_or(|status| status == entry.state().0.wire(task.direction))
}

/// Whether a change of many tasks concerns this one.
fn concerns(entry: &Entry, change: TaskChange) -> bool {
    let ended = entry.has_ended();
    match change {
        TaskChange::Pause => !ended && !entry.control.paused,
        TaskChange::Resume => !ended && (entry.control.paused || matches!(entry.phase, Phase::Retry(_))),
        TaskChange::Cancel | TaskChange::Priority(_) | TaskChange::BytesPerSecond(_) => !ended,
        TaskChange::Retry => ended && entry.task.state != State::Done,
        TaskChange::Remove | TaskChange::Viewed => true,
    }
}
