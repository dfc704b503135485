//! What holds on every kind of store: a directory, memory, and a real S3 server on loopback.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::s3::S3;
use common::{CREATE, Host, bounded, delete, memory, neighbours, put, store_blob};
use futures_util::TryStreamExt as _;
use serde_json::json;
use stowage_cloud::{Error, ErrorClass, Hash, OpenOptions, Put, Space, verify};

/// Where the space is in the bucket of the S3 server.
const PREFIX: &str = "spaces/one";

/// One space, opened as often as there are hosts.
enum Place {
    Directory(tempfile::TempDir),
    Memory(Space),
    S3(S3),
}

impl Place {
    async fn all() -> [Self; 3] {
        let (space, _) = memory().await;
        [
            Place::Directory(tempfile::tempdir().unwrap()),
            Place::Memory(space),
            Place::S3(S3::start().await),
        ]
    }

    async fn open(&self) -> Space {
        match self {
            Place::Directory(root) => {
                let url = format!("file://{}", root.path().join("the space").display()).replace(' ', "%20");
                Space::open(&url, CREATE).await.unwrap()
            }
            Place::Memory(space) => space.clone(),
            Place::S3(server) => server.space(PREFIX).await,
        }
    }

    /// Waits until all changes of a host are in the space, in segments that no reader fetches
    /// twice.
    async fn published(&self, host: &Host) {
        host.published().await;
        if let Place::S3(server) = self {
            server.leave_whole_seconds(PREFIX);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_write_one_segment_at_once_lose_nothing() {
    for place in Place::all().await {
        let hosts = [
            Host::start(&place.open().await).await,
            Host::start(&place.open().await).await,
        ];
        let names = neighbours(48);
        let common = &names[0];
        let tasks = names[1..].iter().enumerate().map(|(n, name)| {
            let host = &hosts[n % 2];
            async move {
                host.change(&[put("favorites", name, json!({ "name": name, "size": n }))])
                    .await;
                // Everybody sets a field of its own in one row.
                let mut fields = serde_json::Map::new();
                fields.insert(format!("f{n}"), json!(n));
                host.change(&[put("favorites", common, fields.into())]).await;
                host.published().await;
                if n % 5 == 0 {
                    host.change(&[delete("favorites", name)]).await;
                    host.published().await;
                }
            }
        });
        bounded("writing", futures_util::future::join_all(tasks)).await;
        for host in &hosts {
            host.sync().await;
            assert_eq!(host.pending(), 0);
            let mut expected: Vec<_> = names
                .iter()
                .enumerate()
                .filter(|(n, _)| *n == 0 || (n - 1) % 5 != 0)
                .map(|(_, name)| name.clone())
                .collect();
            expected.sort();
            assert_eq!(host.identities("favorites"), expected);
            let row = host.row("favorites", common).unwrap();
            assert_eq!(row.len(), names.len(), "{row:?}");
        }
        assert!(verify(&place.open().await, true).await.unwrap().is_sound());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_space_is_not_fetched_again_and_a_change_fetches_one_segment() {
    for place in Place::all().await {
        let (writer, reader) = (
            Host::start(&place.open().await).await,
            Host::start(&place.open().await).await,
        );
        let rows: Vec<_> = (0..50)
            .map(|n| put("favorites", &format!("row{n}"), json!({ "size": n })))
            .collect();
        writer.change(&rows).await;
        writer
            .change(&[put(
                "storage-files",
                &Hash::of(b"x").to_string(),
                json!({ "name": "x" }),
            )])
            .await;
        place.published(&writer).await;
        let first = reader.sync().await;
        assert_eq!((first.upserts, first.removals, first.skipped), (51, 0, 0));
        assert!(first.segments > 1);
        assert_eq!(reader.sync().await, stowage_cloud::SyncReport::default());
        // What a host wrote itself it does not fetch, if the store's listings have ETags to know it
        // by.
        let own = writer.sync().await;
        let tagged = !matches!(place, Place::S3(_));
        assert!(own.upserts == 0 && (own.segments == 0 || !tagged), "{own:?}");
        assert_eq!(writer.sync().await.segments, 0);
        writer
            .change(&[
                put("favorites", "row7", json!({ "size": 70 })),
                delete("favorites", "row7x"),
            ])
            .await;
        place.published(&writer).await;
        let change = reader.sync().await;
        assert_eq!((change.segments, change.upserts, change.removals), (1, 1, 0));
        assert_eq!(reader.row("favorites", "row7").unwrap()["size"], 70);
        writer.change(&[delete("favorites", "row7")]).await;
        place.published(&writer).await;
        let change = reader.sync().await;
        assert_eq!((change.segments, change.upserts, change.removals), (1, 0, 1));
        assert_eq!(reader.row("favorites", "row7"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_visible_only_whole_and_with_its_hash() {
    let large: Vec<u8> = (0..(20u32 << 20) / 4)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    for place in Place::all().await {
        let space = place.open().await;
        for bytes in [&b""[..], b"small", &large] {
            let (hash, len) = (Hash::of(bytes), bytes.len() as u64);
            let other = Hash::of(b"other");
            for (source, hash, size) in [
                (bytes, other, len),
                (bytes, hash, len + 1),
                (bytes, hash, len.wrapping_sub(1).min(len + 2)),
            ] {
                let refused = space.put_blob(source, &hash, size).await;
                assert!(matches!(refused, Err(Error::Mismatch { .. })), "{refused:?}");
                assert_eq!(space.head_blob(&hash).await.unwrap(), None);
            }
            assert_eq!(space.put_blob(bytes, &hash, len).await.unwrap(), Put::Stored);
            assert_eq!(
                space.put_blob(&b"not read"[..], &hash, len).await.unwrap(),
                Put::Present
            );
            assert_eq!(space.head_blob(&hash).await.unwrap().unwrap().size, len);
            for range in [0..len, 0..len.min(1), len / 3..len / 2, len..len, len / 2..len] {
                let read = space.read_blob(&hash, range.clone()).await.unwrap();
                let read: Vec<_> = read.try_collect().await.unwrap();
                assert!(read.concat() == bytes[range.start as usize..range.end as usize]);
            }
            space.delete_blob(&hash).await.unwrap();
            space.delete_blob(&hash).await.unwrap();
            assert_eq!(space.head_blob(&hash).await.unwrap(), None);
            assert!(matches!(space.read_blob(&hash, 0..1).await, Err(Error::Missing { .. })));
        }
        assert_eq!(
            verify(&space, true).await.unwrap().blobs,
            0,
            "nothing of a failed upload stays"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_blob_with_the_wrong_size_is_stored_again() {
    for place in Place::all().await {
        let space = place.open().await;
        let hash = store_blob(&space, b"content").await;
        if let Place::Directory(root) = &place {
            let hex = hash.to_hex();
            let file = root.path().join("the space/blobs").join(&hex[..2]).join(&hex);
            std::fs::write(&file, b"cut").unwrap();
            assert_eq!(space.put_blob(&b"content"[..], &hash, 7).await.unwrap(), Put::Stored);
            assert_eq!(std::fs::read(&file).unwrap(), b"content");
        }
    }
}

/// Answers every request with this status and this header.
async fn answering(status_and_header: &'static str) -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client.read(&mut [0; 4096]).await;
            let answer = format!("HTTP/1.1 {status_and_header}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn what_a_store_answers_tells_what_to_do() {
    let busy = |seconds| ErrorClass::Busy {
        retry_after: Some(Duration::from_secs(seconds)),
    };
    for (answer, class) in [
        ("401 Unauthorized\r\nx: y", ErrorClass::Refused),
        ("403 Forbidden\r\nx: y", ErrorClass::Refused),
        ("404 Not Found\r\nx: y", ErrorClass::Missing),
        ("418 Teapot\r\nx: y", ErrorClass::Unreachable),
        ("429 Too Many Requests\r\nretry-after: 77", busy(77)),
        ("503 Service Unavailable\r\nRetry-After: 7", busy(7)),
    ] {
        let url = format!("http://{}/dav", answering(answer).await);
        let error = Space::open(&url, OpenOptions::default()).await.unwrap_err();
        assert_eq!(error.class(), class, "{answer}: {error}");
    }
}

#[tokio::test]
async fn what_a_store_says_comes_without_the_credentials_of_its_url() {
    let address = answering("403 Forbidden\r\nx: y").await;
    let url = format!("http://user:SECRET@{address}/dav?sig=SECRET");
    let error = Space::open(&url, CREATE).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::Refused);
    assert!(
        error.to_string().contains(&format!("http://{address}/dav")),
        "the place stays: {error}"
    );
    let mut texts = vec![format!("{error:?}")];
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        texts.push(format!("{error} {error:?}"));
        cause = error.source();
    }
    assert!(!texts.concat().contains("SECRET"), "{texts:?}");
}
