//! A lock object with a lease, for stores that can create an object only where there is none.
//!
//! A writer holds the lock if it created `lists/.lock`. The content of that object names this
//! holding. The writer begins puts only in the first half of its lease, so that they end within the
//! lease.
//!
//! Each waiter measures the lease with its own clock. A holding that it sees for a whole lease is
//! dead. To remove it, the waiter first copies the object to a name made of that holding, without
//! replacing. Only one waiter succeeds, so nobody removes a newer holding by mistake.
//!
//! One gap remains: a process that stands still for more than half a lease between its check and
//! its put can lose an update.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::objects::Objects;
use crate::{Error, Hash};

const LOCK: &str = "lists/.lock";
const LOCK_LIMIT_BYTES: u64 = 4096;
/// How long a holding counts.
const LEASE: Duration = Duration::from_secs(60);

/// The lock object of a space.
#[derive(Debug, Default)]
pub(crate) struct LeaseLock {
    /// Held by the one task of this process that asks the store.
    turn: Arc<Mutex<()>>,
}

/// A holding of the lock. Dropping it releases the lock in the background.
#[derive(Debug)]
pub(crate) struct Lease {
    objects: Objects,
    since: Instant,
    _turn: OwnedMutexGuard<()>,
}

impl LeaseLock {
    /// The lock. `None` if the store cannot create without replacing.
    pub(crate) async fn probe(objects: &Objects) -> Result<Option<Self>, Error> {
        let object = format!("lists/.probe-{}", uuid::Uuid::new_v4());
        let first = objects.create(&object, Bytes::from_static(b"1")).await?;
        let second = objects.create(&object, Bytes::from_static(b"2")).await?;
        objects.delete(&object).await?;
        Ok((first == Some(true) && second == Some(false)).then(Self::default))
    }

    pub(crate) async fn take(&self, objects: &Objects) -> Result<Lease, Error> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(2));
        let mut observed = ObservedHolding::default();
        loop {
            let since = Instant::now();
            let holding =
                serde_json::json!({ "holder": uuid::Uuid::new_v4().to_string(), "leaseSeconds": LEASE.as_secs() });
            match objects.create(LOCK, Bytes::from(holding.to_string())).await? {
                Some(true) => {
                    return Ok(Lease {
                        objects: objects.clone(),
                        since,
                        _turn: turn,
                    });
                }
                Some(false) => observed.look(objects).await?,
                None => {
                    return Err(Error::unreachable(
                        LOCK,
                        "the store no longer creates without replacing",
                    ));
                }
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }
}

/// The holding of another writer, as a waiter sees it.
#[derive(Default)]
struct ObservedHolding {
    /// Its hash, and since when it is seen.
    holding: Option<(Hash, Instant)>,
    removals: u32,
}

impl ObservedHolding {
    async fn look(&mut self, objects: &Objects) -> Result<(), Error> {
        let current = match objects.read(LOCK, LOCK_LIMIT_BYTES).await {
            Ok((text, _)) => Hash::of(&text),
            Err(Error::Missing { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        match self.holding {
            Some((holding, since)) if holding == current => {
                if since.elapsed() > LEASE {
                    self.remove(objects, current).await?;
                }
            }
            _ => {
                *self = Self {
                    holding: Some((current, Instant::now())),
                    removals: 0,
                }
            }
        }
        Ok(())
    }

    async fn remove(&mut self, objects: &Objects, dead: Hash) -> Result<(), Error> {
        let claimed = Instant::now();
        let claim = format!("lists/.lock-expired-{}-{}", &dead.to_hex()[..16], self.removals);
        let first = objects.copy(LOCK, &claim).await? == Some(true);
        // Another waiter may have claimed it and died. Then this one waits for another lease and
        // claims it with the next number.
        self.holding = Some((dead, Instant::now()));
        self.removals = self.removals.saturating_add(1);
        let unchanged = match objects.read(LOCK, LOCK_LIMIT_BYTES).await {
            Ok((text, _)) => Hash::of(&text) == dead,
            Err(Error::Missing { .. }) => false,
            Err(error) => return Err(error),
        };
        if first && unchanged && claimed.elapsed() < LEASE / 2 {
            tracing::warn!(space = objects.name(), "removing the lock of a writer that stopped");
            objects.delete(LOCK).await?;
        }
        Ok(())
    }
}

impl Lease {
    /// Fails if a put that begins now could end after the lease.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.since.elapsed() < LEASE / 2 {
            return Ok(());
        }
        Err(Error::unreachable(LOCK, "the lease ran out"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // After that time the lock may be another writer's. It is left to expire.
        let (Ok(()), Ok(runtime)) = (self.check(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let objects = self.objects.clone();
        runtime.spawn(async move {
            if let Err(error) = objects.delete(LOCK).await {
                tracing::warn!(space = objects.name(), %error, "the lock is left to expire");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    use object_store::memory::InMemory;

    async fn objects() -> Objects {
        let options = crate::OpenOptions {
            create: Some(1),
            ..Default::default()
        };
        let space = crate::Space::open_store(Arc::new(InMemory::new()), options).await;
        space.expect("memory").objects().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn the_lock_of_a_writer_that_died_is_superseded_after_its_lease_and_by_one_only() {
        let objects = objects().await;
        assert_eq!(
            objects.create(LOCK, Bytes::from_static(b"{}")).await.expect("memory"),
            Some(true)
        );
        let begun = Instant::now();
        let holders = Arc::new(AtomicU32::new(0));
        let waiting = (0..4).map(|_| {
            let (objects, holders) = (objects.clone(), Arc::clone(&holders));
            tokio::spawn(async move {
                // Each a process of its own.
                let lock = LeaseLock::default();
                for _ in 0..3 {
                    let lease = lock.take(&objects).await.expect("memory");
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "one holder at a time");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    holders.fetch_sub(1, Ordering::SeqCst);
                    drop(lease);
                }
            })
        });
        let waiting: Vec<_> = waiting.collect();
        tokio::time::sleep(LEASE - Duration::from_secs(1)).await;
        assert_eq!(
            objects.read(LOCK, 10).await.expect("still there").0,
            "{}",
            "the lease is respected"
        );
        for task in waiting {
            task.await.expect("no panic");
        }
        assert!(begun.elapsed() < LEASE * 4, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_holding_past_half_its_lease_puts_nothing_more() {
        let objects = objects().await;
        let lease = LeaseLock::default().take(&objects).await.expect("memory");
        assert!(lease.check().is_ok());
        tokio::time::sleep(LEASE / 2).await;
        assert!(lease.check().is_err());
        drop(lease);
        assert!(objects.read(LOCK, 1000).await.is_ok(), "it is left to expire");
    }
}
