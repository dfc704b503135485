//! The cloud of one host.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stowage_storage::{Error as StorageError, Store, Transaction};
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};

use crate::holds::{BlobHold, Holds};
use crate::password::{OpenSealedError, Passwords, ReadAgain, SealedReader};
use crate::state::CloudState;
use crate::sync_runs::SyncRuns;
use crate::update::update;
use crate::{
    Error, Hash, Health, RowSink, Space, SpaceChange, SpaceChangeError, SyncReport, connect, health, mirror, outbox,
    publish, publisher, reap, sync,
};

/// Changes of the outbox that are counted.
const MAX_COUNTED: u32 = 10_000;

/// What waits in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The number of the first change. It stays the same while nothing leaves the outbox.
    pub first: Option<u64>,
    /// The changes, of which at most 10,000 are counted.
    pub changes: u64,
}

/// How the URL of a space in memory begins. It ends with its process.
const MEMORY: &str = "memory:";

/// How long after publishing its row an uploader confirms a blob for the second time. A host that
/// is removing the blob has decided by then. See [`Cloud::confirm_blob`].
pub const CONFIRM_AFTER: Duration = Duration::from_secs(90);

/// Why a change was not staged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StageError {
    /// The change can never be carried out.
    #[error(transparent)]
    SpaceChange(#[from] SpaceChangeError),
    /// The transaction refused it.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A space and this host's part in it. Cheap to clone: all clones share one state.
#[derive(Clone)]
pub struct Cloud {
    state: Arc<CloudState>,
}

impl Cloud {
    /// Whether the database belongs to the space at this URL, and the space was reached at least
    /// once. Then open it with [`Space::open_known`].
    ///
    /// # Errors
    /// [`Error::Storage`] if the database cannot be read.
    pub fn knows(store: &Store, url: &str) -> Result<bool, Error> {
        let known = mirror::known_space(&mut store.begin())?;
        Ok(known.is_some_and(|known| known.seen && known.is_at(&connect::without_credentials(url))))
    }

    /// The URL of the space that a database has rows of, without credentials. `None` if it was
    /// never reached.
    ///
    /// # Errors
    /// [`Error::Storage`] if the database cannot be read.
    pub fn known(store: &Store) -> Result<Option<String>, Error> {
        let known = mirror::known_space(&mut store.begin())?;
        Ok(known.filter(|known| known.seen).map(|known| known.name))
    }

    /// Connects a space to the database. Nothing is published yet: see [`Cloud::run`].
    ///
    /// # Errors
    /// [`Error::OtherSpace`] if another space is at the URL than the one of the database,
    /// [`Error::ChangesWait`] if the database has changes for the space at another URL,
    /// [`Error::Storage`] if the database cannot be read or written.
    pub async fn open(space: Space, store: Store) -> Result<Self, Error> {
        let last = outbox::last_number(&mut store.begin())?;
        let known = mirror::known_space(&mut store.begin())?;
        if let Some(known) = &known
            && known.is_at(space.id())
            && let Some(id) = &known.id
        {
            space.objects().expect(id)?;
        }
        let description = match space.health() {
            Health::Reachable => match space.description().await {
                Ok(description) => Some(description),
                Err(error @ Error::OtherSpace { .. }) => return Err(error),
                Err(_) => None,
            },
            // It is not asked again at once. Until it is back, its size is the last one known.
            Health::OutOfReach { .. } => None,
        };
        if let Some(known) = known
            && !known.is_at(space.id())
            && !known.name.starts_with(MEMORY)
            && last != 0
        {
            let id = description.as_ref().and_then(|description| description.id.as_ref());
            // The same space may have moved to another URL.
            if id.is_none() || id != known.id.as_ref() {
                return Err(Error::ChangesWait { url: known.name });
            }
        }
        update(&store, |tx| {
            mirror::belong_to(tx, space.id())?;
            match &description {
                Some(description) => mirror::put_description(tx, description),
                None => Ok(()),
            }
        })
        .await?;
        let state = CloudState {
            space,
            store,
            holds: Holds::default(),
            moving: AsyncMutex::new(()),
            last_number: AtomicU64::new(last),
            wake: Notify::new(),
            published: watch::Sender::new(0),
            passwords: Passwords::default(),
            sync_runs: SyncRuns::default(),
        };
        Ok(Self { state: Arc::new(state) })
    }

    /// The space.
    pub fn space(&self) -> &Space {
        &self.state.space
    }

    /// Whether the space can be reached, as the last request found. While [`Cloud::run`] runs, a
    /// space out of reach is asked again every few seconds.
    pub fn health(&self) -> Health {
        self.space().health()
    }

    /// Tells when the space goes out of reach or comes back.
    pub fn health_changes(&self) -> watch::Receiver<Health> {
        self.space().health_changes()
    }

    /// Records a change in a transaction. It is carried out after the commit: call [`Cloud::wake`]
    /// then.
    ///
    /// # Errors
    /// [`StageError::SpaceChange`] for a change that can never be carried out,
    /// [`StageError::Storage`]. Then nothing is staged.
    pub fn stage(&self, tx: &mut Transaction, change: &SpaceChange) -> Result<(), StageError> {
        change.check()?;
        let number = self.state.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        outbox::stage(tx, number, change)?;
        Ok(())
    }

    /// What waits in the outbox for its way into the space.
    ///
    /// # Errors
    /// When storage fails.
    pub fn waiting(&self) -> Result<Waiting, StorageError> {
        let (first, changes) = outbox::waiting(&mut self.state.store.begin(), MAX_COUNTED)?;
        Ok(Waiting { first, changes })
    }

    /// Tells the publisher that something may be staged.
    pub fn wake(&self) {
        self.state.wake.notify_one();
    }

    /// Publishes what is staged until `shutdown`. During an outage it retries with a
    /// backoff. The next run publishes the rest, also in another process.
    pub async fn run(&self, sink: Arc<dyn RowSink>, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = publisher::run(&self.state, sink, shutdown) => {}
            () = health::watch(&self.state.space) => {}
        }
    }

    /// Waits until every row that was staged and committed before this call is in the space.
    pub async fn published(&self) -> Result<(), Error> {
        let mut progress = self.state.published.subscribe();
        let until = self.state.last_number.load(Ordering::Relaxed);
        while publish::is_pending(&self.state.store, until)? {
            // No error: the sender lives as long as the state.
            let _ = progress.changed().await;
        }
        Ok(())
    }

    /// Makes the local rows equal to those of the space. It publishes what is staged, fetches the
    /// segments that changed, and gives the differences to `sink`. One sync runs at a time. Callers
    /// that come during a sync share the next one. After a failure the next sync does the rest.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Missing`] or [`Error::Malformed`] for `space.json`,
    /// [`Error::Sink`], [`Error::Storage`].
    pub async fn sync(&self, sink: &dyn RowSink) -> Result<SyncReport, Error> {
        sync::publish_and_sync(&self.state, sink).await
    }

    /// The size of the space in bytes, as it was last read. 0 if it was never read.
    ///
    /// # Errors
    /// What the transaction's reads return.
    pub fn total_bytes(&self, tx: &mut Transaction) -> Result<u64, StorageError> {
        mirror::total_bytes(tx)
    }

    /// Whether a password opens a protected blob. It reads the header only. `None` opens no blob.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Unreachable`], [`Error::Malformed`] if the blob is not an `age`
    /// file with a passphrase, [`Error::TooMuchWork`], [`Error::TooManyAttempts`] after ten wrong
    /// passwords in a minute.
    pub async fn check_password(&self, hash: &Hash, password: Option<&str>) -> Result<bool, Error> {
        self.state.passwords.check(&self.state.space, hash, password).await
    }

    /// Opens a protected file, from its beginning. At most two keys are derived at once, with at
    /// most 1 GiB of memory; a key that needs more is derived alone. Reading the result blocks.
    ///
    /// # Errors
    /// [`OpenSealedError`] says what is wrong with the password or the file.
    pub async fn open_sealed<R>(&self, input: R, password: &str) -> Result<SealedReader<ReadAgain<R>>, OpenSealedError>
    where
        R: std::io::Read + Send + 'static,
    {
        self.state.passwords.open(input, password).await
    }

    /// Keeps this host from removing a blob. An upload takes the hold before it looks for the blob
    /// in the space, and drops it after the row that names the blob is committed. If the blob is
    /// being removed, it waits for the end of that.
    pub async fn hold_blob(&self, hash: &Hash) -> BlobHold {
        self.state.holds.hold(*hash).await
    }

    /// Whether a row that this host knows names the blob.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn is_named(&self, hash: &Hash) -> Result<bool, Error> {
        reap::is_named(&self.state, hash)
    }

    /// Whether the blob is in the space with this size. Another host may remove a blob while it is
    /// uploaded. So an uploader asks after its row is published ([`Cloud::published`]) and again
    /// after [`CONFIRM_AFTER`]. If the blob is not there, it stores the blob again.
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

    #[cfg(test)]
    pub(crate) fn state(&self) -> &CloudState {
        &self.state
    }
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud")
            .field("space", &self.state.space.name())
            .finish_non_exhaustive()
    }
}
