//! Many calls of the API, on connections that are kept.

use std::net::SocketAddr;

use futures_util::future::try_join_all;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use stowage_tests::wire;
use tokio::net::TcpStream;

/// Connections that call at the same time.
const CONNECTIONS: usize = 16;

/// Calls a method with each of these parameters. All must succeed.
pub async fn all(address: SocketAddr, method: &str, parameters: Vec<Value>) -> anyhow::Result<()> {
    let share = parameters.len().div_ceil(CONNECTIONS).max(1);
    try_join_all(parameters.chunks(share).map(|share| some(address, method, share))).await?;
    Ok(())
}

/// Calls one after another on one connection.
async fn some(address: SocketAddr, method: &str, parameters: &[Value]) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let calls = async move {
        for parameters in parameters {
            let request = wire::post(address, &format!("/{method}"), parameters.to_string());
            let body = sender
                .send_request(request)
                .await?
                .into_body()
                .collect()
                .await?
                .to_bytes();
            let answer: Value = serde_json::from_slice(&body)?;
            anyhow::ensure!(answer["code"] == 200, "{method} {parameters}: {answer}");
        }
        anyhow::Ok(())
    };
    // The connection ends with the sender, which ends with the calls.
    let (called, _) = tokio::join!(calls, connection);
    called
}
