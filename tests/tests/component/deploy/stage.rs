//! A deployer on a database in a file, with a running supervisor.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use stowage_deploy::api::HistoryEntry;
use stowage_deploy::signature::KeyDir;
use stowage_deploy::{DeployError, Deployer, SignedModules, Source, SwapOptions};
use stowage_logic::{Config, Logic, rpc};
use stowage_storage::Store;
use stowage_tests::changing::Behaviour;
pub use stowage_tests::changing::changing;
use stowage_tests::fixture::SpaceFixture;
use stowage_tests::wait::until;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::{COMPILING, config, services};

pub struct Stage {
    pub logic: Logic,
    pub deployer: Deployer,
    pub store: Store,
    stop: CancellationToken,
    supervisor: JoinHandle<()>,
    dir: TempDir,
}

impl Stage {
    /// A first start with these modules.
    pub async fn new(initial: Vec<Source>) -> Stage {
        Stage::with(config(), initial).await
    }

    /// A first start where only modules go live that a key of this directory signed. `initial` are
    /// built-in too.
    pub async fn signed(keys: &Path, initial: Vec<Source>) -> Stage {
        let dir = tempfile::tempdir().unwrap();
        SpaceFixture::create(&dir.path().join("space"));
        let signed = Some((keys.to_owned(), initial.clone()));
        Stage::start(dir, stowage_storage::Config::default(), config(), initial, signed)
            .await
            .unwrap()
    }

    pub async fn with(config: Config, initial: Vec<Source>) -> Stage {
        Stage::storing(stowage_storage::Config::default(), config, initial).await
    }

    /// A first start on a database with these settings.
    pub async fn storing(storage: stowage_storage::Config, config: Config, initial: Vec<Source>) -> Stage {
        let dir = tempfile::tempdir().unwrap();
        SpaceFixture::create(&dir.path().join("space"));
        Stage::start(dir, storage, config, initial, None).await.unwrap()
    }

    async fn start(
        dir: TempDir,
        storage: stowage_storage::Config,
        config: Config,
        initial: Vec<Source>,
        signed: Option<(PathBuf, Vec<Source>)>,
    ) -> Result<Stage, DeployError> {
        let root = dir.path();
        let store = Store::open(&root.join("stowage.redb"), storage).unwrap();
        let services = services(root, &store).await;
        let logic = Logic::new(config, store.clone(), services.shared()).unwrap();
        let guard = COMPILING.lock().await;
        let modules = root.join("modules");
        let signed = signed.map(|(keys, built_in)| SignedModules {
            keys: KeyDir::open(&keys).unwrap(),
            built_in,
        });
        let deployer = Deployer::open_signed(logic.clone(), store.clone(), modules, initial, signed).await?;
        drop(guard);
        let stop = CancellationToken::new();
        let supervisor = tokio::spawn(deployer.clone().run(stop.clone()));
        Ok(Stage {
            logic,
            deployer,
            store,
            stop,
            supervisor,
            dir,
        })
    }

    /// Stops everything as at the end of the process, and starts the next process with these
    /// modules.
    pub async fn restart(self, initial: Vec<Source>) -> Stage {
        self.restart_with(initial, None).await.unwrap()
    }

    /// [`Stage::restart`], and from now on only modules go live that a key of the directory signed.
    /// The built-in modules come with the path.
    pub async fn restart_with(
        self,
        initial: Vec<Source>,
        signed: Option<(PathBuf, Vec<Source>)>,
    ) -> Result<Stage, DeployError> {
        let Stage {
            logic,
            deployer,
            store,
            stop,
            supervisor,
            dir,
        } = self;
        stop.cancel();
        supervisor.await.unwrap();
        drop((logic, deployer));
        store.close().await;
        drop(store);
        let storage = stowage_storage::Config::default();
        Stage::start(dir, storage, config(), initial, signed).await
    }

    /// The path of the file with the bytes of a version.
    pub fn blob(&self, version: &str) -> PathBuf {
        self.dir.path().join("modules").join(format!("{version}.wasm"))
    }

    pub fn blobs(&self) -> usize {
        fs::read_dir(self.dir.path().join("modules")).unwrap().count()
    }

    pub async fn ask(&self, method: &str, body: Value) -> Value {
        ask(&self.logic, method, body).await
    }

    /// The data of a call that succeeds.
    pub async fn data(&self, method: &str, body: Value) -> Value {
        let mut envelope = self.ask(method, body).await;
        assert_eq!(envelope["code"], 200, "{method}: {envelope}");
        envelope["data"].take()
    }

    /// The label of the version that answers.
    pub async fn label(&self) -> String {
        self.data("label", json!({})).await.as_str().unwrap().to_owned()
    }

    pub async fn work(&self) -> Value {
        self.ask("work", json!({"key": "k"})).await
    }

    /// All rows, then their counter.
    pub async fn rows(&self) -> Vec<String> {
        serde_json::from_value(self.data("rows", json!({})).await).unwrap()
    }

    /// The latest entry of the history.
    pub async fn latest(&self) -> HistoryEntry {
        self.deployer.history(1).await.unwrap().remove(0)
    }

    /// Waits until `holds`.
    pub async fn wait(&self, what: &str, holds: impl Fn(&Stage) -> bool) {
        until(what, || holds(self)).await;
    }

    /// Swaps without a probation.
    pub async fn swap(&self, source: Source) -> Result<stowage_deploy::api::SwapReport, DeployError> {
        self.deployer.swap(vec![source], unwatched()).await
    }
}

pub async fn ask(logic: &Logic, method: &str, body: Value) -> Value {
    let envelope = rpc::answer(logic, &format!("/tests/{method}"), body.to_string().into()).await;
    serde_json::from_slice(&envelope.into_json()).unwrap()
}

pub fn unwatched() -> SwapOptions {
    SwapOptions {
        probation: Some(Duration::ZERO),
        ..SwapOptions::default()
    }
}

pub fn forced() -> SwapOptions {
    SwapOptions {
        force: true,
        ..unwatched()
    }
}

/// The module with this behaviour, under the name `changing`.
pub fn version(behaviour: Behaviour) -> Source {
    named("changing", changing(behaviour))
}

pub fn named(name: &str, bytes: Vec<u8>) -> Source {
    Source {
        name: name.into(),
        bytes,
        from: "upload".into(),
    }
}

/// A built-in module with this behaviour, for a start.
pub fn built_in(behaviour: Behaviour) -> Vec<Source> {
    vec![Source {
        from: "built-in".into(),
        ..version(behaviour)
    }]
}

/// A load of calls in the background.
pub struct Load {
    stop: CancellationToken,
    callers: Vec<JoinHandle<Vec<Value>>>,
}

impl Load {
    /// Starts callers that call a method again and again, each with its own key.
    pub fn start(logic: &Logic, callers: usize, method: &'static str) -> Load {
        let stop = CancellationToken::new();
        let callers = (0..callers)
            .map(|caller| {
                let (logic, stop) = (logic.clone(), stop.clone());
                tokio::spawn(async move {
                    let mut answers = Vec::new();
                    while !stop.is_cancelled() {
                        answers.push(ask(&logic, method, json!({"key": format!("{caller}")})).await);
                    }
                    answers
                })
            })
            .collect();
        Load { stop, callers }
    }

    /// Ends the load and returns the answers of each caller, in order.
    pub async fn end(self) -> Vec<Vec<Value>> {
        self.stop.cancel();
        let mut answers = Vec::new();
        for caller in self.callers {
            answers.push(caller.await.unwrap());
        }
        answers
    }
}
