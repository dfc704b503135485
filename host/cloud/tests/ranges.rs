//! Blobs of servers that answer requests for a range in a wrong way.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::http::HttpBuilder;
use object_store::{ClientOptions, ObjectStore};
use stowage_cloud::{Error, Hash, OpenOptions, Space};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const BLOB: &[u8] = b"the bytes of a blob, some more than are asked for";

/// How the server answers a request for a range of a blob.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// With the whole blob.
    Whole,
    /// With the range after it.
    Later,
    /// With a part, without saying which.
    Unnamed,
    /// With a range that is no range.
    Nonsense,
}

/// Serves `space.json` and one blob on a port of this machine. Returns its URL.
async fn serve(answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve_one(stream, answer));
        }
    });
    url
}

async fn serve_one(mut stream: TcpStream, answer: Answer) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let (status, range, body) = if !head.starts_with("get ") && !head.starts_with("head ") {
        ("403 Forbidden", String::new(), &b""[..])
    } else if head.contains("/space.json ") {
        ("200 OK", String::new(), &br#"{"format":1,"totalBytes":1000}"#[..])
    } else if !head.contains("/blobs/") {
        ("404 Not Found", String::new(), &b""[..])
    } else if let Some((_, range)) = head.split_once("range: bytes=") {
        let (start, end) = range.split_once("\r\n").unwrap().0.split_once('-').unwrap();
        let (start, end) = (start.parse::<usize>().unwrap(), end.parse::<usize>().unwrap() + 1);
        let named = |start: usize, end: usize| format!("content-range: bytes {start}-{}/{}\r\n", end - 1, BLOB.len());
        match answer {
            Answer::Whole => ("200 OK", String::new(), BLOB),
            Answer::Later => (
                "206 Partial Content",
                named(start + 1, end + 1),
                &BLOB[start + 1..end + 1],
            ),
            Answer::Unnamed => ("206 Partial Content", String::new(), &BLOB[start + 1..end + 1]),
            Answer::Nonsense => (
                "206 Partial Content",
                "content-range: bytes x\r\n".to_owned(),
                &BLOB[start..end],
            ),
        }
    } else {
        ("200 OK", String::new(), BLOB)
    };
    let head_of_answer = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nlast-modified: Tue, 01 Sep 2026 10:00:00 GMT\r\netag: \"1\"\r\n\
         {range}connection: close\r\n\r\n",
        body.len()
    );
    let body = if head.starts_with("head ") { &b""[..] } else { body };
    // The client may have gone.
    let _ = stream.write_all(&[head_of_answer.as_bytes(), body].concat()).await;
}

fn stores(url: &str) -> Vec<Arc<dyn ObjectStore>> {
    let options = ClientOptions::new().with_allow_http(true);
    let http = HttpBuilder::new().with_url(url).with_client_options(options.clone());
    let s3 = AmazonS3Builder::new()
        .with_endpoint(url)
        .with_bucket_name("bucket")
        .with_region("us-east-1")
        .with_skip_signature(true)
        .with_client_options(options);
    vec![Arc::new(http.build().unwrap()), Arc::new(s3.build().unwrap())]
}

#[tokio::test]
async fn an_answer_with_other_bytes_than_asked_for_is_not_used() {
    let hash = Hash::of(BLOB);
    for answer in [Answer::Whole, Answer::Later, Answer::Unnamed, Answer::Nonsense] {
        let url = serve(answer).await;
        for store in stores(&url) {
            let options = OpenOptions {
                create: None,
                unreachable_ok: true,
            };
            let space = Space::open_store(store, options).await.unwrap();
            let part = space.read_blob_part(&hash, 3..9).await;
            assert!(
                matches!(part, Err(Error::NoRanges { .. })),
                "{answer:?}: {:?}",
                part.err()
            );
            let whole = space.read_whole_blob(&hash).await.unwrap();
            let whole: Vec<_> = whole.try_collect().await.unwrap();
            assert_eq!(whole.concat(), BLOB, "{answer:?}");
            let read = space.read_blob(&hash, 3..9).await.unwrap();
            let read: Vec<_> = read.try_collect().await.unwrap();
            assert_eq!(read.concat(), BLOB[3..9], "{answer:?}");
        }
    }
}
