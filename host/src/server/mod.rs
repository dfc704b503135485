//! HTTP/1.1: accepts, limits and drains connections. Each request passes the gate and goes on to
//! the API, the admin API, files or the feed.

mod connection;
mod descriptions;
mod feed;
pub(crate) mod files;
mod gate;
mod hyper_refusal;

pub(crate) use gate::Gate;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::Either;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use stowage_logic::Logic;
use stowage_transfer::Feed;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Admin;
use crate::console::Console;
use crate::traffic::{Entered, Traffic};
use descriptions::Descriptions;
use files::Files;
use hyper_refusal::EnvelopedRefusals;

/// The limits of connections.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Most connections; further ones wait in the listener's queue.
    pub connections: usize,
    /// Time limit for a request's head. It includes the wait between two requests.
    pub head_timeout: Duration,
    /// Time limit for a request's body.
    pub body_timeout: Duration,
    /// How long a client may take no byte of a response.
    pub write_timeout: Duration,
    /// Most bytes of a request's body.
    pub body_bytes: usize,
    /// How long requests in flight may take when the server stops.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            connections: 1024,
            head_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            body_bytes: 1 << 20,
            drain: Duration::from_secs(20),
        }
    }
}

/// What answers requests.
pub(crate) struct Routes {
    pub logic: Logic,
    pub feed: Feed,
    pub files: Files,
    pub admin: Admin,
    /// None if it is turned off.
    pub console: Option<Console>,
    pub traffic: Arc<Traffic>,
}

/// What all connections share.
struct Shared {
    descriptions: Descriptions,
    logic: Logic,
    feed: Feed,
    files: Files,
    admin: Admin,
    console: Option<Console>,
    traffic: Arc<Traffic>,
    gate: Gate,
    config: Config,
    /// Cancelled when the server stops: websockets close.
    stop: CancellationToken,
    sockets: TaskTracker,
    /// Cancelled when the drain time is over: connections are cut off.
    cut: CancellationToken,
}

/// How long a connection without a request in flight is kept after the stop.
const IDLE_AFTER_STOP: Duration = Duration::from_secs(2);
/// The pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Most bytes of a request's head.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;

/// One of the [`Config::connections`] permits. The connection holds it, and the websocket that the
/// connection may become.
type ConnectionPermit = Arc<(Option<OwnedSemaphorePermit>, Entered)>;

/// Serves until `stop` is cancelled. Then it accepts no more connections, lets requests in flight
/// end, and closes the websockets.
pub(crate) async fn run(listener: TcpListener, routes: Routes, gate: Gate, config: Config, stop: CancellationToken) {
    let Routes {
        logic,
        feed,
        files,
        admin,
        console,
        traffic,
    } = routes;
    let shared = Arc::new(Shared {
        descriptions: Descriptions::new(logic.clone()),
        logic,
        feed,
        files,
        admin,
        console,
        traffic,
        gate,
        config,
        stop,
        sockets: TaskTracker::new(),
        cut: CancellationToken::new(),
    });
    let connections = TaskTracker::new();
    shared.sockets.spawn(shared.files.clone().remove_expired());
    accept(&listener, &shared, &connections).await;
    drop(listener);
    connections.close();
    shared.sockets.close();
    let drained = async {
        connections.wait().await;
        shared.sockets.wait().await;
        shared.files.drained().await;
        shared.admin.drained().await;
    };
    if timeout(shared.config.drain, drained).await.is_err() {
        tracing::warn!("the drain time is over: the remaining connections are cut off");
        shared.cut.cancel();
        connections.wait().await;
        shared.sockets.wait().await;
        // Their clients are gone, so that only what was received is still to be kept.
        shared.files.drained().await;
    }
}

/// Accepts connections until the stop. A task of `connections` serves each.
async fn accept(listener: &TcpListener, shared: &Arc<Shared>, connections: &TaskTracker) {
    let permits = Arc::new(Semaphore::new(shared.config.connections));
    let mut http = Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(shared.config.head_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let permit = Arc::clone(&permits).acquire_owned().await.ok();
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = accepted => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Mostly the limit of open files: connections that end free some.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY is not set: small responses may be delayed");
        }
        let stream = with_write_timeout(stream, shared.config.write_timeout);
        connections.spawn(serve(http.clone(), stream, permit, Arc::clone(shared)));
    }
}

/// A TCP stream whose writes fail when the peer takes no byte for `limit`.
type WriteTimeout = Pin<Box<TimeoutStream<TcpStream>>>;

fn with_write_timeout(stream: TcpStream, limit: Duration) -> WriteTimeout {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limit));
    Box::pin(stream)
}

/// Serves one connection until it ends.
async fn serve(http: Builder, stream: WriteTimeout, permit: Option<OwnedSemaphorePermit>, shared: Arc<Shared>) {
    let permit: ConnectionPermit = Arc::new((permit, shared.traffic.connections.enter()));
    let answering = Arc::new(AtomicUsize::new(0));
    let sends_files = Arc::new(AtomicBool::new(false));
    let stream = EnvelopedRefusals::new(stream, Arc::clone(&sends_files));
    let service = {
        let (shared, answering) = (Arc::clone(&shared), Arc::clone(&answering));
        service_fn(move |request| {
            let (shared, permit, sends_files) = (Arc::clone(&shared), Arc::clone(&permit), Arc::clone(&sends_files));
            let answering = Answering::begin(&answering);
            async move {
                // Boxed: the future is large, and hyper moves the future of each request.
                let answer = Box::pin(connection::respond(shared, request, permit)).await;
                answer.map(|response| {
                    response.map(|body| match body {
                        Either::Left(body) => Either::Left(body),
                        Either::Right(file) => {
                            sends_files.store(true, Ordering::Relaxed);
                            Either::Right(file.answering(answering))
                        }
                    })
                })
            }
        })
    };
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = shared.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            loop {
                tokio::select! {
                    biased;
                    ended = connection.as_mut() => break ended,
                    () = shared.cut.cancelled() => break Ok(()),
                    // A partial head is no request in flight. A client has this long to take a
                    // response.
                    () = sleep(IDLE_AFTER_STOP) => {
                        if answering.load(Ordering::Relaxed) == 0 {
                            break Ok(());
                        }
                    }
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Counts a request while it is being answered.
pub(crate) struct Answering(Arc<AtomicUsize>);

impl Answering {
    fn begin(count: &Arc<AtomicUsize>) -> Answering {
        count.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(count))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn a_peer_that_takes_no_bytes_times_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = with_write_timeout(stream, Duration::from_millis(50));
        let chunk = vec![0; 1 << 20];
        let error = loop {
            if let Err(error) = stream.write_all(&chunk).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(peer);
    }
}
