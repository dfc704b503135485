//! The admin API under `/admin/`: what is live, and swapping it. JSON out; module bytes or parameters in. See `docs/admin.md`.
//!
//! The server's gate has checked a request before it comes here: Host, Origin, the admin token, the content type.

mod parameters;
mod problem;
mod route;
mod token;
mod upload;

pub use token::{AdminToken, TokenError};

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use parameters::Parameters;
use problem::Problem;
use route::Route;
use stowage_deploy::api::{Done, Draining, History, Migration, ModuleList, RecordRequest};
use stowage_deploy::{CanaryOptions, Deployer, Recordings};
use upload::{Layout, MOST_BODY_BYTES};

/// Who asked, as the history has it.
const BY: &str = "command";

/// Requests with the bytes of modules that are in memory at once; further ones wait.
const UPLOADS: usize = 2;

/// How long a request with the bytes of modules waits for its turn.
const TURN: Duration = Duration::from_secs(60);

/// Bytes of a JSON body.
const MOST_JSON_BYTES: usize = 64 << 10;

/// Entries of the history that are given at once.
const MOST_HISTORY: usize = 1000;

type Answer = Response<Full<Bytes>>;

/// The admin API. A cheap handle.
#[derive(Clone)]
pub struct Admin {
    deployer: Deployer,
    recordings: Arc<Recordings>,
    uploads: Arc<Semaphore>,
    changes: TaskTracker,
}

impl Admin {
    /// The API of a deployer, and of the recording of its calls.
    pub fn new(deployer: Deployer, recordings: Arc<Recordings>) -> Admin {
        Admin {
            deployer,
            recordings,
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            changes: TaskTracker::new(),
        }
    }

    /// Returns when the changes that were asked for are done.
    pub(crate) async fn drained(&self) {
        self.changes.close();
        self.changes.wait().await;
    }

