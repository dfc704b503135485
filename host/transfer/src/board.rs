//! All tasks in memory, and the choice of the next one to run.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use tokio::time::Instant;

use crate::disk::FinishedFile;
use crate::request::Password;
use crate::row::Direction;
use crate::task::{State, Task};

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
    moved: u64,
    /// Failures in a row without progress.
    failures: u32,
}

/// A task to run now.
pub(crate) struct TransferJob {
    pub(crate) task: Task,
    pub(crate) password: Option<Password>,
}

/// All tasks, as many as the database holds.
#[derive(Default)]
pub(crate) struct Board {
    entries: HashMap<u64, Entry>,
    ready: [VecDeque<u64>; 2],
    running: [usize; 2],
    retries: BTreeSet<(Instant, u64)>,
    finished: BTreeSet<(i64, u64)>,
    /// The hash of each running download, with the downloads that wait for the same blob.
    shared: HashMap<String, VecDeque<u64>>,
}

impl Board {
    /// Adds a task from the database at start.
    pub(crate) fn recover(&mut self, task: Task) {
        let moved = task.checkpoint.as_ref().map_or(0, |point| point.offset);
        let phase = if task.state.is_terminal() || waits_for_password(&task, None) {
            Phase::Idle
        } else {
            Phase::Ready
        };
        self.insert(task, phase, None, moved);
    }

    /// Adds a task that a call staged. `changed` tells whether the call wrote it.
    pub(crate) fn adopt(&mut self, task: Task, password: Option<Password>, changed: bool) {
        let id = task.id;
        let Some(entry) = self.entries.get_mut(&id) else {
            if changed || !task.state.is_terminal() {
                let moved = task.checkpoint.as_ref().map_or(0, |point| point.offset);
                self.insert(task, Phase::Ready, password, moved);
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
                entry.moved = task.checkpoint.as_ref().map_or(0, |point| point.offset);
                entry.failures = 0;
                entry.task = task;
                self.make_ready(id);
            }
            Phase::Idle => {}
        }
    }

