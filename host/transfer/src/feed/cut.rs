//! What the subscribers of a channel are told between two ticks.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::chunk::Chunk;
use super::filter::Filter;

/// What the subscribers of a channel are told between two ticks.
#[derive(Default)]
pub(super) struct Cut {
    /// The version of the channel at the tick. Who has seen it is told nothing.
    pub(super) version: u64,
    /// The changes for each filter that was asked for since the tick.
    frames: HashMap<Filter, Arc<SharedFrame>>,
    /// What the subscribers of each filter had seen before the tick, if they were told at the one
    /// before.
    seen_before: HashMap<Filter, u64>,
}

/// The changes that all subscribers of a filter are told after a tick.
///
/// It is dropped at the next tick, also if somebody still sends it. So slow readers keep no old
/// rows in memory.
pub(super) struct SharedFrame {
    /// It has all changes up to this version. It is decided when the first subscriber asks, and not
    /// at the tick: rows that change all the time would then have changed again.
    upto: u64,
    chunks: Mutex<HashMap<u64, Chunk>>,
}

impl Cut {
    /// The cut of the next tick.
    pub(super) fn next(&self, version: u64) -> Cut {
        Cut {
            version,
            frames: HashMap::new(),
            seen_before: self
                .frames
                .iter()
                .map(|(filter, frame)| (*filter, frame.upto))
                .collect(),
        }
    }

    /// What a subscriber is told that has seen everything up to `seen`: the version up to which
    /// it is told changes, and chunks that other subscribers use too, if its changes are the same.
    /// `latest` is the version of the channel now.
    pub(super) fn frame(
        &mut self,
        filter: Filter,
        seen: u64,
        latest: impl FnOnce() -> u64,
    ) -> (u64, Weak<SharedFrame>) {
        let frame = self.frames.entry(filter).or_insert_with(|| {
            Arc::new(SharedFrame {
                upto: latest(),
                chunks: Mutex::default(),
            })
        });
        let keeps_pace = self.seen_before.get(&filter) == Some(&seen);
        let shared = if keeps_pace { Arc::downgrade(frame) } else { Weak::new() };
        (frame.upto, shared)
    }
}

impl SharedFrame {
    pub(super) fn get(&self, from: u64) -> Option<Chunk> {
        self.chunks.lock().get(&from).cloned()
    }

    pub(super) fn keep(&self, from: u64, chunk: &Chunk) {
        self.chunks.lock().insert(from, chunk.clone());
    }
}
