//! The routes with a module of the test's own, without sockets.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use serde_json::{Value, json};
use stowage_cloud::{Cloud, Hash, OpenOptions, Space, seal};
use stowage_storage::Store;
use stowage_transfer::{Config, Feed, Incoming, Received, Transfers};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::fields::{FileFields, Scalar};
use super::hook::{Failure, FileHook, Found, Stored};
use super::{FileResponse, Files};

/// A module that knows one file, and records what it is asked.
#[derive(Default)]
struct Module {
    /// What it answers to `check` and to `store`.
    check: Mutex<Option<Failure>>,
    store: Mutex<Option<Failure>>,
    known: Mutex<Option<(String, Found)>>,
    checked: Mutex<Vec<FileFields>>,
    stored: Mutex<Vec<(FileFields, Received)>>,
}

fn failure(code: i32, is_decision: bool) -> Failure {
    Failure {
        code,
        message: "no".into(),
        is_decision,
    }
}

#[async_trait]
impl FileHook for Module {
    async fn check(&self, file: &FileFields) -> Result<(), Failure> {
        self.checked.lock().unwrap().push(file.clone());
        self.check.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    async fn store(&self, _: &str, file: &FileFields, received: &Received) -> Result<Stored, Failure> {
        if let Some(failure) = self.store.lock().unwrap().clone() {
            return Err(failure);
        }
        self.stored.lock().unwrap().push((file.clone(), received.clone()));
        Ok(Stored {
            task_id: format!("task-{}", self.stored.lock().unwrap().len()),
            hash: received.hash.to_string(),
        })
    }

    async fn find(&self, hash: &str, platform: Option<u8>) -> Result<Found, Failure> {
        match &*self.known.lock().unwrap() {
            Some((known, found)) if known == hash && platform.is_none_or(|platform| platform == 3) => Ok(found.clone()),
            _ => Err(failure(60001, true)),
        }
    }
}

/// The routes on a space in memory.
struct Rig {
    files: Files,
    module: Arc<Module>,
    space: Space,
    store: Store,
    cloud: Cloud,
    dir: TempDir,
}

/// A response that was read to its end.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    /// Whether the body ended without an error.
    whole: bool,
}

impl Answer {
    async fn of(response: FileResponse) -> Answer {
        let (head, mut body) = response.into_parts();
        let (mut bytes, mut whole) = (Vec::new(), true);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
                Err(_) => whole = false,
            }
        }
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: bytes.into(),
            whole,
        }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn envelope(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn code(&self) -> i64 {
        let code = self.envelope()["code"].as_i64().unwrap();
        if code != 200 {
            assert_eq!(self.header("stowage-code"), code.to_string());
        }
        code
    }
}

impl Rig {
    async fn new() -> Rig {
        let options = OpenOptions {
            create: Some(1 << 30),
            ..OpenOptions::default()
        };
        let space = Space::open("memory:///", options).await.unwrap();
        let store = Store::in_memory(stowage_storage::Config::default());
        let cloud = Cloud::open(space.clone(), store.clone()).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let module = Arc::new(Module::default());
        let files = open(&store, &cloud, &dir, &module);
        Rig {
            files,
            module,
            space,
            store,
            cloud,
            dir,
        }
    }

    /// The routes after a restart.
    fn reopened(&self) -> Files {
        open(&self.store, &self.cloud, &self.dir, &self.module)
    }

