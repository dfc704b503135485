//! The cloud of one host: the space, the outbox towards it and the mirror of it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stowage_storage::{CommitError, Error as StorageError, Store, Transaction, UpdateError};
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::holds::{BlobHold, Holds};
use crate::password::{OpenSealedError, Passwords, SealedReader};
use crate::{Error, Hash, RowSink, Space, SpaceChange, SpaceChangeError, mirror, outbox, publish, reap, sync};

/// The least time between a change and its publishing, and between two rounds: changes that come together go together.
const GATHER: Duration = Duration::from_millis(100);
/// The longest rest between two rounds.
const LONGEST_REST: Duration = Duration::from_secs(10);
/// How many times as long as a round took the publisher rests after it while calls go on: they come first.
const REST_FACTOR: u32 = 9;
/// Pause after the first failed attempt to publish.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Pause before a blob that is held is looked at again.
const HELD_PAUSE: Duration = Duration::from_secs(2);

/// After publishing a row that names a blob it found in the space, an uploader confirms the blob once more when this long
/// has passed: a host that is removing it has decided by then. See [`Cloud::confirm_blob`].
pub const CONFIRM_AFTER: Duration = Duration::from_secs(90);

/// What a sync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Segments that had changed and were fetched.
    pub segments: u32,
    /// Rows added or changed here.
    pub upserts: u32,
    /// Rows removed here.
    pub removals: u32,
    /// Lines that were no row of their collection and rows that the module could not take.
    pub skipped: u32,
    /// Segments that are too large to be read; their rows stay as they were.
    pub malformed: u32,
}

/// Why a change was not staged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StageError {
    /// It can never be carried out.
    #[error(transparent)]
    Change(#[from] SpaceChangeError),
    /// The transaction took no more.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A space and this host's part in it. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Cloud {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) space: Space,
    pub(crate) store: Store,
    pub(crate) holds: Holds,
    /// Held while rows move, either way: a sync must not hand out a row that publishing is about to change.
    pub(crate) moving: AsyncMutex<()>,
    number: AtomicU64,
    wake: Notify,
    published: watch::Sender<u64>,
    passwords: Passwords,
    runs: Runs,
}

/// Syncs that were begun and how the last one ended.
#[derive(Default)]
struct Runs {
    turn: AsyncMutex<()>,
    begun: AtomicU64,
    last: Mutex<Option<(u64, Result<SyncReport, Error>)>>,
}

