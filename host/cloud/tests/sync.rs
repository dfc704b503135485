//! From the space to the local rows, also from hostile spaces.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Host, bounded, memory, put, read, store_blob, write};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::json;
use stowage_cloud::{Error, SyncReport};

fn line(identity: &str, name: &str) -> String {
    json!({ "unique": identity, "name": name }).to_string() + "\n"
}

async fn remove(store: &dyn ObjectStore, object: &str) {
    store.delete(&Path::from(object)).await.unwrap();
}

fn names(host: &Host) -> Vec<String> {
    host.rows("favorites")
        .iter()
        .map(|row| row["name"].as_str().unwrap_or("?").to_owned())
        .collect()
}

#[tokio::test]
async fn a_hostile_space_is_skipped_counted_and_never_fatal() {
    let (space, store) = memory().await;
    let host = Host::start(&space).await;
    let deep = format!(
        "{{\"unique\":\"deep\",\"x\":{}{}}}\n",
        "[".repeat(1 << 19),
        "]".repeat(1 << 19)
    );
    let long = format!("{{\"unique\":\"long\",\"x\":\"{}\"}}\n", "x".repeat(2 << 20));
    let mut text =
        b"\xff\xfe\x00\n{\"unique\":\"\xff\"}\nnull\n\"a\"\n[{}]\n{\"unique\":{}}\n{\"id\":\"a\"}\n".to_vec();
    text.extend_from_slice(deep.as_bytes());
    text.extend_from_slice(long.as_bytes());
    text.extend_from_slice(line("good", "kept").as_bytes());
    text.extend_from_slice(
        b"{\"unique\":\"types\",\"size\":\"big\",\"time\":[],\"hash\":7,\"name\":null}\n{\"unique\":\"cut",
    );
    write(store.as_ref(), "lists/favorites/aa.ndjson", text).await;
    // Objects that are no segments.
    for object in [
        "lists/favorites/x.txt",
        "lists/favorites/sub/x.ndjson",
        "lists/nowhere/aa.ndjson",
        "lists/x.ndjson",
    ] {
        write(store.as_ref(), object, line("trick", "no")).await;
    }
    let trick = Path::parse("lists/favorites/%2e%2e%2f%2e%2e.ndjson").unwrap();
    store
        .put(&trick, line("../../trick", "odd but legal").into())
        .await
        .unwrap();
    let report = host.sync().await;
    assert_eq!(
        (report.segments, report.upserts, report.skipped, report.malformed),
        (2, 3, 10, 0)
    );
    assert_eq!(host.identities("favorites"), ["../../trick", "good", "types"]);
    assert_eq!(host.sync().await, SyncReport::default());
}

#[tokio::test]
async fn a_row_in_two_segments_is_that_of_the_first_whatever_the_order_of_events() {
    let (space, store) = memory().await;
    write(store.as_ref(), "lists/favorites/bb.ndjson", line("a", "second")).await;
    let host = Host::start(&space).await;
    host.sync().await;
    assert_eq!(names(&host), ["second"]);
    write(store.as_ref(), "lists/favorites/aa.ndjson", line("a", "first")).await;
    host.sync().await;
    assert_eq!(names(&host), ["first"]);
    write(store.as_ref(), "lists/favorites/bb.ndjson", line("a", "changed second")).await;
    host.sync().await;
    assert_eq!(names(&host), ["first"]);
    let late = Host::start(&space).await;
    late.sync().await;
    assert_eq!(names(&late), ["first"]);
    remove(store.as_ref(), "lists/favorites/aa.ndjson").await;
    host.sync().await;
    assert_eq!(names(&host), ["changed second"], "the other one comes back");
    remove(store.as_ref(), "lists/favorites/bb.ndjson").await;
    assert_eq!(host.sync().await.removals, 1);
    assert_eq!(names(&host), [""; 0]);
    assert_eq!(host.sync().await, SyncReport::default());
}

