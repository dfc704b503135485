//! The uploads that arrive in several pieces: who works on which, and which are too old.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use stowage_cloud::Hasher;
use stowage_storage::{Error as StorageError, Store};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::error::IncomingError;
use super::staging::{Staging, upload_name};
use super::upload::{Progress, Upload};
use super::{Incoming, table};
use crate::disk::blocking;
use crate::engine::now_ms;

/// An upload is removed when no byte came for this long.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// The most uploads that are known, finished ones included.
const MOST_UPLOADS: usize = 1000;
/// How long a request waits for one that it interrupts.
const INTERRUPT_WAIT: Duration = Duration::from_secs(10);

/// Why nobody may work on an upload now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// There is no such upload, or no longer.
    #[error("no such upload, or it has expired; begin again")]
    Unknown,
    /// Another request works on it.
    #[error("another request works on this upload; try again in a moment")]
    Busy,
}

/// The known uploads by their identifiers.
pub(super) struct Uploads(Mutex<HashMap<String, Arc<Entry>>>);

struct Entry {
    state: Arc<tokio::sync::Mutex<State>>,
    /// Cancelled when another request wants the upload.
    interrupt: Mutex<CancellationToken>,
}

pub(super) struct State {
    pub(super) upload: Upload,
    /// The durable bytes. Absent if they must be read again.
    pub(super) hasher: Option<Hasher>,
    removed: bool,
}

/// An upload that nobody else works on.
pub struct Held {
    pub(super) incoming: Incoming,
    pub(super) state: OwnedMutexGuard<State>,
    entry: Arc<Entry>,
}

impl Uploads {
    /// Reads the uploads. Removes files that belong to none.
    pub(super) fn open(store: &Store, staging: &Staging) -> Result<Uploads, IncomingError> {
        let uploads: HashMap<_, _> = table::all(store)?
            .into_iter()
            .map(|upload| (upload.id.clone(), upload))
            .collect();
        staging.remove_leftovers(|id| {
            uploads
                .get(id)
                .is_some_and(|upload| upload.progress == Progress::Receiving)
        })?;
        let entries = uploads.into_iter().map(|(id, upload)| (id, Entry::new(upload, None)));
        Ok(Uploads(Mutex::new(entries.collect())))
    }

    fn get(&self, id: &str) -> Option<Arc<Entry>> {
        self.0.lock().get(id).cloned()
    }

    fn insert(&self, upload: Upload) {
        let id = upload.id.clone();
        self.0.lock().insert(id, Entry::new(upload, Some(Hasher::new())));
    }
}

impl Entry {
    fn new(upload: Upload, hasher: Option<Hasher>) -> Arc<Entry> {
        Arc::new(Entry {
            state: Arc::new(tokio::sync::Mutex::new(State {
                upload,
                hasher,
                removed: false,
            })),
            interrupt: Mutex::new(CancellationToken::new()),
        })
    }
}

fn is_expired(upload: &Upload, now_ms: i64) -> bool {
    let lifetime = i64::try_from(EXPIRES_AFTER.as_millis()).unwrap_or(i64::MAX);
    upload.touched_ms.saturating_add(lifetime) < now_ms
}

impl Incoming {
    /// Makes a new upload, which has no bytes yet. `metadata` is what the client said about it.
    ///
    /// # Errors
    /// [`IncomingError::NoRoom`] for `length` bytes, [`IncomingError::TooManyUploads`],
    /// [`IncomingError::File`], [`IncomingError::Write`].
    pub async fn create(&self, length: Option<u64>, metadata: String, protected: bool) -> Result<Held, IncomingError> {
        self.make_place().await?;
        let id = Uuid::new_v4().simple().to_string();
        let upload = Upload {
            id: id.clone(),
            metadata,
            length,
            offset: 0,
            protected,
            touched_ms: now_ms(),
            progress: Progress::Receiving,
        };
        let staging = Arc::clone(&self.0.staging);
        let name = upload_name(&id);
        blocking(move || {
            staging.check_room(length.unwrap_or(0))?;
            staging.create(&name)?;
            staging.sync()
        })
        .await?;
        self.persist(&upload).await?;
        self.0.uploads.insert(upload);
        self.hold(&id).map_err(|_| IncomingError::Lost)
    }

