//! The console from outside, as a browser reaches it.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::host::TestHost;
use crate::wire::{self, Reply};

/// The secret of the link that a server printed at its start.
///
/// # Panics
/// When it printed none in time.
pub async fn first_secret(host: &TestHost) -> String {
    secret_of(&host.console_link().await)
}

/// The secret of a link.
///
/// # Panics
/// When it has none.
pub fn secret_of(link: &str) -> String {
    let (_, secret) = link.split_once("/#key=").unwrap_or_else(|| panic!("a link: {link}"));
    secret.to_owned()
}

/// Begins a session with a secret, as the server's own page does.
///
/// # Panics
/// When the server refuses.
pub async fn session(host: &TestHost, secret: &str) -> String {
    let (status, body) = exchange(host, secret).await;
    assert_eq!(status, 200, "{body}");
    body["token"].as_str().expect("a token").to_owned()
}

/// Asks for a session with a secret. Returns the status and the body.
///
/// # Panics
/// When the answer is no JSON.
pub async fn exchange(host: &TestHost, secret: &str) -> (u16, Value) {
    let request = session_request(host, json!({"secret": secret}));
    json_of(&wire::send(host.address(), request).await)
}

/// The request for a session, as the server's own page sends it.
///
/// # Panics
/// Never: the parts of the request are valid.
pub fn session_request(host: &TestHost, body: Value) -> Request<Full<Bytes>> {
    wire::request(Method::POST, host.address(), "/console/session")
        .header(ORIGIN, own_origin(host))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(body.to_string()))
        .expect("a request")
}

/// The origin of the server's own pages.
pub fn own_origin(host: &TestHost) -> String {
    format!("http://{}", host.address())
}

/// Gets a path with these headers.
///
/// # Panics
/// When a header is not valid.
pub async fn get(host: &TestHost, path: &str, headers: &[(&str, &str)]) -> Reply {
    send(host, Method::GET, path, headers, "").await
}

/// Sends a request with these headers.
///
/// # Panics
/// When a header is not valid.
pub async fn send(host: &TestHost, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut request = wire::request(method, host.address(), path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::from(body.to_owned())).expect("a request");
    wire::send(host.address(), request).await
}

/// The Authorization header with a token.
pub fn bearer(token: &str) -> (&'static str, String) {
    (AUTHORIZATION.as_str(), format!("Bearer {token}"))
}

/// The status and the JSON of a reply.
///
/// # Panics
/// When the body is no JSON.
pub fn json_of(reply: &Reply) -> (u16, Value) {
    let text = String::from_utf8_lossy(&reply.body);
    let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    (reply.status, body)
}