    async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        let request = request.body(Full::new(body.into())).unwrap();
        Answer::of(self.files.respond(request).await).await
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(with(Request::get(path), headers), "").await
    }

    /// A request of tus.
    async fn tus(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("tus-resumable", "1.0.0");
        self.send(with(request, headers), body).await
    }

    async fn create(&self, headers: &[(&str, &str)]) -> String {
        let metadata = ("upload-metadata", "name 5oiRLnR4dA==,platform Mw==");
        let created = self
            .tus("POST", "/files/uploads", &[&[metadata], headers].concat(), "")
            .await;
        assert_eq!(created.status, 201, "{:?}", created.body);
        created.header("location").to_owned()
    }

    async fn patch(&self, path: &str, offset: usize, body: impl Into<Bytes>) -> Answer {
        let headers = [("upload-offset", &*offset.to_string()), BYTES];
        self.tus("PATCH", path, &headers, body).await
    }

    /// Puts a blob that the module knows into the space.
    async fn known(&self, bytes: &[u8], name: &str, protected: bool) -> String {
        let hash = Hash::of(bytes);
        self.space.put_blob(bytes, &hash, bytes.len() as u64).await.unwrap();
        let found = Found {
            name: name.to_owned(),
            protected,
        };
        *self.module.known.lock().unwrap() = Some((hash.to_string(), found));
        hash.to_string()
    }

    fn staged(&self, hash: &Hash) -> Option<Vec<u8>> {
        fs::read(self.dir.path().join("staging").join(hash.to_hex())).ok()
    }

    /// Waits until nothing of unfinished files is left.
    async fn until_nothing_arrives(&self) {
        let incoming = self.dir.path().join("staging/incoming");
        while fs::read_dir(&incoming).unwrap().next().is_some() {
            tokio::task::yield_now().await;
        }
    }
}

const BYTES: (&str, &str) = ("content-type", "application/offset+octet-stream");

fn open(store: &Store, cloud: &Cloud, dir: &TempDir, module: &Arc<Module>) -> Files {
    let mut config = Config::new(dir.path().join("downloads"), dir.path().join("temp"));
    config.min_free_bytes = 0;
    let transfers = Transfers::open(store.clone(), cloud.clone(), Feed::new(), config).unwrap();
    let incoming = Incoming::open(&transfers).unwrap();
    let hook: Arc<dyn FileHook> = Arc::clone(module) as _;
    Files::new(
        hook,
        transfers,
        incoming,
        Duration::from_secs(30),
        CancellationToken::new(),
    )
}

fn with(mut request: http::request::Builder, headers: &[(&str, &str)]) -> http::request::Builder {
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
}

/// A body that is cut off after some bytes.
fn cut(bytes: &'static [u8]) -> StreamBody<impl futures_util::Stream<Item = Result<Frame<Bytes>, std::io::Error>>> {
    StreamBody::new(stream::iter([
        Ok(Frame::data(Bytes::from_static(bytes))),
        Err(std::io::ErrorKind::ConnectionReset.into()),
    ]))
}

#[tokio::test]
async fn a_body_is_stored_with_the_fields_of_the_query() {
    let rig = Rig::new().await;
    let request = Request::put("/files?platform=3&name=%E6%88%91.txt&storagePath=x");
    let answer = rig.send(request, "content").await;
    let hash = Hash::of(b"content");
    let data = json!({"taskId": "task-1", "hash": hash.to_string()});
    assert_eq!(answer.envelope(), json!({"code": 200, "message": null, "data": data}));
    assert_eq!(rig.staged(&hash).unwrap(), b"content");
    let (fields, received) = rig.module.stored.lock().unwrap()[0].clone();
    assert_eq!((fields.platform, fields.name.as_str()), (3, "我.txt"));
    assert_eq!(fields.fields, [("storagePath".to_owned(), Scalar::Text("x".into()))]);
    assert_eq!((received.hash, received.size, received.protected), (hash, 7, false));
    assert_eq!(*rig.module.checked.lock().unwrap(), [fields]);
}

