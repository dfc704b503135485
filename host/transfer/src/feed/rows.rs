//! The latest row of each task, ordered by when it changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use super::filter::Filter;
use crate::row::{Direction, Row};

/// Channels: two directions of eight platforms, of which five exist.
pub(super) const CHANNELS: usize = 16;

/// Statuses: -1…5.
const STATUSES: usize = 7;

/// A row and its JSON. The JSON is made at most once for all subscribers.
pub(super) struct EncodedRow {
    pub(super) row: Row,
    json: OnceLock<String>,
}

impl EncodedRow {
    pub(super) fn json(&self) -> &str {
        self.json
            .get_or_init(|| serde_json::to_string(&self.row).expect("a row holds only strings and integers"))
    }
}

struct Entry {
    encoded: Arc<EncodedRow>,
    version: u64,
    /// For each status, the version at which the row last left it. 0 means never.
    left: [u64; STATUSES],
}

#[derive(Default)]
struct Channel {
    rows: BTreeMap<u64, Entry>,
    /// The version of the last change → the task. One entry a task.
    changes: BTreeMap<u64, u64>,
    latest: u64,
}

/// The rows of all tasks.
#[derive(Default)]
pub(super) struct Rows {
    channels: [Channel; CHANNELS],
    of_task: HashMap<u64, usize>,
    version: u64,
}

/// The channel of a direction and platform. Platforms from 7 on share a channel; the filter
/// separates them.
pub(super) fn channel_of(direction: Direction, platform: u8) -> usize {
    usize::from(direction.wire()) * 8 + usize::from(platform.min(7))
}

fn slot(status: i32) -> Option<usize> {
    let slot = usize::try_from(status.checked_add(1)?).ok()?;
    (slot < STATUSES).then_some(slot)
}

fn matches(filter: &Filter, row: &Row) -> bool {
    row.platform == filter.platform && filter.status.is_none_or(|status| row.status == status)
}

impl Rows {
    /// Stores a row. Returns the channel that changed.
    pub(super) fn publish(&mut self, row: Row) -> Option<usize> {
        let index = channel_of(row.direction, row.platform);
        let channel = &mut self.channels[index];
        let mut left = [0; STATUSES];
        let version = self.version + 1;
        if let Some(before) = channel.rows.get(&row.id) {
            if before.encoded.row == row {
                return None;
            }
            left = before.left;
            if before.encoded.row.status != row.status
                && let Some(slot) = slot(before.encoded.row.status)
            {
                left[slot] = version;
            }
            channel.changes.remove(&before.version);
        }
        self.version = version;
        let id = row.id;
        channel.latest = version;
        channel.changes.insert(version, id);
        let encoded = Arc::new(EncodedRow {
            row,
            json: OnceLock::new(),
        });
        channel.rows.insert(id, Entry { encoded, version, left });
        self.of_task.insert(id, index);
        Some(index)
    }

    pub(super) fn forget(&mut self, id: u64) {
        if let Some(index) = self.of_task.remove(&id) {
            let channel = &mut self.channels[index];
            if let Some(entry) = channel.rows.remove(&id) {
                channel.changes.remove(&entry.version);
            }
        }
    }

    fn channel(&self, filter: &Filter) -> &Channel {
        &self.channels[channel_of(filter.direction, filter.platform)]
    }

    /// The version of the last change in the channel of a filter.
    pub(super) fn latest(&self, filter: &Filter) -> u64 {
        self.channel(filter).latest
    }

    /// The rows that match now, by `id`.
    pub(super) fn snapshot(&self, filter: &Filter) -> Vec<Arc<EncodedRow>> {
        self.channel(filter)
            .rows
            .values()
            .filter(|entry| matches(filter, &entry.encoded.row))
            .map(|entry| entry.encoded.clone())
            .collect()
    }

    /// The rows that changed after version `seen`, oldest change first. Includes rows that matched
    /// before.
    pub(super) fn changes(&self, filter: &Filter, seen: u64) -> impl Iterator<Item = &Arc<EncodedRow>> + use<'_> {
        let filter = *filter;
        let channel = self.channel(&filter);
        channel
            .changes
            .range(seen + 1..)
            .filter_map(|(_, id)| channel.rows.get(id))
            .filter(move |entry| {
                let left = filter.status.and_then(slot).is_some_and(|slot| entry.left[slot] > seen);
                matches(&filter, &entry.encoded.row) || left && entry.encoded.row.platform == filter.platform
            })
            .map(|entry| &entry.encoded)
    }
}
