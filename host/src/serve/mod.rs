//! `stowage serve`: assembles the parts, serves until a signal, and shuts down in order.

mod assemble;
mod data_dir;
mod jobs;
mod network;
mod space;
mod unix_socket;

pub(crate) use assemble::limits;
pub(crate) use network::{check as check_network, files_needed, listen as listen_address, tls_files};
pub(crate) use space::explained as explain_space_error;
pub(crate) use unix_socket::{Found as FoundSocket, check as check_socket_path, look as look_at_socket};

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use stowage_backup::{Source, check_outside, place_url};
use stowage_cli::data_dir::ADMIN_TOKEN_FILE;
use stowage_cloud::Space;
use stowage_deploy::api::ConsoleLink;
use stowage_deploy::watched::Watched;
use stowage_transfer::Incoming;
use tokio_util::sync::CancellationToken;

use crate::admin::{Admin, AdminToken, Parts as AdminParts};
use crate::backups::{Backups, Schedule};
use crate::console::{Console, Sessions};
use crate::demo;
use crate::doctor::unknown_variables;
use crate::health::Health;
use crate::hooks::{Hooks, RowModules};
use crate::journal::Journal;
use crate::listen::Endpoint;
use crate::metrics::{Backups as BackupCounts, Metrics, Parts as MetricsParts};
use crate::overview::{Overview, Parts as OverviewParts, Samples};
use crate::server::files::Files;
use crate::server::{self, Routes, Tls};
use crate::settings::Settings;
use crate::telemetry::Exports;
use crate::traffic::Traffic;
use assemble::Parts;
use data_dir::DataDir;
use jobs::{Jobs, stop_on_signal};

/// The longest time that a server goes on after a signal, in seconds.
const MAX_DRAIN_DELAY: u64 = 600;

/// Runs the server until SIGTERM or SIGINT, then lets what is in flight end. `journal` is what the
/// program's events are kept in, `exports` counts what is sent of them.
///
/// # Errors
/// Says which setting, file or address is wrong, and what to do.
pub async fn run(settings: Settings, journal: Journal, exports: Exports) -> anyhow::Result<()> {
    network::check(&settings)?;
    network::advise(&settings);
    warn_of_variables();
    let data = DataDir::open(&settings)?;
    let schedule = backup_schedule(&settings, &data.root)?;
    let watched = settings
        .watch_modules
        .as_deref()
        .map(|dir| Watched::open(dir, &data.root))
        .transpose()?;
    let token = AdminToken::open(&data.path(ADMIN_TOKEN_FILE))?;
    // Bound before the slow parts, so that a port in use is reported at once. Connections wait
    // until everything is ready.
    let bound = network::bind(&settings).await?;
    let endpoint = &bound.endpoint;

    let store = data.open_store(&settings)?;
    let space = data.open_space(&settings, &store).await?;
    let parts = Parts::assemble(&settings, &data, store.clone(), space.clone()).await?;
    if settings.demo == Some(true) {
        fill_demo(&parts, &space, &data).await?;
    }
    let Parts {
        logic,
        services,
        deployer,
    } = parts;
    let stop = CancellationToken::new();
    let sessions = (settings.no_console != Some(true)).then(|| Sessions::new(&token));
    let console = sessions
        .clone()
        .map(|sessions| Console::new(endpoint, sessions, settings.token.is_some()));
    let source = Source {
        store: store.clone(),
        data: data.root.clone(),
    };
    let backup_counts = BackupCounts::default();
    let backups = Backups::new(source, schedule, backup_counts.clone(), stop.clone());
    let traffic = Arc::new(Traffic::default());
    let overview = Overview::new(OverviewParts {
        data: data.root.clone(),
        store: store.clone(),
        services: services.clone(),
        deployer: deployer.clone(),
        backups: backups.clone(),
        traffic: traffic.clone(),
        journal: journal.clone(),
        samples: Samples::default(),
    });
    let health = Health::new(logic.clone(), services.cloud.clone(), store.clone());
    let metrics = Metrics::new(MetricsParts {
        data: data.root.clone(),
        store: store.clone(),
        logic: logic.clone(),
        services: services.clone(),
        deployer: deployer.clone(),
        traffic: traffic.clone(),
        overview: overview.clone(),
        health: health.clone(),
        exports,
        backups: backup_counts,
    });
    let admin = Admin::new(AdminParts {
        deployer: deployer.clone(),
        overview: overview.clone(),
        journal,
        console: console.clone(),
        backups: backups.clone(),
        store: store.clone(),
        data: data.root.clone(),
        stop: stop.clone(),
    });
    let config = network::server_config(&settings);
    let hooks = Arc::new(Hooks {
        logic: logic.clone(),
        transfers: services.transfers.clone(),
    });
    let files = Files::new(
        hooks.clone(),
        services.transfers.clone(),
        Incoming::open(&services.transfers).context("the directory of files that wait for their upload")?,
        config.body_timeout,
        stop.clone(),
    );
    let mut jobs = Jobs::start(hooks, &services, deployer.clone(), watched, &stop);
    jobs.add("backups", tokio::spawn(backups.clone().run(stop.clone())));
    jobs.add("overview", tokio::spawn(overview.run(stop.clone())));
    jobs.add("metrics", tokio::spawn(metrics.clone().run(stop.clone())));

    data.announce(endpoint, bound.tls.as_ref().map(Tls::fingerprint).as_deref())?;
    if let Some(tls) = bound.tls.clone() {
        let (data, endpoint) = (data.clone(), endpoint.clone());
        let changed = move |certificate: &str| {
            if let Err(error) = data.announce(&endpoint, Some(certificate)) {
                tracing::warn!(%error, "the new certificate is not announced: commands on this machine refuse it");
            }
        };
        jobs.add("TLS certificate", tokio::spawn(tls.reload(stop.clone(), changed)));
    }
    let drain_delay = Duration::from_secs(settings.drain_delay_seconds.unwrap_or(0).min(MAX_DRAIN_DELAY));
    stop_on_signal(stop.clone(), health.clone(), drain_delay)?;
    let reachable = console.as_ref().filter(|_| endpoint.tcp().is_some());
    let link = reachable.map(Console::first_link).transpose()?;
    print_address(endpoint, link.as_ref())?;
    let gate = network::gate(&settings, endpoint, &token, sessions);
    let routes = Routes {
        logic,
        feed: services.feed,
        files,
        admin,
        console,
        traffic,
        health,
        metrics,
    };
    server::run(bound.listener, routes, gate, config, stop.clone()).await;
    drop(bound.socket);

    tracing::info!("stopping");
    if deployer.recording().is_some()
        && let Err(error) = deployer.stop_recording().await
    {
        tracing::warn!(%error, "the recording could not be written to its end");
    }
    drop(deployer);
    data.withdraw();
    jobs.join().await;
    backups.drained().await;
    store.close().await;
    Ok(())
}

