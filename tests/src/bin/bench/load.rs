//! A load of keep-alive connections that send one request after another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::report::Measured;

/// The body of a POST.
#[derive(Clone)]
pub struct Request(Bytes);

impl Request {
    pub fn create(name: &str) -> Request {
        let body = serde_json::json!({
            "__SERVER_ROUTE_MODULE": "storageApi",
            "__SERVER_ROUTE_METHOD": "createImFavoriteFolder",
            "name": name,
        });
        Request(body.to_string().into())
    }

    /// A method of the module whose behaviour is in its bytes.
    pub fn work() -> Request {
        let body = serde_json::json!({
            "__SERVER_ROUTE_MODULE": "tests",
            "__SERVER_ROUTE_METHOD": "work",
            "key": "k",
        });
        Request(body.to_string().into())
    }

    /// Writes rows for that module to scan.
    pub fn fill(rows: u32) -> Request {
        let body = serde_json::json!({
            "__SERVER_ROUTE_MODULE": "tests",
            "__SERVER_ROUTE_METHOD": "fill",
            "rows": rows,
        });
        Request(body.to_string().into())
    }

    pub fn list() -> Request {
        let body = serde_json::json!({
            "__SERVER_ROUTE_MODULE": "storageApi",
            "__SERVER_ROUTE_METHOD": "getImFavoriteFolders",
            "page": 1,
            "pageSize": 10,
        });
        Request(body.to_string().into())
    }

    /// A body of this length that an echo gives back as a success.
    pub fn echo(len: usize) -> Request {
        let mut body = String::from(r#"{"code":200,"pad":""#);
        let pad = len.saturating_sub(body.len() + 2);
        body.extend(std::iter::repeat_n('x', pad));
        body.push_str("\"}");
        Request(body.into())
    }

    fn head(&self, address: SocketAddr) -> String {
        format!(
            "POST / HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.0.len()
        )
    }
}

/// Sends requests from `connections` connections for `time`; `request` makes the n-th.
pub async fn run<F>(address: SocketAddr, connections: usize, time: Duration, request: F) -> anyhow::Result<Measured>
where
    F: Fn(u64) -> Request + Clone + Send + 'static,
{
    let numbers = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let workers: Vec<_> = (0..connections)
        .map(|_| {
            let (numbers, request) = (Arc::clone(&numbers), request.clone());
            tokio::spawn(async move {
                let mut client = Client::connect(address).await?;
                let mut latencies = Vec::new();
                while started.elapsed() < time {
                    let next = request(numbers.fetch_add(1, Ordering::Relaxed));
                    let sent = Instant::now();
                    client.send(&next).await?;
                    latencies.push(sent.elapsed());
                }
                anyhow::Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.await??);
    }
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    Ok(Measured {
        requests: latencies.len() as u64,
        elapsed,
        latencies,
    })
}

/// Sends one request and gives the answer's body.
pub async fn once(address: SocketAddr, request: &Request) -> anyhow::Result<String> {
    let mut client = Client::connect(address).await?;
    let body = client.send(request).await?;
    Ok(String::from_utf8(body.to_vec())?)
}

/// A connection.
pub struct Client {
    address: SocketAddr,
    stream: TcpStream,
    buffer: BytesMut,
}

impl Client {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Client {
            address,
            stream,
            buffer: BytesMut::with_capacity(16 << 10),
        })
    }

    /// Sends a request and checks that its answer is a success.
    async fn send(&mut self, request: &Request) -> anyhow::Result<Bytes> {
        let answer = self.exchange(request).await?;
        anyhow::ensure!(
            answer.starts_with(br#"{"code":200,"#),
            "no success: {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(answer)
    }

    /// Sends a request and gives the body of whatever is answered.
    pub async fn exchange(&mut self, request: &Request) -> anyhow::Result<Bytes> {
        let mut message = request.head(self.address).into_bytes();
        message.extend_from_slice(&request.0);
        self.stream.write_all(&message).await?;
        let (head, body) = loop {
            if let Some(lengths) = self.lengths()? {
                break lengths;
            }
            anyhow::ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server hung up");
        };
        while self.buffer.len() < head + body {
            anyhow::ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server hung up");
        }
        Ok(self.buffer.split_to(head + body).freeze().slice(head..))
    }

    /// The lengths of the head and the body, once the head is complete.
    fn lengths(&self) -> anyhow::Result<Option<(usize, usize)>> {
        let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&self.buffer[..end])?;
        let length = head
            .lines()
            .find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim())
            })
            .context("content-length")?
            .parse()?;
        Ok(Some((end + 4, length)))
    }
}
