//! The finished tasks: their files, their blobs, and which are removed.

use std::collections::HashSet;

use super::Tasks;
use super::entry::{Entry, Phase};
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

    /// A complete upload of a prepared file with this hash.
    pub(crate) fn uploaded_file(&self, hash: &str) -> Option<Task> {
        self.done(i64::MIN)
            .rev()
            .find(|task| task.file.hash == hash && !task.prepared.is_empty())
            .cloned()
    }

    /// The hashes of prepared files that uploads still need.
    pub(crate) fn needed_files(&self) -> HashSet<String> {
        self.entries
            .values()
            .filter(|entry| !entry.task.prepared.is_empty() && entry.task.state != State::Done)
            .map(|entry| entry.task.file.hash.clone())
            .collect()
    }

    /// Whether an upload still needs the prepared file with this hash.
    pub(crate) fn needs_file(&self, hash: &str) -> bool {
        self.entries.values().any(|entry| {
            entry.task.file.hash == hash && !entry.task.prepared.is_empty() && entry.task.state != State::Done
        })
    }

    /// The oldest ended tasks beyond the `kept` newest, at most `most`.
    pub(crate) fn surplus(&self, kept: usize, most: usize) -> Vec<u64> {
        let surplus = self.finished.len().saturating_sub(kept).min(most);
        self.finished.iter().take(surplus).map(|(_, id)| *id).collect()
    }

    /// Removes ended tasks and returns them. Tasks that were started again meanwhile stay.
    pub(crate) fn forget(&mut self, ids: &[u64]) -> Vec<Task> {
        let mut forgotten = Vec::new();
        for id in ids {
            let gone = |entry: &Entry| entry.phase == Phase::Idle && entry.has_ended() && !entry.removed;
            if self.entries.get(id).is_some_and(gone)
                && let Some(entry) = self.entries.remove(id)
            {
                self.unindex(&entry);
                forgotten.push(entry.task);
            }
        }
        forgotten
    }
}
