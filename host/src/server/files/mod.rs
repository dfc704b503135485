//! Bytes over HTTP, for clients that share no disk with the host. `docs/files.md` is the reference.
//!
//! | route | what it does | file |
//! |---|---|---|
//! | `PUT` or `POST /files` | receives a file in one piece | `put.rs`, `form.rs` |
//! | `/files/uploads` and below | receives a file in several pieces, as tus 1.0 says | `tus.rs` |
//! | `GET /files/HASH` | sends a file or a part of it | `get.rs` |
//!
//! The server's gate checks a request before it arrives here. A request that was accepted is
//! handled to its end, also when its client disconnects.

mod cors;
mod disposition;
mod fields;
mod file_body;
mod form;
pub(crate) mod fuzz;
mod get;
mod hook;
mod password;
mod problem;
mod put;
mod range;
mod request_body;
mod route;
#[cfg(test)]
mod tests;
mod tus;
mod tus_headers;

pub(crate) use file_body::{FileBody, PieceError};
pub(crate) use hook::FileHook;
pub(crate) use route::is_files;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{EXPECT, HeaderMap};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{Either, Full};
use stowage_transfer::{Incoming, Transfers};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use problem::Problem;
use request_body::RequestBody;
use route::Route;

/// A response whose body may be a file.
pub(crate) type FileResponse = Response<Either<Full<Bytes>, FileBody>>;

/// Files that are sent at once. Each has a few MiB of memory, and maybe a thread.
const SENT_AT_ONCE: usize = 64;
/// How long a file waits for its turn to be sent.
const TURN_WAIT: Duration = Duration::from_secs(30);
/// How often expired uploads are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(600);

/// Bytes over HTTP. A cheap handle.
#[derive(Clone)]
pub(crate) struct Files(Arc<Inner>);

struct Inner {
    hook: Arc<dyn FileHook>,
    transfers: Transfers,
    incoming: Incoming,
    sending: Arc<Semaphore>,
    /// How long a client may send no byte of a body.
    idle_timeout: Duration,
    /// Requests that are being handled.
    requests: TaskTracker,
    /// Cancelled when the server stops: uploads in several pieces keep what they have.
    stop: CancellationToken,
}

/// A request to a route.
struct FileRequest {
    head: Parts,
    body: RequestBody,
}

impl Files {
    pub(crate) fn new(
        hook: Arc<dyn FileHook>,
        transfers: Transfers,
        incoming: Incoming,
        idle_timeout: Duration,
        stop: CancellationToken,
    ) -> Files {
        Files(Arc::new(Inner {
            hook,
            transfers,
            incoming,
            sending: Arc::new(Semaphore::new(SENT_AT_ONCE)),
            idle_timeout,
            requests: TaskTracker::new(),
            stop,
        }))
    }

    /// Waits until all requests have been handled.
    pub(super) async fn drained(&self) {
        self.0.requests.close();
        self.0.requests.wait().await;
    }

    /// Removes expired uploads until the server stops.
    pub(super) async fn remove_expired(self) {
        let mut times = interval(EXPIRY_INTERVAL);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.0.stop.run_until_cancelled(times.tick()).await.is_some() {
            self.0.incoming.remove_expired().await;
        }
    }

    /// Answers a request that has passed the gate.
    pub(super) async fn respond<B>(&self, request: Request<B>) -> FileResponse
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let mut request = FileRequest {
            head,
            body: RequestBody::new(body, self.0.idle_timeout),
        };
        let expects = request.head.headers.contains_key(EXPECT);
        let (sender, response) = oneshot::channel();
        let files = self.clone();
        // A task of its own ends even when the client disconnects: what was received is kept.
        self.0.requests.spawn(async move {
            let response = files.handle(&mut request).await;
            // An error means that the client has disconnected.
            let _ = sender.send(response);
            // A client that waits for `100 Continue` sends nothing after another response.
            if !expects {
                request.body.discard().await;
            }
        });
        response.await.unwrap_or_else(|_| {
            let problem = Problem::coded(500, "failed; the log tells why".to_owned());
            problem.into_response().map(Either::Left)
        })
    }

    async fn handle(&self, request: &mut FileRequest) -> FileResponse {
        let route = Route::of(request.head.uri.path());
        let method = route::method(&request.head, &route);
        let mut response = match self.dispatch(&route, &method, request).await {
            Ok(response) => response,
            Err(problem) => problem.into_response().map(Either::Left),
        };
        if route.is_tus() {
            tus::add_version(response.headers_mut());
        }
        cors::expose(response.headers_mut());
        response
    }

    async fn dispatch(
        &self,
        route: &Route,
        method: &Method,
        request: &mut FileRequest,
    ) -> Result<FileResponse, Problem> {
        let small = |response: Response<Full<Bytes>>| response.map(Either::Left);
        match (route, method) {
            (Route::Unknown, _) => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "no such route; docs/files.md lists all of them",
            )),
            (_, &Method::OPTIONS) => Ok(small(cors::preflight())),
            (Route::Files, &Method::PUT | &Method::POST) => self.put(request).await.map(small),
            (Route::Files, _) => Err(Problem::method("PUT, POST")),
            (Route::Uploads, &Method::POST) => self.create_upload(request).await.map(small),
            (Route::Uploads, _) => Err(Problem::method("POST, OPTIONS")),
            (Route::Upload(id), &Method::HEAD) => self.upload_head(id, &request.head).await.map(small),
            (Route::Upload(id), &Method::PATCH) => self.append_upload(id, request).await.map(small),
            (Route::Upload(id), &Method::DELETE) => self.delete_upload(id, &request.head).await.map(small),
            (Route::Upload(_), _) => Err(Problem::method("HEAD, PATCH, DELETE")),
            (Route::File(hash), &Method::GET | &Method::HEAD) => self.get(hash, method, &request.head).await,
            (Route::File(_), _) => Err(Problem::method("GET, HEAD")),
        }
    }
}

/// The value of a header that comes exactly once. `None` if it is absent.
fn only<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) if values.next().is_none() => Ok(Some(text.trim())),
        _ => Err(Problem::parameter(format!("{name}: expected one value in ASCII"))),
    }
}