#[tokio::test]
async fn a_form_has_the_fields_as_json_and_then_the_file() {
    let rig = Rig::new().await;
    let json = r#"{"platform": 2, "time": 7, "filePassword": "stowage"}"#;
    let part = |head: &str, body: &str| format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n");
    let (fields, file) = (
        part("name=\"fields\"", json),
        part("name=\"file\"; filename=\"a.txt\"", "content"),
    );
    let send = async |body: String| {
        let request = Request::post("/files").header("content-type", "multipart/form-data; boundary=b");
        rig.send(request, body).await
    };
    let answer = send(format!("{fields}{file}--b--\r\n")).await;
    assert_eq!((answer.status, answer.code()), (200, 200), "{:?}", answer.body);
    let (stored, received) = rig.module.stored.lock().unwrap()[0].clone();
    assert_eq!((stored.platform, stored.name.as_str()), (2, "a.txt"));
    assert_eq!(stored.fields, [("time".to_owned(), Scalar::Integer(7))]);
    assert!(received.protected);
    assert!(
        rig.staged(&received.hash)
            .unwrap()
            .starts_with(b"age-encryption.org/v1\n")
    );
    for wrong in [
        format!("{fields}--b--\r\n"),
        format!("{fields}{file}{file}--b--\r\n"),
        format!("{fields}{file}"),
        format!("{file}{fields}--b--\r\n"),
        String::new(),
    ] {
        assert_eq!(send(wrong.clone()).await.code(), 600, "{wrong}");
    }
    assert_eq!(rig.module.stored.lock().unwrap().len(), 1);
    let answer = rig.send(Request::post("/files"), "content").await;
    assert_eq!(answer.status, 415);
    rig.until_nothing_arrives().await;
}

#[tokio::test]
async fn a_file_that_is_cut_off_changes_nothing() {
    let rig = Rig::new().await;
    let request = Request::put("/files?platform=3&name=a").body(cut(b"half")).unwrap();
    let answer = Answer::of(rig.files.respond(request).await).await;
    assert_eq!((answer.status, answer.code()), (400, 700));
    assert!(rig.module.stored.lock().unwrap().is_empty());
    rig.until_nothing_arrives().await;
    assert!(rig.staged(&Hash::of(b"half")).is_none());
}

#[tokio::test]
async fn the_module_refuses_a_file_before_it_arrives() {
    let rig = Rig::new().await;
    for (code, status) in [
        (600, 400),
        (60000, 404),
        (60002, 409),
        (300, 501),
        (500, 500),
        (700, 422),
    ] {
        *rig.module.check.lock().unwrap() = Some(failure(code, true));
        let answer = rig.send(Request::put("/files?platform=3&name=a"), "content").await;
        assert_eq!((answer.status, answer.code()), (status, i64::from(code)));
    }
    let answer = rig
        .send(Request::put("/files?platform=3&name=a&filePassword=x"), "content")
        .await;
    assert_eq!((answer.status, answer.code()), (400, 600));
    assert!(rig.staged(&Hash::of(b"content")).is_none());
}

#[tokio::test]
async fn a_file_arrives_in_pieces_and_over_a_restart() {
    let rig = Rig::new().await;
    let path = rig.create(&[("upload-length", "10")]).await;
    assert_eq!(rig.patch(&path, 0, "0123").await.header("upload-offset"), "4");
    // A wrong offset, type, version and size change nothing.
    assert_eq!(rig.patch(&path, 3, "x").await.status, 409);
    assert_eq!(
        rig.tus("PATCH", &path, &[("upload-offset", "4")], "x").await.status,
        415
    );
    let old = Request::patch(&path).header("tus-resumable", "0.2.2");
    let answer = rig.send(old, "x").await;
    assert_eq!((answer.status, answer.header("tus-version")), (412, "1.0.0"));
    assert_eq!(rig.patch(&path, 4, "too many").await.status, 413);
    // What came before the connection broke is kept.
    let request = Request::patch(&path)
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", "4")
        .header(BYTES.0, BYTES.1)
        .body(cut(b"45"))
        .unwrap();
    assert_eq!(rig.files.respond(request).await.status(), StatusCode::BAD_REQUEST);

    let rig = Rig {
        files: rig.reopened(),
        ..rig
    };
    let head = rig.tus("HEAD", &path, &[], "").await;
    assert_eq!(
        (head.status, head.header("upload-offset"), head.header("upload-length")),
        (200, "6", "10")
    );
    assert_eq!(head.header("upload-metadata"), "name 5oiRLnR4dA==,platform Mw==");
    assert_eq!(
        (head.header("cache-control"), head.header("tus-resumable")),
        ("no-store", "1.0.0")
    );
    assert!(head.header("upload-expires").ends_with(" GMT"));
    assert!(rig.module.stored.lock().unwrap().is_empty());
    let last = rig.patch(&path, 6, "6789").await;
    let hash = Hash::of(b"0123456789");
    for answer in [last, rig.tus("HEAD", &path, &[], "").await] {
        assert_eq!(answer.header("upload-offset"), "10");
        assert_eq!(answer.header("stowage-hash"), hash.to_string());
        assert_eq!(answer.header("stowage-task-id"), "task-1");
    }
    assert_eq!(rig.staged(&hash).unwrap(), b"0123456789");
    assert_eq!(rig.module.stored.lock().unwrap().len(), 1);
    assert_eq!(rig.tus("DELETE", &path, &[], "").await.status, 204);
    assert_eq!(rig.tus("HEAD", &path, &[], "").await.status, 404);
}

