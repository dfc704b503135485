//! `/healthz` and `/readyz`: whether the process answers, and whether it can do its work.
//!
//! Neither needs a token, so neither tells more than names of conditions. Neither waits for the
//! disk: a store that is stuck is an answer too.

mod probe;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use stowage_cloud::{Cloud, Health as SpaceHealth};
use stowage_logic::Logic;
use stowage_storage::Store;

use crate::response::{HttpResponse, json_response};
use probe::Probe;

const HEALTHZ: &str = "/healthz";
const READYZ: &str = "/readyz";

/// Whether a request is for this module. Other methods than GET and HEAD are the API's.
pub(crate) fn is_health(method: &Method, path: &str) -> bool {
    matches!(*method, Method::GET | Method::HEAD) && matches!(path, HEALTHZ | READYZ)
}

/// Tells whether the server is ready. A cheap handle.
#[derive(Clone)]
pub(crate) struct Health(Arc<Parts>);

struct Parts {
    logic: Logic,
    cloud: Cloud,
    probe: Probe,
    draining: AtomicBool,
}

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    /// Why it is not ready.
    reasons: Vec<Reason>,
    /// What does not work although it is ready.
    degraded: Vec<Reason>,
}

/// A condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Reason {
    reason: &'static str,
    message: &'static str,
}

const DRAINING: Reason = Reason {
    reason: "draining",
    message: "the server stops",
};
const NO_MODULES: Reason = Reason {
    reason: "no-modules",
    message: "no module serves",
};
const SPACE_AWAY: Reason = Reason {
    reason: "space-away",
    message: "the cloud space cannot be reached; its changes and transfers wait",
};
const STORAGE_REOPENED: Reason = Reason {
    reason: "storage-reopened",
    message: "the database failed in the last minutes, and was opened again",
};

impl Health {
    pub(crate) fn new(logic: Logic, cloud: Cloud, store: Store) -> Health {
        Health(Arc::new(Parts {
            logic,
            cloud,
            probe: Probe::new(store),
            draining: AtomicBool::new(false),
        }))
    }

    /// The server is about to stop: from now on it is not ready.
    pub(crate) fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is ready, as `/readyz` says.
    pub(crate) async fn is_ready(&self) -> bool {
        self.readiness().await.ready
    }

    /// Answers a request that [`is_health`] is true for.
    pub(crate) async fn respond<B>(&self, request: &Request<B>) -> HttpResponse {
        let mut response = match request.uri().path() {
            HEALTHZ => json_response(StatusCode::OK, r#"{"status":"ok"}"#),
            READYZ => self.ready_response().await,
            _ => json_response(StatusCode::NOT_FOUND, "{}"),
        };
        if request.method() == Method::HEAD {
            *response.body_mut() = Full::new(Bytes::new());
        }
        response
    }

    async fn ready_response(&self) -> HttpResponse {
        let readiness = self.readiness().await;
        let status = match readiness.ready {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        // It has texts and a flag only, so that it is always JSON.
        json_response(status, serde_json::to_vec(&readiness).unwrap_or_default())
    }

    async fn readiness(&self) -> Readiness {
        let parts = &self.0;
        let mut reasons = Vec::new();
        let mut degraded = Vec::new();
        if parts.draining.load(Ordering::Relaxed) {
            reasons.push(DRAINING);
        }
        if parts.logic.generation().modules().is_empty() {
            reasons.push(NO_MODULES);
        }
        let found = parts.probe.ask().await;
        if let Some(failure) = found.failure {
            reasons.push(Reason {
                reason: failure.name(),
                message: failure.message(),
            });
        }
        if found.reopened {
            degraded.push(STORAGE_REOPENED);
        }
        if parts.cloud.health() != SpaceHealth::Reachable {
            degraded.push(SPACE_AWAY);
        }
        Readiness {
            ready: reasons.is_empty(),
            reasons,
            degraded,
        }
    }
}
