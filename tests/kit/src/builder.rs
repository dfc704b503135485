//! The settings of a kit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stowage_logic::{Config, Generation, Limits, Logic, Observer, Reuse, Services};
use stowage_storage::Store;
use tokio::sync::Mutex;

use crate::call_log::CallLog;
use crate::conditions::TestConditions;
use crate::error::KitError;
use crate::kit::Kit;
use crate::script::Script;

/// The most calls of one kit that run at the same time.
const CONCURRENCY: usize = 32;
/// The idle instances that are kept of each module.
const KEPT: usize = 4;

/// One test at a time compiles what the cache lacks. The others find it there.
static COMPILING: Mutex<()> = Mutex::const_new(());

/// The settings of a [`Kit`]. Modules are loaded in the order in which they are named.
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

impl Kit {
    /// A kit with the component in a file.
    ///
    /// # Errors
    /// The file cannot be read, or the host refuses the module.
    pub async fn load(path: impl AsRef<Path>) -> Result<Kit, KitError> {
        Kit::builder().file(path).build().await
    }

    /// A kit with several modules, other limits, or a module from memory.
    pub fn builder() -> KitBuilder {
        KitBuilder::new()
    }
}

impl KitBuilder {
    fn new() -> KitBuilder {
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

    /// Loads the component in a file, under the name of the file. Its functions override those of
    /// modules before it.
    ///
    /// If no cache was set and the file lies in a directory `target`, compiled modules are kept in
    /// `target/tmp/kit-cache`.
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

    /// Loads a component from memory. Its functions override those of modules before it.
    #[must_use]
    pub fn module(mut self, name: &str, bytes: Vec<u8>) -> KitBuilder {
        self.modules.push((name.to_owned(), Source::Bytes(bytes)));
        self
    }

    /// What a call may use. Default: the limits of the server.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> KitBuilder {
        self.limits = limits;
        self
    }

    /// How instances are reused. Default: as on the server, with fewer idle instances.
    #[must_use]
    pub fn reuse(mut self, reuse: Reuse) -> KitBuilder {
        self.reuse = reuse;
        self
    }

    /// The directory that keeps compiled modules from one test to the next. Its code is run: nobody
    /// else may write to it.
    #[must_use]
    pub fn cache(mut self, dir: impl Into<PathBuf>) -> KitBuilder {
        self.cache = Some(dir.into());
        self
    }

    /// Makes the kit.
    ///
    /// # Errors
    /// A file cannot be read, the host refuses a module, or wasmtime does not start.
    pub async fn build(self) -> Result<Kit, KitError> {
        let conditions = Arc::new(TestConditions::default());
        let script = Arc::new(Script::default());
        let call_log = Arc::new(CallLog::default());
        let store = Store::in_memory(stowage_storage::Config::default());
        let config = Config {
            limits: self.limits,
            reuse: self.reuse,
            response_cache_bytes: 0,
            concurrency: CONCURRENCY,
            cache: self.cache,
            compiler: None,
            precompiled: Vec::new(),
            conditions: Some(Arc::clone(&conditions) as Arc<dyn stowage_logic::Conditions>),
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
        let observer = Arc::clone(&call_log) as Arc<dyn Observer>;
        logic.serve(Generation::new(modules).observed_by(&observer, |_| true));
        Ok(Kit {
            logic,
            store,
            script,
            conditions,
            call_log,
        })
    }
}
