//! Files that arrive in several pieces, as tus 1.0 says.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use stowage_tests::feed::Feed;
use stowage_tests::fixture::{hash_of, noise};
use stowage_tests::scene::Scene;
use stowage_tests::wait::{eventually, within};
use stowage_tests::wire::{self, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends a request of tus.
async fn tus(address: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut request = wire::request(method, address, path).header("tus-resumable", "1.0.0");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::new(Bytes::copy_from_slice(body));
    wire::send(address, request.body(body).unwrap()).await
}

/// Makes an upload and returns its path.
async fn create(address: SocketAddr, len_bytes: usize) -> String {
    let headers = [
        ("upload-length", &*len_bytes.to_string()),
        // "a.bin" and "3".
        ("upload-metadata", "filename YS5iaW4=,platform Mw=="),
    ];
    let created = tus(address, Method::POST, "/files/uploads", &headers, b"").await;
    assert_eq!(created.status, 201, "{:?}", created.body);
    created.headers["location"].to_str().unwrap().to_owned()
}

async fn patch(address: SocketAddr, path: &str, offset: u64, bytes: &[u8]) -> Reply {
    let headers = [
        ("upload-offset", &*offset.to_string()),
        ("content-type", "application/offset+octet-stream"),
    ];
    tus(address, Method::PATCH, path, &headers, bytes).await
}

fn number(reply: &Reply, name: &str) -> u64 {
    reply.headers[name].to_str().unwrap().parse().unwrap()
}

async fn offset(address: SocketAddr, path: &str) -> u64 {
    let head = tus(address, Method::HEAD, path, &[], b"").await;
    assert_eq!(head.status, 200);
    number(&head, "upload-offset")
}

/// Waits until the file of the only upload has more bytes than this.
async fn arrived(scene: &Scene, len_bytes: u64) {
    let incoming = scene.host.data().join("staging/incoming");
    eventually("bytes are in the file", async || {
        let mut files = std::fs::read_dir(&incoming).unwrap();
        let len = files.next()?.unwrap().metadata().unwrap().len();
        (len > len_bytes).then_some(())
    })
    .await;
}

/// Begins a PATCH of `len_bytes` bytes and sends only `bytes`.
async fn begin_patch(address: SocketAddr, path: &str, from: u64, len_bytes: usize, bytes: &[u8]) -> TcpStream {
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: {address}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {from}\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: {len_bytes}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

#[tokio::test]
async fn an_upload_survives_a_broken_connection_and_kill_9() {
    let mut scene = Scene::new().await;
    let bytes = noise(6_000_000, 1);
    let path = create(scene.host.address(), bytes.len()).await;
    let address = scene.host.address();
    let first = patch(address, &path, 0, &bytes[..2_000_000]).await;
    assert_eq!((first.status, number(&first, "upload-offset")), (204, 2_000_000));

    let stream = begin_patch(address, &path, 2_000_000, 4_000_000, &bytes[2_000_000..3_000_000]).await;
    // A question ends the request, so it comes after the first of its bytes.
    arrived(&scene, 2_000_000).await;
    drop(stream);
    // What came is kept, and the client learns how much that is.
    let kept = offset(address, &path).await;
    assert!(kept > 2_000_000, "{kept}");
    assert!(kept <= 3_000_000, "{kept}");
    let from = usize::try_from(kept).unwrap();
    let second = patch(address, &path, kept, &bytes[from..4_000_000]).await;
    assert_eq!(number(&second, "upload-offset"), 4_000_000);

    // Killed with a request under way: what was acknowledged is there.
    let stream = begin_patch(address, &path, 4_000_000, 2_000_000, &bytes[4_000_000..5_000_000]).await;
    scene.host = scene.host.kill().await.start().await;
    drop(stream);
    let address = scene.host.address();
    let kept = offset(address, &path).await;
    assert!((4_000_000..=5_000_000).contains(&kept), "{kept}");
    let mut feed = Feed::follow(&scene.host, "k", 0, 3, None).await;
    let from = usize::try_from(kept).unwrap();
    let last = patch(address, &path, kept, &bytes[from..]).await;
    let hash = hash_of(&bytes);
    assert_eq!(last.headers["stowage-hash"], hash, "{:?}", last.body);
    let row = feed.row(&hash, 1).await;
    assert_eq!(last.headers["stowage-task-id"], row["taskId"].as_str().unwrap());
    assert!(scene.space.read_blob(&hash).is_some_and(|blob| blob == bytes));

    // The result is told again, also after a restart.
    scene.host = scene.host.kill().await.start().await;
    let head = tus(scene.host.address(), Method::HEAD, &path, &[], b"").await;
    assert_eq!(head.headers["stowage-hash"], hash);
    assert_eq!(
        tus(scene.host.address(), Method::DELETE, &path, &[], b"").await.status,
        204
    );
    assert_eq!(
        tus(scene.host.address(), Method::HEAD, &path, &[], b"").await.status,
        404
    );
}

#[tokio::test]
async fn one_of_two_requests_to_an_upload_wins_and_a_question_ends_the_other() {
    let scene = Scene::new().await;
    let address = scene.host.address();
    let path = create(address, 1_000_000).await;
    let mut winner = begin_patch(address, &path, 0, 1_000_000, &noise(300_000, 1)).await;
    // Now the first request holds the upload.
    arrived(&scene, 0).await;
    let refused = patch(address, &path, 0, b"").await;
    assert!([409, 423].contains(&refused.status), "{}", refused.status);
    // A client that lost its connection asks, and need not wait for the old request.
    let kept = offset(address, &path).await;
    assert!(kept <= 300_000);
    let mut answer = vec![0; 12];
    within("the answer to the first request", winner.read_exact(&mut answer))
        .await
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 423");
    assert_eq!(patch(address, &path, kept, b"x").await.status, 204);
}

#[tokio::test]
async fn the_module_refuses_an_upload_at_its_beginning() {
    let scene = Scene::new().await;
    // Platform 0 needs a folder of backups: "name a, platform 0, parent none".
    let headers = [
        ("upload-length", "5"),
        ("upload-metadata", "name YQ==,platform MA==,parent bm9uZQ=="),
    ];
    let reply = tus(scene.host.address(), Method::POST, "/files/uploads", &headers, b"").await;
    assert_eq!((reply.status, reply.code()), (404, 60000));
    assert_eq!(reply.headers["stowage-code"], "60000");
}
