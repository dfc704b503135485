//! An S3 server on loopback that keeps its objects in a directory.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http::{Method, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::S3Result;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

use crate::host::Launch;

/// The bucket that exists from the start.
pub const BUCKET: &str = "stowage";

const KEY: &str = "test-key";
const SECRET: &str = "test-secret";

/// A running S3 server. Dropping it ends it.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl S3Server {
    /// Serves a directory, which is created, with an empty [`BUCKET`].
    ///
    /// # Panics
    /// When the directory cannot be written.
    pub async fn start(root: &Path) -> S3Server {
        std::fs::create_dir_all(root.join(BUCKET)).expect("a writable directory");
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root).expect("a directory"));
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        builder.set_access(ReadByAnyone);
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        // This server checks the condition of a put and writes in two steps. Real ones do both in
        // one, so writes run one at a time here.
        let turn = Arc::new(RwLock::new(()));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (service, turn) = (service.clone(), Arc::clone(&turn));
                let answer = service_fn(move |request: Request<Incoming>| {
                    let (service, turn) = (service.clone(), Arc::clone(&turn));
                    async move {
                        if matches!(*request.method(), Method::GET | Method::HEAD) {
                            let _shared = turn.read().await;
                            service.call(request.map(s3s::Body::from)).await
                        } else {
                            let _alone = turn.write().await;
                            service.call(request.map(s3s::Body::from)).await
                        }
                    }
                });
                tokio::spawn(async move {
                    // A client that hangs up is no failure of the test.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await;
                });
            }
        });
        S3Server { address, accepting }
    }

    /// Where it listens. Anyone may read an object at `/BUCKET/NAME`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The launch of a server on a space in the bucket.
    #[must_use]
    pub fn launch(&self, launch: Launch, prefix: &str) -> Launch {
        launch_at(self.address, launch, prefix)
    }

    /// Serves until it is dropped.
    pub async fn served(mut self) {
        // The task ends only by the drop.
        let _ = (&mut self.accepting).await;
    }
}

/// [`S3Server::launch`] for a server of another process.
#[must_use]
pub fn launch_at(server: SocketAddr, launch: Launch, prefix: &str) -> Launch {
    settings(server)
        .iter()
        .fold(launch.space(space_url(prefix)), |launch, (name, value)| {
            launch.env(name, value)
        })
}

/// The URL of a space in the bucket.
pub fn space_url(prefix: &str) -> String {
    format!("s3://{BUCKET}/{prefix}")
}

/// The environment of a program that reads and writes the bucket.
pub fn settings(server: SocketAddr) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT", format!("http://{server}")),
        ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
    ]
}

/// Reading needs no signature, so that any client of HTTP can do it.
struct ReadByAnyone;

#[async_trait::async_trait]
impl S3Access for ReadByAnyone {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let reads = matches!(*context.method(), Method::GET | Method::HEAD);
        if reads || context.credentials().is_some() {
            return Ok(());
        }
        Err(s3s::s3_error!(AccessDenied, "a signature is required"))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
