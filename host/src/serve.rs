//! `stowage serve`: puts the parts together in order, serves, and takes them apart again.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use stowage_cloud::{Cloud, OpenOptions, Space};
use stowage_logic::{Limits, Logic, Reuse};
use stowage_storage::Store;
use stowage_transfer::{Feed, Transfers};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::admin::{Admin, AdminToken};
use crate::builtin::{builtin_modules, read_modules};
use crate::demo;
use crate::hooks::{Hooks, RowModules};
use crate::server::{self, Gate};
use crate::services::Services;
use crate::settings::Settings;
use stowage_cli::data_dir::{ADMIN_TOKEN_FILE, SERVER_FILE, SPACE_DIR, default_data_dir};
use stowage_cli::space::{directory_url, shown, space_url};
use stowage_deploy::watched::Watched;
use stowage_deploy::{Deployer, Source};

/// The size of a space that is made because there is none: 10 GB.
const NEW_SPACE_BYTES: u64 = 10 << 30;
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8787);

/// Runs the server until SIGTERM or SIGINT, then lets what is under way end.
///
/// # Errors
/// Says which setting, file or address is at fault and what to do about it.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let listen = settings.listen.unwrap_or(DEFAULT_LISTEN);
    anyhow::ensure!(
        listen.ip().is_loopback() || settings.token.is_some(),
        "--listen {listen}: an address others can reach needs a token; set --token or STOWAGE_TOKEN"
    );
    anyhow::ensure!(
        settings.token.as_deref() != Some(""),
        "--token: expected a token, found nothing"
    );
    check_gate(&settings)?;
    let data = Data::open(&settings)?;
    let watched = settings
        .watch_modules
        .as_deref()
        .map(|dir| Watched::open(dir, &data.root))
        .transpose()?;
    let token = AdminToken::open(&data.dir(ADMIN_TOKEN_FILE))?;
    // Bound before the slow parts, so that a taken port is known at once; connections wait until all is ready.
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("--listen {listen}: the address cannot be used; choose another, or port 0"))?;
    let address = listener.local_addr().context("the listener's address")?;

    let store = data.store(&settings)?;
    let space = data.space(&settings).await?;
    let (logic, services, deployer) = assemble(&settings, &data, store.clone(), space.clone()).await?;
    if settings.demo == Some(true) {
        fill_demo(&logic, &services, &space, &data).await?;
    }
    let stop = CancellationToken::new();
    let admin = Admin::new(deployer.clone());
    let jobs = Jobs::start(&logic, &services, deployer.clone(), watched, &stop);

    data.announce(address)?;
    stop_on_signal(stop.clone())?;
    say_listening(address)?;
    let gate = Gate::new(
        address,
        settings.allow_host.as_deref().unwrap_or_default(),
        settings.allow_origin.as_deref().unwrap_or_default(),
        settings.token.as_deref(),
    )
    .with_admin(&token);
    let mut config = server::Config::default();
    let wanted = settings.max_connections.unwrap_or(config.connections);
    // The database, the space and transfers need files as well.
    config.connections = wanted.clamp(1, raise_file_limit().saturating_sub(256).max(16));
    if config.connections < wanted {
        tracing::warn!(
            wanted,
            taken = config.connections,
            "fewer connections at once: raise `ulimit -n` for more"
        );
    }
    if let Some(seconds) = settings.drain_seconds {
        config.drain = Duration::from_secs(seconds);
    }
    server::run(listener, logic, services.feed, admin, gate, config, stop.clone()).await;
    tracing::info!("stopping");
    if deployer.recording().is_some()
        && let Err(error) = deployer.stop_recording().await
    {
        tracing::warn!(%error, "the recording could not be written to its end");
    }
    drop(deployer);
    data.withdraw();
    jobs.join().await;
    store.close().await;
    Ok(())
}

