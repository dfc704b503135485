//! The order in which tasks run.

use std::cmp::Reverse;
use std::collections::BTreeSet;

/// The place of a task in the queue: its priority, when it came, and its number.
type Place = (Reverse<u8>, u64, u64);

/// The tasks of one direction that may run: higher priorities first, then in the order in which
/// they came.
#[derive(Default)]
pub(super) struct Queue(BTreeSet<Place>);

impl Queue {
    pub(super) fn insert(&mut self, priority: u8, arrival: u64, id: u64) {
        self.0.insert((Reverse(priority), arrival, id));
    }

    pub(super) fn remove(&mut self, priority: u8, arrival: u64, id: u64) {
        self.0.remove(&(Reverse(priority), arrival, id));
    }

    /// The tasks, the next one first.
    pub(super) fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(|(_, _, id)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_priority_is_first_and_equal_ones_keep_their_order() {
        let mut queue = Queue::default();
        for (priority, arrival, id) in [(5, 1, 10), (5, 2, 3), (9, 3, 7), (0, 4, 1), (9, 5, 2)] {
            queue.insert(priority, arrival, id);
        }
        assert_eq!(queue.ids().collect::<Vec<_>>(), [7, 2, 10, 3, 1]);
        queue.remove(9, 3, 7);
        assert_eq!(queue.ids().next(), Some(2));
    }
}
