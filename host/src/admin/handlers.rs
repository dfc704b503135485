//! The handlers of the admin API, one a route. Each takes its parameters, refuses unknown ones, and
//! calls the deployer.

use http::StatusCode;
use serde::Serialize;
use stowage_deploy::api::{Done, Draining, History, Migration, ModuleList, ModuleLog, RecordRequest};
use stowage_deploy::{CanaryOptions, Source};

use super::parameters::Parameters;
use super::problem::Problem;
use super::upload::{self, Layout};
use super::{Admin, AdminRequest, Route};
use crate::response::{HttpResponse, json_response};

/// Who asked for a change, as the history shows it.
const BY: &str = "command";

/// Most bytes of a JSON body.
const MAX_JSON_BYTES: usize = 64 << 10;

/// Most entries of the history in one response.
const MAX_HISTORY: usize = 1000;

/// Most lines of a log in one response.
const MAX_LINES: usize = 1000;

/// Lines of a log where `limit` is absent.
const DEFAULT_LINES: usize = 200;

/// Entries of the history where `limit` is absent.
const DEFAULT_HISTORY: usize = 20;

impl Admin {
    pub(super) fn list(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        request.parameters.end()?;
        ok(&ModuleList {
            generation: self.deployer.generation(),
            modules: self.deployer.list(),
            draining: self.deployer.draining().into_iter().map(Draining::from).collect(),
        })
    }

    pub(super) fn shadow_report(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        request.parameters.end()?;
        let Route::ShadowOf(name) = request.route else {
            return Err(Problem::internal("a shadow was requested without a name"));
        };
        ok(&self.deployer.shadow_report(&name)?)
    }

    pub(super) fn module_log(&self, mut request: AdminRequest) -> Result<HttpResponse, Problem> {
        let after = request.parameters.one::<u64>("after", "the number of a line")?;
        let limit = request.parameters.one::<usize>("limit", "a whole number")?;
        request.parameters.end()?;
        let Route::LogOf(name) = request.route else {
            return Err(Problem::internal("a log was requested without a name"));
        };
        let limit = limit.unwrap_or(DEFAULT_LINES).min(MAX_LINES);
        match self.journal.lines(&name, after, limit) {
            Some(log) => ok(&log),
            None if self.deployer.is_live(&name) => ok(&ModuleLog::default()),
            None => Err(Problem::new(
                StatusCode::NOT_FOUND,
                format!("{name}: no such module, and nothing was logged about it since the server started"),
            )),
        }
    }

    pub(super) async fn overview(&self, mut request: AdminRequest) -> Result<HttpResponse, Problem> {
        let since = request.parameters.one::<u64>("since", "seconds since 1970")?;
        request.parameters.end()?;
        ok(&self.overview.report(since.unwrap_or(0)).await?)
    }

    pub(super) async fn history(&self, mut request: AdminRequest) -> Result<HttpResponse, Problem> {
        let limit = request.parameters.one::<usize>("limit", "a whole number")?;
        request.parameters.end()?;
        let limit = limit.unwrap_or(DEFAULT_HISTORY).min(MAX_HISTORY);
        ok(&History {
            history: self.deployer.history(limit).await?,
        })
    }

    pub(super) fn migration(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        request.parameters.end()?;
        ok(&Migration {
            migration: self.deployer.migration(),
        })
    }

    pub(super) fn recording(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        request.parameters.end()?;
        ok(&self.deployer.recording())
    }

