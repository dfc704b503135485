//! Files in the staging directory whose task does not exist yet.
//!
//! A file gets its name there before a call makes the task that uploads it. Meanwhile another task
//! with the same bytes may end, and must not remove the file.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use stowage_cloud::Hash;
use tokio::time::Instant;

/// How long a file waits for its task. After this time the staging directory removes it anyway.
const LIFETIME: Duration = Duration::from_secs(3600);

/// How many tasks each file still waits for, and when the last one was announced.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<HashMap<Hash, (usize, Instant)>>);

impl Arrivals {
    /// A file is about to get its name. A task will follow.
    pub(crate) fn add(&self, hash: &Hash) {
        let now = Instant::now();
        let mut waiting = self.0.lock();
        waiting.retain(|_, (_, at)| now.duration_since(*at) < LIFETIME);
        let entry = waiting.entry(*hash).or_insert((0, now));
        *entry = (entry.0 + 1, now);
    }

    /// A task of the file exists.
    pub(crate) fn task_made(&self, hash: &Hash) {
        let mut waiting = self.0.lock();
        if let Some((count, _)) = waiting.get_mut(hash) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(hash);
            }
        }
    }

    /// Removes a file, unless it waits for a task. No file arrives meanwhile.
    pub(crate) fn remove_unless_waiting<T>(&self, hash: &Hash, remove: impl FnOnce() -> T) -> Option<T> {
        let waiting = self.0.lock();
        (!waiting.contains_key(hash)).then(remove)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_stays_until_each_of_its_tasks_exists_or_long_enough() {
        let (arrivals, hash) = (Arrivals::default(), Hash::of(b"x"));
        let removed = || arrivals.remove_unless_waiting(&hash, || ()).is_some();
        assert!(removed());
        arrivals.add(&hash);
        arrivals.add(&hash);
        arrivals.task_made(&hash);
        assert!(!removed());
        arrivals.task_made(&hash);
        assert!(removed());
        arrivals.task_made(&hash);
        arrivals.add(&hash);
        tokio::time::advance(LIFETIME).await;
        arrivals.add(&Hash::of(b"y"));
        assert!(removed());
    }
}
