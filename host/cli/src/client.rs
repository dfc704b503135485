//! Calling the server over HTTP/1.1.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::reply::{ANSWER_TIMEOUT, ClientError, Reply};

/// The longest time to connect.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes of an answer that are read.
pub(crate) const MAX_ANSWER_BYTES: usize = 256 << 20;

/// The address of a server and the token for it. Every request has its own connection.
#[derive(Debug, Clone)]
pub struct Client {
    authority: String,
    socket: String,
    prefix: String,
    hint: String,
    bearer: Option<HeaderValue>,
}

impl Client {
    /// A client for an `http://` address. `hint` says what to do if nobody listens there.
    ///
    /// # Errors
    /// [`ClientError::BadAddress`], [`ClientError::BadToken`].
    pub fn new(address: &str, hint: String, token: Option<&str>) -> Result<Self, ClientError> {
        let bad = |reason: &str| ClientError::BadAddress {
            address: address.to_owned(),
            reason: reason.to_owned(),
        };
        let url = Url::parse(address).map_err(|error| bad(&error.to_string()))?;
        match url.scheme() {
            "http" => {}
            "https" => return Err(bad("this command does not speak TLS")),
            _ => return Err(bad("it does not begin with http://")),
        }
        let host = url.host_str().ok_or_else(|| bad("it names no host"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("credentials do not belong into it; use --token"));
        }
        let port = url.port_or_known_default().ok_or_else(|| bad("it names no port"))?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let bearer = token
            .map(|token| {
                let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::BadToken)?;
                value.set_sensitive(true);
                Ok(value)
            })
            .transpose()?;
        Ok(Self {
            authority,
            socket: format!("{host}:{port}"),
            prefix: url.path().trim_end_matches('/').to_owned(),
            hint,
            bearer,
        })
    }

    /// The address, for messages.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://{}{}", self.authority, self.prefix)
    }

    /// The address of a websocket of the server.
    pub(crate) fn websocket_address(&self, path_and_query: &str) -> String {
        format!("ws://{}{}{path_and_query}", self.authority, self.prefix)
    }

    /// The `Authorization` header, if there is a token.
    pub(crate) fn bearer(&self) -> Option<&HeaderValue> {
        self.bearer.as_ref()
    }

    /// Connects within [`CONNECT_TIMEOUT`].
    ///
    /// # Errors
    /// [`ClientError::Unreachable`].
    pub async fn connect(&self) -> Result<TcpStream, ClientError> {
        let unreachable = |source| ClientError::Unreachable {
            address: self.address(),
            hint: self.hint.clone(),
            source,
        };
        let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.socket))
            .await
            .map_err(|_| unreachable(io::ErrorKind::TimedOut.into()))?
            .map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        Ok(stream)
    }

    /// Gets a path, which begins with `/`.
    ///
    /// # Errors
    /// No answer came. An answer with any HTTP status is a [`Reply`].
    pub async fn get(&self, path: &str) -> Result<Reply, ClientError> {
        self.request(Method::GET, path, None, Bytes::new()).await
    }

    /// Posts a JSON value to a path, which begins with `/`.
    ///
    /// # Errors
    /// No answer came. An answer with any HTTP status is a [`Reply`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Reply, ClientError> {
        self.request(
            Method::POST,
            path,
            Some("application/json"),
            Bytes::from(body.to_string()),
        )
        .await
    }

    /// One request on a connection of its own.
    ///
    /// # Errors
    /// No answer came. An answer with any HTTP status is a [`Reply`].
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<Reply, ClientError> {
        let broken = |source: Box<dyn std::error::Error + Send + Sync>| ClientError::Broken {
            address: self.address(),
            source,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.prefix))
            .header(HOST, &self.authority);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if let Some(bearer) = &self.bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        let request = request.body(Full::new(body)).map_err(|error| broken(error.into()))?;

        let stream = self.connect().await?;
        let exchange = async {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|e| broken(e.into()))?;
            let answer = async {
                let response = sender.send_request(request).await.map_err(|e| broken(e.into()))?;
                let status = response.status().as_u16();
                let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
                    .collect()
                    .await
                    .map_err(broken)?;
                Ok(Reply {
                    address: self.address(),
                    status,
                    body: body.to_bytes(),
                })
            };
            // The connection runs in the same task as the exchange, so that no task outlives the
            // call.
            tokio::pin!(answer, connection);
            tokio::select! {
                biased;
                reply = &mut answer => reply,
                ended = &mut connection => match ended {
                    Ok(()) => answer.await,
                    Err(error) => Err(broken(error.into())),
                },
            }
        };
        timeout(ANSWER_TIMEOUT, exchange).await.unwrap_or_else(|_| {
            Err(ClientError::TimedOut {
                address: self.address(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers one connection with `answer` and returns the request.
    async fn server(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("the client connects");
            let mut request = Vec::new();
            let whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request);
                let (head, body) = text.split_once("\r\n\r\n")?;
                let len = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
                (body.len() >= len.parse().ok()?).then_some(())
            };
            while whole(&request).is_none() {
                assert_ne!(
                    stream.read_buf(&mut request).await.expect("readable"),
                    0,
                    "the request ended early"
                );
            }
            stream.write_all(answer.as_bytes()).await.expect("writable");
            String::from_utf8(request).expect("text")
        });
        (address, served)
    }

    fn client(address: &str, token: Option<&str>) -> Client {
        Client::new(address, "start it".to_owned(), token).expect("a good address")
    }

    #[tokio::test]
    async fn a_call_is_a_post_of_json_with_host_and_token() {
        let (address, served) =
            server("HTTP/1.1 200 OK\r\ncontent-length: 38\r\n\r\n{\"code\":200,\"message\":null,\"data\":[1]}").await;
        let client = client(&address, Some("s3cret"));
        let reply = client.post("/method", &json!({"a": 1})).await.expect("an answer");
        assert_eq!(reply.accepted().expect("an envelope").data, json!([1]));
        let request = served.await.expect("served");
        assert!(request.starts_with("POST /method HTTP/1.1\r\n"), "{request}");
        assert!(
            request.contains(&format!("host: {}\r\n", address.trim_start_matches("http://"))),
            "{request}"
        );
        assert!(request.contains("content-type: application/json\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer s3cret\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"a\":1}"), "{request}");
    }

    #[tokio::test]
    async fn an_envelope_with_an_error_code_is_an_answer() {
        let (address, _served) =
            server("HTTP/1.1 200 OK\r\ncontent-length: 41\r\n\r\n{\"code\":60002,\"message\":\"no\",\"data\":null}")
                .await;
        let reply = client(&address, None).post("/m", &json!({})).await.expect("an answer");
        let envelope = reply.accepted().expect("an envelope");
        assert_eq!((envelope.code, envelope.message.as_deref()), (60002, Some("no")));
        assert!(!envelope.is_success());
    }

    #[tokio::test]
    async fn an_answer_that_is_no_envelope_is_another_program() {
        let (address, _served) = server("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>").await;
        let reply = client(&address, None).post("/m", &json!({})).await.expect("an answer");
        assert!(matches!(
            reply.envelope(),
            Err(ClientError::NotStowage { status: 200, .. })
        ));
    }

    #[tokio::test]
    async fn a_refusal_says_what_to_do() {
        let (address, _served) =
            server("HTTP/1.1 401 Unauthorized\r\ncontent-length: 28\r\n\r\n{\"code\":700,\"message\":\"who\"}").await;
        let reply = client(&address, None).post("/m", &json!({})).await.expect("an answer");
        let error = reply.accepted().expect_err("refused");
        assert!(error.is_permanent());
        assert!(error.to_string().contains("--token"), "{error}");
    }

    #[tokio::test]
    async fn nobody_listening_is_told_apart_from_a_broken_connection() {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let closing = tokio::spawn(async move { listener.accept().await.map(drop) });
        let client = client(&address, None);
        assert!(matches!(
            client.post("/m", &json!({})).await,
            Err(ClientError::Broken { .. })
        ));
        closing.await.expect("not panicked").expect("accepted");
        let error = client.post("/m", &json!({})).await.expect_err("nobody listens");
        assert!(matches!(&error, ClientError::Unreachable { .. }), "{error}");
        assert!(error.to_string().ends_with("start it"), "{error}");
    }

    #[test]
    fn addresses_that_cannot_be_talked_to_are_refused_with_the_reason() {
        for address in [
            "127.0.0.1:8787",
            "https://127.0.0.1",
            "ftp://x",
            "http://u:p@x",
            "",
            "http://",
        ] {
            assert!(
                matches!(
                    Client::new(address, String::new(), None),
                    Err(ClientError::BadAddress { .. })
                ),
                "{address}"
            );
        }
        assert!(matches!(
            Client::new("http://x", String::new(), Some("a\nb")),
            Err(ClientError::BadToken)
        ));
        let prefixed = Client::new("http://[::1]:8787/api/", String::new(), None).expect("a good address");
        assert_eq!(prefixed.address(), "http://[::1]:8787/api");
        assert_eq!(prefixed.websocket_address("/ws"), "ws://[::1]:8787/api/ws");
    }
}
