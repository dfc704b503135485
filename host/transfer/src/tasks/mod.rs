//! All tasks in memory, and the choice of the next one to run.

mod control;
mod entry;
mod finished;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use self::entry::{Entry, Phase};
use self::queue::Queue;
use crate::bucket::Bucket;
use crate::control::Control;
use crate::request::Password;
use crate::row::{Direction, Row};
use crate::task::{State, Task, code};

/// A task to run now.
pub(crate) struct Job {
    pub(crate) task: Task,
    pub(crate) password: Option<Password>,
}

/// An attempt to start now.
pub(crate) struct Attempt {
    pub(crate) job: Job,
    /// The disk was full at the last attempt.
    pub(crate) lacks_room: bool,
    /// Stops this attempt.
    pub(crate) stop: CancellationToken,
    /// The span that the call which released the task began.
    pub(crate) span: Option<Span>,
}

/// All tasks, as many as the database holds.
#[derive(Default)]
pub(crate) struct Tasks {
    entries: BTreeMap<u64, Entry>,
    /// The tasks that may run, by direction.
    ready: [Queue; 2],
    /// How many tasks have come to a queue so far.
    arrivals: u64,
    /// Uploads that came to the queue since they were last marked as waiting.
    unmarked: Vec<u64>,
    /// How many tasks run, by direction.
    running: [usize; 2],
    retries: BTreeSet<(Instant, u64)>,
    /// The tasks that have ended, ordered by the time at which they did.
    finished: BTreeSet<(i64, u64)>,
    /// The hash of each running download, with the downloads that wait for the same blob.
    shared: HashMap<String, BTreeSet<u64>>,
    /// Removed tasks whose unfinished files must go.
    removed: Vec<Task>,
    /// The identifiers of removed tasks whose unfinished files may still exist, and how many tasks
    /// had each. A new task with such an identifier would use the same files, so it waits.
    removing: HashMap<String, usize>,
    /// The parent of the tokens that stop attempts.
    stop: CancellationToken,
}

impl Tasks {
    /// No tasks. `stop` stops all attempts.
    pub(crate) fn new(stop: CancellationToken) -> Tasks {
        Tasks {
            stop,
            ..Tasks::default()
        }
    }

    /// Adds a task from the database at start.
    pub(crate) fn add_stored(&mut self, task: Task, control: Control) {
        let id = task.id;
        self.entries.insert(id, Entry::new(task, control, None));
        self.settle(id, false);
    }

    /// Adds a task that a call staged. `changed` tells whether the call wrote it.
    pub(crate) fn add_staged(&mut self, task: Task, control: Control, password: Option<Password>, changed: bool) {
        let id = task.id;
        let Some(entry) = self.entries.get_mut(&id) else {
            if changed || !task.state.is_terminal() {
                let held = control.holds();
                self.entries.insert(id, Entry::new(task, control, password));
                if !held {
                    self.make_ready(id);
                }
                self.index_end(id);
            }
            return;
        };
        if entry.removed {
            return;
        }
        if password.is_some() {
            entry.password = password;
        }
        // If the entry is not older than the staged task, it has changed since, and stays.
        if changed && entry.phase == Phase::Idle && task.revision > entry.task.revision {
            entry.transferred = task.checkpoint_offset();
            entry.failures = 0;
            entry.task = task;
        }
        self.set_control(id, control, true);
    }

    /// The next attempt of a direction, if fewer than `most` run. A download of a blob that is
    /// being downloaded waits until that download ends.
    pub(crate) fn next(&mut self, direction: Direction, most: usize) -> Option<Attempt> {
        let queue = usize::from(direction.wire());
        while self.running[queue] < most {
            let id = self.ready[queue].ids().find(|id| {
                let free = |entry: &Entry| !self.removing.contains_key(&entry.task.task_id);
                self.entries.get(id).is_some_and(free)
            })?;
            let entry = self.entries.get_mut(&id)?;
            self.ready[queue].remove(entry.control.priority, entry.arrival, id);
            if direction == Direction::Download {
                if let Some(waiting) = self.shared.get_mut(&entry.task.file.hash) {
                    waiting.insert(id);
                    continue;
                }
                self.shared.insert(entry.task.file.hash.clone(), BTreeSet::new());
            }
            entry.phase = Phase::Running;
            entry.speed = Default::default();
            entry.stop = self.stop.child_token();
            self.running[queue] += 1;
            return Some(Attempt {
                job: Job {
                    task: entry.task.clone(),
                    password: entry.password.clone(),
                },
                lacks_room: entry.lacks_room,
                stop: entry.stop.clone(),
                span: entry.span.take(),
            });
        }
        None
    }

    /// Marks queued uploads as waiting. Returns those that were not marked before.
    pub(crate) fn mark_waiting(&mut self) -> Vec<u64> {
        let mut marked = std::mem::take(&mut self.unmarked);
        marked.retain(|id| match self.entries.get_mut(id) {
            Some(entry) if entry.phase == Phase::Ready => {
                entry.task.state = State::Waiting;
                true
            }
            _ => false,
        });
        marked
    }

