//! Sends bytes on a connection of its own, and checks what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;
use tokio::time::timeout;

use crate::wait::PATIENCE;

/// After this time without an answer, the client says that it sends nothing more.
const QUIET: Duration = Duration::from_millis(25);
/// Statuses of HTTP that docs/files.md and docs/admin.md have, from 500 on. 500 itself and 502 say
/// that the host or the space failed, which no request may cause.
const SERVER_STATUSES: [u16; 2] = [501, 503];
/// Codes of envelopes that a request may cause.
pub const CODES: [i64; 9] = [200, 300, 600, 700, 60000, 60001, 60002, 60003, 60004];

/// What came back.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The server hung up without an answer.
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// The server neither answered nor hung up.
    Stuck,
}

/// What is wrong with an answer.
pub type Finding = String;

/// Sends bytes and reads the answer. Ends when there is a whole response, or the server hangs up.
///
/// # Errors
/// When the server cannot be reached.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let mut answer = Vec::new();
    Ok(
        match timeout(PATIENCE, converse(&mut stream, bytes, &mut answer)).await {
            Err(_) => Answer::Stuck,
            Ok(()) if answer.is_empty() => Answer::Nothing,
            Ok(()) => Answer::Bytes(answer),
        },
    )
}

async fn converse(stream: &mut TcpStream, bytes: &[u8], answer: &mut Vec<u8>) {
    let (mut reader, mut writer) = stream.split();
    let write = async {
        // The server may refuse the head and hang up.
        let _ = writer.write_all(bytes).await;
    };
    let ((), has_ended) = tokio::join!(write, first_response(&mut reader, answer));
    if !has_ended {
        // The server waits for more, and learns that nothing more comes.
        let _ = writer.shutdown().await;
        let _ = reader.read_to_end(answer).await;
    }
}

/// Reads a whole response. `false` if nothing comes for some time before its end.
async fn first_response(reader: &mut ReadHalf<'_>, answer: &mut Vec<u8>) -> bool {
    loop {
        match timeout(QUIET, reader.read_buf(answer)).await {
            Ok(Ok(0) | Err(_)) => return true,
            Ok(Ok(_)) if response_len(answer).is_some_and(|len| len <= answer.len()) => return true,
            Ok(Ok(_)) => {}
            Err(_) => return false,
        }
    }
}

/// The length of the first response, if its head is there and says so.
fn response_len(bytes: &[u8]) -> Option<usize> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    if head.starts_with("HTTP/1.1 100") || head.starts_with("HTTP/1.1 101") {
        return None;
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(Some(0), |length| length.parse().ok())?;
    Some(end + length)
}

/// What is wrong with an answer of the server to bytes.
pub fn findings(sent: &[u8], answer: &Answer) -> Vec<Finding> {
    match answer {
        Answer::Nothing => Vec::new(),
        Answer::Stuck => vec!["the server neither answers nor hangs up".to_owned()],
        Answer::Bytes(bytes) => responses(sent, bytes),
    }
}

fn responses(sent: &[u8], mut bytes: &[u8]) -> Vec<Finding> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let shown: String = String::from_utf8_lossy(bytes).chars().take(400).collect();
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4) else {
            // The server hung up within a response, as it may.
            return found;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status: Option<u16> = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let Some(status) = status.filter(|_| head.starts_with("HTTP/1.")) else {
            found.push(format!("no response of HTTP: {shown}"));
            return found;
        };
        bytes = &bytes[end..];
        match status {
            // The rest are frames.
            101 => return found,
            100 => continue,
            _ => {}
        }
        let header = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|value| value.strip_prefix(": "))
        };
        let length: usize = header("content-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let has_no_body =
            memchr::memmem::find(sent, b"HEAD").is_some() && (bytes.is_empty() || bytes.starts_with(b"HTTP/1."));
        let (body, rest) = match has_no_body {
            true => (&[][..], bytes),
            false => bytes.split_at(length.min(bytes.len())),
        };
        let is_whole = body.len() == length;
        let code = header("stowage-code").and_then(|code| code.parse().ok());
        let is_json = header("content-type") == Some("application/json");
        let envelope: Option<Value> = serde_json::from_slice(body).ok();
        if is_json && is_whole && envelope.is_none() {
            found.push(format!("no JSON: {shown}"));
        }
        let code: Option<i64> = code.or_else(|| envelope.as_ref().and_then(|envelope| envelope["code"].as_i64()));
        let has_reason = code.is_some()
            || envelope
                .as_ref()
                .is_some_and(|body| body["error"]["message"].is_string());
        if status >= 500 && !(SERVER_STATUSES.contains(&status) && has_reason) {
            found.push(format!("status {status}: {shown}"));
        }
        if let Some(code) = code
            && !CODES.contains(&code)
        {
            found.push(format!("code {code}: {shown}"));
        }
        if status >= 400 && is_whole && !has_no_body && !has_reason {
            found.push(format!("a refusal without a reason: {shown}"));
        }
        bytes = rest;
    }
    found
}
