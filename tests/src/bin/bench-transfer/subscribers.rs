//! Many websockets that read the feed and count what comes. They parse only the heads of frames, so
//! that the load takes as little of the machine as it can.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use stowage_tests::feed::handshake;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::calls;

/// Bytes that a subscriber reads at once.
const READ_BYTES: usize = 64 << 10;
/// The codes of websocket frames.
const PING: u8 = 9;
const PONG: u8 = 10;
const CLOSE: u8 = 8;

/// What came on all connections.
#[derive(Debug, Default)]
pub struct Received {
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// Running subscribers. Dropping them hangs up.
pub struct Subscribers {
    received: Arc<Received>,
    readers: JoinSet<anyhow::Result<()>>,
    /// Connections that nobody reads.
    _stuck: Vec<TcpStream>,
}

impl Subscribers {
    /// Subscribes downloads of the cloud storage with this many keys, each on a connection of its
    /// own, and `stuck` more that never read.
    pub async fn start(address: SocketAddr, count: usize, stuck: usize) -> anyhow::Result<Subscribers> {
        let keys: Vec<String> = (0..count + stuck).map(|_| uuid::Uuid::new_v4().to_string()).collect();
        let parameters = keys
            .iter()
            .map(|key| json!({"type": 1, "platform": 3, "key": key}))
            .collect();
        calls::all(address, "getAllDownloadOrUploadFileProgress", parameters).await?;
        let received = Arc::new(Received::default());
        let mut readers = JoinSet::new();
        let mut stuck_connections = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let mut stream = connect(address, key).await?;
            if index >= count {
                stuck_connections.push(stream);
                continue;
            }
            let received = Arc::clone(&received);
            readers.spawn(async move { read(&mut stream, &received).await });
        }
        Ok(Subscribers {
            received,
            readers,
            _stuck: stuck_connections,
        })
    }

    /// Messages and bytes that have come so far.
    pub fn received(&self) -> (u64, u64) {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (count(&self.received.messages), count(&self.received.bytes))
    }

    /// Waits until this many messages have come.
    pub async fn wait_for(&self, messages: u64) {
        while self.received().0 < messages {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Fails if a connection ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.readers.try_join_next() {
            Some(ended) => anyhow::bail!("a subscriber's connection ended: {ended:?}"),
            None => Ok(()),
        }
    }
}

/// Opens a websocket.
async fn connect(address: SocketAddr, key: &str) -> anyhow::Result<TcpStream> {
    let request = handshake(address, &[key]).body(())?;
    let mut head = format!("GET /ws?key={key} HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str()?));
    }
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all((head + "\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    // Byte by byte: what follows the head belongs to the first frame.
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await?);
    }
    anyhow::ensure!(
        answer.starts_with(b"HTTP/1.1 101"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    Ok(stream)
}

/// Reads frames until the connection ends.
async fn read(stream: &mut TcpStream, received: &Received) -> anyhow::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let (mut start, mut end) = (0, 0);
    loop {
        let head = loop {
            if let Some(head) = Head::parse(&buffer[start..end]) {
                break head;
            }
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
            let len = stream.read(&mut buffer[end..]).await?;
            anyhow::ensure!(len > 0, "the server hung up");
            end += len;
        };
        start += head.len;
        let mut payload = Vec::new();
        let mut left = head.payload_len;
        received.bytes.fetch_add(head.len as u64 + left, Ordering::Relaxed);
        loop {
            let there = usize::try_from(left).unwrap_or(usize::MAX).min(end - start);
            if head.code >= CLOSE {
                payload.extend_from_slice(&buffer[start..start + there]);
            }
            start += there;
            left -= there as u64;
            if left == 0 {
                break;
            }
            (start, end) = (0, stream.read(&mut buffer).await?);
            anyhow::ensure!(end > 0, "the server hung up");
        }
        match head.code {
            CLOSE => anyhow::bail!("the server closed the websocket"),
            PING => {
                // Masked with zeros.
                let mut pong = vec![0x80 | PONG, 0x80 | u8::try_from(payload.len())?, 0, 0, 0, 0];
                pong.extend(payload);
                stream.write_all(&pong).await?;
            }
            _ if head.last => {
                received.messages.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

/// The head of a websocket frame of a server.
struct Head {
    last: bool,
    code: u8,
    len: usize,
    payload_len: u64,
}

impl Head {
    /// `None` if more bytes are needed.
    fn parse(bytes: &[u8]) -> Option<Head> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (len, payload_len) = match second & 0x7f {
            126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
            127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
            short => (2, u64::from(short)),
        };
        Some(Head {
            last: first & 0x80 != 0,
            code: first & 0x0f,
            len,
            payload_len,
        })
    }
}
