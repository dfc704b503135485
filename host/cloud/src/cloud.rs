//! The cloud of one host: the space, the outbox towards it and the mirror of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stowage_storage::{Error as StorageError, Store, Transaction};
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};

use crate::holds::{BlobHold, Holds};
use crate::password::{OpenSealedError, Passwords, SealedReader};
use crate::state::CloudState;
use crate::sync_runs::SyncRuns;
use crate::update::update;
use crate::{
    Error, Hash, RowSink, Space, SpaceChange, SpaceChangeError, SyncReport, mirror, outbox, publish, publisher, sync,
};

/// After publishing a row that names a blob it found in the space, an uploader confirms the blob
/// once more when this long has passed: a host that is removing it has decided by then. See
/// [`Cloud::confirm_blob`].
pub const CONFIRM_AFTER: Duration = Duration::from_secs(90);

/// Why a change was not staged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StageError {
    /// It can never be carried out.
    #[error(transparent)]
    SpaceChange(#[from] SpaceChangeError),
    /// The transaction took no more.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A space and this host's part in it. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Cloud {
    state: Arc<CloudState>,
}

impl Cloud {
    /// Takes up the space where this host's database left it. Nothing is sent yet: see
    /// [`Cloud::run`].
    ///
    /// # Errors
    /// [`Error::Storage`] when the database cannot be read or written.
    pub async fn open(space: Space, store: Store) -> Result<Self, Error> {
        let last = outbox::last_number(&mut store.begin())?;
        let size = match space.total_bytes().await {
            Ok(total_bytes) => Some(total_bytes),
            Err(error) => {
                tracing::warn!(space = space.name(), %error, "the size of the space is the last one known");
                None
            }
        };
        update(&store, |tx| {
            mirror::belong_to(tx, space.id())?;
            size.map_or(Ok(()), |total_bytes| mirror::put_total_bytes(tx, total_bytes))
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

    /// Records a change with a transaction, to be carried out after its commit. Call
    /// [`Cloud::wake`] then.
    ///
    /// # Errors
    /// [`StageError::SpaceChange`] for a change that can never be carried out,
    /// [`StageError::Storage`]; nothing is staged.
    pub fn stage(&self, tx: &mut Transaction, change: &SpaceChange) -> Result<(), StageError> {
        change.check()?;
        let number = self.state.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        outbox::stage(tx, number, change)?;
        Ok(())
    }

    /// Tells the publisher that there may be something to publish.
    pub fn wake(&self) {
        self.state.wake.notify_one();
    }

    /// Publishes what is staged, in order, until `shutdown`. During an outage it retries with a
    /// backoff. The next run, also of another process, publishes the rest.
    pub async fn run(&self, sink: Arc<dyn RowSink>, shutdown: impl Future<Output = ()>) {
        publisher::run(&self.state, sink, shutdown).await;
    }

    /// Waits until every row that was staged and committed before this call is in the space.
    pub async fn published(&self) -> Result<(), Error> {
        let mut progress = self.state.published.subscribe();
        let until = self.state.last_number.load(Ordering::Relaxed);
        while publish::is_pending(&self.state.store, until)? {
            // The sender lives as long as we do.
            let _ = progress.changed().await;
        }
        Ok(())
    }

    /// Brings the local rows in line with the space: what is staged is published, then changed
    /// segments are fetched and what differs is handed to `sink`. One at a time; who asks during
    /// one gets the result of the next. When it fails half-way, the next one goes on from there.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Missing`] or [`Error::Malformed`] for `space.json`,
    /// [`Error::Sink`], [`Error::Storage`].
    pub async fn sync(&self, sink: &dyn RowSink) -> Result<SyncReport, Error> {
        sync::publish_and_sync(&self.state, sink).await
    }

    /// The size of the space in bytes, as last read from its `space.json`; 0 before it was ever
    /// read.
    ///
    /// # Errors
    /// What the transaction's reads return.
    pub fn total_bytes(&self, tx: &mut Transaction) -> Result<u64, StorageError> {
        mirror::total_bytes(tx)
    }

    /// Whether a password opens a protected blob. Reads its header only. An absent password opens
    /// none.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Malformed`] when the blob is no `age` file with a passphrase,
    /// [`Error::Unreachable`].
    pub async fn check_password(&self, hash: &Hash, password: Option<&str>) -> Result<bool, Error> {
        self.state.passwords.check(&self.state.space, hash, password).await
    }

    /// Opens a protected file for reading. Key derivations wait for each other, two at once;
    /// reading the result blocks.
    ///
    /// # Errors
    /// [`OpenSealedError`] says what is wrong with the password or the file.
    pub async fn open_sealed<R>(&self, input: R, password: &str) -> Result<SealedReader<R>, OpenSealedError>
    where
        R: std::io::Read + Send + 'static,
    {
        self.state.passwords.open(input, password).await
    }

    /// Keeps this host from removing a blob. An upload takes it before it looks for the blob in the
    /// space, and drops it once the row that names the blob is committed. Waits for a removal of
    /// the blob that is under way.
    pub async fn hold_blob(&self, hash: &Hash) -> BlobHold {
        self.state.holds.hold(*hash).await
    }

    /// Whether the blob is in the space with this size. An uploader asks after its row was
    /// published ([`Cloud::published`]) and again after [`CONFIRM_AFTER`], and stores the blob
    /// again when it is not there: another host may have removed it at the same moment.
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
