//! HTTP/1.1: connections accepted, limited and drained; each request through the gate and on to the API or the feed.

mod connection;
mod feed;
mod gate;

pub use gate::{Gate, Refused};

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::logic::Logic;

/// How connections are treated.
#[derive(Clone, Debug)]
pub struct Config {
    /// Connections at once; further ones wait in the listener's queue.
    pub connections: usize,
    /// How long a client may take to send a request's head, the wait between two requests included.
    pub head_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
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
            body_bytes: 1 << 20,
            drain: Duration::from_secs(20),
        }
    }
}

/// What every connection needs.
struct Shared {
    logic: Logic,
    gate: Gate,
    config: Config,
    /// Cancelled when the server stops: websockets close.
    stop: CancellationToken,
    sockets: TaskTracker,
}

/// Serves until `stop` is cancelled; then accepts nothing more, lets requests in flight end, and closes the websockets.
pub async fn run(listener: TcpListener, logic: Logic, gate: Gate, config: Config, stop: CancellationToken) {
    let shared = Arc::new(Shared {
        logic,
        gate,
        config,
        stop: stop.clone(),
        sockets: TaskTracker::new(),
    });
    let permits = Arc::new(Semaphore::new(shared.config.connections));
    let connections = TaskTracker::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(shared.config.head_timeout)
        .max_buf_size(64 << 10)
        .max_headers(64)
        .pipeline_flush(true);
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
        let shared = Arc::clone(&shared);
        let service = hyper::service::service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { connection::answer(&shared, request).await }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let stop = stop.clone();
        connections.spawn(async move {
            let _permit = permit;
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                biased;
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    connections.close();
    shared.sockets.close();
    let drained = async {
        connections.wait().await;
        shared.sockets.wait().await;
    };
    if tokio::time::timeout(shared.config.drain, drained).await.is_err() {
        tracing::warn!("connections that did not end in time were cut off");
    }
}
