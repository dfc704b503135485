//! The admin API under `/admin/`: shows the server and its live modules, and replaces modules.
//! Request bodies are module bytes or JSON parameters, responses are JSON. `docs/admin.md` is the
//! reference.
//!
//! The server's gate checks a request before it arrives here: Host, Origin, the admin token or a
//! session of the console, and the content type.

mod database;
mod handlers;
mod parameters;
mod problem;
mod route;
mod token;
mod upload;

pub(crate) use token::AdminToken;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use http_body_util::Either;
use stowage_deploy::Deployer;
use stowage_storage::Store;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backups::Backups;
use crate::console::Console;
use crate::journal::Journal;
use crate::overview::Overview;
use crate::response::{HttpResponse, is_media_type};
use crate::server::Body;
use crate::server::files::FileResponse;
use parameters::Parameters;
use problem::Problem;
use route::{BodyType, Route};
use upload::MAX_BODY_BYTES;

/// Requests whose module bytes are in memory at the same time; further ones wait.
const MAX_UPLOADS: usize = 2;

/// Checks and dumps of the database that run at the same time; further ones wait.
const MAX_STREAMS: usize = 2;

/// How long a request with module bytes waits for one of the [`MAX_UPLOADS`] permits.
const UPLOAD_WAIT: Duration = Duration::from_secs(60);

/// The admin API. A cheap handle.
#[derive(Clone)]
pub(crate) struct Admin {
    deployer: Deployer,
    overview: Overview,
    journal: Journal,
    /// None if it is turned off.
    console: Option<Console>,
    backups: Backups,
    store: Store,
    /// The data directory.
    data: PathBuf,
    uploads: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// Cancelled when the server stops.
    stop: CancellationToken,
    changes: TaskTracker,
}

/// The parts of a server that the admin API shows and changes.
pub(crate) struct Parts {
    pub(crate) deployer: Deployer,
    pub(crate) overview: Overview,
    pub(crate) journal: Journal,
    /// None if it is turned off.
    pub(crate) console: Option<Console>,
    pub(crate) backups: Backups,
    pub(crate) store: Store,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
}

/// A request to one route, checked and with its query decoded.
struct AdminRequest {
    route: Route,
    method: Method,
    parameters: Parameters,
    body: Body,
}

impl Admin {
    /// The admin API of a server.
    pub(crate) fn new(parts: Parts) -> Admin {
        let Parts {
            deployer,
            overview,
            journal,
            console,
            backups,
            store,
            data,
            stop,
        } = parts;
        Admin {
            deployer,
            overview,
            journal,
            console,
            backups,
            store,
            data,
            stop,
            uploads: Arc::new(Semaphore::new(MAX_UPLOADS)),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            changes: TaskTracker::new(),
        }
    }

    /// Waits until all changes that were requested are done.
    pub(crate) async fn drained(&self) {
        self.changes.close();
        self.changes.wait().await;
    }

    /// Answers a request that has passed the gate.
    pub(crate) async fn respond(&self, request: Request<Body>) -> FileResponse {
        let handled = match AdminRequest::parse(request) {
            Ok(request) => match request.route {
                Route::DatabaseCheck => self.check_database(request).await,
                Route::DatabaseDump => self.dump_database(request).await,
                _ => self.handle(request).await.map(|response| response.map(Either::Left)),
            },
            Err(problem) => Err(problem),
        };
        handled.unwrap_or_else(|problem| problem.into_response().map(Either::Left))
    }

