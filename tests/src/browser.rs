//! A browser that opens a page of the test's own: headless Chromium, and the server of the page.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::program::Process;
use crate::tools::needed;
use crate::wait::{PATIENCE, within_time};

/// How long a page may take: a browser starts slowly on a busy machine.
const PAGE_PATIENCE: std::time::Duration = std::time::Duration::from_secs(PATIENCE.as_secs() * 4);

/// A server on loopback with one page and its scripts. The page posts its result to `/result`.
#[derive(Debug)]
pub struct PageServer {
    address: SocketAddr,
    results: mpsc::Receiver<Value>,
    serving: JoinHandle<()>,
}

impl PageServer {
    /// Serves a page at `/` and a script at `/script.js`.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(page: String, script: Vec<u8>) -> PageServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let (sender, results) = mpsc::channel(1);
        let contents = Arc::new((Bytes::from(page), Bytes::from(script)));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (contents, sender) = (Arc::clone(&contents), sender.clone());
                let service = service_fn(move |request| answer(request, Arc::clone(&contents), sender.clone()));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        PageServer {
            address,
            results,
            serving,
        }
    }

    /// The origin of the page.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Opens the page in a browser and returns what it posts. `None` if there is no browser; see
    /// [`needed`].
    ///
    /// # Panics
    /// When the page posts nothing in time.
    pub async fn open(&mut self, query: &str, skipped: &str) -> Option<Value> {
        let program = needed("chromium", skipped)?;
        let profile = TempDir::new().expect("a temporary directory");
        let mut command = Command::new(program);
        command
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args(["--no-first-run", "--no-proxy-server", "--disable-background-networking"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("{}/?{query}", self.origin()));
        let browser = Process::spawn("chromium", command);
        let result = within_time(PAGE_PATIENCE, "the result of the page", self.results.recv()).await;
        drop(browser);
        Some(result.expect("the server of the page runs"))
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    contents: Arc<(Bytes, Bytes)>,
    results: mpsc::Sender<Value>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (content_type, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => ("text/html; charset=utf-8", contents.0.clone()),
        (&Method::GET, "/script.js") => ("text/javascript", contents.1.clone()),
        (&Method::POST, "/result") => {
            if let Ok(body) = request.into_body().collect().await {
                let result = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
                // An error means that the test has ended.
                let _ = results.send(result).await;
            }
            ("text/plain", Bytes::new())
        }
        _ => ("text/plain", Bytes::new()),
    };
    let mut response = Response::new(Full::new(body));
    let value = http::HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, value);
    Ok(response)
}
