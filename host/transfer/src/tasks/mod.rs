//! All tasks in memory, and the choice of the next one to run.

mod finished;

use std::collections::{BTreeSet, HashMap, VecDeque};

use tokio::time::Instant;

use crate::request::Password;
use crate::row::Direction;
use crate::task::{State, Task, code};

/// What the engine does with a task now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing. The task is terminal, or waits for a password.
    Idle,
    /// It waits in the queue, or for a running download of the same blob.
    Ready,
    /// It runs.
    Running,
    /// It is retried at this time.
    Retry(Instant),
}

struct Entry {
    task: Task,
    phase: Phase,
    password: Option<Password>,
    /// Bytes transferred so far.
    transferred: u64,
    /// Failures in a row without progress.
    failures: u32,
}

/// A task to run now.
pub(crate) struct Job {
    pub(crate) task: Task,
    pub(crate) password: Option<Password>,
}

/// All tasks, as many as the database holds.
#[derive(Default)]
pub(crate) struct Tasks {
    entries: HashMap<u64, Entry>,
    /// The tasks that may run, by direction.
    ready: [VecDeque<u64>; 2],
    /// How many tasks run, by direction.
    running: [usize; 2],
    retries: BTreeSet<(Instant, u64)>,
    /// The terminal tasks, ordered by the time at which they became terminal.
    finished: BTreeSet<(i64, u64)>,
    /// The hash of each running download, with the downloads that wait for the same blob.
    shared: HashMap<String, VecDeque<u64>>,
}

impl Tasks {
    /// Adds a task from the database at start.
    pub(crate) fn add_stored(&mut self, mut task: Task) {
        let id = task.id;
        if task.state.is_terminal() {
            self.finished.insert((task.finished_ms, id));
            self.insert(task, None);
        } else if waits_for_password(&task, None) {
            task.state = State::Paused;
            task.code = code::WRONG_PASSWORD;
            self.insert(task, None);
        } else {
            self.insert(task, None);
            self.make_ready(id);
        }
    }

    /// Adds a task that a call staged. `changed` tells whether the call wrote it.
    pub(crate) fn add_staged(&mut self, task: Task, password: Option<Password>, changed: bool) {
        let id = task.id;
        let Some(entry) = self.entries.get_mut(&id) else {
            if changed || !task.state.is_terminal() {
                self.insert(task, password);
                self.make_ready(id);
            }
            return;
        };
        if password.is_some() {
            entry.password = password;
        }
        match entry.phase {
            Phase::Running | Phase::Ready => {}
            Phase::Retry(at) => {
                self.retries.remove(&(at, id));
                self.make_ready(id);
            }
            Phase::Idle if !entry.task.state.is_terminal() => self.make_ready(id),
            // If the entry is not older than the staged task, it has changed since, and stays.
            Phase::Idle if changed && task.revision > entry.task.revision => {
                self.finished.remove(&(entry.task.finished_ms, id));
                entry.transferred = task.checkpoint_offset();
                entry.failures = 0;
                entry.task = task;
                self.make_ready(id);
            }
            Phase::Idle => {}
        }
    }

    /// The next job of a direction, if fewer than `most` run. A download of a blob that is being
    /// downloaded waits until that download ends.
    pub(crate) fn next(&mut self, direction: Direction, most: usize) -> Option<Job> {
        let queue = usize::from(direction.wire());
        while self.running[queue] < most {
            let id = self.ready[queue].pop_front()?;
            let ready = |entry: &&mut Entry| entry.phase == Phase::Ready;
            let Some(entry) = self.entries.get_mut(&id).filter(ready) else {
                continue;
            };
            if direction == Direction::Download {
                if let Some(waiting) = self.shared.get_mut(&entry.task.file.hash) {
                    waiting.push_back(id);
                    continue;
                }
                self.shared.insert(entry.task.file.hash.clone(), VecDeque::new());
            }
            entry.phase = Phase::Running;
            self.running[queue] += 1;
            return Some(Job {
                task: entry.task.clone(),
                password: entry.password.clone(),
            });
        }
        None
    }

    /// Marks queued uploads as waiting. Returns those that were not marked before.
    pub(crate) fn mark_waiting(&mut self) -> Vec<u64> {
        let mut marked = Vec::new();
        for id in self.ready[0].iter().rev() {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            // Tasks further ahead in the queue were marked earlier.
            if entry.task.state == State::Waiting {
                break;
            }
            entry.task.state = State::Waiting;
            marked.push(*id);
        }
        marked
    }

    /// Ends the work on a task and stores its new state. `retry` is the time of the next attempt,
    /// if any.
    pub(crate) fn end_attempt(&mut self, task: Task, retry: Option<Instant>) {
        let id = task.id;
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let queue = usize::from(task.direction.wire());
        if entry.phase == Phase::Running {
            self.running[queue] -= 1;
            if task.direction == Direction::Download
                && let Some(waiting) = self.shared.remove(&task.file.hash)
            {
                for id in waiting.into_iter().rev() {
                    self.ready[queue].push_front(id);
                }
            }
        }
        entry.phase = retry.map_or(Phase::Idle, Phase::Retry);
        self.retries.extend(retry.map(|at| (at, id)));
        if task.state.is_terminal() {
            self.finished.insert((task.finished_ms, id));
            entry.password = None;
            entry.failures = 0;
        }
        let lacked_password = task.state == State::Paused && task.code == code::WRONG_PASSWORD;
        // The password arrived while the job that lacked it was ending.
        let has_password = lacked_password && !waits_for_password(&task, entry.password.as_ref());
        entry.task = task;
        if has_password {
            self.make_ready(id);
        }
    }

