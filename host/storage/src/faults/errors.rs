//! A disk that fails at any operation, or is full, and then works again.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disk::{Disk, Fault, Kind, Name};
use super::open_disk;
use crate::backend::flusher::FlushMode;
use crate::{BackendError, CommitError, Error, KeyRange, Store};

/// A small half is flushed all the time.
const HALF_BYTES: usize = 1024;
/// No operation takes as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A store on a disk that may fail, and what it acknowledged.
struct Client {
    disk: Arc<Disk>,
    store: Option<Store>,
    acknowledged: Vec<u8>,
    failures: u32,
    /// After this many failures the disk works again.
    most_failures: u32,
}

impl Client {
    fn new(most_failures: u32) -> Self {
        Self {
            disk: Arc::default(),
            store: None,
            acknowledged: vec![],
            failures: 0,
            most_failures,
        }
    }

    fn fail(&mut self) {
        self.failures += 1;
        if self.failures >= self.most_failures {
            self.disk.heal();
        }
    }

    /// Opens the store, after some attempts if the disk fails.
    fn store(&mut self) -> Store {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(store) = &self.store {
                return store.clone();
            }
            match open_disk(&self.disk, HALF_BYTES, FlushMode::Steps(7)) {
                Ok(store) => self.store = Some(store),
                Err(error) => {
                    assert!(self.disk.has_failed() && Instant::now() < deadline, "{error}");
                    self.fail();
                }
            }
        }
    }

    /// Commits, again and again until it is acknowledged.
    async fn commit(&mut self, n: u8, value_bytes: usize) -> Vec<BackendError> {
        let deadline = Instant::now() + PATIENCE;
        let mut errors = vec![];
        loop {
            let store = self.store();
            let mut tx = store.begin();
            for part in 0..3 {
                tx.put("t", &[n, part], vec![n; value_bytes]).unwrap();
            }
            tx.put("marks", &[n], vec![]).unwrap();
            tx.add("n", b"commits", 1).unwrap();
            match store.commit(tx).await {
                Ok(_) => {
                    self.acknowledged.push(n);
                    return errors;
                }
                Err(CommitError::Backend(error)) => {
                    assert!(Instant::now() < deadline, "commit {n} never succeeds: {error}");
                    errors.push(error);
                    self.fail();
                    tokio::task::yield_now().await;
                }
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// Every acknowledged commit is there, and no part of another one. One that failed may be
    /// there.
    async fn check(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let store = self.store();
            match self.read(&store) {
                Ok((marks, rows)) => {
                    assert_eq!(rows, 3 * marks, "no part of a commit");
                    assert!(marks as usize >= self.acknowledged.len());
                    return;
                }
                Err(error) => {
                    assert!(Instant::now() < deadline, "it is never read again: {error}");
                    self.fail();
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn read(&self, store: &Store) -> Result<(u64, u64), Error> {
        let mut tx = store.begin();
        for n in &self.acknowledged {
            for part in 0..3 {
                assert!(
                    tx.get("t", &[*n, part])?
                        .is_some_and(|value| value.iter().all(|byte| byte == n))
                );
            }
            assert!(tx.get("marks", &[*n])?.is_some());
        }
        Ok((tx.count("marks", &KeyRange::all())?, tx.count("t", &KeyRange::all())?))
    }

    async fn close(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().await;
        }
    }
}

/// Commits, a long batch, a checkpoint, closings and openings. Returns whether the disk failed.
async fn work(mut client: Client) -> bool {
    for n in 0..10 {
        client.commit(n, 60).await;
    }
    client.commit(10, 2 * HALF_BYTES).await;
    if client.store().checkpoint().await.is_err() {
        client.fail();
    }
    client.commit(11, 60).await;
    client.close().await;
    client.check().await;
    client.commit(12, 60).await;
    client.commit(13, 300).await;
    client.check().await;
    client.close().await;
    let has_failed = client.disk.has_failed();
    client.disk.heal();
    client.check().await;
    client.commit(14, 60).await;
    client.close().await;
    client.check().await;
    client.close().await;
    has_failed
}

#[tokio::test]
async fn an_error_of_any_operation_is_answered_and_the_store_heals_without_a_restart() {
    let mut faults = 0;
    for name in [Name::Database, Name::Wal] {
        for kind in Kind::ALL {
            let shorts: &[bool] = if kind == Kind::Write { &[false, true] } else { &[false] };
            for (error, is_lasting) in [
                (ErrorKind::Other, false),
                (ErrorKind::Other, true),
                (ErrorKind::StorageFull, false),
                (ErrorKind::StorageFull, true),
            ] {
                for is_short in shorts {
                    for after in 0.. {
                        let client = Client::new(3);
                        client.disk.fail(Fault {
                            name,
                            kind,
                            after,
                            error,
                            is_lasting,
                            is_short: *is_short,
                        });
                        if !work(client).await {
                            break;
                        }
                        faults += 1;
                    }
                }
            }
        }
    }
    println!("scorecard: R3 {faults} faults, one in each run, 0 acknowledged commits lost, 0 panics");
    assert!(faults > 300, "{faults}");
}

#[tokio::test]
async fn a_full_disk_refuses_writes_serves_reads_and_takes_writes_again_when_there_is_space() {
    let (mut refused, mut longest) = (0, Duration::ZERO);
    for blocks in 0..40 {
        let mut client = Client::new(u32::MAX);
        for n in 0..5 {
            client.commit(n, 60).await;
        }
        client.disk.limit_space(blocks);
        let store = client.store();
        let mut is_full = false;
        for n in 5..100 {
            let mut tx = store.begin();
            for part in 0..3 {
                tx.put("t", &[n, part], vec![n; 250]).unwrap();
            }
            tx.put("marks", &[n], vec![]).unwrap();
            match store.commit(tx).await {
                Ok(_) => client.acknowledged.push(n),
                Err(CommitError::Backend(error)) => {
                    // While the store is reopened, it is closed for a moment.
                    let is_closed = matches!(error, BackendError::Closed);
                    assert!(error.is_no_space() || is_closed, "{blocks} blocks: {error:?}");
                    is_full = true;
                    break;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(is_full, "{blocks} blocks are enough for everything");
        // Full, and read.
        client.check().await;
        if blocks % 3 == 0 {
            client.close().await;
            client.check().await;
        }
        refused += 1;
        client.disk.heal();
        let freed = Instant::now();
        client.commit(100, 250).await;
        longest = longest.max(freed.elapsed());
        client.check().await;
        client.close().await;
        client.check().await;
        client.close().await;
    }
    println!(
        "scorecard: R4 disk full at {refused} places, reads served, writes again {} ms after there was space",
        longest.as_millis()
    );
}
