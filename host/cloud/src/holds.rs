//! Holds: they keep a blob while a row of this host is about to name it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Hash;

/// The blobs that are held or are being removed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    blobs: Mutex<HashMap<Hash, State>>,
    released: Notify,
}

#[derive(Debug)]
enum State {
    Held(u32),
    Removing,
}

/// This host does not remove the blob until this is dropped. Take it before you look for the blob
/// in the space. Drop it after the row that names the blob is committed.
#[derive(Debug)]
pub struct BlobHold {
    inner: Arc<Inner>,
    hash: Hash,
}

/// Nobody in this process can hold the blob until this is dropped.
#[derive(Debug)]
pub(crate) struct RemovalClaim {
    inner: Arc<Inner>,
    hash: Hash,
}

impl Holds {
    /// Holds a blob. If the blob is being removed, waits for the end of that.
    pub(crate) async fn hold(&self, hash: Hash) -> BlobHold {
        loop {
            let released = self.inner.released.notified();
            tokio::pin!(released);
            // Before the check, so that a release after the check is not missed.
            released.as_mut().enable();
            let held = match self.inner.blobs.lock().entry(hash).or_insert(State::Held(0)) {
                State::Held(count) => {
                    *count += 1;
                    true
                }
                State::Removing => false,
            };
            if held {
                return BlobHold {
                    inner: Arc::clone(&self.inner),
                    hash,
                };
            }
            released.await;
        }
    }

    /// Claims a blob for removal. `None` if it is held.
    pub(crate) fn try_remove(&self, hash: Hash) -> Option<RemovalClaim> {
        let mut blobs = self.inner.blobs.lock();
        if blobs.contains_key(&hash) {
            return None;
        }
        blobs.insert(hash, State::Removing);
        Some(RemovalClaim {
            inner: Arc::clone(&self.inner),
            hash,
        })
    }
}

impl Drop for BlobHold {
    fn drop(&mut self) {
        let mut blobs = self.inner.blobs.lock();
        if let Some(State::Held(count)) = blobs.get_mut(&self.hash) {
            *count -= 1;
            if *count == 0 {
                blobs.remove(&self.hash);
            }
        }
    }
}

impl Drop for RemovalClaim {
    fn drop(&mut self) {
        self.inner.blobs.lock().remove(&self.hash);
        self.inner.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_held_blob_is_not_removed_and_a_hold_waits_for_a_removal() {
        let holds = Holds::default();
        let hash = Hash::of(b"x");
        let (one, two) = (holds.hold(hash).await, holds.hold(hash).await);
        drop(one);
        assert!(holds.try_remove(hash).is_none());
        drop(two);
        let removing = holds.try_remove(hash).expect("free");
        let waiting = tokio::spawn({
            let holds = holds.clone();
            async move { holds.hold(hash).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(removing);
        let hold = waiting.await.expect("no panic");
        assert!(holds.try_remove(hash).is_none());
        drop(hold);
        assert!(holds.inner.blobs.lock().is_empty());
    }
}
