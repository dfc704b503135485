//! The thread that has the database take up memtables.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use redb::Database;

use super::News;
use super::database::Settlement;
use super::memtable::Memtable;
use crate::error::BackendError;

/// How long changes lie in a memtable before it is flushed when no more come, and how long none have come then.
const AGE: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_millis(200);
/// How long they lie there at most. The longer, the more of them find the database writing their page anyway.
const LONGEST: Duration = Duration::from_secs(10);

/// How often memtables are looked at that somebody still sees.
const RETENTION: Duration = Duration::from_millis(20);

/// Keys that the database takes up in one transaction: each may touch a page of its own. Few in tests, so that power is lost between pieces.
const PIECE_KEYS: usize = if cfg!(test) { 16 } else { 4096 };

enum Job {
    /// Take up a memtable, whose last batch it is.
    Flush(Arc<Memtable>, u64),
    /// Remind of the memtable that is filled now, at this time.
    Remind(Instant),
}

/// The thread, which takes up one memtable at a time.
pub(super) struct Flusher {
    /// None once it has been stopped.
    jobs: Option<Sender<Job>>,
    flushed: Receiver<Result<(), BackendError>>,
    thread: Option<JoinHandle<()>>,
    /// Whether it has not been told yet how taking up the last memtable ended.
    busy: bool,
    /// When changes came first and last into the memtable that is filled now.
    span: Option<(Instant, Instant)>,
    /// When news is to come of it.
    reminder: Option<Instant>,
}

impl Flusher {
    /// Memtables that snapshots see take up to `held_bytes`; of more, the oldest are given up.
    ///
    /// # Errors
    /// Where the system starts no thread.
    pub(super) fn start(
        db: &Arc<Database>,
        news: &Arc<OnceLock<News>>,
        held_bytes: usize,
    ) -> Result<Self, BackendError> {
        let (jobs, to_do) = mpsc::channel();
        let (done, flushed) = mpsc::channel();
        let (db, news) = (Arc::clone(db), Arc::clone(news));
        let thread = thread::Builder::new()
            .name("storage-flusher".to_owned())
            .spawn(move || work(&db, &to_do, &done, &news, held_bytes))?;
        Ok(Self {
            jobs: Some(jobs),
            flushed,
            thread: Some(thread),
            busy: false,
            span: None,
            reminder: None,
        })
    }

    /// Changes have come into the memtable that is filled now. Gives news when it may be due.
    pub(super) fn remind(&mut self) {
        let now = Instant::now();
        let (first, _) = self.span.unwrap_or((now, now));
        self.span = Some((first, now));
        // Whoever was told may not have heard.
        if self.reminder.is_none_or(|at| at <= now) {
            self.remind_again();
        }
    }

    /// Gives news once more when the memtable that is filled now may be due.
    pub(super) fn remind_again(&mut self) {
        if let Some((first, last)) = self.span {
            let at = due(first, last);
            self.reminder = Some(at);
            // Where the thread is gone, the next flush says so.
            let _ = self.send(Job::Remind(at));
        }
    }

    /// Whether the changes in the memtable that is filled now have lain for a while.
    pub(super) fn is_due(&self) -> bool {
        self.span
            .is_some_and(|(first, last)| due(first, last) <= Instant::now())
    }

    /// Another memtable is filled from now on.
    pub(super) fn begin_anew(&mut self) {
        self.span = None;
    }

    /// Has the database take up a memtable, whose last batch this is, and gives news when it has. Another one
    /// is filled from now on.
    ///
    /// # Errors
    /// Where the thread is gone.
    pub(super) fn flush(&mut self, memtable: Arc<Memtable>, batch: u64) -> Result<(), BackendError> {
        self.begin_anew();
        self.busy = true;
        self.send(Job::Flush(memtable, batch))
    }

    /// How taking up the last memtable ended, if it has and was not told before.
    pub(super) fn flushed(&mut self) -> Option<Result<(), BackendError>> {
        let flushed = self.flushed.try_recv().ok()?;
        self.busy = false;
        Some(flushed)
    }

    /// Waits until the last memtable has been taken up.
    ///
    /// # Errors
    /// Where that failed, also where it has been told before.
    pub(super) fn wait(&mut self) -> Result<(), BackendError> {
        match std::mem::replace(&mut self.busy, false) {
            true => self.flushed.recv().unwrap_or_else(|_| Err(gone())),
            false => Err(BackendError::Failed("a memtable could not be flushed".into())),
        }
    }

