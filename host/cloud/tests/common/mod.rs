//! What the tests of this crate share: hosts, stores for a space, and stores that fail.

#![allow(dead_code, missing_docs, clippy::unwrap_used)]

pub mod fault;
pub mod s3;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Map, Value};
use stowage_cloud::{
    Applied, Batch, Cloud, Collection, Hash, OpenOptions, RowSink, SinkError, Space, SpaceChange, SyncReport,
};
use stowage_storage::{CommitError, Config, KeyRange, ScanOptions, Store};
use tokio::task::JoinHandle;

pub const CREATE: OpenOptions = OpenOptions {
    create: Some(1 << 30),
    unreachable_ok: false,
};

/// Keeps rows in the tables `rows-COLLECTION` of a host's store.
pub struct TableSink {
    store: Store,
    not_kept: std::sync::Mutex<Vec<String>>,
}

impl RowSink for TableSink {
    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, SinkError>> {
        Box::pin(async move {
            assert!(batch.len() <= stowage_cloud::BATCH_LIMIT_ROWS);
            let identity = Collection::named(batch.collection()).unwrap().identity;
            let table = table(batch.collection());
            loop {
                let mut tx = self.store.begin();
                let rows = batch.rows(&mut tx)?;
                for row in rows.upserts {
                    let key = row[identity].as_str().unwrap().as_bytes().to_vec();
                    tx.put(&table, &key, serde_json::to_vec(&row)?)?;
                }
                for removed in rows.removals {
                    tx.delete(&table, removed.as_bytes())?;
                }
                batch.record(&mut tx)?;
                match self.store.commit(tx).await {
                    Ok(_) => return Ok(Applied::default()),
                    Err(CommitError::Conflict) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        })
    }

    fn keeps(&self, collection: &str) -> bool {
        !self.not_kept.lock().unwrap().iter().any(|name| name == collection)
    }
}

fn table(collection: &str) -> String {
    format!("rows-{collection}")
}

/// A host: a database, a cloud and a running publisher.
pub struct Host {
    pub store: Store,
    pub cloud: Cloud,
    pub sink: Arc<TableSink>,
    publisher: Option<JoinHandle<()>>,
}

impl Host {
    pub async fn start(space: &Space) -> Self {
        let mut host = Self::idle(space, Store::in_memory(Config::default())).await;
        host.publish();
        host
    }

    /// A host whose publisher does not run.
    pub async fn idle(space: &Space, store: Store) -> Self {
        let cloud = Cloud::open(space.clone(), store.clone()).await.unwrap();
        Self::of(cloud, store)
    }

    /// A host with this cloud, whose publisher runs.
    pub fn with_cloud(cloud: Cloud, store: Store) -> Self {
        let mut host = Self::of(cloud, store);
        host.publish();
        host
    }

    fn of(cloud: Cloud, store: Store) -> Self {
        let sink = Arc::new(TableSink {
            store: store.clone(),
            not_kept: Default::default(),
        });
        Self {
            store,
            cloud,
            sink,
            publisher: None,
        }
    }

    pub fn publish(&mut self) {
        let (cloud, sink) = (self.cloud.clone(), Arc::clone(&self.sink));
        self.publisher = Some(tokio::spawn(
            async move { cloud.run(sink, std::future::pending()).await },
        ));
    }

    pub fn keep(&self, collection: &str, kept: bool) {
        let mut not_kept = self.sink.not_kept.lock().unwrap();
        not_kept.retain(|name| name != collection);
        if !kept {
            not_kept.push(collection.to_owned());
        }
    }

    /// Changes the local rows and stages the same for the space, as a module does.
    pub async fn change(&self, changes: &[SpaceChange]) {
        let stage = |tx: &mut stowage_storage::Transaction| {
            for change in changes {
                match change {
                    SpaceChange::PutRow {
                        collection,
                        identity,
                        fields,
                    } => {
                        let old = tx.get(&table(collection), identity.as_bytes())?;
                        let mut row: Map<String, Value> = old
                            .map(|bytes| serde_json::from_slice(&bytes).unwrap())
                            .unwrap_or_default();
                        row.extend(fields.clone());
                        let name = Collection::named(collection).unwrap().identity;
                        row.insert(name.to_owned(), Value::String(identity.clone()));
                        tx.put(
                            &table(collection),
                            identity.as_bytes(),
                            serde_json::to_vec(&row).unwrap(),
                        )?;
                    }
                    SpaceChange::DeleteRow { collection, identity } => {
                        tx.delete(&table(collection), identity.as_bytes())?
                    }
                    SpaceChange::DeleteBlob { .. } => {}
                }
                self.cloud.stage(tx, change).unwrap();
            }
            Ok::<_, stowage_storage::Error>(())
        };
        self.store.update(stage).await.unwrap();
        self.cloud.wake();
    }

    pub async fn sync(&self) -> SyncReport {
        bounded("a sync", self.cloud.sync(self.sink.as_ref())).await.unwrap()
    }

    pub async fn published(&self) {
        bounded("publishing", self.cloud.published()).await.unwrap();
    }

    pub fn row(&self, collection: &str, identity: &str) -> Option<Map<String, Value>> {
        let bytes = self
            .store
            .begin()
            .get(&table(collection), identity.as_bytes())
            .unwrap()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    pub fn rows(&self, collection: &str) -> Vec<Map<String, Value>> {
        let options = ScanOptions {
            limit: 10_000,
            ..ScanOptions::default()
        };
        let page = self
            .store
            .begin()
            .scan(&table(collection), &KeyRange::all(), &options)
            .unwrap();
        page.entries
            .iter()
            .map(|entry| serde_json::from_slice(&entry.value).unwrap())
            .collect()
    }

    pub fn identities(&self, collection: &str) -> Vec<String> {
        let name = Collection::named(collection).unwrap().identity;
        self.rows(collection)
            .iter()
            .map(|row| row[name].as_str().unwrap().to_owned())
            .collect()
    }

    /// How many changes wait in the outbox.
    pub fn pending(&self) -> u64 {
        self.store.begin().count("host.cloud-outbox", &KeyRange::all()).unwrap()
    }

    /// Stops the publisher at once.
    pub fn kill(mut self) -> Store {
        if let Some(publisher) = self.publisher.take() {
            publisher.abort();
        }
        self.store.clone()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(publisher) = self.publisher.take() {
            publisher.abort();
        }
    }
}

pub fn put(collection: &str, identity: &str, fields: Value) -> SpaceChange {
    let fields = fields.as_object().unwrap().clone();
    SpaceChange::PutRow {
        collection: collection.to_owned(),
        identity: identity.to_owned(),
        fields,
    }
}

pub fn delete(collection: &str, identity: &str) -> SpaceChange {
    SpaceChange::DeleteRow {
        collection: collection.to_owned(),
        identity: identity.to_owned(),
    }
}

/// Identities that all have the default segment of the first.
pub fn neighbours(count: usize) -> Vec<String> {
    let segment = stowage_cloud::default_segment("n0");
    (0..)
        .map(|n| format!("n{n}"))
        .filter(|name| stowage_cloud::default_segment(name) == segment)
        .take(count)
        .collect()
}

/// Waits for something that must happen within a generous limit of real time. The test may change
/// the clock of tokio.
pub async fn bounded<T>(what: &str, future: impl Future<Output = T>) -> T {
    let (late, is_late) = tokio::sync::oneshot::channel();
    // Dropping it ends the thread.
    let (_done, done) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = done.recv_timeout(Duration::from_secs(120)) {
            let _ = late.send(());
        }
    });
    tokio::select! {
        value = future => value,
        Ok(()) = is_late => panic!("{what} takes too long"),
    }
}

/// Waits until a condition holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    bounded(what, async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A space in memory, and the store it is in.
pub async fn memory() -> (Space, Arc<InMemory>) {
    let store = Arc::new(InMemory::new());
    (Space::open_store(store.clone(), CREATE).await.unwrap(), store)
}

pub async fn write(store: &dyn ObjectStore, object: &str, text: impl Into<Vec<u8>>) {
    store.put(&Path::from(object), text.into().into()).await.unwrap();
}

pub async fn read(store: &dyn ObjectStore, object: &str) -> String {
    let got = store.get(&Path::from(object)).await.unwrap();
    String::from_utf8(got.bytes().await.unwrap().to_vec()).unwrap()
}

pub async fn store_blob(space: &Space, bytes: &[u8]) -> Hash {
    let hash = Hash::of(bytes);
    space.put_blob(bytes, &hash, bytes.len() as u64).await.unwrap();
    hash
}