    /// The route table: one handler a route. Routes with a long body are in [`Admin::respond`].
    async fn handle(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        match (&request.route, &request.method) {
            (Route::List, _) => self.list(request),
            (Route::ShadowOf(_), _) => self.shadow_report(request),
            (Route::LogOf(_), _) => self.module_log(request),
            (Route::Overview, _) => self.overview(request).await,
            (Route::History, _) => self.history(request).await,
            (Route::Migration, _) => self.migration(request),
            (Route::Record, &Method::GET) => self.recording(request),
            (Route::Record, &Method::DELETE) => self.stop_recording(request).await,
            (Route::Record, _) => self.start_recording(request).await,
            (Route::Check, _) => self.check(request).await,
            (Route::Swap, _) => self.swap(request).await,
            (Route::Shadow, _) => self.shadow(request).await,
            (Route::Canary, _) => self.canary(request).await,
            (Route::CanaryPercent, _) => self.canary_percent(request).await,
            (Route::Promote, _) => self.promote(request).await,
            (Route::Abort, _) => self.abort(request).await,
            (Route::Rollback, _) => self.rollback(request).await,
            (Route::Unload, _) => self.unload(request).await,
            (Route::ConsoleLink, _) => self.console_link(request).await,
            (Route::Backup, &Method::GET) => self.backup_status(request),
            (Route::Backup, &Method::DELETE) => self.cancel_backup(request),
            (Route::Backup, _) => self.start_backup(request).await,
            (Route::DatabaseCheck | Route::DatabaseDump, _) => {
                Err(Problem::internal("a long response was requested as a short one"))
            }
        }
    }

    /// Runs a change in a task of its own: it ends even when the client disconnects.
    async fn run_change<F>(&self, change: F) -> Result<HttpResponse, Problem>
    where
        F: Future<Output = Result<HttpResponse, Problem>> + Send + 'static,
    {
        self.changes.spawn(change).await.unwrap_or_else(|panic| {
            tracing::error!(%panic, "a change of the modules panicked");
            Err(Problem::internal("the change failed; see the server's log"))
        })
    }

    /// Reads module bytes, then runs a change with them as [`Admin::run_change`] does. A permit
    /// bounds the memory of all uploads; it is held until the change has ended.
    async fn run_upload<F>(&self, body: Body, change: impl FnOnce(Vec<u8>) -> F) -> Result<HttpResponse, Problem>
    where
        F: Future<Output = Result<HttpResponse, Problem>> + Send + 'static,
    {
        let permit = timeout(UPLOAD_WAIT, Arc::clone(&self.uploads).acquire_owned())
            .await
            .map_err(|_| {
                Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "other modules are being checked; try again in a moment",
                )
            })?;
        // The semaphore is never closed, so that `permit` is always `Ok`.
        let change = change(upload::read(body, MAX_BODY_BYTES).await?);
        self.run_change(async move {
            let _permit = permit;
            change.await
        })
        .await
    }
}

impl AdminRequest {
    /// Finds the route, and checks the method, the query and the content type.
    fn parse(request: Request<Body>) -> Result<AdminRequest, Problem> {
        let (head, body) = request.into_parts();
        let Some(route) = Route::of(head.uri.path()) else {
            let message = "no such route; docs/admin.md lists all of them";
            return Err(Problem::new(StatusCode::NOT_FOUND, message));
        };
        if !route.methods().contains(&head.method) {
            return Err(Problem::method_not_allowed(route.methods()));
        }
        let parameters = Parameters::of_query(head.uri.query().unwrap_or_default())?;
        let is_wasm = is_media_type(head.headers.get(CONTENT_TYPE), "application/wasm");
        let expected = match route.body_type() {
            BodyType::Module if !is_wasm => "application/wasm, the bytes of the module",
            BodyType::Json if is_wasm => "application/json",
            _ => {
                return Ok(AdminRequest {
                    route,
                    method: head.method,
                    parameters,
                    body,
                });
            }
        };
        Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("Content-Type: expected {expected}"),
        ))
    }
}

/// Whether a path belongs to the admin API. Methods of a module that is called `admin` on the wire
/// can only be called by naming them in the body.
pub(crate) fn is_admin(path: &str) -> bool {
    path.starts_with("/admin/")
}

/// The response to a request that is refused before a handler sees it.
pub(crate) fn refusal(status: StatusCode, message: &str) -> HttpResponse {
    Problem::new(status, message).into_response()
}