    pub(super) async fn start_recording(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        request.parameters.end()?;
        let body = upload::read(request.body, MAX_JSON_BYTES).await?;
        let wanted: RecordRequest = serde_json::from_slice(&body)
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("body: {error}")))?;
        let deployer = self.deployer.clone();
        self.run_change(async move {
            let starting = deployer.clone();
            tokio::task::spawn_blocking(move || starting.start_recording(wanted))
                .await
                .map_err(|panic| Problem::internal(panic.to_string()))??;
            ok(&deployer.recording())
        })
        .await
    }

    pub(super) async fn stop_recording(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        request.parameters.end()?;
        let deployer = self.deployer.clone();
        self.run_change(async move { ok(&deployer.stop_recording().await?) })
            .await
    }

    pub(super) async fn check(&self, mut request: AdminRequest) -> Result<HttpResponse, Problem> {
        let layout = Layout::take(&mut request.parameters, true)?.single()?;
        request.parameters.end()?;
        let deployer = self.deployer.clone();
        self.run_upload(request.body, |body| async move {
            let (sources, recording) = layout.cut(body)?;
            ok(&deployer.check(only(sources)?, recording).await)
        })
        .await
    }

    pub(super) async fn swap(&self, mut request: AdminRequest) -> Result<HttpResponse, Problem> {
        let layout = Layout::take(&mut request.parameters, false)?;
        let options = request.parameters.swap_options(BY)?;
        request.parameters.end()?;
        let deployer = self.deployer.clone();
        self.run_upload(request.body, |body| async move {
            let (sources, _) = layout.cut(body)?;
            ok(&deployer.swap(sources, options).await?)
        })
        .await
    }

    pub(super) async fn shadow(&self, mut request: AdminRequest) -> Result<HttpResponse, Problem> {
        let layout = Layout::take(&mut request.parameters, false)?.single()?;
        let percent = request.parameters.percent("percent")?.unwrap_or(100.0);
        request.parameters.end()?;
        let deployer = self.deployer.clone();
        self.run_upload(request.body, |body| async move {
            let (sources, _) = layout.cut(body)?;
            ok(&deployer.shadow(only(sources)?, percent).await?)
        })
        .await
    }

    pub(super) async fn canary(&self, mut request: AdminRequest) -> Result<HttpResponse, Problem> {
        let parameters = &mut request.parameters;
        let layout = Layout::take(parameters, false)?.single()?;
        let options = CanaryOptions {
            percent: parameters.percent("percent")?.unwrap_or(5.0),
            methods: parameters.all("method"),
            thresholds: parameters.thresholds()?,
            force: parameters.flag("force")?,
        };
        request.parameters.end()?;
        let deployer = self.deployer.clone();
        self.run_upload(request.body, |body| async move {
            let (sources, _) = layout.cut(body)?;
            ok(&deployer.canary(only(sources)?, options).await?)
        })
        .await
    }

    pub(super) async fn canary_percent(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        let mut parameters = request.with_json_body().await?;
        let name = parameters.name()?;
        let percent = parameters
            .percent("percent")?
            .ok_or_else(|| Problem::parameter("percent", "a number above 0, at most 100"))?;
        parameters.end()?;
        let deployer = self.deployer.clone();
        self.run_change(async move { ok(&deployer.set_canary_percent(&name, percent).await?) })
            .await
    }

    pub(super) async fn promote(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        let mut parameters = request.with_json_body().await?;
        let (name, options) = (parameters.name()?, parameters.swap_options(BY)?);
        parameters.end()?;
        let deployer = self.deployer.clone();
        self.run_change(async move { ok(&deployer.promote(&name, options).await?) })
            .await
    }

    pub(super) async fn abort(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        let mut parameters = request.with_json_body().await?;
        let name = parameters.name()?;
        parameters.end()?;
        let deployer = self.deployer.clone();
        self.run_change(async move {
            deployer.abort(&name).await?;
            ok(&Done {})
        })
        .await
    }

    pub(super) async fn rollback(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        let mut parameters = request.with_json_body().await?;
        let to = parameters.one::<u64>("to", "the number of a generation")?;
        parameters.end()?;
        let deployer = self.deployer.clone();
        self.run_change(async move { ok(&deployer.rollback(to, BY).await?) })
            .await
    }

    pub(super) async fn unload(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        let mut parameters = request.with_json_body().await?;
        let (name, force) = (parameters.name()?, parameters.flag("force")?);
        parameters.end()?;
        let deployer = self.deployer.clone();
        self.run_change(async move {
            ok(&match force {
                true => deployer.unload_forced(&name, BY).await?,
                false => deployer.unload(&name, BY).await?,
            })
        })
        .await
    }

    pub(super) async fn console_link(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        request.with_json_body().await?.end()?;
        let Some(console) = &self.console else {
            let message = "the console is turned off; start the server without --no-console";
            return Err(Problem::new(StatusCode::NOT_FOUND, message));
        };
        let link = console
            .link()
            .map_err(|problem| Problem::new(problem.status(), problem.to_string()))?;
        ok(&link)
    }
}

impl AdminRequest {
    /// The parameters of the query and of the JSON body together.
    pub(super) async fn with_json_body(mut self) -> Result<Parameters, Problem> {
        let body = upload::read(self.body, MAX_JSON_BYTES).await?;
        self.parameters.add_json(&body)?;
        Ok(self.parameters)
    }
}

/// The module of a layout that is known to have exactly one.
fn only(mut sources: Vec<Source>) -> Result<Source, Problem> {
    sources.pop().ok_or_else(|| Problem::parameter("name", "one module"))
}

pub(super) fn ok<T: Serialize>(value: &T) -> Result<HttpResponse, Problem> {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(json_response(StatusCode::OK, body)),
        Err(error) => {
            tracing::error!(%error, "a response could not be written as JSON");
            Err(Problem::internal(
                "the response could not be written as JSON; see the server's log",
            ))
        }
    }
}