    /// Ends the work on a task and stores its new state. `retry` is the time of the next attempt,
    /// if any.
    pub(crate) fn end_attempt(&mut self, task: Task, retry: Option<Instant>) {
        let id = task.id;
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let queue = queue_of(&task);
        let hash = task.file.hash.clone();
        let ran = entry.phase == Phase::Running;
        let stopped = entry.stop.is_cancelled();
        entry.phase = Phase::Idle;
        if task.state.is_terminal() {
            entry.password = None;
            entry.failures = 0;
        }
        let lacked_password = task.state == State::Paused && task.code == code::WRONG_PASSWORD;
        // The password arrived while the job that lacked it was ending.
        let has_password = lacked_password && !waits_for_password(&task, entry.password.as_ref());
        entry.task = task;
        if let Some(at) = retry
            && !entry.control.holds()
            && !stopped
        {
            entry.phase = Phase::Retry(at);
            self.retries.insert((at, id));
        }
        if ran {
            self.running[queue] -= 1;
            for waiting in self.shared.remove(&hash).unwrap_or_default() {
                self.enqueue(waiting);
            }
        }
        // A person stopped it, and then let it go on before it had stopped.
        let resumed = stopped && !self.stop.is_cancelled();
        if has_password || resumed {
            self.settle(id, false);
        }
        self.index_end(id);
        if self.entries.get(&id).is_some_and(|entry| entry.removed) {
            self.drop_removed(id);
        }
    }

    /// Counts a failed attempt. Returns the number of failures in a row without progress.
    pub(crate) fn count_failure(&mut self, id: u64, progressed: bool) -> u32 {
        self.entries.get_mut(&id).map_or(1, |entry| {
            entry.failures = if progressed { 1 } else { entry.failures + 1 };
            entry.failures
        })
    }

    /// Records whether the disk lacks room for a task. Returns whether it did before.
    pub(crate) fn set_lacks_room(&mut self, id: u64, lacks_room: bool) -> bool {
        let entry = self.entries.get_mut(&id);
        entry.is_some_and(|entry| std::mem::replace(&mut entry.lacks_room, lacks_room))
    }

    /// Queues the tasks whose retry is due.
    pub(crate) fn retry_due(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.retries.first() {
            if at > now {
                return;
            }
            self.retries.pop_first();
            self.make_ready(id);
        }
    }

    /// Gives a task that waits for its attempt the span of that attempt.
    pub(crate) fn trace(&mut self, id: u64, span: Span) {
        if let Some(entry) = self.entries.get_mut(&id)
            && entry.phase == Phase::Ready
            && !span.is_disabled()
        {
            entry.span = Some(span);
        }
    }

    /// Direction and state of every task, as a person sees them.
    pub(crate) fn for_each(&self, mut seen: impl FnMut(Direction, State)) {
        for entry in self.entries.values().filter(|entry| !entry.removed) {
            seen(entry.task.direction, entry.state().0);
        }
    }

    /// The time of the next retry.
    pub(crate) fn next_retry(&self) -> Option<Instant> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// Changes a task, if it is known.
    pub(crate) fn change(&mut self, id: u64, change: impl FnOnce(&mut Task)) {
        if let Some(entry) = self.entries.get_mut(&id) {
            change(&mut entry.task);
        }
    }

    /// Sets the bytes transferred of a task, if it is known.
    pub(crate) fn set_transferred(&mut self, id: u64, bytes: u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.transferred = bytes;
            entry.speed.report(bytes, Instant::now());
        }
    }

    /// A task and its bytes transferred.
    pub(crate) fn get(&self, id: u64) -> Option<(&Task, u64)> {
        self.entries.get(&id).map(|entry| (&entry.task, entry.transferred))
    }

    /// Whether a task is known. A removed one is, until its attempt has ended.
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.entries.contains_key(&id)
    }

    /// What limits the speed of a task, and its direction.
    pub(crate) fn bucket(&self, id: u64) -> Option<(Direction, Arc<Bucket>)> {
        let entry = self.entries.get(&id)?;
        Some((entry.task.direction, entry.bucket.clone()))
    }

    /// The row of a task that is known and not removed. `source` gives the path of an uploaded
    /// file.
    pub(crate) fn row(&self, id: u64, source: impl Fn(&Task) -> String) -> Option<Row> {
        let entry = self.entries.get(&id).filter(|entry| !entry.removed)?;
        Some(entry.row(source(&entry.task)))
    }

    /// Queues a task. A full disk stays its reason to wait until the disk was checked.
    fn make_ready(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.phase = Phase::Ready;
        if !entry.lacks_room {
            entry.task.state = State::Initial;
            entry.task.code = code::NONE;
        }
        self.arrivals += 1;
        entry.arrival = self.arrivals;
        if entry.task.direction == Direction::Upload {
            self.unmarked.push(id);
        }
        self.enqueue(id);
    }

    /// Puts a task that may run at its place in the queue.
    fn enqueue(&mut self, id: u64) {
        if let Some(entry) = self.entries.get(&id)
            && entry.phase == Phase::Ready
        {
            self.ready[queue_of(&entry.task)].insert(entry.control.priority, entry.arrival, id);
        }
    }

    /// Corrects the place of a task among those that have ended.
    fn index_end(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let end = entry.end_ms().filter(|_| entry.phase == Phase::Idle);
        if let Some(before) = entry.ended_ms {
            self.finished.remove(&(before, id));
        }
        self.finished.extend(end.map(|at| (at, id)));
        entry.ended_ms = end;
    }

    fn unindex(&mut self, entry: &Entry) {
        if let Some(at) = entry.ended_ms {
            self.finished.remove(&(at, entry.task.id));
        }
    }
}

/// The index of the queue of a task.
fn queue_of(task: &Task) -> usize {
    usize::from(task.direction.wire())
}

/// Whether a task needs a password before it can continue.
pub(crate) fn waits_for_password(task: &Task, password: Option<&Password>) -> bool {
    task.direction == Direction::Download && task.file.protected && task.opened.is_none() && password.is_none()
}
