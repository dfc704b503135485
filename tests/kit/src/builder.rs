//! Putting a kit together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stowage_logic::{Config, Generation, Limits, Logic, Observer, Reuse, Services};
use stowage_storage::Store;
use tokio::sync::Mutex;

use crate::conditions::Laboratory;
use crate::error::KitError;
use crate::kit::Kit;
use crate::script::Script;
use crate::witness::Witness;

/// Calls of one kit that run at once.
const CONCURRENCY: usize = 32;
/// Idle instances that are kept of a module.
const KEPT: usize = 4;

/// One at a time compiles what the cache lacks; other tests of the process find it there.
static COMPILING: Mutex<()> = Mutex::const_new(());

/// What a [`Kit`] is made of.
#[derive(Debug)]
pub struct KitBuilder {
    modules: Vec<(String, Source)>,
    limits: Limits,
    reuse: Reuse,
    cache: Option<PathBuf>,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl KitBuilder {
    pub(crate) fn new() -> KitBuilder {
        KitBuilder {
            modules: Vec::new(),
            limits: Limits::default(),
            reuse: Reuse {
                kept: KEPT,
                ..Reuse::default()
            },
            cache: None,
        }
    }

    /// Loads a component, named by its file, over those before it. Where no cache was set and the file lies in a directory `target`,
    /// compiled modules are kept in its `tmp/kit-cache`.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<Path>) -> KitBuilder {
        let path = path.as_ref();
        if self.cache.is_none() {
            self.cache = path
                .ancestors()
                .find(|dir| dir.file_name().is_some_and(|name| name == "target"))
                .map(|target| target.join("tmp/kit-cache"));
        }
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        self.modules
            .push((name.unwrap_or_default(), Source::File(path.to_owned())));
        self
    }

    /// Loads a component over those before it.
    #[must_use]
    pub fn module(mut self, name: &str, bytes: Vec<u8>) -> KitBuilder {
        self.modules.push((name.to_owned(), Source::Bytes(bytes)));
        self
    }

    /// What a call may use; the server's defaults unless set.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> KitBuilder {
        self.limits = limits;
        self
    }

    /// How instances are reused.
    #[must_use]
    pub fn reuse(mut self, reuse: Reuse) -> KitBuilder {
        self.reuse = reuse;
        self
    }

    /// Where compiled modules are kept from one test to the next: a directory of this user alone.
    #[must_use]
    pub fn cache(mut self, dir: impl Into<PathBuf>) -> KitBuilder {
        self.cache = Some(dir.into());
        self
    }

    /// The kit.
    ///
    /// # Errors
    /// When a file cannot be read, the host does not take a module, or wasmtime does not start.
    pub async fn build(self) -> Result<Kit, KitError> {
        let laboratory = Arc::new(Laboratory::default());
        let script = Arc::new(Script::default());
        let witness = Arc::new(Witness::default());
        let store = Store::in_memory(stowage_storage::Config::default());
        let config = Config {
            limits: self.limits,
            reuse: self.reuse,
            response_cache_bytes: 0,
            concurrency: CONCURRENCY,
            cache: self.cache,
            compiler: None,
            conditions: Some(Arc::clone(&laboratory) as Arc<dyn stowage_logic::Conditions>),
        };
        let services = Arc::clone(&script) as Arc<dyn Services>;
        let logic = Logic::new(config, store.clone(), services)?;
        let mut modules = Vec::with_capacity(self.modules.len());
        for (name, source) in self.modules {
            let bytes = match source {
                Source::Bytes(bytes) => bytes,
                Source::File(path) => tokio::fs::read(&path)
                    .await
                    .map_err(|source| KitError::File { path, source })?,
            };
            let _one = COMPILING.lock().await;
            modules.push(Arc::new(logic.load(&name, bytes).await?));
        }
        let observer = Arc::clone(&witness) as Arc<dyn Observer>;
        logic.serve(Generation::new(modules).observed_by(&observer, |_| true));
        Ok(Kit {
            logic,
            store,
            script,
            laboratory,
            witness,
        })
    }
}