/// Tells the variables that were meant to be settings. They change nothing.
fn warn_of_variables() {
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    let unknown = unknown_variables(names.iter().map(OsString::as_os_str));
    if !unknown.is_empty() {
        tracing::warn!(
            "no setting is called {}; check the variable for a typing error, `stowage serve --help` lists all of them",
            unknown.join(", ")
        );
    }
}

/// The schedule of backups, if there is one.
fn backup_schedule(settings: &Settings, data: &Path) -> anyhow::Result<Option<Schedule>> {
    let Some(every) = settings.backup_every else {
        anyhow::ensure!(
            settings.backup_to.is_none() && settings.backup_keep.is_none(),
            "--backup-to and --backup-keep need --backup-every, for example --backup-every 6h"
        );
        return Ok(None);
    };
    let to = settings.backup_to.as_deref();
    let to = to.context("--backup-every needs --backup-to, a folder or s3://…, gs://…, az://…")?;
    let keep = settings.backup_keep;
    anyhow::ensure!(keep != Some(0), "--backup-keep 0: expected at least 1");
    let url = place_url(to).context("--backup-to")?;
    check_outside(&url, data).context("--backup-to")?;
    let schedule = Schedule::new(every.0, url, keep).context("--backup-to")?;
    Ok(Some(schedule))
}

/// Fills an empty space and syncs its rows, so that the first call finds them.
async fn fill_demo(parts: &Parts, space: &Space, data: &DataDir) -> anyhow::Result<()> {
    if demo::fill(space, &data.path("temp")).await.context("the demo set")? {
        tracing::info!(space = space.name(), "filled the space with the demo set");
    }
    parts
        .services
        .cloud
        .sync(&RowModules(&parts.logic))
        .await
        .context("the first sync of the demo space")?;
    Ok(())
}

/// Prints the address on stdout, which scripts wait for, and a link into the console.
fn print_address(endpoint: &Endpoint, link: Option<&ConsoleLink>) -> anyhow::Result<()> {
    let mut text = format!("listening on {endpoint}\n");
    if let Some(ConsoleLink { url, .. }) = link {
        text.push_str(&format!("console: {url}\n"));
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("stdout")
}