    /// Answers a request that the gate has let through.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Answer {
        match self.carry_out(request).await {
            Ok(answer) => answer,
            Err(problem) => problem.into_answer(),
        }
    }

    async fn carry_out(&self, request: Request<Incoming>) -> Result<Answer, Problem> {
        let (head, body) = request.into_parts();
        let Some(route) = Route::of(head.uri.path()) else {
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "no such route; docs/admin.md has them all",
            ));
        };
        if !route.methods().contains(&head.method) {
            let methods: Vec<&str> = route.methods().iter().map(Method::as_str).collect();
            let methods = methods.join(", ");
            let mut answer = Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("expected {methods}")).into_answer();
            if let Ok(allow) = HeaderValue::from_str(&methods) {
                answer.headers_mut().insert(ALLOW, allow);
            }
            return Ok(answer);
        }
        let mut parameters = Parameters::of_query(head.uri.query().unwrap_or_default())?;
        let is_wasm = essence_is(head.headers.get(CONTENT_TYPE), "application/wasm");
        match (&route, is_wasm) {
            (Route::Check | Route::Swap | Route::Shadow | Route::Canary, false) => {
                return Err(Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "Content-Type: expected application/wasm, the bytes of the module",
                ));
            }
            (Route::Promote | Route::Abort | Route::Rollback | Route::Unload, true) => {
                return Err(Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "Content-Type: expected application/json",
                ));
            }
            _ => {}
        }
        let deployer = self.deployer.clone();
        match route {
            Route::List => {
                parameters.end()?;
                ok(&ModuleList {
                    generation: deployer.generation(),
                    modules: deployer.list(),
                    draining: deployer.draining().into_iter().map(Draining::from).collect(),
                })
            }
            Route::ShadowOf(name) => {
                parameters.end()?;
                ok(&deployer.shadow_report(&name)?)
            }
            Route::History => {
                let limit = parameters.one::<usize>("limit", "a whole number")?.unwrap_or(20);
                parameters.end()?;
                ok(&History {
                    history: deployer.history(limit.min(MOST_HISTORY)).await?,
                })
            }
            Route::Migration => {
                parameters.end()?;
                ok(&Migration {
                    migration: deployer.migration(),
                })
            }
            Route::Record => {
                parameters.end()?;
                self.record(&head.method, body).await
            }
            Route::Check => {
                let layout = Layout::take(&mut parameters, true)?.single()?;
                parameters.end()?;
                self.change(self.upload(body), move |body| async move {
                    let (sources, recording) = layout.cut(body)?;
                    ok(&deployer.check(only(sources)?, recording).await)
                })
                .await
            }
            Route::Swap => {
                let layout = Layout::take(&mut parameters, false)?;
                let options = parameters.swap_options(BY)?;
                parameters.end()?;
                self.change(self.upload(body), move |body| async move {
                    ok(&deployer.swap(layout.cut(body)?.0, options).await?)
                })
                .await
            }
            Route::Shadow => {
                let layout = Layout::take(&mut parameters, false)?.single()?;
                let percent = parameters.percent("percent")?.unwrap_or(100.0);
                parameters.end()?;
                self.change(self.upload(body), move |body| async move {
                    ok(&deployer.shadow(only(layout.cut(body)?.0)?, percent).await?)
                })
                .await
            }
            Route::Canary => {
                let layout = Layout::take(&mut parameters, false)?.single()?;
                let options = CanaryOptions {
                    percent: parameters.percent("percent")?.unwrap_or(5.0),
                    methods: parameters.all("method"),
                    thresholds: parameters.thresholds()?,
                    force: parameters.flag("force")?,
                };
                parameters.end()?;
                self.change(self.upload(body), move |body| async move {
                    ok(&deployer.canary(only(layout.cut(body)?.0)?, options).await?)
                })
                .await
            }
            Route::Promote => {
                parameters.add_json(&upload::read(body, MOST_JSON_BYTES).await?)?;
                let (name, options) = (parameters.name()?, parameters.swap_options(BY)?);
                parameters.end()?;
                self.change(nothing(), move |()| async move {
                    ok(&deployer.promote(&name, options).await?)
                })
                .await
            }
            Route::Abort => {
                parameters.add_json(&upload::read(body, MOST_JSON_BYTES).await?)?;
                let name = parameters.name()?;
                parameters.end()?;
                self.change(nothing(), move |()| async move {
                    deployer.abort(&name).await?;
                    ok(&Done {})
                })
                .await
            }
            Route::Rollback => {
                parameters.add_json(&upload::read(body, MOST_JSON_BYTES).await?)?;
                let to = parameters.one::<u64>("to", "the number of a generation")?;
                parameters.end()?;
                self.change(
                    nothing(),
                    move |()| async move { ok(&deployer.rollback(to, BY).await?) },
                )
                .await
            }
            Route::Unload => {
                parameters.add_json(&upload::read(body, MOST_JSON_BYTES).await?)?;
                let (name, force) = (parameters.name()?, parameters.flag("force")?);
                parameters.end()?;
                self.change(nothing(), move |()| async move {
                    ok(&match force {
                        true => deployer.unload_forced(&name, BY).await?,
                        false => deployer.unload(&name, BY).await?,
                    })
                })
                .await
            }
        }
    }

    /// What is recorded, the start of a recording, or its end.
    async fn record(&self, method: &Method, body: Incoming) -> Result<Answer, Problem> {
        let (deployer, recordings) = (self.deployer.clone(), Arc::clone(&self.recordings));
        match *method {
            Method::GET => ok(&recordings.status()),
            Method::DELETE => {
                self.change(nothing(), move |()| async move {
                    let summary = recordings.stop().await;
                    deployer.look_again();
                    ok(&summary?)
                })
                .await
            }
            _ => {
                let body = upload::read(body, MOST_JSON_BYTES).await?;
                let request: RecordRequest = serde_json::from_slice(&body)
                    .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("body: {error}")))?;
                self.change(nothing(), move |()| async move {
                    let started = Arc::clone(&recordings);
                    tokio::task::spawn_blocking(move || started.start(request))
                        .await
                        .map_err(|panic| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, panic.to_string()))??;
                    deployer.look_again();
                    ok(&recordings.status())
                })
                .await
            }
        }
    }

    /// The bytes of modules, in their turn: so much memory is bounded.
    async fn upload(&self, body: Incoming) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), Problem> {
        let turn = timeout(TURN, Arc::clone(&self.uploads).acquire_owned())
            .await
            .map_err(|_| {
                Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "other modules are being checked; try again in a moment",
                )
            })?;
        // The semaphore is never closed.
        Ok((upload::read(body, MOST_BODY_BYTES).await?, turn.ok()))
    }

    /// Does something in a task of its own, so that it comes to its end when the client hangs up.
    async fn change<T, F>(
        &self,
        input: impl Future<Output = Result<(T, Option<OwnedSemaphorePermit>), Problem>>,
        work: impl FnOnce(T) -> F,
    ) -> Result<Answer, Problem>
    where
        F: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        let (input, turn) = input.await?;
        let work = work(input);
        let task = self.changes.spawn(async move {
            let _turn = turn;
            work.await
        });
        task.await.unwrap_or_else(|panic| {
            tracing::error!(%panic, "a change of the modules ended badly");
            Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the change ended badly; see the server's log",
            ))
        })
    }
}

async fn nothing() -> Result<((), Option<OwnedSemaphorePermit>), Problem> {
    Ok(((), None))
}

/// The one module of a layout that has one.
fn only<T>(mut sources: Vec<T>) -> Result<T, Problem> {
    sources.pop().ok_or_else(|| Problem::parameter("name", "one module"))
}

/// Whether a path is of the admin API. A module that is called `admin` on the wire is reached by the names in the body only.
pub(crate) fn is_admin(path: &str) -> bool {
    path.starts_with("/admin/")
}

/// Whether a content type is this one, whatever its parameters.
pub(crate) fn essence_is(value: Option<&HeaderValue>, wanted: &str) -> bool {
    value
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
}

/// A refusal before any route saw the request.
pub(crate) fn refusal(status: StatusCode, message: &str) -> Answer {
    Problem::new(status, message).into_answer()
}

impl Problem {
    fn into_answer(self) -> Answer {
        let body = serde_json::to_vec(&self.body).unwrap_or_default();
        json(self.status, body)
    }
}

fn ok<T: Serialize>(value: &T) -> Result<Answer, Problem> {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(json(StatusCode::OK, body)),
        Err(error) => {
            tracing::error!(%error, "an answer has no JSON form");
            Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the answer has no JSON form; see the server's log",
            ))
        }
    }
}

fn json(status: StatusCode, body: Vec<u8>) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
