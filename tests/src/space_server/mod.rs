//! An HTTP server on loopback that serves the space in a directory, with faults if a test wants
//! them.
//!
//! It knows as much of WebDAV as a host needs to read a space: GET and HEAD with one range, and
//! PROPFIND. Everything else is refused. It writes its answers byte by byte, so that a test can
//! choose exactly what goes wrong, and when.

mod answer;
mod fault;
mod request;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub use self::fault::{Character, Fault, Faults};
use self::request::Request;

/// A running server. Dropping it ends it and hangs up.
#[derive(Debug)]
pub struct SpaceServer {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Served {
    directory: PathBuf,
    faults: Option<Faults>,
}

impl SpaceServer {
    /// Serves a directory without faults.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(directory: &Path) -> SpaceServer {
        SpaceServer::run(directory, None).await
    }

    /// Serves a directory. Blobs have faults; lists have none.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn faulty(directory: &Path, faults: Faults) -> SpaceServer {
        SpaceServer::run(directory, Some(faults)).await
    }

    async fn run(directory: &Path, faults: Option<Faults>) -> SpaceServer {
        let served = Arc::new(Served {
            directory: directory.to_owned(),
            faults,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let accepting = tokio::spawn(async move {
            // Connections end with the server.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&served)));
                while connections.try_join_next().is_some() {}
            }
        });
        SpaceServer { address, accepting }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the space.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for SpaceServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Whether a connection goes on after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// The next request may come.
    Next,
    /// The connection ends, as TCP's end of a stream.
    HangUp,
    /// The connection is reset.
    Reset,
}

/// Answers the requests of one connection, one after another.
async fn serve(mut stream: TcpStream, served: Arc<Served>) {
    let _ = stream.set_nodelay(true);
    let mut received = Vec::new();
    loop {
        // A client that hangs up is no failure of the test.
        let Ok(Some(request)) = Request::read(&mut stream, &mut received).await else {
            return;
        };
        match answer::answer(&mut stream, &request, &served).await {
            Ok(After::Next) => {}
            Ok(After::HangUp) => {
                let _ = stream.shutdown().await;
                return;
            }
            Ok(After::Reset) => {
                let _ = stream.set_zero_linger();
                return;
            }
            Err(_) => return,
        }
    }
}
