//! `/metrics`: the state of the server as OpenMetrics text, for Prometheus and others.
//!
//! Calls are counted where they happen, with a few atomic additions and no look-up. A scrape reads
//! the counts. The number of series has a bound: methods are those that modules export, versions
//! are those in use and a few before them, codes have a bound in each function.

mod backups;
mod families;
mod modules;
mod process;
mod server;
mod space;
mod storage;
mod versions;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use stowage_deploy::Deployer;
use stowage_logic::Logic;
use stowage_storage::Store;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::overview::Overview;
use crate::response::{HttpResponse, refusal};
use crate::services::Services;
use crate::telemetry::Exports;
use crate::traffic::Traffic;
pub(crate) use backups::Backups;
use families::Families;
use versions::Versions;

const PATH: &str = "/metrics";
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long a scrape may take. It asks the system for sizes of files, which a failing disk delays.
const SCRAPE_TIME: Duration = Duration::from_secs(5);
/// How often the versions in use are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Whether a request is for this module. Other methods than GET and HEAD are the API's.
pub(crate) fn is_metrics(method: &Method, path: &str) -> bool {
    matches!(*method, Method::GET | Method::HEAD) && path == PATH
}

/// What is measured. A cheap handle.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Inner>);

struct Inner {
    parts: Parts,
    versions: Versions,
    /// One scrape at a time: if the disk is stuck, only one thread waits for it.
    scrapes: Arc<Semaphore>,
}

/// The parts of a server that are measured.
pub(crate) struct Parts {
    /// The data directory.
    pub(crate) data: PathBuf,
    pub(crate) store: Store,
    pub(crate) logic: Logic,
    pub(crate) services: Services,
    pub(crate) deployer: Deployer,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) overview: Overview,
    pub(crate) health: Health,
    pub(crate) exports: Exports,
    pub(crate) backups: Backups,
}

/// One scrape.
struct Scrape {
    inner: Arc<Inner>,
    ready: bool,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape").finish_non_exhaustive()
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Inner { parts, versions, .. } = &*self.inner;
        let mut families = Families(encoder);
        server::encode(&mut families, &parts.traffic, &parts.exports, self.ready)?;
        modules::encode(&mut families, &parts.logic, &parts.deployer, &versions.shown())?;
        storage::encode(&mut families, &parts.store, &parts.data)?;
        let outbox = parts.overview.outbox();
        space::encode(&mut families, &parts.services, outbox, &parts.backups)?;
        process::encode(&mut families)
    }
}

impl Metrics {
    pub(crate) fn new(parts: Parts) -> Metrics {
        Metrics(Arc::new(Inner {
            parts,
            versions: Versions::default(),
            scrapes: Arc::new(Semaphore::new(1)),
        }))
    }

    /// Takes note of the module versions that come and go, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => self.look(),
            }
        }
    }

    fn look(&self) {
        let in_use = self.0.parts.deployer.modules_in_use();
        self.0.versions.look(&in_use, Instant::now());
    }

    /// Answers a request that [`is_metrics`] is true for and that has passed the gate.
    pub(crate) async fn respond<B>(&self, request: &Request<B>) -> HttpResponse {
        let busy = || {
            refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "another scrape has not ended; try again later",
            )
        };
        let Ok(permit) = Arc::clone(&self.0.scrapes).try_acquire_owned() else {
            return busy();
        };
        let ready = self.0.parts.health.is_ready().await;
        self.look();
        let inner = Arc::clone(&self.0);
        let scrape = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut registry = Registry::default();
            registry.register_collector(Box::new(Scrape { inner, ready }));
            let mut text = String::new();
            text::encode(&mut text, &registry).map(|()| text)
        });
        match timeout(SCRAPE_TIME, scrape).await {
            Ok(Ok(Ok(text))) => metrics_response(request.method(), text),
            Ok(Ok(Err(_)) | Err(_)) => {
                tracing::error!("the metrics could not be written");
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written")
            }
            Err(_) => busy(),
        }
    }
}

fn metrics_response(method: &Method, text: String) -> HttpResponse {
    let body = match *method {
        Method::HEAD => Bytes::new(),
        _ => Bytes::from(text),
    };
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
