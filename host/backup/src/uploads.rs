//! Objects that are sent side by side.

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::error::Error;
use crate::target::Target;

/// Objects that are sent at once to a folder: its disk may be that of the database.
const LOCAL_UPLOADS: usize = 2;
/// Objects that are sent at once to another store.
const REMOTE_UPLOADS: usize = 8;

/// Objects on their way to the store.
pub(crate) struct Uploads<'a> {
    target: &'a Target,
    most: usize,
    running: JoinSet<Result<(), Error>>,
}

impl<'a> Uploads<'a> {
    pub(crate) fn new(target: &'a Target) -> Self {
        let most = match target.is_local() {
            true => LOCAL_UPLOADS,
            false => REMOTE_UPLOADS,
        };
        Uploads {
            target,
            most,
            running: JoinSet::new(),
        }
    }

    /// Sends an object, once there is room for one more.
    pub(crate) async fn put(&mut self, object: String, bytes: Bytes) -> Result<(), Error> {
        while self.running.len() >= self.most {
            self.next().await?;
        }
        let target = self.target.clone();
        self.running.spawn(async move { target.put(&object, bytes).await });
        Ok(())
    }

    async fn next(&mut self) -> Result<(), Error> {
        match self.running.join_next().await {
            Some(joined) => joined.map_err(|_| Error::Panicked)?,
            None => Ok(()),
        }
    }

    /// Waits until all are stored.
    pub(crate) async fn finish(mut self) -> Result<(), Error> {
        while !self.running.is_empty() {
            self.next().await?;
        }
        Ok(())
    }
}
