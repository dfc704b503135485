//! A load of keep-alive connections that send one request after another.

use std::io::Write as _;
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
    /// Creates a folder. `name` is not escaped.
    pub fn create(name: &str) -> Request {
        let route = r#""__SERVER_ROUTE_MODULE":"storageApi","__SERVER_ROUTE_METHOD":"createImFavoriteFolder""#;
        Request(format!(r#"{{{route},"name":"{name}"}}"#).into())
    }

    /// Calls `work` of the module `changing`.
    pub fn work() -> Request {
        let body = serde_json::json!({
            "__SERVER_ROUTE_MODULE": "tests",
            "__SERVER_ROUTE_METHOD": "work",
            "key": "k",
        });
        Request(body.to_string().into())
    }

    /// Writes rows for the module `changing` to scan.
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

    /// A body of this length, which an echo returns as a success.
    pub fn echo(len: usize) -> Request {
        let mut body = String::from(r#"{"code":200,"pad":""#);
        let pad = len.saturating_sub(body.len() + 2);
        body.extend(std::iter::repeat_n('x', pad));
        body.push_str("\"}");
        Request(body.into())
    }
}

/// Sends requests on `connections` connections for `time`; `request` makes the n-th. \ The load and
/// the servers share the processors, so the load takes as little as it can: one thread a processor,
/// none of which waits for another.
pub async fn run<F>(address: SocketAddr, connections: usize, time: Duration, request: F) -> anyhow::Result<Measured>
where
    F: Fn(u64) -> Request + Clone + Send + 'static,
{
    let numbers = Arc::new(AtomicU64::new(0));
    let threads = std::thread::available_parallelism()?.get().min(connections);
    let started = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|thread| {
            let (numbers, request) = (Arc::clone(&numbers), request.clone());
            let share = (connections + thread) / threads;
            tokio::task::spawn_blocking(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
                let clients = (0..share).map(|_| send_until(address, started + time, &numbers, &request));
                runtime.block_on(futures_util::future::try_join_all(clients))
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.await??.into_iter().flatten());
    }
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    Ok(Measured {
        requests: latencies.len() as u64,
        elapsed,
        latencies,
    })
}

/// Sends requests on one connection until `end`, and returns their latencies.
async fn send_until(
    address: SocketAddr,
    end: Instant,
    numbers: &AtomicU64,
    request: impl Fn(u64) -> Request,
) -> anyhow::Result<Vec<Duration>> {
    let mut client = Client::connect(address).await?;
    let mut latencies = Vec::new();
    while Instant::now() < end {
        let next = request(numbers.fetch_add(1, Ordering::Relaxed));
        let sent = Instant::now();
        client.send(&next).await?;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}

/// Sends one request and returns the body of the answer.
pub async fn once(address: SocketAddr, request: &Request) -> anyhow::Result<String> {
    let mut client = Client::connect(address).await?;
    let body = client.send(request).await?;
    Ok(String::from_utf8(body.to_vec())?)
}

/// A connection.
pub struct Client {
    /// The head of every request, up to the length of its body.
    head: String,
    message: Vec<u8>,
    stream: TcpStream,
    buffer: BytesMut,
}

impl Client {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Client {
            head: format!("POST / HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: "),
            message: Vec::new(),
            stream,
            buffer: BytesMut::with_capacity(16 << 10),
        })
    }

    /// Sends a request and checks that it succeeds.
    async fn send(&mut self, request: &Request) -> anyhow::Result<Bytes> {
        let answer = self.exchange(request).await?;
        anyhow::ensure!(
            answer.starts_with(br#"{"code":200,"#),
            "no success: {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(answer)
    }

    /// Sends a request and returns the body of any answer.
    pub async fn exchange(&mut self, request: &Request) -> anyhow::Result<Bytes> {
        self.message.clear();
        self.message.extend_from_slice(self.head.as_bytes());
        write!(self.message, "{}\r\n\r\n", request.0.len())?;
        self.message.extend_from_slice(&request.0);
        self.stream.write_all(&self.message).await?;
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
