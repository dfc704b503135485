//! A websocket that reads the progress feed.

use std::net::SocketAddr;

use futures_util::StreamExt as _;
use http::Request;
use http::header::HOST;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::host::TestHost;
use crate::wait::within;

/// A subscriber.
#[derive(Debug)]
pub struct Feed {
    socket: WebSocketStream<TcpStream>,
}

/// A well-formed handshake for these keys of the feed, or for all keys.
///
/// # Panics
/// When a key does not fit into a query.
pub fn handshake(address: SocketAddr, keys: &[&str]) -> http::request::Builder {
    let query: Vec<_> = keys.iter().map(|key| format!("key={key}")).collect();
    Request::builder()
        .uri(format!("ws://{address}/ws?{}", query.join("&")))
        .header(HOST, address.to_string())
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", generate_key())
}

impl Feed {
    /// Reads the feed of these keys, or of all keys.
    ///
    /// # Panics
    /// When the server refuses the handshake.
    pub async fn connect(host: &TestHost, keys: &[&str]) -> Feed {
        let request = handshake(host.address(), keys).body(()).expect("a handshake");
        Feed::open(host.address(), request)
            .await
            .unwrap_or_else(|error| panic!("the websocket: {error}"))
    }

    /// Opens a websocket with any handshake.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn open(address: SocketAddr, request: Request<()>) -> Result<Feed, Error> {
        let stream = TcpStream::connect(address).await?;
        let (socket, _) = within("the handshake", client_async(request, stream)).await?;
        Ok(Feed { socket })
    }

    /// The HTTP status of a handshake: 101 when it succeeds.
    ///
    /// # Panics
    /// When the server hangs up instead of answering.
    pub async fn status(address: SocketAddr, request: Request<()>) -> u16 {
        match Feed::open(address, request).await {
            Ok(_) => 101,
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("the handshake: {error}"),
        }
    }

    /// Subscribes a key and reads its frames. The parameters are those of [`subscribe`].
    pub async fn follow(host: &TestHost, key: &str, direction: u8, platform: u8, status: Option<i32>) -> Feed {
        subscribe(host, key, direction, platform, status).await;
        Feed::connect(host, &[key]).await
    }

    /// The next frame.
    ///
    /// # Panics
    /// When none comes in time, or it is malformed.
    pub async fn next(&mut self) -> Value {
        match within("a frame", self.next_or_end()).await {
            Some(frame) => frame,
            None => panic!("the server closed the feed"),
        }
    }

    /// The next frame, or `None` if the server closed the feed.
    ///
    /// # Panics
    /// When a frame is malformed.
    pub async fn next_or_end(&mut self) -> Option<Value> {
        loop {
            let text = match self.socket.next().await? {
                Ok(Message::Text(text)) => text,
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => continue,
            };
            let frame: Value = serde_json::from_str(text.as_str()).expect("a frame is JSON");
            assert_eq!(frame["code"], 200, "{frame}");
            assert_eq!(frame["message"], Value::Null, "{frame}");
            assert!(
                frame["data"].is_array() && frame["key"].is_string() && frame["seq"].is_u64(),
                "{frame}"
            );
            return Some(frame);
        }
    }

    /// The next frame as text.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn next_text(&mut self) -> String {
        loop {
            match within("a frame", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return text.as_str().to_owned(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no frame but {other:?}"),
            }
        }
    }

    /// Reads frames until `wanted` gives a value for one.
    pub async fn find<T>(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> Option<T>) -> T {
        within(what, async {
            loop {
                let frame = self.next().await;
                if let Some(found) = wanted(&frame) {
                    return found;
                }
            }
        })
        .await
    }

    /// Reads frames until the row of a file has this status, and returns the row.
    pub async fn row(&mut self, hash: &str, status: i32) -> Value {
        let mut seen = Vec::new();
        let found = tokio::time::timeout(crate::wait::PATIENCE, async {
            loop {
                let frame = self.next().await;
                for row in rows(&frame) {
                    if row["hash"] == hash {
                        seen.push(row["status"].clone());
                        if row["status"] == status {
                            return row.clone();
                        }
                    }
                }
            }
        })
        .await;
        found.unwrap_or_else(|_| panic!("{hash} did not come to status {status}, only to {seen:?}"))
    }

    /// The socket, for tests that read it themselves.
    pub fn into_socket(self) -> WebSocketStream<TcpStream> {
        self.socket
    }
}

/// The rows of a frame.
pub fn rows(frame: &Value) -> &[Value] {
    frame["data"].as_array().map_or(&[], Vec::as_slice)
}

/// Subscribes a key to tasks. `direction` is 0 for uploads and 1 for downloads.
pub async fn subscribe(host: &TestHost, key: &str, direction: u8, platform: u8, status: Option<i32>) {
    let params = json!({"type": direction, "platform": platform, "status": status, "key": key});
    let data = host.ok("getAllDownloadOrUploadFileProgress", params).await;
    assert_eq!(data, Value::Null);
}
