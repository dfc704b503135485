//! A row of the feed, and its text.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use humantime::format_duration;
use serde_json::Value;
use serde_json::value::RawValue;

use super::direction::Direction;
use crate::output::printable;
use crate::size::ByteSize;

/// A longer time to the end is not shown.
const MAX_REMAINING_SECONDS: u64 = 99 * 24 * 3600;

/// The identity of a task: its `type`, its `shareIndex` and its `taskId`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Task {
    direction: i64,
    platform: i64,
    id: String,
}

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It transfers bytes, or will soon.
    Active,
    /// It has completed.
    Done,
    /// It has failed, or will not continue by itself.
    Stopped,
}

/// A row of the feed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// The JSON as the server sent it.
    pub(super) text: String,
    wire: Value,
}

impl Row {
    /// Parses a row. Of anything but an object nothing is known.
    pub(super) fn new(raw: &RawValue) -> Self {
        Self {
            text: raw.get().to_owned(),
            wire: serde_json::from_str(raw.get()).unwrap_or_default(),
        }
    }

    #[cfg(test)]
    pub(super) fn of(wire: Value) -> Self {
        Self {
            text: wire.to_string(),
            wire,
        }
    }

    fn text(&self, field: &str) -> &str {
        self.wire[field].as_str().unwrap_or_default()
    }

    fn integer(&self, field: &str) -> i64 {
        self.wire[field].as_i64().unwrap_or_default()
    }

    pub(super) fn task(&self) -> Task {
        let id = match self.text("taskId") {
            "" => self.integer("id").to_string(),
            id => id.to_owned(),
        };
        Task {
            direction: self.integer("type"),
            platform: self.integer("shareIndex"),
            id,
        }
    }

    /// The name of the file, or its hash.
    pub(super) fn name(&self) -> String {
        match self.text("name") {
            "" => printable(self.text("hash")),
            name => printable(name),
        }
    }

    fn direction(&self) -> Option<Direction> {
        match self.integer("type") {
            0 => Some(Direction::Upload),
            1 => Some(Direction::Download),
            _ => None,
        }
    }

    /// The state in one word, and whether it is final.
    pub(super) fn state(&self) -> (&'static str, Standing) {
        use Direction::{Download, Upload};
        use Standing::{Active, Done, Stopped};
        match (self.direction(), self.integer("status")) {
            (Some(Upload | Download), -1) => ("preparing", Active),
            (Some(Upload), 0) => ("waiting", Active),
            (Some(Upload), 1) => ("uploaded", Done),
            (Some(Upload), 2) => ("uploading", Active),
            (Some(Upload), 3) => ("failed", Stopped),
            (Some(Upload), 4) => ("paused", Active),
            (Some(Upload), 5) => ("no space left", Stopped),
            (Some(Download), 0) => ("invalid", Stopped),
            (Some(Download), 1) => ("downloading", Active),
            (Some(Download), 2) => ("paused", Active),
            (Some(Download), 3) => ("deleted", Stopped),
            (Some(Download), 4) => ("complete", Done),
            (Some(Download), 5) => ("failed", Stopped),
            _ => ("unknown", Active),
        }
    }

    /// When the task began, in milliseconds since the epoch.
    pub(super) fn time(&self) -> i64 {
        self.integer("time")
    }

    /// The file's size in bytes.
    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.integer("size")).unwrap_or(0)
    }

    /// 0 to 100.
    pub(super) fn percent(&self) -> u64 {
        match self.state().1 {
            Standing::Done => 100,
            // The server may send a fraction.
            _ => self.wire["progress"].as_f64().unwrap_or(0.0).clamp(0.0, 100.0) as u64,
        }
    }

    /// The transferred bytes, by the percentage.
    pub(super) fn moved(&self) -> u64 {
        let product = u128::from(self.size()) * u128::from(self.percent()) / 100;
        u64::try_from(product).unwrap_or(u64::MAX)
    }

    /// `2 MB/s, 16s left`, as far as it is known.
    fn pace(&self) -> Option<String> {
        let figure = |field: &str| self.wire[field].as_u64().filter(|figure| *figure > 0);
        let speed = figure("speed").map(|speed| format!("{}/s", ByteSize(speed)));
        let left = figure("remaining")
            .filter(|seconds| *seconds <= MAX_REMAINING_SECONDS)
            .map(|seconds| format!("{} left", format_duration(Duration::from_secs(seconds))));
        match (self.state().1, speed, left) {
            (Standing::Active, Some(speed), Some(left)) => Some(format!("{speed}, {left}")),
            (Standing::Active, speed, None) => speed,
            (Standing::Active, None, left) => left,
            (Standing::Done | Standing::Stopped, _, _) => None,
        }
    }

    /// `32 MB / 64 MB   50%  downloading  2 MB/s, 16s left`. What is unknown is left out.
    pub(super) fn figures(&self) -> String {
        let (word, standing) = self.state();
        let size = ByteSize(self.size());
        let bytes = match standing {
            _ if size.0 == 0 => String::new(),
            Standing::Done => size.to_string(),
            _ => format!("{} / {size}", ByteSize(self.moved())),
        };
        let code = match self.integer("code") {
            0 => String::new(),
            code => format!(" (code {code})"),
        };
        let pace = self.pace().map(|pace| format!("  {pace}")).unwrap_or_default();
        format!("{bytes:>21} {:>3}%  {word}{code}{pace}", self.percent())
    }
}

