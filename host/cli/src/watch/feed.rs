//! The websocket: subscribes topics and reads their frames.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use thiserror::Error;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};

use super::direction::Direction;
use super::row::Row;
use crate::address::ServerStream;
use crate::client::{CONNECT_TIMEOUT, Client};
use crate::reply::{ClientError, refusal_hint};

/// The server pings every 20 s. After three missing pings the connection counts as dead.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(65);

/// The most bytes of a frame: a snapshot of some hundred thousand rows.
const MAX_FRAME_BYTES: usize = 128 << 20;

/// The transfers that one key follows.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) direction: Direction,
    /// 0 to 4.
    pub(super) platform: u8,
    pub(super) key: String,
}

/// Why the feed ended.
#[derive(Debug, Error)]
pub(super) enum FeedError {
    /// The server could not be called.
    #[error(transparent)]
    Client(ClientError),
    /// The subscription was answered with an error code.
    #[error("the server answered code {code}: {message}")]
    Answered {
        /// The code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// The websocket broke.
    #[error("the connection was lost ({0})")]
    Socket(Box<WebSocketError>),
    /// The server closed the websocket.
    #[error("the server closed the connection")]
    Closed,
    /// No ping came in time.
    #[error("the server fell silent")]
    Silent,
    /// A frame is malformed.
    #[error("the server sent something that is no frame of the feed")]
    Malformed(#[source] serde_json::Error),
    /// Frames of a key are missing.
    #[error("frames were lost")]
    Gap,
    /// The output cannot be written.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
}

/// The rows of one frame.
pub(super) struct Frame {
    /// Whether it is the first frame of its key, which has all matching rows.
    pub(super) is_snapshot: bool,
    pub(super) rows: Vec<Row>,
}

#[derive(Deserialize)]
struct WireFrame {
    key: String,
    code: i64,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    data: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    seq: Option<u64>,
}

/// One connection that delivers the frames of all topics.
pub(super) struct Feed {
    socket: WebSocketStream<ServerStream>,
    order: Order,
}

impl Feed {
    /// Subscribes every topic, then connects. The server keeps a key for a minute without a
    /// connection, and starts each connection with a snapshot, so nothing is missed in between.
    pub(super) async fn open(client: &Client, topics: &[Topic]) -> Result<Self, FeedError> {
        for topic in topics {
            subscribe(client, topic).await?;
        }
        let keys: Vec<String> = topics.iter().map(|topic| format!("key={}", topic.key)).collect();
        let address = client.websocket_address(&format!("/ws?{}", keys.join("&")));
        let mut request = address.into_client_request().map_err(socket_error)?;
        if let Some(bearer) = client.bearer() {
            request.headers_mut().insert(AUTHORIZATION, bearer.clone());
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES))
            // We send only pongs.
            .max_write_buffer_size(256 << 10);
        let stream = client.connect().await?;
        let handshake = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        let (socket, _) = timeout(CONNECT_TIMEOUT, handshake)
            .await
            .map_err(|_| FeedError::Silent)?
            .map_err(|error| match error {
                WebSocketError::Http(response) => refused(client, &response),
                error => socket_error(error),
            })?;
        Ok(Self {
            socket,
            order: Order::default(),
        })
    }

    /// The next frame of any topic.
    pub(super) async fn next(&mut self) -> Result<Frame, FeedError> {
        loop {
            let message = timeout(SILENCE_TIMEOUT, self.socket.next())
                .await
                .map_err(|_| FeedError::Silent)?
                .ok_or(FeedError::Closed)?
                .map_err(socket_error)?;
            match message {
                Message::Text(text) => return self.order.accept(&text),
                Message::Close(_) => return Err(FeedError::Closed),
                // The library answers pings.
                Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {}
            }
        }
    }
}

async fn subscribe(client: &Client, topic: &Topic) -> Result<(), FeedError> {
    const METHOD: &str = "getAllDownloadOrUploadFileProgress";
    let body = json!({
        "__SERVER_ROUTE_MODULE": "storageApi",
        "__SERVER_ROUTE_METHOD": METHOD,
        "type": topic.direction.wire(),
        "platform": topic.platform,
        "status": null,
        "key": topic.key,
    });
    let envelope = client.post(&format!("/{METHOD}"), &body).await?.accepted()?;
    if envelope.is_success() {
        return Ok(());
    }
    Err(FeedError::Answered {
        code: envelope.code,
        message: envelope.message.unwrap_or_default(),
    })
}

fn socket_error(error: WebSocketError) -> FeedError {
    FeedError::Socket(Box::new(error))
}

fn refused(client: &Client, response: &http::Response<Option<Vec<u8>>>) -> FeedError {
    let status = response.status().as_u16();
    FeedError::Client(ClientError::Refused {
        address: client.address(),
        status,
        message: "no websocket".to_owned(),
        hint: refusal_hint(status),
    })
}

/// The number of the last frame of each key.
#[derive(Default)]
struct Order {
    last: HashMap<String, u64>,
}

impl Order {
    fn accept(&mut self, text: &str) -> Result<Frame, FeedError> {
        let frame: WireFrame = serde_json::from_str(text).map_err(FeedError::Malformed)?;
        let last = self.last.get(&frame.key).copied();
        // 1 is a new subscription, with a snapshot.
        let seq = match (frame.seq, last) {
            (Some(1), _) | (None, _) => 1,
            (Some(seq), Some(last)) if last.checked_add(1) == Some(seq) => seq,
            (Some(_), _) => return Err(FeedError::Gap),
        };
        let is_snapshot = last.is_none() || frame.seq == Some(1);
        self.last.insert(frame.key, seq);
        if frame.code != 200 {
            return Err(FeedError::Answered {
                code: frame.code,
                message: frame.message.unwrap_or_default(),
            });
        }
        Ok(Frame {
            is_snapshot,
            rows: frame.data.unwrap_or_default().iter().map(|row| Row::new(row)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Trust;
    use futures_util::SinkExt;
    use serde_json::Value;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_hdr_async;
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

    fn frame(key: &str, seq: u64) -> String {
        json!({"key": key, "code": 200, "message": null, "data": [{"taskId": "t"}], "seq": seq}).to_string()
    }

    #[test]
    fn the_first_frame_of_each_key_is_its_snapshot() {
        let mut order = Order::default();
        assert!(order.accept(&frame("a", 1)).expect("a frame").is_snapshot);
        assert!(!order.accept(&frame("a", 2)).expect("a frame").is_snapshot);
        assert!(order.accept(&frame("b", 1)).expect("a frame").is_snapshot);
        assert!(order.accept(&frame("a", 1)).expect("a frame").is_snapshot);
    }

    #[test]
    fn a_frame_that_is_missing_is_noticed() {
        let mut order = Order::default();
        order.accept(&frame("a", 1)).expect("a frame");
        assert!(matches!(order.accept(&frame("a", 3)), Err(FeedError::Gap)));
        assert!(matches!(order.accept(&frame("b", 2)), Err(FeedError::Gap)));
    }

    #[test]
    fn error_frames_and_nonsense_are_errors() {
        let mut order = Order::default();
        let refused = r#"{"key":"a","code":500,"message":"no","data":null,"seq":1}"#;
        assert!(matches!(
            order.accept(refused),
            Err(FeedError::Answered { code: 500, .. })
        ));
        assert!(matches!(order.accept("[]"), Err(FeedError::Malformed(_))));
    }

    /// Answers every subscription, sends `frames` on the websocket after them, and closes it.
    /// Returns the subscribed keys, then the request target of the websocket.
    async fn serve(listener: TcpListener, frames: Vec<String>) -> (Vec<String>, String) {
        let mut keys = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.expect("the client connects");
            let mut start = [0; 4];
            while stream.peek(&mut start).await.expect("readable") < start.len() {}
            if &start == b"GET " {
                let mut target = String::new();
                #[expect(clippy::result_large_err, reason = "the signature is the library's")]
                let note = |request: &Request, response: Response| {
                    target = request.uri().to_string();
                    Ok(response)
                };
                let mut socket = accept_hdr_async(stream, note).await.expect("a websocket");
                for frame in frames {
                    socket.send(Message::text(frame)).await.expect("sent");
                }
                socket.close(None).await.expect("closed");
                return (keys, target);
            }
            let mut request = Vec::new();
            let body = loop {
                stream.read_buf(&mut request).await.expect("readable");
                let text = String::from_utf8_lossy(&request).into_owned();
                if let Some((_, body)) = text.split_once("\r\n\r\n")
                    && let Ok(body) = serde_json::from_str::<Value>(body)
                {
                    break body;
                }
            };
            keys.push(body["key"].as_str().expect("a key").to_owned());
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 39\r\n\r\n{\"code\":200,\"message\":null,\"data\":null}";
            stream.write_all(answer).await.expect("writable");
        }
    }

    #[tokio::test]
    async fn topics_are_subscribed_and_their_frames_delivered_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let frames = vec![frame("a", 1), frame("b", 1), frame("a", 2)];
        let served = tokio::spawn(serve(listener, frames));
        let client = Client::new(&address, String::new(), None, &Trust::System).expect("a good address");
        let topic = |key: &str| Topic {
            direction: Direction::Download,
            platform: 3,
            key: key.to_owned(),
        };
        let mut feed = Feed::open(&client, &[topic("a"), topic("b")]).await.expect("connected");
        let mut snapshots = Vec::new();
        for _ in 0..3 {
            snapshots.push(feed.next().await.expect("a frame").is_snapshot);
        }
        assert_eq!(snapshots, [true, true, false]);
        assert!(matches!(feed.next().await, Err(FeedError::Closed)));
        let (keys, target) = served.await.expect("served");
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(target, "/ws?key=a&key=b");
    }
}
