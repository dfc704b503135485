//! An S3 server on loopback, in this process.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use hyper::service::service_fn;
use hyper::{Method, Request, body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use object_store::aws::AmazonS3Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use stowage_cloud::Space;
use tokio::net::TcpListener;
use tokio::sync::RwLock;

/// The numbers of the parts that were put, in order.
type Parts = Arc<std::sync::Mutex<Vec<u32>>>;

pub const KEY: &str = "AKIDSTOWAGE";
pub const SECRET: &str = "stowage-secret";
pub const BUCKET: &str = "bucket";

/// A server with one bucket, gone when it is dropped.
pub struct S3 {
    pub endpoint: String,
    parts: Parts,
    server: tokio::task::JoinHandle<()>,
    root: tempfile::TempDir,
}

impl S3 {
    pub async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = Arc::new(builder.build());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        // This server checks a put's condition first and writes afterwards, without a lock. Real
        // ones do both at once.
        let gate = Arc::new(RwLock::new(()));
        let parts = Parts::default();
        let put_parts = Arc::clone(&parts);
        let server = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let (service, gate) = (Arc::clone(&service), Arc::clone(&gate));
                let parts = Arc::clone(&put_parts);
                tokio::spawn(async move {
                    let answer = service_fn(move |request: Request<Incoming>| {
                        let (service, gate) = (Arc::clone(&service), Arc::clone(&gate));
                        parts.lock().unwrap().extend(part_number(&request));
                        async move {
                            let reads = matches!(*request.method(), Method::GET | Method::HEAD);
                            let _shared;
                            let _alone;
                            if reads {
                                _shared = gate.read().await;
                            } else {
                                _alone = gate.write().await;
                            }
                            let answer = hyper::service::Service::call(service.as_ref(), request).await;
                            Ok::<_, Infallible>(answer.unwrap())
                        }
                    });
                    let mut http = http1::Builder::new();
                    http.timer(TokioTimer::new());
                    // A client that goes away is no concern of the test.
                    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        Self {
            endpoint,
            parts,
            server,
            root,
        }
    }

    /// Opens the space `prefix` in the bucket as one more host would.
    pub async fn space(&self, prefix: &str) -> Space {
        let store = AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name(BUCKET)
            .with_access_key_id(KEY)
            .with_secret_access_key(SECRET)
            .build()
            .unwrap();
        let store = object_store::prefix::PrefixStore::new(store, prefix);
        Space::open_multipart_store(Arc::new(store), super::CREATE)
            .await
            .unwrap()
    }

    /// The numbers of the parts that were put since the last call, from 1.
    pub fn take_parts(&self) -> Vec<u32> {
        std::mem::take(&mut *self.parts.lock().unwrap())
    }

    /// Moves the times of segments off whole seconds. A listing of this server has no ETags, and a
    /// segment whose time is a whole second is fetched again for a while.
    pub fn leave_whole_seconds(&self, prefix: &str) {
        let lists = self.root.path().join(BUCKET).join(prefix).join("lists");
        for folder in std::fs::read_dir(lists).unwrap() {
            for segment in std::fs::read_dir(folder.unwrap().path()).unwrap() {
                let segment = std::fs::File::open(segment.unwrap().path()).unwrap();
                let time = segment.metadata().unwrap().modified().unwrap();
                if time.duration_since(UNIX_EPOCH).unwrap().subsec_millis() == 0 {
                    segment.set_modified(time + Duration::from_millis(1)).unwrap();
                }
            }
        }
    }
}

fn part_number(request: &Request<Incoming>) -> Option<u32> {
    let query = request.uri().query()?;
    let number = query.split('&').find_map(|pair| pair.strip_prefix("partNumber="))?;
    (*request.method() == Method::PUT).then(|| number.parse().unwrap())
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.server.abort();
    }
}