/// The modules, with everything they reach and what replaces them.
async fn assemble(
    settings: &Settings,
    data: &Data,
    store: Store,
    space: Space,
) -> anyhow::Result<(Logic, Services, Deployer)> {
    let cloud = Cloud::open(space, store.clone())
        .await
        .context("the cloud's records in the database")?;
    let feed = Feed::new();
    let mut transfer = stowage_transfer::Config::new(data.dir("downloads"), data.dir("temp"));
    transfer.download_roots = settings.download_root.clone().unwrap_or_default();
    if let Some(most) = settings.max_transfers {
        transfer.max_active = most.clamp(1, 256);
    }
    let transfers = Transfers::open(store.clone(), cloud.clone(), feed.clone(), transfer)
        .context("the transfers' records in the database")?;

    let services = Services { cloud, transfers, feed };
    let mut config = stowage_logic::Config {
        limits: limits(settings),
        cache: Some(data.dir("cache")),
        compiler: std::env::current_exe().ok(),
        ..stowage_logic::Config::default()
    };
    if let Some(calls) = settings.max_calls {
        config.concurrency = calls.clamp(1, 4096);
    }
    if let Some(calls) = settings.reuse {
        config.reuse = Reuse {
            calls: calls.max(1),
            ..config.reuse
        };
    }
    if let Some(mib) = settings.response_cache_mib {
        config.response_cache_bytes = mib.min(1 << 20) << 20;
    }
    let logic = Logic::new(config, store.clone(), services.shared())?;
    let deployer = Deployer::open(logic.clone(), store, data.dir("modules"), sources(settings)?)
        .await
        .context("a module was not taken")?;
    Ok((logic, services, deployer))
}

/// The modules inside the binary, and those of the directory in the settings.
fn sources(settings: &Settings) -> anyhow::Result<Vec<Source>> {
    let source = |(name, bytes), from| Source { name, bytes, from };
    let mut sources: Vec<Source> = builtin_modules()
        .into_iter()
        .map(|module| source(module, "built-in".into()))
        .collect();
    if let Some(dir) = &settings.modules {
        for module in read_modules(dir)? {
            let from = dir.join(format!("{}.wasm", module.0)).display().to_string();
            // A module of a built-in's name takes its place; another is loaded over all of them.
            match sources.iter_mut().find(|s| s.name == module.0) {
                Some(replaced) => *replaced = source(module, from),
                None => sources.push(source(module, from)),
            }
        }
    }
    Ok(sources)
}

/// Refuses values that would let everybody in.
fn check_gate(settings: &Settings) -> anyhow::Result<()> {
    for origin in settings.allow_origin.iter().flatten() {
        anyhow::ensure!(
            origin.starts_with("http://") || origin.starts_with("https://"),
            "--allow-origin {origin:?}: expected SCHEME://HOST[:PORT]; null and * cannot be allowed"
        );
    }
    anyhow::ensure!(
        settings.allow_host.iter().flatten().all(|host| !host.trim().is_empty()),
        "--allow-host: expected HOST[:PORT], found nothing"
    );
    Ok(())
}

/// Raises the limit of open files to what the system allows, and says what it is.
fn raise_file_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // What the limit is in the end is asked below.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: maximum,
                maximum,
            },
        );
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files).unwrap_or(usize::MAX).min(1 << 20)
}

fn limits(settings: &Settings) -> Limits {
    let mut limits = Limits::default();
    if let Some(ms) = settings.cpu_ms {
        limits.cpu = Duration::from_millis(ms);
    }
    if let Some(ms) = settings.wall_ms {
        limits.wall = Duration::from_millis(ms);
    }
    if let Some(mib) = settings.memory_mib {
        limits.memory_bytes = mib.clamp(2, 4095) << 20;
    }
    limits
}

/// Fills an empty space and brings its rows here, so that the first call already finds them.
async fn fill_demo(logic: &Logic, services: &Services, space: &Space, data: &Data) -> anyhow::Result<()> {
    if demo::fill(space, &data.dir("temp")).await.context("the demo set")? {
        tracing::info!(space = space.name(), "filled the space with the demo set");
    }
    services
        .cloud
        .sync(&RowModules(logic))
        .await
        .context("the first sync of the demo space")?;
    Ok(())
}

/// The tasks that run beside the server, each owned and joined.
struct Jobs {
    cloud: tokio::task::JoinHandle<()>,
    transfers: tokio::task::JoinHandle<()>,
    trials: tokio::task::JoinHandle<()>,
    watched: Option<tokio::task::JoinHandle<()>>,
}

