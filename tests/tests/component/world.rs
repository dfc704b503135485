//! The engine with modules, a database in memory and a space on disk, without a server.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use stowage::{Services, builtin_code, builtin_modules};
use stowage_cloud::{Cloud, OpenOptions, Space};
use stowage_logic::{Config, Generation, Logic, Reuse, rpc};
use stowage_storage::Store;
use stowage_tests::fixture::SpaceFixture;
use stowage_tests::program::target_dir;
use stowage_transfer::{Feed, Transfers};
use tempfile::TempDir;
use tokio::sync::Mutex;

/// The engine, and all that its calls use.
pub struct World {
    pub logic: Logic,
    _dir: TempDir,
}

/// The configuration of tests: few instances, the code of the built-in modules, and a cache of
/// other compiled modules for all tests.
pub fn config() -> Config {
    Config {
        concurrency: 32,
        reuse: Reuse {
            kept: 4,
            ..Reuse::default()
        },
        precompiled: builtin_code(),
        cache: Some(target_dir().join("tmp/component-cache")),
        ..Config::default()
    }
}

/// One test at a time compiles what the cache lacks. The others find it there.
pub static COMPILING: Mutex<()> = Mutex::const_new(());

/// The cloud, the transfers and the feed of a data directory whose space is `space`.
pub async fn services(root: &Path, store: &Store) -> Services {
    let url = format!("file://{}", root.join("space").display());
    let space = Space::open(&url, OpenOptions::default()).await.unwrap();
    let cloud = Cloud::open(space, store.clone()).await.unwrap();
    let feed = Feed::new();
    let config = stowage_transfer::Config::new(root.join("downloads"), root.join("temp"));
    let transfers = Transfers::open(store.clone(), cloud.clone(), feed.clone(), config).unwrap();
    Services { cloud, transfers, feed }
}

impl World {
    /// The built-in modules on a space.
    pub async fn builtin(fill: impl FnOnce(&SpaceFixture)) -> World {
        World::with(config(), builtin_modules(), fill).await
    }

    /// Any modules on a space.
    pub async fn with(config: Config, modules: Vec<(String, Vec<u8>)>, fill: impl FnOnce(&SpaceFixture)) -> World {
        let store = Store::in_memory(stowage_storage::Config::default());
        World::on(store, config, modules, fill).await
    }

    /// Any modules on a space and a store.
    pub async fn on(
        store: Store,
        config: Config,
        modules: Vec<(String, Vec<u8>)>,
        fill: impl FnOnce(&SpaceFixture),
    ) -> World {
        let dir = tempfile::tempdir().unwrap();
        let fixture = SpaceFixture::create(&dir.path().join("space"));
        fill(&fixture);
        let services = services(dir.path(), &store).await;
        let logic = Logic::new(config, store, services.shared()).unwrap();
        let guard = COMPILING.lock().await;
        let mut loaded = Vec::new();
        for (name, bytes) in modules {
            loaded.push(Arc::new(logic.load(&name, bytes).await.unwrap()));
        }
        drop(guard);
        logic.serve(Generation::new(loaded));
        World { logic, _dir: dir }
    }

    /// Posts a body to a path and returns the envelope.
    pub async fn answer(&self, path: &str, body: &Value) -> Value {
        let envelope = rpc::answer(&self.logic, path, body.to_string().into()).await;
        serde_json::from_slice(&envelope.into_json()).unwrap()
    }
}
