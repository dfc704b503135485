//! One reader of the feed.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::keys::Key;
use super::progress_feed::{Feed, State};
use super::rows::{EncodedRow, channel_of};

/// The shortest time between two frames of one key on one connection.
pub const FRAME_INTERVAL: Duration = Duration::from_millis(100);

impl Feed {
    /// Opens a connection that claims these keys. With `None` it claims every key, also later ones.
    pub fn connect(&self, keys: Option<Vec<String>>) -> Connection {
        let keys = keys.map(|mut keys| {
            keys.sort_unstable();
            keys.dedup();
            keys
        });
        let mut state = self.lock();
        state.keys.claim(keys.as_deref(), Instant::now());
        Connection {
            feed: self.clone(),
            listener: state.listeners.number(),
            notify: Arc::default(),
            keys,
            progress: HashMap::new(),
            due: VecDeque::new(),
        }
    }
}

/// What a connection has sent for one of its keys.
struct Progress {
    generation: u64,
    /// The version of the feed up to which all changes were sent.
    seen: u64,
    /// The number of the last frame.
    seq: u64,
    /// The earliest time of the next frame.
    next_at: Instant,
}

/// A connection to the feed. Dropping it releases its keys.
pub struct Connection {
    feed: Feed,
    listener: u64,
    notify: Arc<Notify>,
    keys: Option<Vec<String>>,
    progress: HashMap<String, Progress>,
    /// Keys found due by the last check, so that many keys need one check.
    due: VecDeque<String>,
}

/// What a connection does next.
enum NextStep {
    Closed,
    /// At least one key is due.
    Due,
    /// Wait until this time, or until the listener is woken.
    Idle(Option<Instant>),
}

impl Connection {
    /// The next text frame: a JSON object with `key`, `code` 200, `message` null, `data` (rows) and
    /// `seq`.
    ///
    /// A key's first frame after each subscription is the snapshot of all rows that match, later
    /// ones hold only rows that changed. `seq` counts a key's frames on this connection from 1. A
    /// key has at most one frame in [`FRAME_INTERVAL`]. `None` once the feed is closed. Dropping
    /// the future loses nothing.
    pub async fn next_frame(&mut self) -> Option<String> {
        loop {
            while let Some(key) = self.due.pop_front() {
                if let Some(frame) = self.frame(&key).await {
                    return Some(frame);
                }
            }
            match self.next_step() {
                NextStep::Closed => return None,
                NextStep::Due => {}
                NextStep::Idle(None) => self.notify.notified().await,
                NextStep::Idle(Some(at)) => {
                    tokio::select! {
                        () = self.notify.notified() => {}
                        () = sleep_until(at) => {}
                    }
                }
            }
        }
    }

    /// Fills `due`. If no key is due, returns how long to wait, and arms the listener for relevant
    /// changes.
    fn next_step(&mut self) -> NextStep {
        let feed = self.feed.clone();
        let mut guard = feed.lock();
        let state = &mut *guard;
        if state.closed {
            return NextStep::Closed;
        }
        let now = Instant::now();
        let mut earliest: Option<Instant> = None;
        let mut channels = 0u16;
        let progress = &mut self.progress;
        let due = &mut self.due;
        let mut visit = |name: &str, key: &Key| {
            match ready_at(progress, state, name, key, now) {
                // A key that already waits for its next frame needs no further wake-up.
                None => channels |= 1 << channel_of(key.filter.direction, key.filter.platform),
                Some(at) if at <= now => due.push_back(name.to_owned()),
                Some(at) => earliest = Some(earliest.map_or(at, |other| other.min(at))),
            }
        };
        match &self.keys {
            None => state.keys.iter().for_each(|(name, key)| visit(name, key)),
            Some(names) => names
                .iter()
                .filter_map(|name| Some((name, state.keys.get(name)?)))
                .for_each(|(name, key)| visit(name, key)),
        }
        if !self.due.is_empty() {
            return NextStep::Due;
        }
        if self.keys.is_none() {
            self.progress.retain(|name, _| state.keys.get(name).is_some());
        }
        // Also without a channel: a new subscription and the end of the feed wake every listener.
        state.listeners.arm(self.listener, channels, &self.notify);
        NextStep::Idle(earliest)
    }

    /// The frame of a due key. `None` if there is nothing to send after all.
    async fn frame(&mut self, name: &str) -> Option<String> {
        let feed = self.feed.clone();
        let filter = {
            let state = feed.lock();
            let key = state.keys.get(name)?;
            let snapshot = self
                .progress
                .get(name)
                .is_none_or(|known| known.generation != key.generation);
            snapshot.then_some(key.filter)
        };
        if let Some(filter) = filter {
            feed.audit(filter.direction).await;
        }
        let state = feed.lock();
        let key = state.keys.get(name)?;
        let known = self.progress.get(name);
        let rows: Vec<Arc<EncodedRow>> = match known {
            Some(known) if known.generation == key.generation => {
                let changes: Vec<_> = state.rows.changes(&key.filter, known.seen).cloned().collect();
                if changes.is_empty() {
                    return None;
                }
                changes
            }
            _ => state.rows.snapshot(&key.filter),
        };
        let seq = known.map_or(0, |known| known.seq) + 1;
        let progress = Progress {
            generation: key.generation,
            seen: state.rows.latest(&key.filter),
            seq,
            next_at: Instant::now() + FRAME_INTERVAL,
        };
        drop(state);
        self.progress.insert(name.to_owned(), progress);
        Some(text(name, &rows, seq))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.feed.lock();
        state.listeners.disarm(self.listener);
        state.keys.release(self.keys.as_deref(), Instant::now());
    }
}

/// The time of the next frame of a key. `None` if there is nothing to send.
fn ready_at(
    progress: &mut HashMap<String, Progress>,
    state: &State,
    name: &str,
    key: &Key,
    now: Instant,
) -> Option<Instant> {
    let Some(known) = progress.get_mut(name) else {
        return Some(now);
    };
    if known.generation == key.generation {
        let latest = state.rows.latest(&key.filter);
        if known.seen == latest {
            return None;
        }
        if state.rows.changes(&key.filter, known.seen).next().is_none() {
            // The changes do not match this key. Skip them next time.
            known.seen = latest;
            return None;
        }
    }
    Some(known.next_at)
}

fn text(key: &str, rows: &[Arc<EncodedRow>], seq: u64) -> String {
    let len: usize = rows.iter().map(|row| row.json().len() + 1).sum();
    let mut text = String::with_capacity(len + key.len() + 80);
    text.push_str("{\"key\":");
    text.push_str(&serde_json::to_string(key).expect("a string is always JSON"));
    text.push_str(",\"code\":200,\"message\":null,\"data\":[");
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(row.json());
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "],\"seq\":{seq}}}");
    text
}