    /// Counts a failed attempt. Returns the number of failures in a row without progress.
    pub(crate) fn count_failure(&mut self, id: u64, progressed: bool) -> u32 {
        self.entries.get_mut(&id).map_or(1, |entry| {
            entry.failures = if progressed { 1 } else { entry.failures + 1 };
            entry.failures
        })
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
        }
    }

    /// A task and its bytes transferred.
    pub(crate) fn get(&self, id: u64) -> Option<(&Task, u64)> {
        self.entries.get(&id).map(|entry| (&entry.task, entry.transferred))
    }

    fn insert(&mut self, task: Task, password: Option<Password>) {
        let entry = Entry {
            phase: Phase::Idle,
            password,
            transferred: task.checkpoint_offset(),
            failures: 0,
            task,
        };
        self.entries.insert(entry.task.id, entry);
    }

    fn make_ready(&mut self, id: u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.phase = Phase::Ready;
            entry.task.state = State::Initial;
            entry.task.code = code::NONE;
            self.ready[usize::from(entry.task.direction.wire())].push_back(id);
        }
    }
}

/// Whether a task needs a password before it can continue.
pub(crate) fn waits_for_password(task: &Task, password: Option<&Password>) -> bool {
    task.direction == Direction::Download && task.file.protected && task.opened.is_none() && password.is_none()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::request::{DownloadRequest, File};

    fn task(id: u64, hash: &str) -> Task {
        let request = DownloadRequest {
            task_id: None,
            platform: 3,
            file: File {
                hash: hash.into(),
                name: "n".into(),
                ext: String::new(),
                thumb: String::new(),
                size: 1,
                path: String::new(),
                protected: false,
            },
            directory: None,
            password: None,
        };
        Task::download(id, id.to_string(), &request, String::new(), 0)
    }

    fn done(mut task: Task) -> Task {
        task.state = State::Done;
        task.finished_ms = i64::try_from(task.id).unwrap();
        task.revision += 1;
        task
    }

    fn started(tasks: &mut Tasks, most: usize) -> Vec<u64> {
        std::iter::from_fn(|| tasks.next(Direction::Download, most))
            .map(|job| job.task.id)
            .collect()
    }

    #[test]
    fn downloads_of_one_blob_go_one_after_another_and_do_not_hold_others_up() {
        let mut tasks = Tasks::default();
        for (id, hash) in [(1, "a"), (2, "a"), (3, "a"), (4, "b")] {
            tasks.add_staged(task(id, hash), None, true);
        }
        assert_eq!(started(&mut tasks, 4), [1, 4]);
        tasks.end_attempt(done(task(1, "a")), None);
        assert_eq!(started(&mut tasks, 4), [2]);
        tasks.end_attempt(done(task(2, "a")), None);
        assert_eq!(started(&mut tasks, 4), [3]);
    }

    #[test]
    fn no_more_than_the_allowed_number_run() {
        let mut tasks = Tasks::default();
        for id in 1..=5 {
            tasks.add_staged(task(id, &id.to_string()), None, true);
        }
        assert_eq!(started(&mut tasks, 2), [1, 2]);
        tasks.end_attempt(done(task(2, "2")), None);
        assert_eq!(started(&mut tasks, 2), [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_waits_for_its_time_or_for_somebody_who_asks() {
        let mut tasks = Tasks::default();
        tasks.add_staged(task(1, "a"), None, true);
        tasks.add_staged(task(2, "b"), None, true);
        assert_eq!(started(&mut tasks, 4), [1, 2]);
        let at = Instant::now() + Duration::from_secs(5);
        for id in [1, 2] {
            let mut paused = task(id, if id == 1 { "a" } else { "b" });
            paused.state = State::Paused;
            tasks.end_attempt(paused, Some(at));
        }
        assert_eq!(started(&mut tasks, 4), Vec::<u64>::new());
        tasks.add_staged(task(2, "b"), None, false);
        assert_eq!(started(&mut tasks, 4), [2]);
        tasks.retry_due(at);
        assert_eq!(started(&mut tasks, 4), [1]);
    }

    #[test]
    fn a_restart_that_the_engine_has_overtaken_changes_nothing() {
        let mut tasks = Tasks::default();
        tasks.add_staged(task(1, "a"), None, true);
        assert_eq!(started(&mut tasks, 4), [1]);
        let mut finished = done(task(1, "a"));
        finished.revision = 7;
        tasks.end_attempt(finished.clone(), None);
        let mut stale = task(1, "a");
        stale.revision = 7;
        tasks.add_staged(stale, None, true);
        assert_eq!(started(&mut tasks, 4), Vec::<u64>::new());
        let mut restarted = finished;
        restarted.restart();
        tasks.add_staged(restarted, None, true);
        assert_eq!(started(&mut tasks, 4), [1]);
    }

    #[test]
    fn the_oldest_finished_tasks_are_forgotten_unless_restarted() {
        let mut tasks = Tasks::default();
        for id in 1..=4 {
            tasks.add_stored(done(task(id, "a")));
        }
        assert_eq!(tasks.surplus(2, 100), [1, 2]);
        let mut restarted = done(task(1, "a"));
        restarted.restart();
        tasks.add_staged(restarted, None, true);
        let forgotten: Vec<_> = tasks.forget(&[1, 2]).into_iter().map(|t| t.id).collect();
        assert_eq!(forgotten, [2]);
    }
}
