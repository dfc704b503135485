//! The websocket of the progress feed. The server sends frames and accepts only control frames.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL};
use http::{Request, StatusCode};
use hyper_tungstenite::tungstenite::protocol::frame::Frame;
use hyper_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use hyper_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use hyper_tungstenite::tungstenite::{Error, Message};
use hyper_tungstenite::{HyperWebsocket, HyperWebsocketStream};
use stowage_transfer::{Connection, Fragment};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::{Body, ConnectionPermit, Shared, gate};
use crate::response::{HttpResponse, refusal};

/// The longest time between two pings of the server.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A client that has sent nothing for this many pings, no answer either, is gone.
const MISSED_PINGS: u32 = 3;
/// When a client may try again that found no place among the websockets.
const NO_SEAT_PAUSE: u64 = 5;
/// If a client does not take a part of a frame in this time, the connection ends.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// Most bytes of a frame of the websocket. A longer text is sent as several frames.
const MAX_FRAME_BYTES: usize = 8 << 10;
/// Most keys of one connection.
const MAX_KEYS: usize = 64;

/// Clients may send little. At most one of our frames waits in the write buffer, behind the rest of
/// what is smaller than `write_buffer_size`. So the buffer stays small, however many tasks a text
/// has. The buffer is never given back, so it counts for idle connections too.
pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(8 << 10)
        .max_write_buffer_size(64 << 10)
        .max_message_size(Some(64 << 10))
        .max_frame_size(Some(16 << 10))
}

pub(super) fn upgrade(shared: &Shared, mut request: Request<Body>, permit: ConnectionPermit) -> HttpResponse {
    if !hyper_tungstenite::is_upgrade_request(&request) {
        return refusal(StatusCode::UPGRADE_REQUIRED, "expected a websocket handshake");
    }
    let keys = keys(request.uri().query().unwrap_or_default());
    if keys.len() > MAX_KEYS {
        return refusal(StatusCode::BAD_REQUEST, "key: expected at most 64 on one connection");
    }
    let Ok(seat) = Arc::clone(&shared.socket_seats).try_acquire_owned() else {
        let message = "there are too many websockets; try again later, or raise --max-connections";
        let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, message);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(NO_SEAT_PAUSE));
        return response;
    };
    let protocol = gate::protocol(request.headers()).and_then(|p| HeaderValue::from_str(p).ok());
    match hyper_tungstenite::upgrade(&mut request, Some(config())) {
        Ok((mut response, socket)) => {
            let keys = (!keys.is_empty()).then_some(keys);
            let feed = shared.feed.clone();
            let frames = feed.connect(keys);
            let stop = shared.stop.clone();
            let cut = shared.cut.clone();
            let subscriber = shared.traffic.subscribers.enter();
            let ping_interval = PING_INTERVAL.min(shared.config.head_timeout);
            shared.sockets.spawn(async move {
                let (_permit, _seat, _subscriber) = (permit, seat, subscriber);
                tokio::select! {
                    () = feed.metered(serve(socket, frames, ping_interval, stop)) => {}
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
pub(super) fn keys(query: &str) -> Vec<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "key")
        .map(|(_, value)| value.into_owned())
        .collect()
}

async fn serve(socket: HyperWebsocket, mut frames: Connection, ping_interval: Duration, stop: CancellationToken) {
    let mut socket = match socket.await {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(%error, "a websocket handshake failed");
            return;
        }
    };
    let mut ping = interval_at(Instant::now() + ping_interval, ping_interval);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pings_missed = 0;
    loop {
        let is_sent = tokio::select! {
            () = stop.cancelled() => break,
            fragment = frames.next_fragment() => match fragment {
                Some(fragment) => in_time(send_fragment(&mut socket, fragment)).await,
                None => break,
            },
            _ = ping.tick() => {
                if pings_missed == MISSED_PINGS {
                    tracing::debug!("a websocket client has answered no ping");
                    return;
                }
                pings_missed += 1;
                in_time(socket.send(Message::Ping(Bytes::new()))).await
            }
            received = socket.next() => match received {
                Some(Ok(Message::Close(_))) => {
                    // The protocol has queued the reply, which is still to be written.
                    let _ = timeout(SEND_TIMEOUT, socket.close(None)).await;
                    return;
                }
                Some(Err(Error::Capacity(_))) => {
                    let too_large = CloseFrame {
                        code: CloseCode::Size,
                        reason: "expected frames of at most 16 KiB and messages of at most 64 KiB".into(),
                    };
                    in_time(socket.send(Message::Close(Some(too_large)))).await;
                    return;
                }
                // The protocol answers pings; other messages have no meaning.
                Some(Err(_)) | None => return,
                Some(Ok(_)) => {
                    pings_missed = 0;
                    continue;
                }
            },
        };
        if !is_sent {
            return;
        }
    }
    let goodbye = CloseFrame {
        code: CloseCode::Away,
        reason: "the server stops".into(),
    };
    in_time(socket.send(Message::Close(Some(goodbye)))).await;
}

/// Sends a part of a text. Meanwhile the feed keeps only the latest state for a slow client.
async fn send_fragment(socket: &mut HyperWebsocketStream, fragment: Fragment) -> Result<(), Error> {
    for frame in websocket_frames(fragment) {
        socket.feed(Message::Frame(frame)).await?;
    }
    socket.flush().await
}

/// The frames of a part of a text.
fn websocket_frames(fragment: Fragment) -> impl Iterator<Item = Frame> {
    let Fragment {
        mut text,
        is_first,
        is_last,
    } = fragment;
    let mut kind = if is_first { Data::Text } else { Data::Continue };
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let payload = text.split_to(text.len().min(MAX_FRAME_BYTES));
        let is_end = is_last && text.is_empty();
        let opcode = OpCode::Data(std::mem::replace(&mut kind, Data::Continue));
        Some(Frame::message(payload, opcode, is_end))
    })
}

/// Whether a client took what was sent before the time was over.
async fn in_time(sent: impl Future<Output = Result<(), Error>>) -> bool {
    match timeout(SEND_TIMEOUT, sent).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a websocket ended");
            false
        }
        Err(_) => {
            tracing::debug!("a websocket client took nothing for {} s", SEND_TIMEOUT.as_secs());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_several_frames_of_one_message() {
        let frames: Vec<_> = [(true, MAX_FRAME_BYTES + 1), (false, MAX_FRAME_BYTES), (false, 1)]
            .into_iter()
            .enumerate()
            .flat_map(|(index, (is_first, len))| {
                websocket_frames(Fragment {
                    text: vec![b'x'; len].into(),
                    is_first,
                    is_last: index == 2,
                })
            })
            .map(|frame| (frame.header().opcode, frame.header().is_final, frame.payload().len()))
            .collect();
        let (text, more) = (OpCode::Data(Data::Text), OpCode::Data(Data::Continue));
        assert_eq!(
            frames,
            [
                (text, false, MAX_FRAME_BYTES),
                (more, false, 1),
                (more, false, MAX_FRAME_BYTES),
                (more, true, 1)
            ]
        );
    }

    #[test]
    fn keys_repeat_and_are_decoded() {
        assert_eq!(keys("key=a&x=1&key=%E6%88%91"), ["a", "我"]);
        assert!(keys("").is_empty());
    }
}
