//! The admin API from outside, and modules to swap with.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
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
        Admin::at(host.address(), host.data())
    }

    /// The same of any server.
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

    /// Posts modules, name and bytes, with further parameters as a query that begins with `&`.
    pub async fn upload(&self, action: &str, modules: &[(&str, &[u8])], more: &str) -> Answer {
        self.answer(self.upload_request(action, modules, more)).await
    }

    /// What [`Admin::upload`] sends.
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

    /// Where the server is.
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

    /// Checks a module whose bytes, and the recording behind them, are the body; `more` has the sizes.
    ///
    /// # Panics
    /// When it is not checked.
    pub async fn check(&self, name: &str, body: Vec<u8>, more: &str) -> Value {
        let path = format!("modules/check?name={name}{more}");
        let (status, report) = self
            .send(Method::POST, &path, Some("application/wasm"), body.into())
            .await;
        assert_eq!(status, 200, "{report:#}");
        report
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
    let dir = match name {
        "probe" | "changing" => "modules-test",
        _ => "modules",
    };
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

/// The module whose behaviour is in its bytes, a letter a place:
///
/// 1. its label;
/// 2. what `work` does before it works: nothing (`o`k), or it `t`raps, `l`oops, answers an `e`rror, takes all `m`emory and traps, `g`rows to
///    the limit of memory, waits in the `h`ost for an hour, `s`cans without end, prints without end (`v`erbose), prints much more than
///    a call may log (`w`ordy); `p` and `r` plant a bug in other functions;
/// 3. the version of its rows;
/// 4. how it migrates: in `1` step, in `b`atches, `x` not at all, in batches and `f`ails or `t`raps, `s`tands still;
/// 5. its self-test: `o`k, `f`ails, `l`oops, waits in the `h`ost, looks at the `d`ata.
///
/// # Panics
/// When it is not built.
pub fn changing(behaviour: &str) -> Vec<u8> {
    const MARK: &[u8] = b"behaviour-of-this-:";
    let mut bytes = module("changing");
    let at = bytes.windows(MARK.len()).position(|w| w == MARK).expect("the mark") + MARK.len();
    bytes[at..at + behaviour.len()].copy_from_slice(behaviour.as_bytes());
    bytes
}

/// A module like that one which also imports the interface of a file system, as the text of a component.
pub const WITH_FILES: &str = r#"(component
    (import "wasi:filesystem/preopens@0.2.6" (instance (export "get-directories" (func))))
    (core module $m (func (export "f") (result i32) i32.const 7))
    (core instance $i (instantiate $m))
    (func $f (result u32) (canon lift (core func $i "f")))
    (instance $work (export "label" (func $f)))
    (export "changing:tests/work@1.0.0" (instance $work)))"#;

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
