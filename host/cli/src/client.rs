//! Calling the server over HTTP/1.1.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::timeout;
use tokio_rustls::rustls;

use crate::address::{Address, ServerStream};
use crate::reply::{ANSWER_TIMEOUT, ClientError, Reply};
use crate::stream::Streamed;
use crate::trust::Trust;

/// The longest time to connect.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes of an answer that are read.
pub(crate) const MAX_ANSWER_BYTES: usize = 256 << 20;

/// The address of a server and the token for it. Every request has its own connection.
#[derive(Debug, Clone)]
pub struct Client {
    address: Address,
    hint: String,
    bearer: Option<HeaderValue>,
}

impl Client {
    /// A client for an `http://` or `https://` address or a unix socket. `hint` says what to do if
    /// nobody listens there, `trust` which certificates are good.
    ///
    /// # Errors
    /// [`ClientError::BadAddress`], [`ClientError::BadToken`], [`ClientError::BadCa`].
    pub(crate) fn new(address: &str, hint: String, token: Option<&str>, trust: &Trust) -> Result<Self, ClientError> {
        let bearer = token
            .map(|token| {
                let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::BadToken)?;
                value.set_sensitive(true);
                Ok(value)
            })
            .transpose()?;
        Ok(Self {
            address: Address::parse(address, trust)?,
            hint,
            bearer,
        })
    }

    /// The address, for messages.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.shown.clone()
    }

    /// The address of a websocket of the server, for the handshake on a connection that is open.
    pub(crate) fn websocket_address(&self, path_and_query: &str) -> String {
        format!("ws://{}{}{path_and_query}", self.address.authority, self.address.prefix)
    }

    /// The `Authorization` header, if there is a token.
    pub(crate) fn bearer(&self) -> Option<&HeaderValue> {
        self.bearer.as_ref()
    }

    /// Connects within [`CONNECT_TIMEOUT`].
    ///
    /// # Errors
    /// [`ClientError::Unreachable`], [`ClientError::Untrusted`], [`ClientError::NotTls`].
    pub(crate) async fn connect(&self) -> Result<ServerStream, ClientError> {
        let address = self.address();
        match timeout(CONNECT_TIMEOUT, self.address.connect()).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(source)) => Err(match tls_error(&source) {
                Some(rustls::Error::InvalidCertificate(_)) => ClientError::Untrusted { address, source },
                Some(_) => ClientError::NotTls { address, source },
                None => self.unreachable(source),
            }),
            Err(_) => Err(self.unreachable(io::ErrorKind::TimedOut.into())),
        }
    }

    fn unreachable(&self, source: io::Error) -> ClientError {
        ClientError::Unreachable {
            address: self.address(),
            hint: self.hint.clone(),
            source,
        }
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

    /// Gets a path, which begins with `/`, and reads the body piece by piece.
    ///
    /// # Errors
    /// No answer began. An answer with any HTTP status is a [`Streamed`].
    pub async fn stream(&self, path: &str) -> Result<Streamed, ClientError> {
        let broken = |source: Box<dyn std::error::Error + Send + Sync>| ClientError::Broken {
            address: self.address(),
            source,
        };
        let mut request = Request::builder()
            .uri(format!("{}{path}", self.address.prefix))
            .header(HOST, &self.address.authority);
        if let Some(bearer) = &self.bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        let request = request
            .body(Full::<Bytes>::default())
            .map_err(|error| broken(error.into()))?;
        let stream = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(error.into()))?;
        let connection = tokio::spawn(async move {
            // Its error is that of the body.
            let _ = connection.await;
        });
        let response = timeout(ANSWER_TIMEOUT, sender.send_request(request)).await;
        let response = match response {
            Ok(Ok(response)) => response,
            failed => {
                connection.abort();
                return Err(match failed {
                    Ok(Err(error)) => broken(error.into()),
                    _ => ClientError::TimedOut {
                        address: self.address(),
                    },
                });
            }
        };
        Ok(Streamed {
            address: self.address(),
            status: response.status().as_u16(),
            body: response.into_body(),
            connection,
        })
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
            .uri(format!("{}{path}", self.address.prefix))
            .header(HOST, &self.address.authority);
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

/// What went wrong in the TLS of a connection.
fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
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
        Client::new(address, "start it".to_owned(), token, &Trust::System).expect("a good address")
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
    fn a_token_that_no_header_can_carry_is_refused() {
        let client = Client::new("http://x", String::new(), Some("a\nb"), &Trust::System);
        assert!(matches!(client, Err(ClientError::BadToken)));
    }

    #[test]
    fn a_websocket_is_at_the_prefix_of_the_address() {
        let client = client("http://[::1]:8787/api/", None);
        assert_eq!(client.address(), "http://[::1]:8787/api");
        assert_eq!(client.websocket_address("/ws"), "ws://[::1]:8787/api/ws");
    }

    #[tokio::test]
    async fn a_server_without_tls_is_told_apart_from_no_server() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let plain = format!("https://{}", listener.local_addr().expect("bound"));
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("the client connects");
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await
        });
        let pinned = Trust::Pinned("00".to_owned());
        let client = Client::new(&plain, "start it".to_owned(), None, &pinned).expect("a good address");
        let error = client.get("/").await.expect_err("no TLS");
        assert!(matches!(&error, ClientError::NotTls { .. }), "{error}");
        answering.await.expect("not panicked").expect("written");
    }
}