impl Cloud {
    /// Takes up the space where this host's database left it. Nothing is sent yet: see [`Cloud::run`].
    ///
    /// # Errors
    /// [`Error::Storage`] when the database cannot be read or written.
    pub async fn open(space: Space, store: Store) -> Result<Self, Error> {
        outbox::take_over(&store).await?;
        let last = outbox::last_number(&mut store.begin())?;
        let size = match space.total_bytes().await {
            Ok(total_bytes) => Some(total_bytes),
            Err(error) => {
                tracing::warn!(space = space.name(), %error, "the size of the space is the last one known");
                None
            }
        };
        update(&store, |tx| {
            mirror::belong_to(tx, space.identity())?;
            size.map_or(Ok(()), |total_bytes| mirror::put_total_bytes(tx, total_bytes))
        })
        .await?;
        let inner = Inner {
            space,
            store,
            holds: Holds::default(),
            moving: AsyncMutex::new(()),
            number: AtomicU64::new(last),
            wake: Notify::new(),
            published: watch::Sender::new(0),
            passwords: Passwords::default(),
            runs: Runs::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The space.
    pub fn space(&self) -> &Space {
        &self.inner.space
    }

    /// Records a change with a transaction, to be carried out after its commit. Call [`Cloud::wake`] then.
    ///
    /// # Errors
    /// [`StageError::Change`] for a change that can never be carried out, [`StageError::Storage`]; nothing is staged.
    pub fn stage(&self, tx: &mut Transaction, change: &SpaceChange) -> Result<(), StageError> {
        change.check()?;
        let number = self.inner.number.fetch_add(1, Ordering::Relaxed) + 1;
        outbox::stage(tx, number, change)?;
        Ok(())
    }

    /// Tells the publisher that there may be something to publish.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// Publishes what is staged, in order, until `shutdown`; across outages, with growing pauses. What is not published by
    /// then is taken up by the next run, also of another process.
    pub async fn run(&self, sink: Arc<dyn RowSink>, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let again = tokio::select! {
                () = &mut shutdown => return,
                published = self.publish(sink.as_ref()) => published,
            };
            let wait = match again {
                Ok((pending, busy)) => {
                    backoff.reset();
                    let held = matches!(pending, Pending::Held);
                    Wait {
                        longest: held.then_some(HELD_PAUSE),
                        wakes: true,
                        rest: rest_after(busy),
                    }
                }
                Err(error) => {
                    if backoff.attempts() == 0 {
                        tracing::warn!(space = self.space().name(), %error, "changes wait until the space can be reached");
                    }
                    // During an outage a wake-up changes nothing, and must not make us busy.
                    Wait {
                        longest: Some(backoff.next()),
                        wakes: false,
                        rest: Duration::ZERO,
                    }
                }
            };
            let longest = wait.longest.unwrap_or_default();
            tokio::select! {
                () = &mut shutdown => return,
                () = self.inner.wake.notified(), if wait.wakes => {}
                () = tokio::time::sleep(longest), if wait.longest.is_some() => {}
            }
            tokio::select! {
                () = &mut shutdown => return,
                () = self.rest(wait.rest) => {}
            }
        }
    }

    /// Publishes what there is, and says what is left and how long the last part of the work took.
    async fn publish(&self, sink: &dyn RowSink) -> Result<(Pending, Duration), Error> {
        let mut from = 0;
        loop {
            let begun = Instant::now();
            let Some(cursor) = publish::some_rows(&self.inner, from).await? else {
                let pending = reap::blobs(self, sink).await?;
                return Ok((pending, begun.elapsed()));
            };
            from = cursor;
            self.rest(rest_after(begun.elapsed())).await;
        }
    }

    /// Leaves the processor to calls for this long, or until none has ended for a while.
    async fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut left = time;
        while !left.is_zero() {
            let before = self.inner.store.stats();
            tokio::time::sleep(left.min(GATHER)).await;
            let now = self.inner.store.stats();
            if (now.commits, now.read_only_commits) == (before.commits, before.read_only_commits) {
                return;
            }
            left = until.saturating_duration_since(Instant::now());
        }
    }

    /// Waits until every row that was staged and committed before this call is in the space.
    pub async fn published(&self) -> Result<(), Error> {
        let mut progress = self.inner.published.subscribe();
        let until = self.inner.number.load(Ordering::Relaxed);
        while publish::is_pending(&self.inner.store, until)? {
            // The sender lives as long as we do.
            let _ = progress.changed().await;
        }
        Ok(())
    }

    /// Brings the local rows in line with the space: what is staged is published, then changed segments are fetched and
    /// what differs is handed to `sink`. One at a time; who asks during one gets the result of the next. When it
    /// fails half-way, the next one goes on from there.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Missing`] or [`Error::Malformed`] for `space.json`, [`Error::Sink`],
    /// [`Error::Storage`].
    pub async fn sync(&self, sink: &dyn RowSink) -> Result<SyncReport, Error> {
        let runs = &self.inner.runs;
        let begun = runs.begun.load(Ordering::SeqCst);
        let _turn = runs.turn.lock().await;
        if let Some((run, result)) = &*runs.last.lock().unwrap_or_else(PoisonError::into_inner)
            && *run > begun
        {
            return result.clone();
        }
        let run = runs.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let result = match publish::rows(&self.inner).await {
            Ok(()) => sync::run(&self.inner, sink).await,
            Err(error) => Err(error),
        };
        *runs.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((run, result.clone()));
        result
    }

    /// The size of the space in bytes, as last read from its `space.json`; 0 before it was ever read.
    ///
    /// # Errors
    /// What the transaction's reads return.
    pub fn total_bytes(&self, tx: &mut Transaction) -> Result<u64, StorageError> {
        mirror::total_bytes(tx)
    }

