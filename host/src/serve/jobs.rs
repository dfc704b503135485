//! The tasks that run beside the server, and the signals that stop it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use stowage_deploy::Deployer;
use stowage_deploy::watched::Watched;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::hooks::Hooks;
use crate::services::Services;

/// The tasks by name. Each ends after `stop` is cancelled.
pub(super) struct Jobs(Vec<(&'static str, JoinHandle<()>)>);

impl Jobs {
    /// The tasks of transfers, the space and modules. Others are added.
    pub(super) fn start(
        hooks: Arc<Hooks>,
        services: &Services,
        deployer: Deployer,
        watched: Option<Watched>,
        stop: &CancellationToken,
    ) -> Jobs {
        let cloud = {
            let (cloud, hooks, stop) = (services.cloud.clone(), hooks.clone(), stop.clone());
            tokio::spawn(async move { cloud.run(hooks, stop.cancelled_owned()).await })
        };
        let transfers = services.transfers.clone().run(hooks, stop.clone().cancelled_owned());
        let mut jobs = vec![("cloud", cloud), ("transfers", tokio::spawn(transfers))];
        if let Some(watched) = watched {
            let watching = watched.run(deployer.clone(), stop.clone());
            jobs.push(("watched directory", tokio::spawn(watching)));
        }
        jobs.push(("module supervisor", tokio::spawn(deployer.run(stop.clone()))));
        Jobs(jobs)
    }

    /// Adds one that was started elsewhere.
    pub(super) fn add(&mut self, name: &'static str, job: JoinHandle<()>) {
        self.0.push((name, job));
    }

    /// Waits until all of them have ended.
    pub(super) async fn join(self) {
        for (name, job) in self.0 {
            if let Err(error) = job.await {
                tracing::error!(job = name, %error, "a job panicked");
            }
        }
    }
}

/// On SIGTERM or SIGINT, makes the server not ready, and cancels `stop` after this delay. A second
/// signal ends the process at once.
pub(super) fn stop_on_signal(stop: CancellationToken, health: Health, delay: Duration) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("the handler of SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("the handler of SIGINT")?;
    tokio::spawn(async move {
        let mut signalled = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = signalled().await;
        health.drain();
        match delay.as_secs() {
            0 => tracing::info!("{name}: the server stops"),
            seconds => tracing::info!("{name}: the server is not ready from now on, and stops in {seconds} s"),
        }
        let name = tokio::select! {
            () = tokio::time::sleep(delay) => {
                stop.cancel();
                signalled().await
            }
            name = signalled() => name,
        };
        tracing::warn!("a second signal, {name}: the server ends before everything is finished");
        std::process::exit(130);
    });
    Ok(())
}
