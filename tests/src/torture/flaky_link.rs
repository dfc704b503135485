//! A TCP proxy that cuts and stalls connections which carry large transfers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::random::Random;

/// A connection that has carried less than this is left alone: lists and small rows go through.
const SPARED_BYTES: u64 = 768 << 10;
/// The longest stall.
const LONGEST_STALL_MS: u64 = 800;

/// A proxy on loopback. Dropping it ends it.
#[derive(Debug)]
pub struct FlakyLink {
    address: SocketAddr,
    accepting: JoinHandle<()>,
    cuts: Arc<AtomicU64>,
}

impl FlakyLink {
    /// A link to a server, with choices by a seed.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn to(server: SocketAddr, seed: u64) -> FlakyLink {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let cuts = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&cuts);
        let accepting = tokio::spawn(async move {
            let mut random = Random::seeded(seed);
            while let Ok((client, _)) = listener.accept().await {
                // A third of the connections fail, if they carry enough.
                let fails = random.below(3) == 0;
                let cut = fails.then(|| SPARED_BYTES + random.below(4 << 20));
                let stall = Duration::from_millis(random.below(LONGEST_STALL_MS));
                tokio::spawn(carry(client, server, cut, stall, Arc::clone(&counted)));
            }
        });
        FlakyLink {
            address,
            accepting,
            cuts,
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that were cut.
    pub fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for FlakyLink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(client: TcpStream, server: SocketAddr, cut: Option<u64>, stall: Duration, cuts: Arc<AtomicU64>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let _ = client.set_zero_linger();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (carried, is_cut) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
    let one = direction(from_client, to_server, Arc::clone(&carried), cut, Arc::clone(&is_cut));
    let other = direction(from_server, to_client, carried, cut, Arc::clone(&is_cut));
    tokio::select! {
        _ = async { tokio::join!(one, other) } => {}
        () = is_cut.notified() => {
            cuts.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(stall).await;
        }
    }
}

/// Carries bytes one way until a side hangs up, or both ways together have carried enough.
async fn direction(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    carried: Arc<AtomicU64>,
    cut: Option<u64>,
    is_cut: Arc<Notify>,
) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(len) = from.read(&mut piece).await {
        if len == 0 || to.write_all(&piece[..len]).await.is_err() {
            break;
        }
        let sum = carried.fetch_add(len as u64, Ordering::Relaxed) + len as u64;
        if cut.is_some_and(|cut| sum > cut) {
            is_cut.notify_one();
            return;
        }
    }
    let _ = to.shutdown().await;
}
