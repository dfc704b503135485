//! The admin API from outside, and modules to swap with.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_body_util::Full;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::host::{TestHost, target_dir};
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
    /// With the token of the server's data directory.
    ///
    /// # Panics
    /// When there is none.
    pub fn of(host: &TestHost) -> Admin {
        let token = fs::read_to_string(host.data().join("admin.token")).expect("the server keeps a token");
        Admin {
            address: host.address(),
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

    /// Posts modules, name and bytes, with further parameters as a query that begins with `&`.
    pub async fn upload(&self, action: &str, modules: &[(&str, &[u8])], more: &str) -> Answer {
        let query: Vec<_> = modules
            .iter()
            .map(|(name, bytes)| format!("name={name}&size={}", bytes.len()))
            .collect();
        let body: Vec<u8> = modules.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let path = format!("modules/{action}?{}{more}", query.join("&"));
        self.send(Method::POST, &path, Some("application/wasm"), body.into())
            .await
    }

    async fn send(&self, method: Method, path: &str, content_type: Option<&str>, body: Bytes) -> Answer {
        let mut request = wire::request(method, self.address, &format!("/admin/{path}"))
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let reply = wire::send(self.address, request.body(Full::new(body)).expect("a path")).await;
        assert_eq!(reply.headers["content-type"], "application/json", "{path}");
        assert!(!reply.headers.contains_key("access-control-allow-origin"), "{path}");
        let body = serde_json::from_slice(&reply.body)
            .unwrap_or_else(|error| panic!("{path}: {error} in {:?}", String::from_utf8_lossy(&reply.body)));
        (reply.status, body)
    }

    /// What is live.
    ///
    /// # Panics
    /// When it is not told.
    pub async fn list(&self) -> Value {
        let (status, list) = self.get("modules").await;
        assert_eq!(status, 200, "{list}");
        list
    }

    /// The number of the generation that serves.
    ///
    /// # Panics
    /// When it is not told.
    pub async fn generation(&self) -> u64 {
        self.list().await["generation"].as_u64().expect("a number")
    }

    /// The status of a module, if it is live.
    ///
    /// # Panics
    /// When the list is none.
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

    /// Puts modules live.
    ///
    /// # Panics
    /// When they are refused.
    pub async fn swap(&self, modules: &[(&str, &[u8])]) -> Value {
        let (status, report) = self.upload("swap", modules, "").await;
        assert_eq!(status, 200, "{report:#}");
        report
    }
}

/// The version of a module's bytes.
pub fn version(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file of a built module.
pub fn module_file(name: &str) -> PathBuf {
    let dir = if name == "probe" { "modules-test" } else { "modules" };
    target_dir().join(dir).join(format!("{name}.wasm"))
}

/// The bytes of a built module.
///
/// # Panics
/// When it is not built.
pub fn module(name: &str) -> Vec<u8> {
    let file = module_file(name);
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}; run `make modules` first", file.display()))
}

/// A module that does the same and is another version: a custom section with this text is at its end.
///
/// # Panics
/// When the text is longer than 100 bytes.
pub fn variant(bytes: &[u8], text: &str) -> Vec<u8> {
    const NAME: &[u8] = b"variant";
    let len = u8::try_from(1 + NAME.len() + text.len()).expect("a short text");
    assert!(len < 0x80, "its length is one byte");
    let mut variant = bytes.to_vec();
    variant.extend([0, len, NAME.len() as u8]);
    variant.extend(NAME);
    variant.extend(text.as_bytes());
    variant
}

/// Writes a file whole: under another name, then renamed.
///
/// # Panics
/// When the directory cannot be written.
pub fn put(dir: &Path, name: &str, bytes: &[u8]) {
    let temporary = dir.join(format!("{name}.wasm.tmp"));
    fs::write(&temporary, bytes).expect("a writable directory");
    fs::rename(&temporary, dir.join(format!("{name}.wasm"))).expect("a writable directory");
}