    /// Whether a password opens a protected blob. Reads its header only. An absent password opens none.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Malformed`] when the blob is no `age` file with a passphrase, [`Error::Unreachable`].
    pub async fn check_password(&self, hash: &Hash, password: Option<&str>) -> Result<bool, Error> {
        self.inner.passwords.check(&self.inner.space, hash, password).await
    }

    /// Opens a protected file for reading. Key derivations wait for each other, two at once; reading the result blocks.
    ///
    /// # Errors
    /// [`OpenSealedError`] says what is wrong with the password or the file.
    pub async fn open_sealed<R>(&self, input: R, password: &str) -> Result<SealedReader<R>, OpenSealedError>
    where
        R: std::io::Read + Send + 'static,
    {
        self.inner.passwords.open(input, password).await
    }

    /// Keeps this host from removing a blob. An upload takes it before it looks for the blob in the space, and drops it
    /// once the row that names the blob is committed. Waits for a removal of the blob that is under way.
    pub async fn hold_blob(&self, hash: &Hash) -> BlobHold {
        self.inner.holds.hold(*hash).await
    }

    /// Whether the blob is in the space with this size. An uploader asks after its row was published
    /// ([`Cloud::published`]) and again after [`CONFIRM_AFTER`], and stores the blob again when it is not there:
    /// another host may have removed it at the same moment.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn confirm_blob(&self, hash: &Hash, size: u64) -> Result<bool, Error> {
        Ok(self
            .space()
            .head_blob(hash)
            .await?
            .is_some_and(|info| info.size == size))
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }
}

/// How long the publisher waits.
struct Wait {
    longest: Option<Duration>,
    /// Whether new changes end it.
    wakes: bool,
    /// How long it rests then, while more of them may come.
    rest: Duration,
}

/// How long the publisher rests after it was busy.
fn rest_after(busy: Duration) -> Duration {
    busy.saturating_mul(REST_FACTOR).clamp(GATHER, LONGEST_REST)
}

/// What is left after publishing.
pub(crate) enum Pending {
    /// Nothing that could be done.
    Nothing,
    /// Blobs to remove that something here still holds.
    Held,
}

impl Inner {
    /// Tells those who wait that changes have left the outbox.
    pub(crate) fn progress(&self) {
        self.published.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud")
            .field("space", &self.inner.space.name())
            .finish_non_exhaustive()
    }
}

/// Runs a transaction of our own, which nothing but other work on the database can disturb.
pub(crate) async fn update<T>(
    store: &Store,
    mut f: impl FnMut(&mut Transaction) -> Result<T, StorageError>,
) -> Result<T, Error> {
    store
        .update(|tx| f(tx))
        .await
        .map_err(|error: UpdateError<StorageError>| match error {
            UpdateError::Aborted(error) => Error::storage(error),
            error => Error::storage(error),
        })
}

/// An error of a commit that a sink ran itself.
impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        Error::storage(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stowage_storage::Config;

    #[tokio::test(start_paused = true)]
    async fn the_publisher_rests_while_calls_go_on() {
        let store = Store::in_memory(Config::default());
        let options = crate::OpenOptions {
            create: Some(1),
            ..Default::default()
        };
        let space = Space::open("memory:///", options).await.expect("memory");
        let cloud = Cloud::open(space, store.clone()).await.expect("open");
        let begun = Instant::now();
        let rest = async |time| {
            let begun = Instant::now();
            cloud.rest(time).await;
            begun.elapsed()
        };
        assert_eq!(rest(LONGEST_REST).await, GATHER, "nobody calls");
        let calls = async {
            loop {
                store.commit(store.begin()).await.expect("committed");
                tokio::time::sleep(GATHER / 4).await;
            }
        };
        let rested = async {
            assert_eq!(rest(LONGEST_REST).await, LONGEST_REST);
            assert_eq!(rest(Duration::from_millis(250)).await, Duration::from_millis(250));
        };
        tokio::select! {
            () = calls => {}
            () = rested => {}
        }
        assert_eq!(rest(LONGEST_REST).await, GATHER, "nobody calls any more");
        assert!(begun.elapsed() < LONGEST_REST * 2);
    }
}
