//! One reader of the feed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::cut::Cut;
use super::frame::{self, Fragment, OpenFrame};
use super::keys::Key;
use super::progress_feed::Feed;
use super::rows::{CHANNELS, Selection, channel_of};

/// The shortest time between two frames of one key on one connection.
pub const FRAME_INTERVAL: Duration = Duration::from_millis(100);

impl Feed {
    /// Opens a connection that claims these keys. With `None` it claims every key, also later ones.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn connect(&self, keys: Option<Vec<String>>) -> Connection {
        let keys = keys.map(|mut keys| {
            keys.sort_unstable();
            keys.dedup();
            keys
        });
        let mut state = self.lock();
        let listener = state.listeners.number();
        state.keys.claim(listener, keys.as_deref(), Instant::now());
        Connection {
            feed: self.clone(),
            listener,
            notify: Arc::default(),
            keys,
            progress: HashMap::new(),
            due: VecDeque::new(),
            open: None,
            _ticks: self.ticks(&mut state),
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
    /// The frame whose first fragment was taken, and whose last one was not.
    open: Option<OpenFrame>,
    /// Ticks come while there are connections.
    _ticks: Arc<AbortOnDropHandle<()>>,
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
    /// The next fragment of a text frame. The frame is a JSON object with `key`, `code` 200,
    /// `message` null, `data` (rows) and `seq`.
    ///
    /// A key's first frame after each subscription is the snapshot of all rows that match, later
    /// ones hold only rows that changed. `seq` counts a key's frames on this connection from 1. A
    /// key has at most one frame in [`FRAME_INTERVAL`]. `None` once the feed is closed. Dropping
    /// the future loses nothing.
    pub async fn next_fragment(&mut self) -> Option<Fragment> {
        if let Some(open) = self.open.take() {
            return Some(self.fragment(open));
        }
        loop {
            while let Some(key) = self.due.pop_front() {
                if let Some(fragment) = self.begin(&key).await {
                    return Some(fragment);
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
        let progress = &self.progress;
        let due = &mut self.due;
        let mut visit = |name: &str, key: &Key| {
            match ready_at(progress, &state.cuts, name, key, now) {
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

    /// The first fragment of the frame of a due key. `None` if there is nothing to send after all.
    async fn begin(&mut self, name: &str) -> Option<Fragment> {
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
        let mut state = feed.lock();
        let key = state.keys.get(name)?;
        let (filter, generation) = (key.filter, key.generation);
        let known = self.progress.get_mut(name);
        let seq = known.as_ref().map_or(0, |known| known.seq) + 1;
        let (selection, upto, shared) = match &known {
            Some(known) if known.generation == generation => {
                let cut = &mut state.cuts[channel_of(filter.direction, filter.platform)];
                let seen = known.seen;
                let (upto, shared) = cut.frame(filter, seen, || feed.latest(&filter));
                (Selection::Changed { seen, upto }, upto, shared)
            }
            _ => (Selection::All, feed.latest(&filter), Weak::new()),
        };
        drop(state);
        let chunk = feed.chunk(filter, selection, selection.start(), &shared);
        if let (Selection::Changed { .. }, Some(known), true) = (selection, known, chunk.text.is_empty()) {
            // The changes do not match this key. Skip them next time.
            known.seen = upto;
            return None;
        }
        let progress = Progress {
            generation,
            seen: upto,
            seq,
            next_at: Instant::now() + FRAME_INTERVAL,
        };
        self.progress.insert(name.to_owned(), progress);
        self.open = chunk.next.map(|from| OpenFrame {
            filter,
            selection,
            from,
            seq,
            shared,
        });
        Some(frame::first_fragment(name, &chunk, seq))
    }

    /// The next fragment of a frame.
    fn fragment(&mut self, open: OpenFrame) -> Fragment {
        let chunk = self.feed.chunk(open.filter, open.selection, open.from, &open.shared);
        let seq = open.seq;
        self.open = chunk.next.map(|from| OpenFrame { from, ..open });
        frame::next_fragment(chunk, seq)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.feed.lock();
        state.listeners.disarm(self.listener);
        state.keys.release(self.listener, self.keys.as_deref(), Instant::now());
    }
}

/// The time of the next frame of a key. `None` if there is nothing to send.
fn ready_at(
    progress: &HashMap<String, Progress>,
    cuts: &[Cut; CHANNELS],
    name: &str,
    key: &Key,
    now: Instant,
) -> Option<Instant> {
    let Some(known) = progress.get(name) else {
        return Some(now);
    };
    let cut = &cuts[channel_of(key.filter.direction, key.filter.platform)];
    let is_due = known.generation != key.generation || known.seen < cut.version;
    is_due.then_some(known.next_at)
}
