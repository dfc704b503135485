//! HTTP from outside: well-formed calls, and any bytes.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::wait::within;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The envelope.
    ///
    /// # Panics
    /// When the body is no envelope.
    pub fn envelope(&self) -> Value {
        let envelope: Value = serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(&self.body)));
        let mut fields: Vec<_> = envelope.as_object().expect("an object").keys().collect();
        fields.sort();
        assert_eq!(fields, ["code", "data", "message"], "{envelope}");
        envelope
    }

    /// The envelope's code.
    pub fn code(&self) -> i64 {
        self.envelope()["code"].as_i64().expect("a code is a whole number")
    }
}

/// A well-formed request to the API.
pub fn post(address: SocketAddr, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    request(Method::POST, address, path)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body.into()))
        .expect("a path")
}

/// The start of a request to this server.
pub fn request(method: Method, address: SocketAddr, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, address.to_string())
}

/// Sends a request on a connection of its own.
///
/// # Errors
/// When the server hangs up or does not speak HTTP.
pub async fn try_send(address: SocketAddr, request: Request<Full<Bytes>>) -> anyhow::Result<Reply> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    exchange(stream, request).await
}

/// Sends a request on a connection that is open, and closes it.
///
/// # Errors
/// When the server hangs up or does not speak HTTP.
pub async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> anyhow::Result<Reply>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // The connection ends with the sender, which ends with the exchange.
    let exchange = async move {
        let response = sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        anyhow::Ok(Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    };
    let (reply, _) = tokio::join!(exchange, connection);
    reply
}

/// Sends a request on a connection of its own.
///
/// # Panics
/// When there is no answer in time.
pub async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Reply {
    let what = format!("{} {}", request.method(), request.uri());
    within(&what, try_send(address, request))
        .await
        .unwrap_or_else(|error| panic!("{what}: {error:#}"))
}

/// Sends bytes and returns everything that comes back until the server hangs up.
///
/// # Panics
/// When the server does not hang up in time. Send `Connection: close` if it would keep the
/// connection.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    within("an answer to raw bytes", async {
        let mut stream = TcpStream::connect(address).await.expect("the server listens");
        // A server that refuses a head may hang up before it has read the body.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
}

/// The HTTP status of an answer to [`raw`] bytes, or 0 if there is no answer.
pub fn raw_status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

/// Sends bytes and returns the HTTP status of the first answer, or 0 if the server hangs up without
/// one. The connection is closed then, also if the server would keep it.
///
/// # Panics
/// When the server neither answers nor hangs up in time.
pub async fn first_status(address: SocketAddr, bytes: &[u8]) -> u16 {
    within("the first line of an answer", async {
        let mut stream = TcpStream::connect(address).await.expect("the server listens");
        // A server that refuses a head may hang up before it has read the body.
        let _ = stream.write_all(bytes).await;
        let mut line = [0; 12];
        match stream.read_exact(&mut line).await {
            Ok(_) => raw_status(&String::from_utf8_lossy(&line)),
            Err(_) => 0,
        }
    })
    .await
}
