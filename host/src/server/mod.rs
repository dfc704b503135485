//! HTTP/1.1: accepts, limits and drains connections. Each request passes the gate and goes on to
//! the API, the admin API, files or the feed.

mod body;
mod connection;
mod descriptions;
mod feed;
pub(crate) mod files;
pub(crate) mod fuzz;
mod gate;
mod guesses;
mod hyper_refusal;
mod listener;
mod seat;
mod stream;
mod tls;

pub(crate) use body::Body;
pub(crate) use gate::Gate;
pub(crate) use listener::Listener;
pub(crate) use seat::Answering;
pub(crate) use tls::{Pair, Tls, TlsFiles};

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use stowage_logic::Logic;
use stowage_transfer::Feed;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Admin;
use crate::console::Console;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::traffic::{Entered, Traffic};
use descriptions::Descriptions;
use files::Files;
use guesses::Caller;
use hyper_refusal::EnvelopedRefusals;
use seat::{Seat, Seats};
use stream::{Socket, Stream, Transport};

/// The limits of connections.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Most connections. A further one takes the place of the one that is idle longest.
    pub connections: usize,
    /// Time limit for a TLS handshake and for a request's head. It includes the wait between two
    /// requests.
    pub head_timeout: Duration,
    /// Time limit for a request's body. For a file, the time in which a part of it must come.
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
            head_timeout: Duration::from_secs(30),
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
    pub health: Health,
    pub metrics: Metrics,
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
    health: Health,
    metrics: Metrics,
    gate: Gate,
    config: Config,
    /// Cancelled when the server stops: websockets close.
    stop: CancellationToken,
    sockets: TaskTracker,
    /// Websockets may take three of four connections: the rest is for requests, which end.
    socket_seats: Arc<Semaphore>,
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

/// What the requests of one connection share.
struct Connection {
    caller: Caller,
    permit: ConnectionPermit,
}

/// Serves until `stop` is cancelled. Then it accepts no more connections, lets requests in flight
/// end, and closes the websockets.
pub(crate) async fn run(listener: Listener, routes: Routes, gate: Gate, config: Config, stop: CancellationToken) {
    let Routes {
        logic,
        feed,
        files,
        admin,
        console,
        traffic,
        health,
        metrics,
    } = routes;
    let shared = Arc::new(Shared {
        descriptions: Descriptions::new(logic.clone()),
        logic,
        feed,
        files,
        admin,
        console,
        traffic,
        health,
        metrics,
        gate,
        socket_seats: Arc::new(Semaphore::new(config.connections - config.connections / 4)),
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
async fn accept(listener: &Listener, shared: &Arc<Shared>, connections: &TaskTracker) {
    let seats = Seats::new(shared.config.connections);
    let mut http = Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(shared.config.head_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    loop {
        let accepted = async {
            let accepted = listener.accept().await?;
            std::io::Result::Ok((accepted, seats.take().await))
        };
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = accepted => accepted,
        };
        let ((socket, peer), (permit, taken)) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Mostly the limit of open files: connections that end free some.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = Arc::new(Connection {
            caller: Caller::new(peer),
            permit: Arc::new((permit, shared.traffic.connections.enter())),
        });
        let (http, tls, shared) = (http.clone(), listener.tls().cloned(), Arc::clone(shared));
        connections.spawn(async move {
            let taken = taken;
            let seat = Arc::clone(&taken.seat);
            let served = async {
                if let Some(transport) = secured(socket, tls, &shared).await {
                    serve(
                        http,
                        Stream::new(transport, Arc::clone(&seat)),
                        connection,
                        &seat,
                        &shared,
                    )
                    .await;
                }
            };
            tokio::select! {
                biased;
                () = served => {}
                () = seat.lost() => tracing::debug!("an idle connection made room for another"),
            }
        });
    }
}

/// The transport of a connection, after the TLS handshake if TLS is spoken.
async fn secured(socket: Socket, tls: Option<Tls>, shared: &Shared) -> Option<Transport> {
    let stream = stream::limited(socket, shared.config.write_timeout);
    match tls {
        None => Some(Transport::Plain(stream)),
        Some(tls) => {
            let handshake = tls.handshake(stream, shared.config.head_timeout);
            shared.stop.run_until_cancelled(handshake).await.flatten()
        }
    }
}

/// Serves one connection until it ends.
async fn serve(http: Builder, stream: Stream, connection: Arc<Connection>, seat: &Arc<Seat>, shared: &Arc<Shared>) {
    let sends_files = Arc::new(AtomicBool::new(false));
    let stream = EnvelopedRefusals::new(stream, Arc::clone(&sends_files));
    let service = {
        let (shared, seat) = (Arc::clone(shared), Arc::clone(seat));
        service_fn(move |request: Request<Incoming>| {
            let (shared, connection) = (Arc::clone(&shared), Arc::clone(&connection));
            let sends_files = Arc::clone(&sends_files);
            let answering = seat.answering();
            let request = request.map(|body| Body::new(body, Arc::clone(&seat)));
            async move {
                // Boxed: the future is large, and hyper moves the future of each request.
                let answer = Box::pin(connection::respond(shared, request, &connection)).await;
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
                        if !seat.is_answering() {
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
