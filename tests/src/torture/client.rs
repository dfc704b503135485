//! A client on one connection that tells an answer from a lost one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::wire;

/// How long a call may wait for its answer. It is longer than any limit of the server.
const PATIENCE: Duration = Duration::from_secs(120);

/// An answer of the API.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The envelope's code.
    pub code: i64,
    /// The envelope's message, or the text that came instead of an envelope.
    pub message: String,
    /// The envelope's data.
    pub data: Value,
}

/// Why there is no answer. The call may have had its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost(pub String);

/// A client. Its connection is opened when it is needed, and again after it was lost.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client of the server at this address.
    pub fn new(address: SocketAddr) -> Client {
        Client { address, sender: None }
    }

    /// Calls a method.
    ///
    /// # Errors
    /// There is no answer: the connection was refused or lost, or nothing came in time.
    pub async fn call(&mut self, method: &str, params: &Value) -> Result<Answer, Lost> {
        let body = Bytes::from(params.to_string());
        let path = format!("/{method}");
        let (status, body) = self.send(&path, body).await?;
        let Ok(mut envelope) = serde_json::from_slice::<Value>(&body) else {
            return Err(Lost(format!(
                "status {status} with {:?}",
                String::from_utf8_lossy(&body)
            )));
        };
        Ok(Answer {
            status,
            code: envelope["code"].as_i64().unwrap_or(-1),
            message: envelope["message"].as_str().unwrap_or_default().to_owned(),
            data: envelope["data"].take(),
        })
    }

    /// Calls a method that succeeds, and returns its data.
    ///
    /// # Panics
    /// When it fails, or there is no answer.
    pub async fn ok(&mut self, method: &str, params: Value) -> Value {
        match self.call(method, &params).await {
            Ok(answer) if answer.code == 200 => answer.data,
            other => panic!("{method} {params}: {other:?}"),
        }
    }

    /// All rows of a method that answers in pages of 1000.
    ///
    /// # Panics
    /// As [`Client::ok`].
    pub async fn pages(&mut self, method: &str, mut params: Value) -> Vec<Value> {
        let mut all = Vec::new();
        for page in 1.. {
            params["page"] = page.into();
            params["pageSize"] = 1000.into();
            let Value::Array(rows) = self.ok(method, params.clone()).await else {
                panic!("{method} answers a list")
            };
            let last = rows.len() < 1000;
            all.extend(rows);
            if last {
                break;
            }
        }
        all
    }

    /// Calls a method until its answer satisfies `wanted`, at most this long. Answers that are lost
    /// are not what is waited for.
    ///
    /// # Panics
    /// When it does not in time; the message has the last answer.
    pub async fn until(
        &mut self,
        what: &str,
        patience: Duration,
        method: &str,
        params: &Value,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.call(method, params).await;
            match answer {
                Ok(answer) if wanted(&answer) => return answer,
                other if begun.elapsed() > patience => panic!("{what}: not within {patience:?}, but {other:?}"),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn send(&mut self, path: &str, body: Bytes) -> Result<(u16, Bytes), Lost> {
        let exchange = async {
            // A connection that the server closed while it was idle has taken nothing.
            for attempt in 0.. {
                let fresh = self.sender.is_none();
                let mut sender = match self.sender.take() {
                    Some(sender) => sender,
                    None => connect(self.address).await?,
                };
                let request = wire::post(self.address, path, body.clone());
                match sender.send_request(request).await {
                    Ok(response) => {
                        let status = response.status().as_u16();
                        let body = response.into_body().collect().await.map_err(lost)?.to_bytes();
                        self.sender = Some(sender);
                        return Ok((status, body));
                    }
                    Err(error) if error.is_canceled() && !fresh && attempt == 0 => {}
                    Err(error) => return Err(lost(error)),
                }
            }
            unreachable!("the loop returns")
        };
        match timeout(PATIENCE, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(Lost(format!("no answer to {path} within {PATIENCE:?}"))),
        }
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Lost> {
    let stream = TcpStream::connect(address).await.map_err(lost)?;
    stream.set_nodelay(true).map_err(lost)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(lost)?;
    // It ends with the sender.
    tokio::spawn(connection);
    Ok(sender)
}

fn lost(error: impl std::error::Error) -> Lost {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    Lost(text)
}
