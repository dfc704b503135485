//! Assembles the parts of a server from its settings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use stowage_cloud::{Cloud, Space};
use stowage_deploy::signature::KeyDir;
use stowage_deploy::{BUILT_IN, Deployer, SignedModules, Source};
use stowage_logic::{Limits, Logic, Reuse};
use stowage_storage::Store;
use stowage_transfer::{Feed, Transfers};

use super::data_dir::DataDir;
use crate::builtin::{builtin_code, builtin_modules, read_modules};
use crate::services::Services;
use crate::settings::Settings;

/// The modules, what they reach, and what replaces them.
pub(super) struct Parts {
    pub(super) logic: Logic,
    pub(super) services: Services,
    pub(super) deployer: Deployer,
}

impl Parts {
    /// # Errors
    /// When the database cannot be read, or a module cannot be loaded.
    pub(super) async fn assemble(
        settings: &Settings,
        data: &DataDir,
        store: Store,
        space: Space,
    ) -> anyhow::Result<Parts> {
        let cloud = Cloud::open(space, store.clone()).await?;
        let feed = Feed::new();
        let mut config = stowage_transfer::Config::new(data.path("downloads"), data.path("temp"));
        config.download_roots = with_users_downloads(settings.download_root.clone());
        config.upload_roots = with_users_downloads(settings.upload_root.clone());
        if let Some(transfers) = settings.max_transfers {
            config.max_active = transfers;
        }
        let transfers = Transfers::open(store.clone(), cloud.clone(), feed.clone(), config)
            .context("the transfers' records in the database")?;
        let services = Services { cloud, transfers, feed };
        let logic = Logic::new(logic_config(settings, data), store.clone(), services.shared())?;
        let startup = startup_modules(settings)?;
        let deployer = Deployer::open_signed(
            logic.clone(),
            store,
            data.path("modules"),
            startup,
            signed_modules(settings)?,
        )
        .await
        .context("the modules cannot be loaded")?;
        Ok(Parts {
            logic,
            services,
            deployer,
        })
    }
}

/// These directories, and the download folder of the user if the system names one. None of them
/// need exist.
fn with_users_downloads(roots: Option<Vec<PathBuf>>) -> Vec<PathBuf> {
    let mut roots = roots.unwrap_or_default();
    let user = directories::UserDirs::new();
    roots.extend(user.and_then(|user| user.download_dir().map(Path::to_owned)));
    roots
}

fn logic_config(settings: &Settings, data: &DataDir) -> stowage_logic::Config {
    let mut config = stowage_logic::Config {
        limits: limits(settings),
        cache: Some(data.path("cache")),
        compiler: std::env::current_exe().ok(),
        precompiled: builtin_code(),
        ..stowage_logic::Config::default()
    };
    if let Some(calls) = settings.max_calls {
        config.concurrency = calls;
    }
    if let Some(calls) = settings.reuse {
        config.reuse = Reuse {
            // A new instance for each call serves one.
            calls: calls.max(1),
            ..config.reuse
        };
    }
    if let Some(mib) = settings.response_cache_mib {
        config.response_cache_bytes = mib << 20;
    }
    config
}

/// What one call may use.
pub(crate) fn limits(settings: &Settings) -> Limits {
    let mut limits = Limits::default();
    if let Some(ms) = settings.cpu_ms {
        limits.cpu = Duration::from_millis(ms);
    }
    if let Some(ms) = settings.wall_ms {
        limits.wall = Duration::from_millis(ms);
    }
    if let Some(mib) = settings.memory_mib {
        limits.memory_bytes = mib << 20;
    }
    limits
}

/// The keys that have to sign modules, if there are any.
fn signed_modules(settings: &Settings) -> anyhow::Result<Option<SignedModules>> {
    let Some(dir) = &settings.module_keys else {
        return Ok(None);
    };
    let keys = KeyDir::open(dir).context("--module-keys")?;
    tracing::info!(keys = %keys.path().display(), "only signed modules go live");
    Ok(Some(SignedModules {
        keys,
        built_in: built_in_sources(),
    }))
}

fn built_in_sources() -> Vec<Source> {
    let source = |(name, bytes)| Source {
        name,
        bytes,
        from: BUILT_IN.to_owned(),
    };
    builtin_modules().into_iter().map(source).collect()
}

/// The built-in modules and those of `--modules`. A module of the directory replaces the built-in
/// one of its name; others are loaded last.
fn startup_modules(settings: &Settings) -> anyhow::Result<Vec<Source>> {
    let source = |(name, bytes), from| Source { name, bytes, from };
    let mut sources = built_in_sources();
    if let Some(dir) = &settings.modules {
        for module in read_modules(dir).context("--modules")? {
            let from = dir.join(format!("{}.wasm", module.0)).display().to_string();
            match sources.iter_mut().find(|s| s.name == module.0) {
                Some(replaced) => *replaced = source(module, from),
                None => sources.push(source(module, from)),
            }
        }
    }
    Ok(sources)
}