    /// The upload with this identifier, unless another request works on it.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn hold(&self, id: &str) -> Result<Held, LockError> {
        let entry = self.0.uploads.get(id).ok_or(LockError::Unknown)?;
        let state = {
            // Until the token is a new one, nobody can cancel it in vain.
            let mut interrupt = entry.interrupt.lock();
            let state = Arc::clone(&entry.state).try_lock_owned().map_err(|_| LockError::Busy)?;
            *interrupt = CancellationToken::new();
            state
        };
        self.held(entry, state)
    }

    /// The upload with this identifier. A request that receives bytes of it is interrupted. What it
    /// has received is kept. So a client whose connection broke need not wait until the host
    /// notices that.
    ///
    /// # Errors
    /// [`LockError`].
    pub async fn interrupt(&self, id: &str) -> Result<Held, LockError> {
        let entry = self.0.uploads.get(id).ok_or(LockError::Unknown)?;
        entry.interrupt.lock().cancel();
        let state = timeout(INTERRUPT_WAIT, Arc::clone(&entry.state).lock_owned()).await;
        let state = state.map_err(|_| LockError::Busy)?;
        *entry.interrupt.lock() = CancellationToken::new();
        self.held(entry, state)
    }

    fn held(&self, entry: Arc<Entry>, state: OwnedMutexGuard<State>) -> Result<Held, LockError> {
        if state.removed || is_expired(&state.upload, now_ms()) {
            return Err(LockError::Unknown);
        }
        Ok(Held {
            incoming: self.clone(),
            state,
            entry,
        })
    }

    /// Removes uploads that no byte came for in [`EXPIRES_AFTER`].
    pub async fn remove_expired(&self) {
        let now_ms = now_ms();
        for held in self.idle(|upload| is_expired(upload, now_ms)) {
            let id = held.state.upload.id.clone();
            if let Err(error) = held.remove().await {
                tracing::warn!(id, %error, "an expired upload cannot be removed");
            }
        }
    }

    /// Forgets the oldest finished upload if there are too many.
    async fn make_place(&self) -> Result<(), IncomingError> {
        if self.0.uploads.0.lock().len() < MOST_UPLOADS {
            return Ok(());
        }
        self.remove_expired().await;
        if self.0.uploads.0.lock().len() < MOST_UPLOADS {
            return Ok(());
        }
        let finished = self.idle(|upload| upload.progress != Progress::Receiving);
        let oldest = finished.into_iter().min_by_key(|held| held.state.upload.touched_ms);
        oldest.ok_or(IncomingError::TooManyUploads)?.remove().await
    }

    /// The uploads that nobody works on and that `wanted` accepts.
    fn idle(&self, wanted: impl Fn(&Upload) -> bool) -> Vec<Held> {
        let entries: Vec<_> = self.0.uploads.0.lock().values().cloned().collect();
        let held = entries.into_iter().filter_map(|entry| {
            let state = Arc::clone(&entry.state).try_lock_owned().ok()?;
            let incoming = self.clone();
            (!state.removed && wanted(&state.upload)).then_some(Held { incoming, state, entry })
        });
        held.collect()
    }

    pub(super) async fn persist(&self, upload: &Upload) -> Result<(), IncomingError> {
        let store = &self.0.engine.store;
        store.update::<_, StorageError>(|tx| table::put(tx, upload)).await?;
        Ok(())
    }
}

impl Held {
    /// The upload.
    pub fn upload(&self) -> &Upload {
        &self.state.upload
    }

    /// Sets the number of all bytes, which was not known before. It becomes durable with the next
    /// bytes.
    ///
    /// # Errors
    /// [`IncomingError::TooLong`] if more bytes came already, or another number was set.
    pub fn set_length(&mut self, length: u64) -> Result<(), IncomingError> {
        let upload = &mut self.state.upload;
        if length < upload.offset || upload.length.is_some_and(|known| known != length) {
            let length = upload.length.unwrap_or(length);
            return Err(IncomingError::TooLong { length });
        }
        upload.length = Some(length);
        Ok(())
    }

    /// Is cancelled when another request wants the upload.
    pub(super) fn interrupt_token(&self) -> CancellationToken {
        self.entry.interrupt.lock().clone()
    }

    /// Records the end of an upload. Its bytes are no longer needed under its own name.
    ///
    /// # Errors
    /// [`IncomingError::Write`].
    pub async fn conclude(&mut self, progress: Progress) -> Result<(), IncomingError> {
        let upload = Upload {
            progress,
            touched_ms: now_ms(),
            ..self.state.upload.clone()
        };
        self.incoming.persist(&upload).await?;
        self.state.upload = upload;
        self.state.hasher = None;
        self.remove_bytes().await;
        Ok(())
    }

    /// Forgets the upload and removes its bytes.
    ///
    /// # Errors
    /// [`IncomingError::Write`]: the upload stays.
    pub async fn remove(mut self) -> Result<(), IncomingError> {
        let id = self.state.upload.id.clone();
        let store = &self.incoming.0.engine.store;
        store.update::<_, StorageError>(|tx| table::remove(tx, &id)).await?;
        self.state.removed = true;
        self.incoming.0.uploads.0.lock().remove(&id);
        self.remove_bytes().await;
        Ok(())
    }

    async fn remove_bytes(&self) {
        let staging = Arc::clone(&self.incoming.0.staging);
        let name = upload_name(&self.state.upload.id);
        if let Err(error) = blocking(move || staging.remove(&name)).await {
            tracing::warn!(%error, "the bytes of an upload stay in the staging directory until the next start");
        }
    }
}
