//! The admin API from outside.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::Value;

use crate::host::TestHost;
use crate::modules::version;
use crate::wait::eventually;
use crate::wire;

/// A client of a server's admin API.
#[derive(Clone, Debug)]
pub struct Admin {
    address: SocketAddr,
    token: String,
}

/// A status and a body.
pub type Answer = (u16, Value);

impl Admin {
    /// A client with the token in the server's data directory.
    ///
    /// # Panics
    /// When there is no token.
    pub fn of(host: &TestHost) -> Admin {
        Admin::at(host.address(), host.data())
    }

    /// [`Admin::of`] for a server that is no [`TestHost`].
    ///
    /// # Panics
    /// When there is no token.
    pub fn at(address: SocketAddr, data: &Path) -> Admin {
        let token = fs::read_to_string(data.join("admin.token")).expect("the server keeps a token");
        Admin {
            address,
            token: token.trim_end().to_owned(),
        }
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Gets a path under `/admin/`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Bytes::new()).await
    }

    /// Posts fields to a path under `/admin/`.
    pub async fn post(&self, path: &str, fields: Value) -> Answer {
        self.send(Method::POST, path, Some("application/json"), fields.to_string().into())
            .await
    }

    /// Posts modules by name and bytes. `more` has further parameters of the query, each behind a
    /// `&`.
    pub async fn upload(&self, action: &str, modules: &[(&str, &[u8])], more: &str) -> Answer {
        self.answer(self.upload_request(action, modules, more)).await
    }

    /// The request that [`Admin::upload`] sends.
    ///
    /// # Panics
    /// When a name does not fit into a path.
    pub fn upload_request(&self, action: &str, modules: &[(&str, &[u8])], more: &str) -> Request<Full<Bytes>> {
        let query: Vec<_> = modules
            .iter()
            .map(|(name, bytes)| format!("name={name}&size={}", bytes.len()))
            .collect();
        let body: Vec<u8> = modules.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let path = format!("modules/{action}?{}{more}", query.join("&"));
        self.request(Method::POST, &path, Some("application/wasm"), body.into())
    }

    /// The address of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    async fn send(&self, method: Method, path: &str, content_type: Option<&str>, body: Bytes) -> Answer {
        self.answer(self.request(method, path, content_type, body)).await
    }

    fn request(&self, method: Method, path: &str, content_type: Option<&str>, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = wire::request(method, self.address, &format!("/admin/{path}"))
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        request.body(Full::new(body)).expect("a path")
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Answer {
        let path = request.uri().path().to_owned();
        let reply = wire::send(self.address, request).await;
        assert_eq!(reply.headers["content-type"], "application/json", "{path}");
        assert!(!reply.headers.contains_key("access-control-allow-origin"), "{path}");
        let body = serde_json::from_slice(&reply.body)
            .unwrap_or_else(|error| panic!("{path}: {error} in {:?}", String::from_utf8_lossy(&reply.body)));
        (reply.status, body)
    }

    /// The live modules.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn list(&self) -> Value {
        let (status, list) = self.get("modules").await;
        assert_eq!(status, 200, "{list}");
        list
    }

    /// The number of the generation that serves.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn generation(&self) -> u64 {
        self.list().await["generation"].as_u64().expect("a number")
    }

    /// The status of a module, if it is live.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn module(&self, name: &str) -> Option<Value> {
        let list = self.list().await;
        let modules = list["modules"].as_array().expect("a list");
        modules.iter().find(|module| module["name"] == name).cloned()
    }

    /// The live version of a module, if it is live.
    pub async fn version(&self, name: &str) -> Option<String> {
        Some(self.module(name).await?["version"].as_str()?.to_owned())
    }

    /// Waits until these bytes are live as this module.
    pub async fn until_live(&self, name: &str, bytes: &[u8]) {
        let wanted = version(bytes);
        eventually(&format!("{name} {wanted} is live"), || async {
            (self.version(name).await? == wanted).then_some(())
        })
        .await;
    }

    /// Checks a module. The body has its bytes, and behind them a recording; `more` has their
    /// sizes.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn check(&self, name: &str, body: Vec<u8>, more: &str) -> Value {
        let path = format!("modules/check?name={name}{more}");
        let (status, report) = self
            .send(Method::POST, &path, Some("application/wasm"), body.into())
            .await;
        assert_eq!(status, 200, "{report:#}");
        report
    }

    /// Takes modules live.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn swap(&self, modules: &[(&str, &[u8])]) -> Value {
        let (status, report) = self.upload("swap", modules, "").await;
        assert_eq!(status, 200, "{report:#}");
        report
    }
}
