//! The finished tasks: their files, their blobs, and which are removed.

use std::collections::hash_map::Entry;

use super::{Phase, Tasks};
use crate::disk::FinishedFile;
use crate::row::Direction;
use crate::task::{State, Task};

impl Tasks {
    /// The complete tasks that ended at `since` or later, oldest first. `since` is in milliseconds
    /// since the epoch.
    fn done(&self, since: i64) -> impl DoubleEndedIterator<Item = &Task> {
        self.finished
            .range((since, 0)..)
            .filter_map(|(_, id)| self.entries.get(id))
            .map(|entry| &entry.task)
            .filter(|task| task.state == State::Done)
    }

    /// The files of complete downloads, each with its task's number and revision.
    pub(crate) fn finished_files(&self) -> Vec<(u64, u64, FinishedFile)> {
        self.done(i64::MIN)
            .filter_map(|task| Some((task.id, task.revision, task.finished_file.clone()?)))
            .collect()
    }

    /// Hash and size of the files whose upload ended at `since` or later, in milliseconds since the
    /// epoch.
    pub(crate) fn uploaded(&self, since: i64) -> Vec<(String, u64)> {
        self.done(since)
            .filter(|task| task.direction == Direction::Upload)
            .map(|task| (task.file.hash.clone(), task.file.size))
            .collect()
    }

    /// Files with exactly the bytes of a blob, from complete downloads, newest first.
    pub(crate) fn copies(&self, hash: &str) -> Vec<FinishedFile> {
        self.done(i64::MIN)
            .rev()
            .filter(|task| !task.file.protected && task.file.hash == hash)
            .filter_map(|task| task.finished_file.clone())
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
        let mut forgotten = Vec::new();
        for id in ids {
            if let Entry::Occupied(entry) = self.entries.entry(*id)
                && entry.get().phase == Phase::Idle
                && entry.get().task.state.is_terminal()
            {
                let task = entry.remove().task;
                self.finished.remove(&(task.finished_ms, task.id));
                forgotten.push(task);
            }
        }
        forgotten
    }
}
