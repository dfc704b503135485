//! An S3 server on loopback that keeps its objects in a directory.

use std::io::{self, SeekFrom};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use http::{Method, Request, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::S3Result;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::net::TcpListener;
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

use crate::host::Launch;

/// The bucket that exists from the start.
pub const BUCKET: &str = "stowage";

/// Bytes of an object that are read at once.
const PIECE_BYTES: usize = 256 << 10;

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
        let root: Arc<Path> = root.into();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (service, turn, root) = (service.clone(), Arc::clone(&turn), Arc::clone(&root));
                let answer = service_fn(move |request: Request<Incoming>| {
                    let (service, turn, root) = (service.clone(), Arc::clone(&turn), Arc::clone(&root));
                    async move {
                        if matches!(*request.method(), Method::GET | Method::HEAD) {
                            let _shared = turn.read().await;
                            let file = root.join(request.uri().path().trim_start_matches('/'));
                            let response = service.call(request.map(s3s::Body::from)).await?;
                            Ok(in_large_pieces(response, &file).await)
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

/// Sends the body of an object in large pieces. The server would read 4 KiB at a time, and be the
/// slowest part of every measurement.
async fn in_large_pieces(response: Response<s3s::Body>, file: &Path) -> Response<s3s::Body> {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let length = header("content-length").and_then(|length| length.parse::<u64>().ok());
    let start = match response.status() {
        StatusCode::OK => Some(0),
        StatusCode::PARTIAL_CONTENT => header("content-range")
            .and_then(|range| range.strip_prefix("bytes ")?.split('-').next())
            .and_then(|start| start.parse().ok()),
        _ => None,
    };
    let (Some(start), Some(length)) = (start, length) else {
        return response;
    };
    let (Ok(mut source), true) = (File::open(file).await, file.is_file()) else {
        return response;
    };
    source.set_max_buf_size(PIECE_BYTES);
    if source.seek(SeekFrom::Start(start)).await.is_err() {
        return response;
    }
    let pieces = futures_util::stream::try_unfold((source, length), |(mut source, left)| async move {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES.min(usize::try_from(left).unwrap_or(usize::MAX)));
        if left == 0 || source.read_buf(&mut piece).await? == 0 {
            return Ok::<_, io::Error>(None);
        }
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - piece.len() as u64;
        Ok(Some((Frame::data(piece.freeze()), (source, left))))
    });
    response.map(|_| s3s::Body::http_body_unsync(StreamBody::new(pieces)))
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