#[tokio::test]
async fn a_row_that_moves_between_segments_is_never_missing() {
    let (space, store) = memory().await;
    for (from, to, name) in [
        ("aa", "bb", "same"),
        ("bb", "aa", "same"),
        ("aa", "bb", "other"),
        ("bb", "aa", "third"),
    ] {
        write(
            store.as_ref(),
            &format!("lists/favorites/{from}.ndjson"),
            line("a", "same") + &line("b", "stays"),
        )
        .await;
        write(store.as_ref(), &format!("lists/favorites/{to}.ndjson"), "").await;
        let host = Host::start(&space).await;
        host.sync().await;
        write(store.as_ref(), &format!("lists/favorites/{to}.ndjson"), line("a", name)).await;
        write(
            store.as_ref(),
            &format!("lists/favorites/{from}.ndjson"),
            line("b", "stays"),
        )
        .await;
        let report = host.sync().await;
        assert_eq!(report.removals, 0, "{from} {to} {name}");
        assert_eq!(names(&host), [name, "stays"]);
        assert_eq!(host.sync().await, SyncReport::default());
    }
}

#[tokio::test]
async fn a_vanished_segment_takes_its_rows_along() {
    let (space, store) = memory().await;
    write(
        store.as_ref(),
        "lists/favorites/aa.ndjson",
        line("a", "x") + &line("b", "x"),
    )
    .await;
    write(store.as_ref(), "lists/temp-files/aa.ndjson", line("a", "x")).await;
    let host = Host::start(&space).await;
    host.sync().await;
    remove(store.as_ref(), "lists/favorites/aa.ndjson").await;
    let report = host.sync().await;
    assert_eq!((report.segments, report.removals), (0, 2));
    assert_eq!(
        host.identities("favorites").len() + host.identities("temp-files").len(),
        1
    );
    assert_eq!(host.sync().await, SyncReport::default());
}

#[tokio::test]
async fn a_space_without_a_readable_space_json_changes_nothing_here() {
    let (space, store) = memory().await;
    write(store.as_ref(), "lists/favorites/aa.ndjson", line("a", "x")).await;
    let host = Host::start(&space).await;
    host.sync().await;
    let right = read(store.as_ref(), "space.json").await;
    for text in ["", "{\"format\":1,\"totalBy"] {
        write(store.as_ref(), "space.json", text).await;
        assert!(matches!(
            host.cloud.sync(host.sink.as_ref()).await,
            Err(Error::Malformed { .. })
        ));
    }
    remove(store.as_ref(), "lists/favorites/aa.ndjson").await;
    remove(store.as_ref(), "space.json").await;
    assert!(matches!(
        host.cloud.sync(host.sink.as_ref()).await,
        Err(Error::Unreachable { .. })
    ));
    assert_eq!(names(&host), ["x"], "an unmounted disk is not an empty space");
    let resized = right.replace("1073741824", "5");
    write(store.as_ref(), "space.json", resized).await;
    assert_eq!(host.sync().await.removals, 1);
    assert_eq!(host.cloud.total_bytes(&mut host.store.begin()).unwrap(), 5);
}

#[tokio::test]
async fn rows_come_in_bounded_batches_and_a_failed_sync_goes_on_where_it_was() {
    let (space, store) = memory().await;
    for segment in ["aa", "bb", "cc"] {
        let text: String = (0..1200).map(|n| line(&format!("{segment}{n}"), "x")).collect();
        write(store.as_ref(), &format!("lists/favorites/{segment}.ndjson"), text).await;
    }
    let host = Host::start(&space).await;
    let failing = Failing {
        host: &host,
        left: std::sync::atomic::AtomicI32::new(4),
    };
    assert!(matches!(host.cloud.sync(&failing).await, Err(Error::Sink { .. })));
    assert_eq!(names(&host).len(), 2000);
    let rest = host.sync().await;
    assert_eq!(names(&host).len(), 3600);
    assert_eq!(rest.upserts, 1600, "{rest:?}");
    assert_eq!(host.sync().await, SyncReport::default());
    for segment in ["aa", "bb", "cc"] {
        remove(store.as_ref(), &format!("lists/favorites/{segment}.ndjson")).await;
    }
    assert_eq!(host.sync().await.removals, 3600);
}

