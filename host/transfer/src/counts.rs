//! What the metrics of a server tell about its transfers.

use std::sync::atomic::Ordering;

use crate::row::Direction;
use crate::task::State;
use crate::transfers::Transfers;

/// The transfers at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransferCounts {
    /// Tasks by direction and state. Every pair is there.
    pub tasks: Vec<(Direction, &'static str, u64)>,
    /// Bytes since the server started, by direction.
    pub bytes: Vec<(Direction, u64)>,
}

impl Transfers {
    /// The tasks by their state, and the bytes that were transferred. It reads no storage.
    pub fn counts(&self) -> TransferCounts {
        let engine = self.engine();
        let directions = [Direction::Upload, Direction::Download];
        let mut counts = [[0; State::ALL.len()]; 2];
        engine.tasks().for_each(|direction, state| {
            counts[usize::from(direction.wire())][state as usize] += 1;
        });
        let tasks = directions.into_iter().flat_map(|direction| {
            let counts = counts[usize::from(direction.wire())];
            let named = State::ALL.into_iter().zip(counts);
            named.map(move |(state, count)| (direction, state.name(), count))
        });
        let bytes = directions.map(|direction| {
            let counter = &engine.transferred_bytes[usize::from(direction.wire())];
            (direction, counter.load(Ordering::Relaxed))
        });
        TransferCounts {
            tasks: tasks.collect(),
            bytes: bytes.into(),
        }
    }
}