#[tokio::test]
async fn an_upload_may_begin_with_bytes_or_without_a_length() {
    let rig = Rig::new().await;
    let metadata = ("upload-metadata", "filename YQ==,platform Mw==");
    let whole = [metadata, ("upload-length", "7"), BYTES];
    let answer = rig.tus("POST", "/files/uploads", &whole, "content").await;
    assert_eq!((answer.status, answer.header("stowage-task-id")), (201, "task-1"));
    let part = [metadata, ("upload-length", "10"), BYTES];
    let answer = rig.tus("POST", "/files/uploads", &part, "content").await;
    assert_eq!((answer.status, answer.header("upload-offset")), (201, "7"));
    let empty = [metadata, ("upload-length", "0")];
    let answer = rig.tus("POST", "/files/uploads", &empty, "").await;
    assert_eq!(answer.header("stowage-task-id"), "task-2");

    let path = rig.create(&[("upload-defer-length", "1")]).await;
    assert_eq!(rig.patch(&path, 0, "con").await.status, 204);
    assert_eq!(rig.tus("HEAD", &path, &[], "").await.header("upload-defer-length"), "1");
    let headers = [("upload-offset", "3"), ("upload-length", "7"), BYTES];
    let last = rig.tus("PATCH", &path, &headers, "tent").await;
    assert_eq!(last.header("stowage-hash"), Hash::of(b"content").to_string());

    for wrong in [
        &[metadata][..],
        &[metadata, ("upload-length", "1"), ("upload-defer-length", "1")],
        &[metadata, ("upload-length", "-1")],
        &[("upload-length", "1")],
    ] {
        assert_eq!(
            rig.tus("POST", "/files/uploads", wrong, "").await.code(),
            600,
            "{wrong:?}"
        );
    }
    let huge = [metadata, ("upload-length", "1099511627777")];
    assert_eq!(rig.tus("POST", "/files/uploads", &huge, "").await.status, 413);
}

#[tokio::test]
async fn a_piece_with_a_wrong_checksum_is_dropped() {
    let rig = Rig::new().await;
    let path = rig.create(&[("upload-length", "7")]).await;
    let patch = async |checksum| {
        let headers = [("upload-offset", "0"), ("upload-checksum", checksum), BYTES];
        rig.tus("PATCH", &path, &headers, "content").await
    };
    assert_eq!(patch("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").await.status, 460);
    assert_eq!(patch("md5 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").await.status, 400);
    assert_eq!(rig.tus("HEAD", &path, &[], "").await.header("upload-offset"), "0");
    // sha1 of "content".
    let right = patch("sha1 BA8G/XdAkkeNRQd09bowxdp4rMg=").await;
    assert_eq!(
        right.header("stowage-hash"),
        Hash::of(b"content").to_string(),
        "{:?}",
        right.body
    );
}

