//! The routes of the database: backups, checks, and rows as text.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use http_body_util::Either;
use serde_json::json;
use stowage_backup::check::{Depth, check};
use stowage_backup::{Error as DatabaseError, dump, in_background, tables};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::handlers::ok;
use super::problem::Problem;
use super::{Admin, AdminRequest};
use crate::backups::{StartError, chain};
use crate::response::HttpResponse;
use crate::server::files::{FileBody, FileResponse, PieceError};

/// Blocks of text that wait for the client.
const WAITING: usize = 2;
/// How long a request waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(30);
/// A check sends an empty line this often, so that the client sees that it goes on.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// A part of a body, or why it ends early.
type Piece = Result<Bytes, PieceError>;

impl Admin {
    pub(super) fn backup_status(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        request.parameters.end()?;
        ok(&self.backups.status())
    }

    pub(super) async fn start_backup(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        let mut parameters = request.with_json_body().await?;
        let to = parameters
            .one::<String>("to", "the URL of a place for backups")?
            .ok_or_else(|| Problem::parameter("to", "the URL of a place for backups"))?;
        let keep = parameters.one::<usize>("keep", "a whole number, at least 1")?;
        parameters.end()?;
        if keep == Some(0) {
            return Err(Problem::parameter("keep", "a whole number, at least 1"));
        }
        if !to.contains("://") {
            return Err(Problem::parameter(
                "to",
                "a URL: file:///FOLDER, s3://…, gs://… or az://…",
            ));
        }
        let backups = self.backups.clone();
        // It makes the folder.
        let started = tokio::task::spawn_blocking(move || backups.start(&to, keep)).await;
        match started.map_err(|panic| Problem::internal(panic.to_string()))? {
            Ok(number) => ok(&json!({ "number": number })),
            Err(error @ StartError::Busy { .. }) => Err(Problem::new(StatusCode::CONFLICT, error.to_string())),
            Err(error @ StartError::Stopping) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
            Err(StartError::Place(error)) => {
                Err(Problem::new(StatusCode::BAD_REQUEST, format!("to: {}", chain(&error))))
            }
        }
    }

    pub(super) fn cancel_backup(&self, request: AdminRequest) -> Result<HttpResponse, Problem> {
        request.parameters.end()?;
        match self.backups.cancel() {
            true => ok(&self.backups.status()),
            false => Err(Problem::new(StatusCode::CONFLICT, "no backup is being made")),
        }
    }

    /// The report of a check as the last line of the body. Lines before it are empty.
    pub(super) async fn check_database(&self, mut request: AdminRequest) -> Result<FileResponse, Problem> {
        let deep = request.parameters.flag("deep")?;
        request.parameters.end()?;
        let depth = if deep { Depth::Deep } else { Depth::Quick };
        let (sender, pieces) = mpsc::channel(WAITING);
        let (store, data) = (self.store.clone(), self.data.clone());
        let work = move || {
            let line = match check(&store, &data, depth) {
                Ok(report) => serde_json::to_string(&report).map_err(|error| error.to_string()),
                Err(error) => Err(chain(&error)),
            };
            let line = line.unwrap_or_else(|error| json!({"error": {"message": error}}).to_string());
            // The client may be gone.
            let _ = sender.blocking_send(Ok(Bytes::from(line + "\n")));
        };
        self.streamed("database-check", work, pieces).await
    }

    /// All rows as text.
    pub(super) async fn dump_database(&self, mut request: AdminRequest) -> Result<FileResponse, Problem> {
        let table = request.parameters.one::<String>("table", "the name of a table")?;
        request.parameters.end()?;
        let (sender, pieces) = mpsc::channel(WAITING);
        let rows = self.store.checkpoint().await;
        let rows =
            rows.map_err(|error| Problem::internal(format!("the database cannot be read: {}", chain(&error))))?;
        let looking = tokio::task::spawn_blocking(move || (tables(&rows, table.as_deref()).map(drop), rows, table));
        let (found, rows, table) = looking.await.map_err(|panic| Problem::internal(panic.to_string()))?;
        found.map_err(|error| match error {
            DatabaseError::NoSuchTable { .. } => Problem::new(StatusCode::NOT_FOUND, error.to_string()),
            error => Problem::internal(format!("the database cannot be read: {}", chain(&error))),
        })?;
        let work = move || {
            let dumped = dump(&rows, table.as_deref(), |block| {
                sender.blocking_send(Ok(Bytes::from(block))).is_ok()
            });
            if let Err(error) = dumped {
                tracing::warn!(error = %chain(&error), "the rows could not be written as text");
                // The body ends early, so that the client does not take it for whole.
                let _ = sender.blocking_send(Err(error.into()));
            }
        };
        self.streamed("database-dump", work, pieces).await
    }

    /// A response whose body a thread makes.
    async fn streamed(
        &self,
        thread: &str,
        work: impl FnOnce() + Send + 'static,
        mut pieces: mpsc::Receiver<Piece>,
    ) -> Result<FileResponse, Problem> {
        let turn = timeout(TURN_WAIT, self.streams.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "other checks or dumps are running; try again in a moment",
            ));
        };
        in_background(thread, work).map_err(|error| Problem::internal(format!("no thread can be started: {error}")))?;
        let stop = self.stop.clone();
        let body: BoxStream<'static, Piece> = stream::poll_fn(move |cx| pieces.poll_recv(cx)).boxed();
        let alive = stream::unfold((body, stop), |(mut body, stop)| async move {
            let piece = tokio::select! {
                piece = timeout(SIGN_OF_LIFE, body.next()) => piece,
                () = stop.cancelled() => Ok(Some(Err("the server is stopping".into()))),
            };
            match piece {
                Ok(Some(piece)) => Some((piece, (body, stop))),
                Ok(None) => None,
                Err(_) => Some((Ok(Bytes::from_static(b"\n")), (body, stop))),
            }
        });
        let mut response = Response::new(Either::Right(FileBody::of_pieces(alive.boxed(), turn)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}
