//! The head of a request.

use std::io;
use std::ops::Range;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// The longest head.
const HEAD_LIMIT_BYTES: usize = 64 << 10;

/// A request without its body, which is read and dropped.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Without a leading `/`.
    pub(super) path: String,
    /// The bytes that are asked for, by their first and their last one.
    pub(super) range: Option<(u64, Option<u64>)>,
    /// The header `Depth`.
    pub(super) depth: Option<String>,
}

impl Request {
    /// Reads the next request. `None` if the client hung up between two.
    pub(super) async fn read(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Option<Request>> {
        let end = loop {
            if let Some(end) = memchr::memmem::find(received, b"\r\n\r\n") {
                break end + 4;
            }
            if received.len() > HEAD_LIMIT_BYTES {
                return Err(io::Error::other("a head that does not end"));
            }
            if stream.read_buf(received).await? == 0 {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&received[..end]).into_owned();
        received.drain(..end);
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let mut request = Request {
            method: method.to_owned(),
            path: target
                .split('?')
                .next()
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned(),
            range: None,
            depth: None,
        };
        let mut body_bytes = 0;
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => body_bytes = value.parse().unwrap_or(0),
                "range" => request.range = range(value),
                "depth" => request.depth = Some(value.to_owned()),
                _ => {}
            }
        }
        while received.len() < body_bytes {
            if stream.read_buf(received).await? == 0 {
                return Ok(None);
            }
        }
        received.drain(..body_bytes);
        Ok(Some(request))
    }

    /// The range of an object of this length that is asked for. An empty range if it begins behind
    /// the end.
    pub(super) fn range_of(&self, len_bytes: u64) -> Option<Range<u64>> {
        let (first, last) = self.range?;
        let end = last.map_or(len_bytes, |last| len_bytes.min(last.saturating_add(1)));
        Some(first..end.max(first))
    }
}

/// `bytes=FIRST-LAST` or `bytes=FIRST-`.
fn range(value: &str) -> Option<(u64, Option<u64>)> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()))
}
