//! The websocket of the progress feed. The server sends frames and accepts only control frames.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper_tungstenite::tungstenite::Message;
use hyper_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use hyper_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use hyper_tungstenite::{HyperWebsocket, HyperWebsocketStream};
use stowage_transfer::Connection;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::{ConnectionPermit, Shared, gate};
use crate::response::{HttpResponse, refusal};

/// How often the server sends a ping.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// If a client does not take a frame in this time, the connection ends.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// Most keys of one connection.
const MAX_KEYS: usize = 64;

/// Clients may send little. A frame to a client may be a snapshot of every task; at most one frame
/// is in the buffer.
fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(8 << 10)
        .max_write_buffer_size(64 << 20)
        .max_message_size(Some(64 << 10))
        .max_frame_size(Some(16 << 10))
}

pub(super) fn upgrade(shared: &Shared, mut request: Request<Incoming>, permit: ConnectionPermit) -> HttpResponse {
    if !hyper_tungstenite::is_upgrade_request(&request) {
        return refusal(StatusCode::UPGRADE_REQUIRED, "expected a websocket handshake");
    }
    let keys = keys(request.uri().query().unwrap_or_default());
    if keys.len() > MAX_KEYS {
        return refusal(StatusCode::BAD_REQUEST, "key: expected at most 64 on one connection");
    }
    let protocol = gate::protocol(request.headers()).and_then(|p| HeaderValue::from_str(p).ok());
    match hyper_tungstenite::upgrade(&mut request, Some(config())) {
        Ok((mut response, socket)) => {
            let keys = (!keys.is_empty()).then_some(keys);
            let frames = shared.feed.connect(keys);
            let stop = shared.stop.clone();
            let cut = shared.cut.clone();
            shared.sockets.spawn(async move {
                let _permit = permit;
                tokio::select! {
                    () = serve(socket, frames, stop) => {}
                    () = cut.cancelled() => {}
                }
            });
            if let Some(protocol) = protocol {
                response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
            }
            response
        }
        Err(error) => refusal(StatusCode::BAD_REQUEST, &format!("websocket handshake: {error}")),
    }
}

/// The values of `key` in a query.
fn keys(query: &str) -> Vec<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "key")
        .map(|(_, value)| value.into_owned())
        .collect()
}

async fn serve(socket: HyperWebsocket, mut frames: Connection, stop: CancellationToken) {
    let mut socket = match socket.await {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(%error, "a websocket handshake failed");
            return;
        }
    };
    let mut ping = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => break,
            frame = frames.next_frame() => match frame {
                Some(text) => Message::Text(text.into()),
                None => break,
            },
            _ = ping.tick() => Message::Ping(Bytes::new()),
            received = socket.next() => match received {
                Some(Ok(Message::Close(_))) => {
                    // The protocol has queued the reply, which is still to be written.
                    let _ = timeout(SEND_TIMEOUT, socket.close(None)).await;
                    return;
                }
                // The protocol answers pings; other messages have no meaning.
                Some(Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        if !send(&mut socket, message).await {
            return;
        }
    }
    let goodbye = CloseFrame {
        code: CloseCode::Away,
        reason: "the server stops".into(),
    };
    send(&mut socket, Message::Close(Some(goodbye))).await;
}

/// Sends one message. Meanwhile the feed keeps only the latest state for a slow client.
async fn send(socket: &mut HyperWebsocketStream, message: Message) -> bool {
    match timeout(SEND_TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a websocket ended");
            false
        }
        Err(_) => {
            tracing::debug!("a websocket client took no frame for {} s", SEND_TIMEOUT.as_secs());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_repeat_and_are_decoded() {
        assert_eq!(keys("key=a&x=1&key=%E6%88%91"), ["a", "我"]);
        assert!(keys("").is_empty());
    }
}
