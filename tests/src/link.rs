//! A link between a client and a server: each connection has a delay and a rate.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// The most pieces that are under way on one connection, in one direction.
const PIECES: usize = 256;
/// How late a timer may be.
const LATE: Duration = Duration::from_millis(5);

/// How a link behaves.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The time from a byte of the client to the first byte of its answer, at least.
    pub round_trip: Duration,
    /// Bytes a second that one connection carries in each direction.
    pub bytes_per_second: u64,
}

/// A TCP proxy on loopback with this shape. Dropping it ends it.
///
/// A connection carries its first byte one round trip after it was opened, as TCP's handshake
/// takes. Slow start and losses are not modelled.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Link {
    /// A link to a server.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn to(server: SocketAddr, shape: Shape) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, shape));
            }
        });
        Link { address, accepting }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(client: TcpStream, server: SocketAddr, shape: Shape) {
    let opened = Instant::now() + shape.round_trip;
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    // A client or server that hangs up ends its direction; the other one follows.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    sleep_until(opened).await;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        direction(from_client, to_server, shape),
        direction(from_server, to_client, shape)
    );
}

/// Carries bytes one way until a side hangs up.
async fn direction(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shape: Shape) {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Bytes)>(PIECES);
    // A piece takes some milliseconds, so that timers are exact enough, and few are needed.
    let piece_bytes = usize::try_from(shape.bytes_per_second / 200).unwrap_or(usize::MAX);
    let piece_bytes = piece_bytes.clamp(4 << 10, 128 << 10);
    let receiving = async move {
        let mut free_at = Instant::now();
        loop {
            let mut piece = BytesMut::with_capacity(piece_bytes);
            match from.read_buf(&mut piece).await {
                Ok(len_bytes) if len_bytes > 0 => {
                    let took = Duration::from_secs_f64(len_bytes as f64 / shape.bytes_per_second as f64);
                    // A timer may be late. What was lost by that is made up.
                    free_at = free_at.max(Instant::now() - LATE) + took;
                    sleep_until(free_at).await;
                    if sender
                        .send((free_at + shape.round_trip / 2, piece.freeze()))
                        .await
                        .is_err()
                    {
                        break;
                    }
                }
                _ => break,
            }
        }
    };
    let delivering = async move {
        while let Some((at, piece)) = under_way.recv().await {
            sleep_until(at).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        // The other side has hung up already, or reads to the end.
        let _ = to.shutdown().await;
    };
    tokio::join!(receiving, delivering);
}
