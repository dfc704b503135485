//! HTTP/1.1: connections accepted, limited and drained; each request through the gate and on to the API or the feed.

mod bare;
mod connection;
mod feed;
mod gate;
mod stall;

pub use gate::{Gate, Refused};

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use stowage_logic::Logic;
use stowage_transfer::Feed;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Admin;
use bare::Bare;
use stall::Stall;

/// How connections are treated.
#[derive(Clone, Debug)]
pub struct Config {
    /// Connections at once; further ones wait in the listener's queue.
    pub connections: usize,
    /// How long a client may take to send a request's head, the wait between two requests included.
    pub head_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long a client may take no byte of an answer.
    pub write_timeout: Duration,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// How long calls in flight have when the server stops.
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

/// What every connection needs.
struct Shared {
    logic: Logic,
    feed: Feed,
    admin: Admin,
    gate: Gate,
    config: Config,
    /// Cancelled when the server stops: websockets close.
    stop: CancellationToken,
    sockets: TaskTracker,
    /// Cancelled when the time to drain is over.
    cut: CancellationToken,
}

/// How long after the stop a connection on which nothing is answered is kept.
const IDLE_AFTER_STOP: Duration = Duration::from_secs(2);

/// Serves until `stop` is cancelled; then accepts nothing more, lets requests in flight end, and closes the websockets.
pub async fn run(
    listener: TcpListener,
    logic: Logic,
    feed: Feed,
    admin: Admin,
    gate: Gate,
    config: Config,
    stop: CancellationToken,
) {
    let shared = Arc::new(Shared {
        logic,
        feed,
        admin,
        gate,
        config,
        stop: stop.clone(),
        sockets: TaskTracker::new(),
        cut: CancellationToken::new(),
    });
    let permits = Arc::new(Semaphore::new(shared.config.connections));
    let connections = TaskTracker::new();
    let mut http = Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(shared.config.head_timeout)
        .max_buf_size(64 << 10)
        .max_headers(64);
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let permit = Arc::clone(&permits).acquire_owned().await.ok();
            (listener.accept().await, permit)
        };
        let (stream, permit) = tokio::select! {
            () = stop.cancelled() => break,
            (accepted, permit) = accepted => match accepted {
                Ok((stream, _)) => (stream, permit),
                Err(error) => {
                    // Out of file descriptors, mostly: connections that end give some back.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::task::yield_now().await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "small answers may be held back");
        }
        let stream = Stall::new(stream, shared.config.write_timeout);
        connections.spawn(serve(http.clone(), stream, permit, Arc::clone(&shared)));
    }
    drop(listener);
    connections.close();
    shared.sockets.close();
    let drained = async {
        connections.wait().await;
        shared.sockets.wait().await;
        shared.admin.drained().await;
    };
    if tokio::time::timeout(shared.config.drain, drained).await.is_err() {
        tracing::warn!("connections that did not end in time are cut off");
        shared.cut.cancel();
        connections.wait().await;
        shared.sockets.wait().await;
    }
}

/// One of the [`Config::connections`] permits. The connection holds it, and the websocket that the
/// connection may become.
type ConnectionPermit = Arc<Option<OwnedSemaphorePermit>>;

/// Serves one connection to its end.
async fn serve(http: Builder, stream: Stall, permit: Option<OwnedSemaphorePermit>, shared: Arc<Shared>) {
    let permit: ConnectionPermit = Arc::new(permit);
    let answering = Arc::new(AtomicUsize::new(0));
    let service = {
        let (shared, answering) = (Arc::clone(&shared), Arc::clone(&answering));
        service_fn(move |request| {
            let (shared, permit) = (Arc::clone(&shared), Arc::clone(&permit));
            let answering = Answering::begin(&answering);
            async move {
                // Made in here: a future that is taken along would have its room twice.
                let answer = connection::respond(shared, request, permit).await;
                drop(answering);
                answer
            }
        })
    };
    let mut connection = pin!(
        http.serve_connection(TokioIo::new(Bare::new(stream)), service)
            .with_upgrades()
    );
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
                    // Half a head is no request in flight; an answer has this long to be taken.
                    () = tokio::time::sleep(IDLE_AFTER_STOP) => {
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

/// Counts a request while it is answered.
struct Answering(Arc<AtomicUsize>);

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