    /// Ends the thread, which has nothing to do.
    pub(super) fn stop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that flushes memtables panicked");
        }
    }

    fn send(&self, job: Job) -> Result<(), BackendError> {
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(job).map_err(|_| gone())
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.stop();
    }
}

/// When a memtable is due into which changes came first and last at these times, if no more come.
fn due(first: Instant, last: Instant) -> Instant {
    (first + AGE).max(last + QUIET).min(first + LONGEST)
}

fn gone() -> BackendError {
    BackendError::Failed("the thread that flushes memtables is gone".into())
}

fn work(
    db: &Database,
    jobs: &Receiver<Job>,
    done: &Sender<Result<(), BackendError>>,
    news: &OnceLock<News>,
    held_bytes: usize,
) {
    let tell = || {
        if let Some(news) = news.get() {
            news();
        }
    };
    // When to remind of the memtable that is filled now.
    let mut due: Option<Instant> = None;
    // Memtables that snapshots still see, or those who wait for this thread. Whoever lets go of one last has all its keys to free: that
    // is to be nobody else.
    let mut flushed = Vec::new();
    loop {
        flushed.retain(|memtable| Arc::strong_count(memtable) > 1);
        let look_again = (!flushed.is_empty()).then(|| Instant::now() + RETENTION);
        let job = match due.into_iter().chain(look_again).min() {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(until) => jobs.recv_timeout(until.saturating_duration_since(Instant::now())),
        };
        match job {
            Ok(Job::Remind(at)) => due = Some(at),
            Ok(Job::Flush(memtable, batch)) => {
                let result = catch_unwind(AssertUnwindSafe(|| flush(db, &memtable, batch)))
                    .unwrap_or_else(|_| Err(BackendError::Failed("flushing a memtable panicked".into())));
                flushed.push(memtable);
                while flushed.iter().map(|memtable| memtable.bytes()).sum::<usize>() > held_bytes && flushed.len() > 1 {
                    flushed.remove(0).give_up();
                }
                if done.send(result).is_err() {
                    return;
                }
                tell();
            }
            Err(RecvTimeoutError::Timeout) => {
                if due.is_some_and(|due| due <= Instant::now()) {
                    due = None;
                    tell();
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Has the database take up a memtable, whose last batch this is. Piece by piece: the database keeps the pages of one in memory until
/// it is durable, and would write those of many more than that holds before, read them again, and write them once more. Until the last
/// piece names the batch, the journal counts.
pub(super) fn flush(db: &Database, memtable: &Memtable, batch: u64) -> Result<(), BackendError> {
    let mut last = None;
    loop {
        let mut settlement = Settlement::begin(db)?;
        last = memtable.drain_into(last.as_ref(), PIECE_KEYS, |changes| settlement.take_up(changes))?;
        if last.is_none() {
            return settlement.finish(batch);
        }
        settlement.finish_piece()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memtable_is_due_when_no_more_changes_come_and_after_a_while() {
        let first = Instant::now();
        let after = |time| due(first, first + time) - first;
        assert_eq!(after(Duration::ZERO), AGE);
        assert_eq!(after(AGE - QUIET / 2), AGE + QUIET / 2);
        assert_eq!(after(AGE * 3), AGE * 3 + QUIET);
        assert_eq!(after(LONGEST - QUIET / 2), LONGEST);
        assert_eq!(after(LONGEST * 2), LONGEST);
    }

    #[test]
    fn news_that_nobody_heard_comes_again() {
        let backend = redb::backends::InMemoryBackend::new();
        let db = Arc::new(Database::builder().create_with_backend(backend).unwrap());
        let (tell, told) = mpsc::channel();
        let news: Arc<OnceLock<News>> = Arc::default();
        let tell = move || tell.send(()).expect("somebody listens");
        assert!(news.set(Box::new(tell)).is_ok());
        let mut flusher = Flusher::start(&db, &news, 0).unwrap();
        for _ in 0..2 {
            flusher.remind();
            told.recv_timeout(LONGEST * 3).unwrap();
        }
        assert!(flusher.is_due());
    }
}