#[tokio::test]
async fn a_refusal_of_the_module_is_told_again_but_a_failure_is_tried_again() {
    let rig = Rig::new().await;
    *rig.module.store.lock().unwrap() = Some(failure(500, false));
    let path = rig.create(&[("upload-length", "7")]).await;
    let answer = rig.patch(&path, 0, "content").await;
    assert_eq!((answer.status, answer.code()), (500, 500));
    *rig.module.store.lock().unwrap() = None;
    let head = rig.tus("HEAD", &path, &[], "").await;
    assert_eq!((head.status, head.header("stowage-task-id")), (200, "task-1"));

    *rig.module.store.lock().unwrap() = Some(failure(60000, true));
    let path = rig.create(&[("upload-length", "7")]).await;
    let answer = rig.patch(&path, 0, "content").await;
    assert_eq!((answer.status, answer.code()), (404, 60000));
    *rig.module.store.lock().unwrap() = None;
    let rig = Rig {
        files: rig.reopened(),
        ..rig
    };
    let head = rig.tus("HEAD", &path, &[], "").await;
    assert_eq!((head.status, head.header("stowage-code")), (404, "60000"));
    assert_eq!(rig.patch(&path, 7, "").await.code(), 60000);
    assert_eq!(rig.module.stored.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_upload_that_began_with_a_password_ends_with_it() {
    let rig = Rig::new().await;
    let password = ("stowage-file-password", "%E6%88%91");
    let path = rig.create(&[("upload-length", "7"), password]).await;
    let answer = rig.patch(&path, 0, "content").await;
    assert_eq!((answer.status, answer.code()), (403, 60004));
    let head = rig.tus("HEAD", &path, &[password], "").await;
    assert_eq!(head.status, 200);
    let received = rig.module.stored.lock().unwrap()[0].1.clone();
    assert!(received.protected);
    assert!(
        rig.staged(&received.hash)
            .unwrap()
            .starts_with(b"age-encryption.org/v1\n")
    );
}

#[tokio::test]
async fn a_client_that_can_only_post_names_the_method_in_a_header() {
    let rig = Rig::new().await;
    let path = rig.create(&[("upload-length", "7")]).await;
    let headers = [("x-http-method-override", "PATCH"), ("upload-offset", "0"), BYTES];
    assert_eq!(rig.tus("POST", &path, &headers, "content").await.status, 204);
}

#[tokio::test]
async fn a_file_is_sent_as_a_whole_or_in_part() {
    let rig = Rig::new().await;
    let hash = rig.known(b"0123456789", "我.txt", false).await;
    let (path, tag) = (format!("/files/{hash}"), format!("\"{hash}\""));
    let whole = rig.get(&path, &[]).await;
    assert_eq!(
        (whole.status, &whole.body[..], whole.whole),
        (200, &b"0123456789"[..], true)
    );
    for (name, value) in [
        ("content-length", "10"),
        ("accept-ranges", "bytes"),
        ("etag", &tag),
        ("content-type", "text/plain"),
        (
            "content-disposition",
            "attachment; filename=\"_.txt\"; filename*=UTF-8''%E6%88%91.txt",
        ),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "private, max-age=31536000, immutable"),
    ] {
        assert_eq!(whole.header(name), value, "{name}");
    }
    let part = rig.get(&path, &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status, &part.body[..]), (206, &b"234"[..]));
    assert_eq!(
        (part.header("content-range"), part.header("content-length")),
        ("bytes 2-4/10", "3")
    );
    let beyond = rig.get(&path, &[("range", "bytes=10-")]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */10"));
    for (headers, status) in [
        (&[("range", "bytes=0-1,3-4")][..], 200),
        (&[("range", "bytes=2-4"), ("if-range", &tag)], 206),
        (&[("range", "bytes=2-4"), ("if-range", "\"other\"")], 200),
        (
            &[("range", "bytes=2-4"), ("if-range", "Wed, 21 Oct 2015 07:28:00 GMT")],
            200,
        ),
        (&[("if-none-match", &tag)], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", "\"other\"")], 200),
        (&[("if-match", &tag)], 200),
        (&[("if-match", "\"other\"")], 412),
    ] {
        let answer = rig.get(&path, headers).await;
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(answer.header("etag").is_empty(), status == 412, "{headers:?}");
    }
    let head = rig.send(Request::head(&path).header("range", "bytes=2-4"), "").await;
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, "10", 0)
    );
    assert_eq!(rig.get(&format!("{path}?platform=3"), &[]).await.status, 200);
    for (path, status, code) in [
        (format!("{path}?platform=2"), 404, 60001),
        (format!("/files/{}", Hash::of(b"none")), 404, 60001),
        ("/files/nonsense".to_owned(), 400, 600),
        (format!("{path}?x=1"), 400, 600),
        ("/files/a/b".to_owned(), 404, 700),
    ] {
        let answer = rig.get(&path, &[]).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{path}");
    }
}