    /// The next job of a direction, if fewer than `most` run. A download of a blob that is being
    /// downloaded waits until that download ends.
    pub(crate) fn next(&mut self, direction: Direction, most: usize) -> Option<TransferJob> {
        let lane = usize::from(direction.wire());
        while self.running[lane] < most {
            let id = self.ready[lane].pop_front()?;
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            if entry.phase != Phase::Ready {
                continue;
            }
            if direction == Direction::Download {
                if let Some(behind) = self.shared.get_mut(&entry.task.file.hash) {
                    behind.push_back(id);
                    continue;
                }
                let hash = entry.task.file.hash.clone();
                self.shared.insert(hash, VecDeque::new());
            }
            entry.phase = Phase::Running;
            self.running[lane] += 1;
            return Some(TransferJob {
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
    pub(crate) fn settle(&mut self, task: Task, retry: Option<Instant>) {
        let id = task.id;
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let lane = usize::from(task.direction.wire());
        if entry.phase == Phase::Running {
            self.running[lane] -= 1;
            if task.direction == Direction::Download
                && let Some(behind) = self.shared.remove(&task.file.hash)
            {
                for id in behind.into_iter().rev() {
                    self.ready[lane].push_front(id);
                }
            }
        }
        entry.phase = match retry {
            Some(at) => {
                self.retries.insert((at, id));
                Phase::Retry(at)
            }
            None => Phase::Idle,
        };
        if task.state.is_terminal() {
            self.finished.insert((task.finished_ms, id));
            entry.password = None;
            entry.failures = 0;
        }
        let renewed = task.state == State::Paused
            && retry.is_none()
            && !waits_for_password(&task, entry.password.as_ref())
            && task.file.protected;
        entry.task = task;
        // The password arrived while the job that lacked it was ending.
        if renewed && entry.task.code == crate::task::code::WRONG_PASSWORD {
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

    /// Changes a task and its bytes transferred, if the task is known.
    pub(crate) fn change(&mut self, id: u64, change: impl FnOnce(&mut Task, &mut u64)) {
        if let Some(entry) = self.entries.get_mut(&id) {
            change(&mut entry.task, &mut entry.moved);
        }
    }

    /// A task and its bytes transferred.
    pub(crate) fn get(&self, id: u64) -> Option<(&Task, u64)> {
        self.entries.get(&id).map(|entry| (&entry.task, entry.moved))
    }

    /// The numbers of all tasks.
    pub(crate) fn ids(&self) -> Vec<u64> {
        self.entries.keys().copied().collect()
    }

    /// The files of complete downloads, each with its task's number and revision.
    pub(crate) fn finished_files(&self) -> Vec<(u64, u64, FinishedFile)> {
        self.finished
            .iter()
            .filter_map(|(_, id)| self.entries.get(id))
            .filter(|entry| entry.task.state == State::Done)
            .filter_map(|entry| {
                let finished_file = entry.task.finished_file.clone()?;
                Some((entry.task.id, entry.task.revision, finished_file))
            })
            .collect()
    }

    /// Hash and size of the files whose upload ended at `since` or later, in milliseconds since the
    /// epoch.
    pub(crate) fn uploaded(&self, since: i64) -> Vec<(String, u64)> {
        self.finished
            .range((since, 0)..)
            .filter_map(|(_, id)| self.entries.get(id))
            .filter(|entry| entry.task.direction == Direction::Upload)
            .filter(|entry| entry.task.state == State::Done)
            .map(|entry| (entry.task.file.hash.clone(), entry.task.file.size))
            .collect()
    }

    /// Files with exactly the bytes of a blob, from complete downloads, newest first.
    pub(crate) fn copies(&self, hash: &str) -> Vec<FinishedFile> {
        self.finished
            .iter()
            .rev()
            .filter_map(|(_, id)| self.entries.get(id))
            .filter(|entry| entry.task.state == State::Done && !entry.task.file.protected)
            .filter(|entry| entry.task.file.hash == hash)
            .filter_map(|entry| entry.task.finished_file.clone())
            .take(4)
            .collect()
    }

    /// The oldest finished tasks beyond the `kept` newest, at most `most`.
    pub(crate) fn surplus(&self, kept: usize, most: usize) -> Vec<u64> {
        let surplus = self.finished.len().saturating_sub(kept).min(most);
        self.finished.iter().take(surplus).map(|(_, id)| *id).collect()
    }

    /// Removes finished tasks and returns them. Tasks that were restarted meanwhile stay.
    pub(crate) fn forget(&mut self, ids: &[u64]) -> Vec<Task> {
        let forgettable: HashSet<u64> = ids
            .iter()
            .copied()
            .filter(|id| {
                self.entries
                    .get(id)
                    .is_some_and(|entry| entry.phase == Phase::Idle && entry.task.state.is_terminal())
            })
            .collect();
        self.finished.retain(|(_, id)| !forgettable.contains(id));
        forgettable
            .into_iter()
            .filter_map(|id| self.entries.remove(&id))
            .map(|entry| entry.task)
            .collect()
    }

    fn insert(&mut self, task: Task, phase: Phase, password: Option<Password>, moved: u64) {
        let id = task.id;
        if task.state.is_terminal() && phase == Phase::Idle {
            self.finished.insert((task.finished_ms, id));
        }
        let entry = Entry {
            task,
            phase: Phase::Idle,
            password,
            moved,
            failures: 0,
        };
        self.entries.insert(id, entry);
        if phase == Phase::Ready {
            self.make_ready(id);
        }
    }

    fn make_ready(&mut self, id: u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.phase = Phase::Ready;
            entry.task.state = State::Initial;
            entry.task.code = 0;
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

    fn started(board: &mut Board, most: usize) -> Vec<u64> {
        std::iter::from_fn(|| board.next(Direction::Download, most))
            .map(|job| job.task.id)
            .collect()
    }

    #[test]
    fn downloads_of_one_blob_go_one_after_another_and_do_not_hold_others_up() {
        let mut board = Board::default();
        for (id, hash) in [(1, "a"), (2, "a"), (3, "a"), (4, "b")] {
            board.adopt(task(id, hash), None, true);
        }
        assert_eq!(started(&mut board, 4), [1, 4]);
        board.settle(done(task(1, "a")), None);
        assert_eq!(started(&mut board, 4), [2]);
        board.settle(done(task(2, "a")), None);
        assert_eq!(started(&mut board, 4), [3]);
    }

    #[test]
    fn no_more_than_the_allowed_number_run() {
        let mut board = Board::default();
        for id in 1..=5 {
            board.adopt(task(id, &id.to_string()), None, true);
        }
        assert_eq!(started(&mut board, 2), [1, 2]);
        board.settle(done(task(2, "2")), None);
        assert_eq!(started(&mut board, 2), [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_waits_for_its_time_or_for_somebody_who_asks() {
        let mut board = Board::default();
        board.adopt(task(1, "a"), None, true);
        board.adopt(task(2, "b"), None, true);
        assert_eq!(started(&mut board, 4), [1, 2]);
        let at = Instant::now() + Duration::from_secs(5);
        for id in [1, 2] {
            let mut paused = task(id, if id == 1 { "a" } else { "b" });
            paused.state = State::Paused;
            board.settle(paused, Some(at));
        }
        assert_eq!(started(&mut board, 4), Vec::<u64>::new());
        board.adopt(task(2, "b"), None, false);
        assert_eq!(started(&mut board, 4), [2]);
        board.retry_due(at);
        assert_eq!(started(&mut board, 4), [1]);
    }

    #[test]
    fn a_restart_that_the_engine_has_overtaken_changes_nothing() {
        let mut board = Board::default();
        board.adopt(task(1, "a"), None, true);
        assert_eq!(started(&mut board, 4), [1]);
        let mut finished = done(task(1, "a"));
        finished.revision = 7;
        board.settle(finished.clone(), None);
        let mut stale = task(1, "a");
        stale.revision = 7;
        board.adopt(stale, None, true);
        assert_eq!(started(&mut board, 4), Vec::<u64>::new());
        let mut restarted = finished;
        restarted.restart();
        board.adopt(restarted, None, true);
        assert_eq!(started(&mut board, 4), [1]);
    }

    #[test]
    fn the_oldest_finished_tasks_are_forgotten_unless_restarted() {
        let mut board = Board::default();
        for id in 1..=4 {
            board.recover(done(task(id, "a")));
        }
        assert_eq!(board.surplus(2, 100), [1, 2]);
        let mut restarted = done(task(1, "a"));
        restarted.restart();
        board.adopt(restarted, None, true);
        let forgotten: Vec<_> = board.forget(&[1, 2]).into_iter().map(|t| t.id).collect();
        assert_eq!(forgotten, [2]);
    }
}
