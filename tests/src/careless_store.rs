//! A store on loopback that takes every put: it ignores the conditions of S3. Its clock is wrong,
//! if a test wants that.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The objects by their path.
type Objects = Arc<Mutex<HashMap<String, Bytes>>>;

/// A running store. Dropping it ends it.
#[derive(Debug)]
pub struct CarelessStore {
    address: SocketAddr,
    objects: Objects,
    accepting: JoinHandle<()>,
}

impl CarelessStore {
    /// A store whose clock is behind by this much. Its bucket `b` holds an empty space.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(behind: Duration) -> CarelessStore {
        let space = Bytes::from_static(b"{\"format\": 1, \"totalBytes\": 1073741824}");
        let objects: Objects = Arc::new(Mutex::new(HashMap::from([("/b/space.json".to_owned(), space)])));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let served = Arc::clone(&objects);
        let accepting = tokio::spawn(async move {
            // Connections end with the store.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let served = Arc::clone(&served);
                let answer = service_fn(move |request| answer(request, Arc::clone(&served), behind));
                connections.spawn(async move {
                    // A client that hangs up is no failure of the test.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await;
                });
            }
        });
        CarelessStore {
            address,
            objects,
            accepting,
        }
    }

    /// The variables that lead a host to it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT", format!("http://{}", self.address)),
            ("AWS_ACCESS_KEY_ID", "any".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "any".to_owned()),
        ]
    }

    /// The names of all objects, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.objects.lock().keys().cloned().collect();
        names.sort();
        names
    }
}

impl Drop for CarelessStore {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Answers as S3 does, without a look at `If-Match` and `If-None-Match`.
async fn answer(
    request: Request<Incoming>,
    objects: Objects,
    behind: Duration,
) -> hyper::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path().to_owned();
    let time = httpdate::fmt_http_date(SystemTime::now() - behind);
    let plain = |status: StatusCode, body: Bytes| {
        Response::builder()
            .status(status)
            .header("last-modified", &time)
            .header("etag", "\"one-for-all\"")
            .body(Full::new(body))
            .expect("constant headers")
    };
    Ok(match head.method {
        Method::PUT => {
            objects.lock().insert(path, body);
            plain(StatusCode::OK, Bytes::new())
        }
        Method::GET | Method::HEAD => match objects.lock().get(&path) {
            Some(object) => plain(StatusCode::OK, object.clone()),
            None => plain(StatusCode::NOT_FOUND, Bytes::new()),
        },
        Method::DELETE => {
            objects.lock().remove(&path);
            plain(StatusCode::NO_CONTENT, Bytes::new())
        }
        // Several objects are removed by one request, whose body names them.
        Method::POST if head.uri.query().is_some_and(|query| query.starts_with("delete")) => {
            let text = String::from_utf8_lossy(&body).into_owned();
            let mut answer = String::from("<DeleteResult>");
            for key in text
                .split("<Key>")
                .skip(1)
                .filter_map(|rest| rest.split("</Key>").next())
            {
                objects.lock().remove(&format!("/b/{key}"));
                answer.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
            }
            plain(StatusCode::OK, Bytes::from(answer + "</DeleteResult>"))
        }
        _ => plain(StatusCode::NOT_IMPLEMENTED, Bytes::new()),
    })
}