#[tokio::test]
async fn a_file_with_wrong_bytes_is_cut_off() {
    let rig = Rig::new().await;
    let hash = Hash::of(b"right");
    let blob = rig.known(b"wrong", "a", false).await.parse::<Hash>().unwrap();
    // The space gives other bytes than the hash says.
    let store = rig.dir.path().join("temp");
    fs::create_dir_all(&store).unwrap();
    fs::write(store.join(hash.to_hex()), b"wrong").unwrap();
    let found = Found {
        name: "a".into(),
        protected: false,
    };
    *rig.module.known.lock().unwrap() = Some((hash.to_string(), found));
    let answer = rig.get(&format!("/files/{hash}"), &[]).await;
    assert_ne!(hash, blob);
    assert!(!answer.whole && answer.body.len() < 5, "{:?}", answer.body);
}

#[tokio::test]
async fn a_protected_file_is_sent_as_it_is_stored_or_opened() {
    let rig = Rig::new().await;
    let mut sealed = Vec::new();
    seal(&b"content"[..], &mut sealed, "我").unwrap();
    let hash = rig.known(&sealed, "a.txt", true).await;
    let path = format!("/files/{hash}");
    assert_eq!(rig.get(&path, &[]).await.body, sealed);
    let password = ("stowage-file-password", "%E6%88%91");
    let opened = rig.get(&path, &[password, ("range", "bytes=0-1")]).await;
    assert_eq!(
        (opened.status, &opened.body[..], opened.header("content-length")),
        (200, &b"content"[..], "7")
    );
    assert_eq!(
        (opened.header("cache-control"), opened.header("accept-ranges")),
        ("no-store", "none")
    );
    assert_ne!(opened.header("etag"), format!("\"{hash}\""));
    let wrong = rig.get(&path, &[("stowage-file-password", "x")]).await;
    assert_eq!((wrong.status, wrong.code()), (403, 60004));
}

#[tokio::test]
async fn other_methods_are_refused_and_options_tell_what_is_possible() {
    let rig = Rig::new().await;
    for (method, path, allow) in [
        ("GET", "/files", "PUT, POST"),
        ("PUT", "/files/uploads", "POST, OPTIONS"),
        ("GET", "/files/uploads/x", "HEAD, PATCH, DELETE"),
        ("DELETE", "/files/x", "GET, HEAD"),
    ] {
        let answer = rig.send(Request::builder().method(method).uri(path), "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}");
    }
    let options = rig.send(Request::options("/files/uploads"), "").await;
    assert_eq!((options.status, options.header("tus-version")), (204, "1.0.0"));
    assert!(options.header("tus-extension").contains("creation-with-upload"));
    assert!(options.header("access-control-allow-methods").contains("PATCH"));
    for header in [
        "upload-metadata",
        "stowage-file-password",
        "if-range",
        "upload-checksum",
    ] {
        assert!(
            options.header("access-control-allow-headers").contains(header),
            "{header}"
        );
    }
    for header in ["location", "stowage-hash", "content-range", "upload-offset"] {
        assert!(
            options.header("access-control-expose-headers").contains(header),
            "{header}"
        );
    }
}