/// What was last shown of each task, so that the snapshot after a reconnection shows only changes.
/// It keeps a digest of each task, not its row: about 100 bytes.
#[derive(Debug, Default)]
pub(super) struct Seen {
    digests: HashMap<Task, u64>,
}

impl Seen {
    /// Whether the row differs from the last one of its task.
    pub(super) fn is_news(&mut self, row: &Row) -> bool {
        let mut hasher = DefaultHasher::new();
        row.text.hash(&mut hasher);
        let digest = hasher.finish();
        self.digests.insert(row.task(), digest) != Some(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(direction: i64, status: i64, progress: i64) -> Row {
        Row::of(json!({
            "taskId": "t", "type": direction, "shareIndex": 3, "status": status, "progress": progress,
            "name": "a.bin", "size": 64 << 20, "hash": "h", "code": 0
        }))
    }

    #[test]
    fn every_documented_status_has_a_word() {
        for direction in 0..=1 {
            for status in -1..=5 {
                assert_ne!(row(direction, status, 0).state().0, "unknown", "{direction} {status}");
            }
        }
        assert_eq!(row(0, 9, 0).state(), ("unknown", Standing::Active));
    }

    #[test]
    fn only_success_is_done_and_paused_is_not_the_end() {
        assert_eq!(row(0, 1, 0).state().1, Standing::Done);
        assert_eq!(row(1, 4, 0).state().1, Standing::Done);
        assert_eq!(row(0, 4, 0).state().1, Standing::Active);
        assert_eq!(row(1, 2, 0).state().1, Standing::Active);
        assert_eq!(row(0, 5, 0).state().1, Standing::Stopped);
    }

    #[test]
    fn figures_show_bytes_percent_and_state() {
        assert_eq!(row(1, 1, 50).figures(), "        32 MB / 64 MB  50%  downloading");
        assert_eq!(row(1, 4, 97).figures(), "                64 MB 100%  complete");
        let mut failed = row(1, 5, 10);
        failed.wire["code"] = json!(500);
        assert_eq!(failed.figures(), "       6.4 MB / 64 MB  10%  failed (code 500)");
    }

    #[test]
    fn figures_show_speed_and_time_left_while_bytes_move() {
        let figures = |status: i64, speed: Value, remaining: Value| {
            let mut row = row(1, status, 50);
            row.wire["speed"] = speed;
            row.wire["remaining"] = remaining;
            row.figures().split_once("%  ").expect("a percentage").1.to_owned()
        };
        let speed = json!(2 << 20);
        assert_eq!(figures(1, speed.clone(), json!(76)), "downloading  2 MB/s, 1m 16s left");
        assert_eq!(figures(1, speed.clone(), json!(0)), "downloading  2 MB/s");
        assert_eq!(figures(1, json!(0), json!(5)), "downloading  5s left");
        assert_eq!(figures(1, json!(0), json!(0)), "downloading");
        assert_eq!(figures(4, speed.clone(), json!(76)), "complete");
        assert_eq!(figures(1, speed, json!(u64::MAX)), "downloading  2 MB/s");
        assert_eq!(figures(1, json!("x"), json!(-1)), "downloading");
    }

    #[test]
    fn hostile_rows_are_clamped() {
        let row = Row::of(json!({"type": 1, "status": 1, "size": -5, "progress": 400, "name": "\u{1b}]0;x\u{7}"}));
        assert_eq!((row.size(), row.percent()), (0, 100));
        assert_eq!(row.name(), "?]0;x?");
        assert_eq!(Row::of(json!([])).state().0, "waiting");
    }

    #[test]
    fn the_same_row_again_is_no_news() {
        let mut seen = Seen::default();
        assert!(seen.is_news(&row(1, 1, 50)));
        assert!(!seen.is_news(&row(1, 1, 50)));
        assert!(seen.is_news(&row(1, 1, 51)));
        assert!(seen.is_news(&row(0, 1, 51)), "another direction is another task");
    }
}
