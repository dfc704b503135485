//! Looks once more after blobs that an upload found in the space already.
//!
//! Another host may have been removing such a blob while our row that names it was on its way. So the blob is looked for after
//! the row was published, and again when the other host must have decided; if it is gone it is stored anew from the temp
//! files. After a restart the uploads of the last minutes are looked at again.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stowage_cloud::{CONFIRM_AFTER, Error, Hash};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::engine::Engine;
use crate::fetch::stopped;
use crate::source::Source;

/// Looks that may be due at once. More uploads than this in the time a look takes go without their second look.
const MOST: usize = 10_000;

/// The wait after a look that failed because the space is out of reach.
const PAUSE: Duration = Duration::from_secs(10);

/// A look that is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Look {
    at: Instant,
    hash: Hash,
    size: u64,
    last: bool,
}

/// The looks that are due, soonest first.
#[derive(Default)]
pub(crate) struct Confirms {
    looks: Mutex<BTreeSet<Look>>,
    added: Notify,
}

impl Confirms {
    /// Has a blob of `size` bytes looked after.
    pub(crate) fn add(&self, hash: Hash, size: u64) {
        let last = false;
        let at = Instant::now();
        self.insert(Look { at, hash, size, last });
    }

    fn insert(&self, look: Look) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= MOST {
            tracing::warn!(hash = %look.hash, "too many uploads at once; a blob is not looked after");
            return;
        }
        looks.insert(look);
        drop(looks);
        self.added.notify_one();
    }

    fn first(&self) -> Option<Look> {
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.first().copied()
    }

    fn remove(&self, look: &Look) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.remove(look);
    }
}

impl Engine {
    /// Takes the looks that are due until the host shuts down.
    pub(crate) async fn confirm(&self, mut stop: watch::Receiver<bool>) {
        loop {
            let work = async {
                match self.confirms.first() {
                    None => self.confirms.added.notified().await,
                    Some(look) if look.at > Instant::now() => {
                        tokio::select! {
                            () = sleep_until(look.at) => {}
                            () = self.confirms.added.notified() => {}
                        }
                    }
                    Some(look) => self.look_after(look).await,
                }
            };
            tokio::select! {
                () = work => {}
                () = stopped(&mut stop) => return,
            }
        }
    }

    async fn look_after(&self, look: Look) {
        let again = match self.look_for(&look).await {
            Ok(()) if look.last => None,
            Ok(()) => Some(Look {
                at: Instant::now() + CONFIRM_AFTER,
                last: true,
                ..look
            }),
            Err(error) if error.is_transient() => Some(Look {
                at: Instant::now() + PAUSE,
                ..look
            }),
            Err(error) => {
                tracing::warn!(hash = %look.hash, %error, "a blob could not be stored anew");
                None
            }
        };
        self.confirms.remove(&look);
        if let Some(again) = again {
            self.confirms.insert(again);
        }
    }

    async fn look_for(&self, look: &Look) -> Result<(), Error> {
        self.cloud.published().await?;
        if self.cloud.confirm_blob(&look.hash, look.size).await? {
            return Ok(());
        }
        match Source::temp_file(self, &look.hash).await {
            Some(Source::File { file, size }) => {
                let file = file.try_clone().map_err(|error| Error::Local {
                    subject: "a temp file".to_owned(),
                    source: std::sync::Arc::new(error),
                })?;
                let file = tokio::fs::File::from_std(file);
                let put = self.cloud.space().put_blob(file, &look.hash, size).await;
                put.map(
                    |put| tracing::info!(hash = %look.hash, ?put, "another host removed a blob that was just uploaded"),
                )
            }
            _ => {
                tracing::warn!(hash = %look.hash, "a blob that was just uploaded is gone, and so is its temp file");
                Ok(())
            }
        }
    }
}