/// Fails after some batches.
struct Failing<'h> {
    host: &'h Host,
    left: std::sync::atomic::AtomicI32,
}

impl stowage_cloud::RowSink for Failing<'_> {
    fn apply<'a>(
        &'a self,
        batch: &'a stowage_cloud::Batch,
    ) -> futures_util::future::BoxFuture<'a, Result<stowage_cloud::Applied, stowage_cloud::SinkError>> {
        if self.left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) <= 0 {
            return Box::pin(async { Err("the module trapped".into()) });
        }
        stowage_cloud::RowSink::apply(self.host.sink.as_ref(), batch)
    }

    fn keeps(&self, _: &str) -> bool {
        true
    }
}

#[tokio::test]
async fn syncs_that_are_asked_for_at_once_share_a_run() {
    let (space, store) = memory().await;
    write(store.as_ref(), "lists/favorites/aa.ndjson", line("a", "x")).await;
    let host = Host::start(&space).await;
    let syncs = (0..20).map(|_| host.cloud.sync(host.sink.as_ref()));
    let reports = bounded("the syncs", futures_util::future::join_all(syncs)).await;
    // The first one has a run of its own. The others come during it and share the next one, which
    // finds nothing new.
    let fetched: u32 = reports.into_iter().map(|report| report.unwrap().segments).sum();
    assert_eq!(fetched, 1);
}

#[tokio::test]
async fn rows_of_a_collection_that_nobody_keeps_come_once_somebody_does() {
    let (space, store) = memory().await;
    let hash = store_blob(&space, b"x").await;
    let row = |identity: &str| json!({ "unique": identity, "hash": hash.to_string() }).to_string() + "\n";
    write(store.as_ref(), "lists/favorites/aa.ndjson", row("a") + &row("b")).await;
    let host = Host::start(&space).await;
    host.keep("favorites", false);
    assert_eq!(host.sync().await.upserts, 0);
    assert_eq!(host.sync().await, SyncReport::default());
    host.keep("favorites", true);
    assert_eq!(host.sync().await.upserts, 2);
    // While its module is away again, a row is removed.
    host.keep("favorites", false);
    write(store.as_ref(), "lists/favorites/aa.ndjson", row("b")).await;
    host.sync().await;
    assert_eq!(host.identities("favorites"), ["a", "b"]);
    host.keep("favorites", true);
    assert_eq!(host.sync().await.removals, 1);
    assert_eq!(host.identities("favorites"), ["b"]);
    // And then the whole segment.
    host.keep("favorites", false);
    remove(store.as_ref(), "lists/favorites/aa.ndjson").await;
    host.sync().await;
    host.keep("favorites", true);
    assert_eq!(host.sync().await.removals, 1);
    assert_eq!(host.sync().await, SyncReport::default());
}

#[tokio::test]
async fn our_own_deletion_is_not_undone_by_what_the_space_still_had() {
    let (space, store) = memory().await;
    let host = Host::start(&space).await;
    host.change(&[
        put("favorites", "a", json!({ "name": "x" })),
        put("favorites", "b", json!({ "name": "y" })),
    ])
    .await;
    host.published().await;
    host.change(&[common::delete("favorites", "a")]).await;
    let report = host.sync().await;
    assert_eq!((report.upserts, report.removals), (0, 0));
    assert_eq!(host.identities("favorites"), ["b"]);
    let object = format!("lists/favorites/{}.ndjson", stowage_cloud::default_segment("a"));
    assert_eq!(read(store.as_ref(), &object).await, "");
}
