//! Files whose bytes a client sends. They are written to the staging directory while they arrive,
//! and hashed and synced before the client hears of success.
//!
//! [`Receiving`] takes a file in one piece: it comes whole or not at all. [`Upload`] takes one in
//! any number of pieces, also over a restart.

mod append;
mod error;
mod file_writer;
mod pieces;
mod receiving;
mod staging;
mod table;
mod upload;
mod uploads;

use std::sync::Arc;
use std::time::Duration;

use stowage_cloud::Hash;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

pub use append::{Append, Checksum};
pub use error::IncomingError;
pub use receiving::Receiving;
pub use upload::{Progress, Upload};
pub use uploads::{EXPIRES_AFTER, Held, LockError};

use crate::engine::Engine;
use crate::prepared_id::Origin;
use crate::transfers::Transfers;
use staging::Staging;
use uploads::Uploads;

/// Files that arrive at once. Each has a thread and less than 1 MiB of memory.
const RECEIVED_AT_ONCE: usize = 64;
/// How long a file waits for its turn to arrive.
const TURN_WAIT: Duration = Duration::from_secs(30);

/// A file whose bytes are complete and durable in the staging directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What an upload needs to find it.
    pub id: String,
    /// The SHA-256 of the bytes to store.
    pub hash: Hash,
    /// The bytes to store.
    pub size: u64,
    /// Whether a password protects it.
    pub protected: bool,
}

impl Received {
    fn new(hash: Hash, size: u64, protected: bool) -> Received {
        Received {
            id: Origin::Staged { from: String::new() }.to_string(),
            hash,
            size,
            protected,
        }
    }
}

/// Receives files. Clones share the limits and the unfinished uploads.
#[derive(Clone)]
pub struct Incoming(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Arc<Engine>,
    staging: Arc<Staging>,
    turns: Arc<Semaphore>,
    uploads: Uploads,
}

/// The turn of a file that arrives. It ends when this is dropped.
pub(crate) type Turn = OwnedSemaphorePermit;

impl Incoming {
    /// Reads the unfinished uploads, and removes what a crash left in the staging directory. Open
    /// one `Incoming` for a store.
    ///
    /// # Errors
    /// The directory cannot be made or read, or the database cannot be read.
    pub fn open(transfers: &Transfers) -> Result<Incoming, IncomingError> {
        let engine = Arc::clone(transfers.engine());
        let arrivals = Arc::clone(&engine.arrivals);
        let staging = Staging::open(&engine.config.staging_dir, engine.config.min_free_bytes, arrivals)?;
        let uploads = Uploads::open(&engine.store, &staging)?;
        Ok(Incoming(Arc::new(Inner {
            engine,
            staging: Arc::new(staging),
            turns: Arc::new(Semaphore::new(RECEIVED_AT_ONCE)),
            uploads,
        })))
    }

    /// Waits until one more file may arrive.
    async fn turn(&self) -> Result<Turn, IncomingError> {
        let turn = timeout(TURN_WAIT, Arc::clone(&self.0.turns).acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or(IncomingError::Busy)
    }
}
