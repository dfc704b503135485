//! The latest row of each task, ordered by when it changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use super::filter::Filter;
use crate::row::{Direction, Row};

/// Channels: two directions of eight platforms, of which five exist.
pub(super) const CHANNELS: usize = 16;

/// Statuses: -1…5.
const STATUSES: usize = 7;

/// The most rows of a page.
const PAGE_ROWS: usize = 64;

/// The most rows that one page looks at. It bounds how long a publisher waits for a reader.
const PAGE_VISITS: usize = 256;

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
    /// The task was removed. Readers get its last row as a change, and snapshots do not have it.
    is_removed: bool,
}

impl Entry {
    /// Whether a reader that has seen everything up to `seen` is told of the row: it matches, or
    /// it matched before.
    fn concerns(&self, filter: &Filter, seen: u64) -> bool {
        let row = &self.encoded.row;
        let left = filter.status.and_then(slot).is_some_and(|slot| self.left[slot] > seen);
        filter.matches(row) || left && row.platform == filter.platform
    }
}

#[derive(Default)]
struct Channel {
    rows: BTreeMap<u64, Entry>,
    /// The version of the last change → the task. One entry a task.
    changes: BTreeMap<u64, u64>,
    latest: u64,
}

/// What a published row changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// A task has come further.
    Progress,
    /// The task is new, or its status is another one.
    Status,
}

/// The rows of all tasks.
#[derive(Default)]
pub(super) struct Rows {
    channels: [Channel; CHANNELS],
    of_task: HashMap<u64, usize>,
    version: u64,
}

/// Which rows a frame has.
#[derive(Clone, Copy)]
pub(super) enum Selection {
    /// All rows that match, by `id`. A position is an `id`.
    All,
    /// The rows that changed after version `seen`, up to version `upto`, oldest change first. A
    /// position is a version.
    Changed { seen: u64, upto: u64 },
}

impl Selection {
    /// The position of the first page.
    pub(super) fn start(self) -> u64 {
        match self {
            Selection::All => 0,
            Selection::Changed { seen, .. } => seen + 1,
        }
    }
}

/// Some rows of a selection.
#[derive(Default)]
pub(super) struct Page {
    /// Rows with their positions.
    pub(super) rows: Vec<(u64, Arc<EncodedRow>)>,
    /// Where the next page starts. `None` at the end.
    pub(super) next: Option<u64>,
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

impl Rows {
    /// Stores a row. Returns whether it has changed.
    pub(super) fn publish(&mut self, row: Row) -> Change {
        let index = channel_of(row.direction, row.platform);
        let channel = &mut self.channels[index];
        let id = row.id;
        let version = self.version + 1;
        let mut left = [0; STATUSES];
        let mut change = Change::Status;
        match channel.rows.get(&id) {
            Some(before) => {
                if before.encoded.row == row {
                    return Change::None;
                }
                left = before.left;
                if before.encoded.row.status == row.status {
                    change = Change::Progress;
                } else if let Some(slot) = slot(before.encoded.row.status) {
                    left[slot] = version;
                }
                channel.changes.remove(&before.version);
            }
            None => {
                self.of_task.insert(id, index);
            }
        }
        self.version = version;
        channel.latest = version;
        channel.changes.insert(version, id);
        let encoded = Arc::new(EncodedRow {
            row,
            json: OnceLock::new(),
        });
        let entry = Entry {
            encoded,
            version,
            left,
            is_removed: false,
        };
        channel.rows.insert(id, entry);
        change
    }

    /// Leaves a row out of snapshots from now on.
    pub(super) fn mark_removed(&mut self, id: u64) {
        let channel = self.of_task.get(&id).map(|index| &mut self.channels[*index]);
        if let Some(entry) = channel.and_then(|channel| channel.rows.get_mut(&id)) {
            entry.is_removed = true;
        }
    }

    pub(super) fn forget(&mut self, id: u64) {
        if let Some(index) = self.of_task.remove(&id) {
            let channel = &mut self.channels[index];
            if let Some(entry) = channel.rows.remove(&id) {
                channel.changes.remove(&entry.version);
            }
        }
    }

    /// For each channel, the version of its last change.
    pub(super) fn latest(&self) -> [u64; CHANNELS] {
        std::array::from_fn(|index| self.channels[index].latest)
    }

    /// The rows of a selection from a position on, in their latest state. A row that has changed
    /// after [`Selection::Changed::upto`] is left out, because the next frame has it.
    pub(super) fn page(&self, filter: &Filter, selection: Selection, from: u64) -> Page {
        let channel = &self.channels[channel_of(filter.direction, filter.platform)];
        match selection {
            Selection::All => page(channel.rows.range(from..).map(|(id, entry)| (*id, entry)), |entry| {
                !entry.is_removed && filter.matches(&entry.encoded.row)
            }),
            // `BTreeMap` panics at a range that ends before it starts.
            Selection::Changed { upto, .. } if from > upto => Page::default(),
            Selection::Changed { seen, upto } => page(
                channel
                    .changes
                    .range(from..=upto)
                    .filter_map(|(version, id)| Some((*version, channel.rows.get(id)?))),
                |entry| entry.concerns(filter, seen),
            ),
        }
    }
}

fn page<'a>(entries: impl Iterator<Item = (u64, &'a Entry)>, is_wanted: impl Fn(&Entry) -> bool) -> Page {
    let mut page = Page::default();
    for (visited, (position, entry)) in entries.enumerate() {
        if visited == PAGE_VISITS || page.rows.len() == PAGE_ROWS {
            page.next = Some(position);
            break;
        }
        if is_wanted(entry) {
            page.rows.push((position, entry.encoded.clone()));
        }
    }
    page
}