impl Jobs {
    fn start(
        logic: &Logic,
        services: &Services,
        deployer: Deployer,
        watched: Option<Watched>,
        stop: &CancellationToken,
    ) -> Jobs {
        let hooks = Arc::new(Hooks(logic.clone()));
        Jobs {
            cloud: {
                let (cloud, hooks, stop) = (services.cloud.clone(), hooks.clone(), stop.clone());
                tokio::spawn(async move { cloud.run(hooks, stop.cancelled_owned()).await })
            },
            transfers: tokio::spawn(services.transfers.clone().run(hooks, stop.clone().cancelled_owned())),
            watched: watched.map(|watched| tokio::spawn(watched.run(deployer.clone(), stop.clone()))),
            trials: tokio::spawn(deployer.run(stop.clone())),
        }
    }

    async fn join(self) {
        let Jobs {
            cloud,
            transfers,
            trials,
            watched,
        } = self;
        let jobs = [("cloud", cloud), ("transfers", transfers), ("trials", trials)];
        for (name, job) in jobs.into_iter().chain(watched.map(|job| ("watched", job))) {
            if let Err(error) = job.await {
                tracing::error!(job = name, %error, "a job ended badly");
            }
        }
    }
}

/// Cancels `stop` on SIGTERM or SIGINT. A second signal ends the process at once, as it would without us.
fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("the handler of SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("the handler of SIGINT")?;
    tokio::spawn(async move {
        let mut signalled = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        signalled().await;
        stop.cancel();
        signalled().await;
        tracing::warn!("stopped before everything had ended");
        std::process::exit(130);
    });
    Ok(())
}

/// The one line on stdout that scripts wait for.
fn say_listening(address: SocketAddr) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{address}")
        .and_then(|()| out.flush())
        .context("stdout")
}

/// The data directory.
struct Data {
    root: PathBuf,
}

impl Data {
    fn open(settings: &Settings) -> anyhow::Result<Data> {
        let root = match &settings.data {
            Some(dir) => dir.clone(),
            None => default_data_dir().context("no home directory is known; set --data DIR")?,
        };
        let data = Data {
            root: std::path::absolute(&root).with_context(|| format!("--data {}", root.display()))?,
        };
        for dir in ["", "downloads", "temp", "modules", "cache"] {
            let dir = data.dir(dir);
            // What is in it is this user's alone; a directory that somebody made on purpose stays as it is.
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&dir)
                .with_context(|| format!("the data directory {} cannot be made; set --data DIR", dir.display()))?;
        }
        Ok(data)
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn store(&self, settings: &Settings) -> anyhow::Result<Store> {
        let mut config = stowage_storage::Config::default();
        if let Some(mib) = settings.cache_mib {
            config.cache_size_bytes = mib.max(1) << 20;
        }
        let file = self.dir("stowage.redb");
        Store::open(&file, config).with_context(|| {
            format!(
                "the database of --data {}; another server may be running on it",
                self.root.display()
            )
        })
    }

    async fn space(&self, settings: &Settings) -> anyhow::Result<Space> {
        let own = self.dir(SPACE_DIR);
        let (url, create) = match &settings.space {
            Some(place) => {
                let url = space_url(place)?;
                let create = settings.demo == Some(true) || url.starts_with("memory:");
                (url, create)
            }
            None => (directory_url(&own)?, true),
        };
        let options = OpenOptions {
            // A space that somebody named is not made by mistyping it, but for an own directory, in memory, or to show the demo.
            create: create.then_some(NEW_SPACE_BYTES),
            unreachable_ok: true,
        };
        Space::open(&url, options)
            .await
            .with_context(|| format!("the space {}; make a new one with `stowage space init`", shown(&url)))
    }

    /// Writes where the server is, for the commands that look for it by the data directory.
    fn announce(&self, address: SocketAddr) -> anyhow::Result<()> {
        let content = serde_json::json!({
            "address": format!("http://{address}"),
            "pid": std::process::id(),
        });
        let file = self.dir(SERVER_FILE);
        private_file(&file, content.to_string().as_bytes()).with_context(|| file.display().to_string())
    }

    fn withdraw(&self) {
        let file = self.dir(SERVER_FILE);
        if let Err(error) = std::fs::remove_file(&file) {
            tracing::debug!(%error, file = %file.display(), "not removed");
        }
    }
}

/// Writes a file that only this user may read, whole or not at all.
fn private_file(file: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    out.write_all(content)?;
    std::fs::rename(&temporary, file)
}
