//! Properties of connections, which fuzzers check: [`crate::fuzz`] has the targets.

use std::convert::Infallible;
use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, LazyLock};

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_tungstenite::tungstenite::Message;
use hyper_tungstenite::tungstenite::protocol::{Role, WebSocket};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

use super::descriptions::Description;
use super::feed;
use super::files::is_files;
use super::gate::Gate;
use super::guesses::Caller;
use super::hyper_refusal::EnvelopedRefusals;
use super::listener::Peer;
use super::{MAX_HEAD_BYTES, MAX_HEADERS};
use crate::admin::is_admin;
use crate::console::is_console;
use crate::listen::Endpoint;
use crate::response::{HttpResponse, json_response, refusal};
use stowage_logic::rpc::Envelope;

/// Most bytes of a body here.
const BODY_BYTES: usize = 4096;
/// What waits in a direction of a connection.
const PIPE_BYTES: usize = 8 << 10;
/// Messages of one input.
const MOST_MESSAGES: usize = 10_000;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime of one thread")
});

/// Runs a future to its end.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// Serves a connection on which these bytes come, and checks what goes back.
pub(crate) fn connection(data: &[u8]) {
    check_responses(&block_on(exchange(data)), data);
}

/// What a connection answers to these bytes.
async fn exchange(data: &[u8]) -> Vec<u8> {
    let (client, server) = tokio::io::duplex(PIPE_BYTES);
    let endpoint = Endpoint::Http(([127, 0, 0, 1], 8787).into());
    let gate = Arc::new(Gate::new(&endpoint, &[], &[], None));
    let caller = Arc::new(Caller::new(Peer::User(0)));
    let service = service_fn(move |request: Request<Incoming>| {
        let (gate, caller) = (Arc::clone(&gate), Arc::clone(&caller));
        async move { Ok::<_, Infallible>(answer(&gate, request, &caller).await) }
    });
    let stream = EnvelopedRefusals::new(server, Arc::default());
    let serve = async {
        let mut http = Builder::new();
        http.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS);
        // An error means that the bytes were not HTTP.
        let _ = http.serve_connection(TokioIo::new(stream), service).await;
    };
    let (mut reader, mut writer) = tokio::io::split(client);
    let write = async {
        // The server may hang up before it has read all.
        let _ = writer.write_all(data).await;
        let _ = writer.shutdown().await;
    };
    let mut answered = Vec::new();
    let _ = tokio::join!(serve, write, reader.read_to_end(&mut answered));
    answered
}

/// What the server does with a request up to the call of a module.
async fn answer(gate: &Gate, request: Request<Incoming>, caller: &Caller) -> HttpResponse {
    let path = request.uri().path().to_owned();
    let checked = match &path {
        path if is_admin(path) => gate.check_admin(&request, caller),
        path if is_console(request.method(), path) => gate.check_console(&request, caller),
        _ => gate.check(&request, caller),
    };
    if let Err(refused) = checked {
        return refusal(refused.status(), &refused.to_string());
    }
    let _ = (
        Description::at(&path),
        is_files(&path),
        feed::keys(request.uri().query().unwrap_or_default()),
    );
    if request.method() == Method::GET && hyper_tungstenite::is_upgrade_request(&request) {
        return refusal(StatusCode::UPGRADE_REQUIRED, "a websocket has its own target");
    }
    match Limited::new(request.into_body(), BODY_BYTES).collect().await {
        Ok(body) => {
            stowage_logic::fuzz::api_request(&[path.as_bytes(), b"\n", &body.to_bytes()].concat());
            json_response(StatusCode::OK, Envelope::success(b"null").into_json())
        }
        Err(_) => refusal(StatusCode::BAD_REQUEST, "body: it is too long, or it does not end"),
    }
}

/// Checks that bytes are responses, each with its envelope.
fn check_responses(mut bytes: &[u8], sent: &[u8]) {
    while !bytes.is_empty() {
        if let Some(rest) = bytes.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n") {
            bytes = rest;
            continue;
        }
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(500)]).into_owned();
        assert!(bytes.starts_with(b"HTTP/1."), "{shown}");
        let end = head_end(bytes).unwrap_or_else(|| panic!("a head without an end: {shown}"));
        let head = std::str::from_utf8(&bytes[..end]).expect("a head is ASCII");
        let status = head.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        let status = status.unwrap_or_else(|| panic!("a status: {shown}"));
        assert!((200..500).contains(&status), "{shown}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let Some(length) = length.and_then(|length| length.parse::<usize>().ok()) else {
            // What follows the answer to CONNECT is not HTTP.
            assert!(sent.windows(7).any(|word| word == b"CONNECT"), "a length: {shown}");
            return;
        };
        assert!(length > 0, "a response without an envelope: {shown}");
        bytes = &bytes[end..];
        // The answer to HEAD has the length of a body, and no body.
        if bytes.is_empty() || bytes.starts_with(b"HTTP/1.") {
            continue;
        }
        let (body, rest) = bytes
            .split_at_checked(length)
            .unwrap_or_else(|| panic!("a body: {shown}"));
        let envelope: Value = serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {shown}"));
        let code = envelope["code"].as_i64().expect("a code is a whole number");
        assert_eq!(code == 200, status == 200, "{shown}");
        assert_eq!(envelope["message"].is_null(), status == 200, "{shown}");
        bytes = rest;
    }
}

/// Where the head of a response ends.
fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// Reads a websocket on which these bytes come, as the feed does.
pub(crate) fn websocket(data: &[u8]) {
    let mut socket = WebSocket::from_raw_socket(OneWay(Cursor::new(data)), Role::Server, Some(feed::config()));
    for _ in 0..MOST_MESSAGES {
        match socket.read() {
            Ok(Message::Text(text)) => assert!(text.len() <= data.len()),
            Ok(Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes)) => {
                assert!(bytes.len() <= data.len());
            }
            Ok(Message::Close(_) | Message::Frame(_)) => {}
            Err(_) => return,
        }
    }
    assert!(data.len() >= MOST_MESSAGES, "a message has at least one byte");
}

/// A stream that gives these bytes, and takes and forgets all others.
struct OneWay<'a>(Cursor<&'a [u8]>);

impl Read for OneWay<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut self.0, buffer)
    }
}

impl Write for OneWay<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
