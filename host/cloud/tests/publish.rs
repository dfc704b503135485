//! From the outbox to the space, through outages, crashes and other writers.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::fault::FaultStore;
use common::{CREATE, Host, bounded, delete, memory, neighbours, put, read, store_blob, until, write};
use serde_json::json;
use stowage_cloud::{Cloud, Error, Hash, Space, SpaceChange, StageError, default_segment, verify};

async fn faulty() -> (Space, FaultStore) {
    let store = FaultStore::default();
    (Space::open_store(Arc::new(store.clone()), CREATE).await.unwrap(), store)
}

fn segment(collection: &str, identity: &str) -> String {
    format!("lists/{collection}/{}.ndjson", default_segment(identity))
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_folders_are_published_before_files_and_meanwhile_nobody_is_busy() {
    let (space, store) = faulty().await;
    let host = Host::start(&space).await;
    store.set_down(true);
    for n in 0..5 {
        host.change(&[put("backup-folders", &format!("folder{n}"), json!({ "name": "x" }))])
            .await;
        host.change(&[put(
            "backups",
            &format!("file{n}"),
            json!({ "parent": format!("folder{n}") }),
        )])
        .await;
    }
    assert!(matches!(
        host.cloud.sync(host.sink.as_ref()).await,
        Err(Error::Unreachable { .. })
    ));
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    for _ in 0..1000 {
        host.cloud.wake();
        tokio::task::yield_now().await;
    }
    let refused = store.faults.refused.load(Ordering::SeqCst);
    // An attempt asks for each changed segment. After the first few, attempts are at least thirty
    // seconds apart.
    assert!((5..300).contains(&refused), "{refused} requests in ten minutes");
    assert_eq!(host.pending(), 10);
    store.set_down(false);
    host.published().await;
    assert_eq!(host.pending(), 0);
    let puts: Vec<_> = store
        .puts()
        .into_iter()
        .filter(|object| object.starts_with("lists/"))
        .collect();
    // Segments of one collection are put side by side.
    let mut folders: Vec<_> = (0..5)
        .map(|n| segment("backup-folders", &format!("folder{n}")))
        .collect();
    let mut files: Vec<_> = (0..5).map(|n| segment("backups", &format!("file{n}"))).collect();
    let (mut first, mut second) = (puts[..5].to_vec(), puts[5..].to_vec());
    for objects in [&mut folders, &mut files, &mut first, &mut second] {
        objects.sort();
    }
    assert_eq!((first, second), (folders, files));
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_published_again_and_changes_nothing_more() {
    let (space, store) = faulty().await;
    let host = Host::idle(&space, stowage_storage::Store::in_memory(Default::default())).await;
    host.change(&[put("favorites", "a", json!({ "name": "one", "size": 1 }))])
        .await;
    store.faults.lose_answers.store(true, Ordering::SeqCst);
    assert!(host.cloud.sync(host.sink.as_ref()).await.is_err());
    assert_eq!(host.pending(), 1, "not known to be in the space");
    let text = read(store.inner.as_ref(), &segment("favorites", "a")).await;
    // The process ends here. The next one finds the change in its database.
    store.faults.lose_answers.store(false, Ordering::SeqCst);
    let mut host = Host::idle(&space, host.kill()).await;
    host.publish();
    host.published().await;
    assert_eq!(host.pending(), 0);
    assert_eq!(read(store.inner.as_ref(), &segment("favorites", "a")).await, text);
    host.sync().await;
    assert_eq!(host.row("favorites", "a").unwrap()["name"], "one");
    assert_eq!(host.sync().await, Default::default());
}

#[tokio::test]
async fn changes_staged_after_a_restart_come_after_those_before() {
    let (space, _) = memory().await;
    let store = stowage_storage::Store::in_memory(Default::default());
    let first = Host::idle(&space, store.clone()).await;
    for n in 0..3 {
        first.change(&[put("favorites", "a", json!({ "n": n }))]).await;
    }
    first.kill();
    let mut second = Host::idle(&space, store).await;
    second.change(&[put("favorites", "a", json!({ "n": 3 }))]).await;
    second.publish();
    second.published().await;
    let reader = Host::start(&space).await;
    reader.sync().await;
    assert_eq!(reader.row("favorites", "a").unwrap()["n"], 3);
}

#[tokio::test]
async fn unknown_fields_and_foreign_lines_survive_our_changes() {
    let (space, store) = memory().await;
    let names = neighbours(3);
    let object = segment("favorites", &names[0]);
    let line = |name: &str| format!(r#"{{"zz":{{"k":[1.50]}},"unique":"{name}","name":"old","future":1e2}}"#);
    let text = format!("# not ours\n{}\n{}\n", line(&names[0]), line(&names[1]));
    write(store.as_ref(), &object, text).await;
    let host = Host::start(&space).await;
    host.sync().await;
    host.change(&[
        put("favorites", &names[0], json!({ "name": "new" })),
        put("favorites", &names[2], json!({})),
    ])
    .await;
    host.published().await;
    let expected = format!(
        "# not ours\n{}\n{}\n{{\"unique\":\"{}\"}}\n",
        line(&names[0]).replace("old", "new"),
        line(&names[1]),
        names[2]
    );
    assert_eq!(read(store.as_ref(), &object).await, expected);
    assert_eq!(host.sync().await.segments, 0, "what we wrote we know");
}

#[tokio::test]
async fn a_row_is_changed_in_the_segment_where_another_tool_put_it() {
    let (space, store) = memory().await;
    write(
        store.as_ref(),
        "lists/favorites/all.ndjson",
        "{\"unique\":\"a\",\"name\":\"x\"}\n{\"unique\":\"b\"}\n",
    )
    .await;
    let host = Host::start(&space).await;
    host.sync().await;
    host.change(&[put("favorites", "a", json!({ "name": "y" })), delete("favorites", "b")])
        .await;
    host.published().await;
    assert_eq!(
        read(store.as_ref(), "lists/favorites/all.ndjson").await,
        "{\"unique\":\"a\",\"name\":\"y\"}\n"
    );
    // Another writer moves it before our next change. That change follows it.
    write(store.as_ref(), "lists/favorites/all.ndjson", "").await;
    write(store.as_ref(), "lists/favorites/moved.ndjson", "{\"unique\":\"a\"}\n").await;
    host.change(&[put("favorites", "a", json!({ "name": "z" }))]).await;
    host.published().await;
    assert_eq!(
        read(store.as_ref(), "lists/favorites/moved.ndjson").await,
        "{\"unique\":\"a\",\"name\":\"z\"}\n"
    );
    assert_eq!(read(store.as_ref(), "lists/favorites/all.ndjson").await, "");
    host.sync().await;
    assert_eq!(host.row("favorites", "a").unwrap()["name"], "z");
    assert_eq!(host.identities("favorites"), ["a"]);
    assert_eq!(host.sync().await, Default::default());
}

#[tokio::test]
async fn a_row_that_another_host_removed_does_not_come_back_with_our_edit() {
    // Alone in its segment, beside another row, and in the segment of another tool.
    for place in ["home", "beside", "all"] {
        let (space, store) = memory().await;
        let names = neighbours(2);
        let folder = names[0].as_str();
        let row = put("favorite-folders", folder, json!({ "name": "old", "time": 1 }));
        let (a, b) = (Host::start(&space).await, Host::start(&space).await);
        match place {
            "home" => a.change(&[row]).await,
            "beside" => a.change(&[row, put("favorite-folders", &names[1], json!({}))]).await,
            _ => {
                let line = format!("{{\"id\":\"{folder}\"}}\n");
                write(store.as_ref(), "lists/favorite-folders/all.ndjson", line).await;
            }
        }
        a.published().await;
        a.sync().await;
        b.sync().await;
        b.change(&[delete("favorite-folders", folder)]).await;
        b.published().await;
        // This host does not know of it.
        a.change(&[put("favorite-folders", folder, json!({ "name": "new", "time": 1 }))])
            .await;
        a.published().await;
        assert_eq!(a.pending(), 0);
        for host in [&a, &b, &a] {
            host.sync().await;
            assert_eq!(host.row("favorite-folders", folder), None, "{place}");
        }
        assert_eq!(a.sync().await, Default::default());
        // A row with the same identity may be made later.
        a.change(&[put("favorite-folders", folder, json!({ "name": "again" }))])
            .await;
        a.published().await;
        b.sync().await;
        assert_eq!(b.row("favorite-folders", folder).unwrap()["name"], "again");
    }
}

#[tokio::test]
async fn a_file_that_is_uploaded_again_has_its_row_although_another_host_removed_it() {
    let (space, _) = memory().await;
    let (a, b) = (Host::start(&space).await, Host::start(&space).await);
    let hash = store_blob(&space, b"again").await.to_string();
    let row = || put("storage-files", &hash, json!({ "hash": hash, "name": "x", "size": 5 }));
    a.change(&[row()]).await;
    a.published().await;
    b.sync().await;
    b.change(&[delete("storage-files", &hash)]).await;
    b.published().await;
    a.change(&[row()]).await;
    a.published().await;
    for host in [&a, &b] {
        host.sync().await;
        assert_eq!(host.row("storage-files", &hash).unwrap()["name"], "x");
    }
}

#[tokio::test]
async fn fields_that_two_hosts_set_at_once_reach_both() {
    let (space, _) = memory().await;
    let (one, two) = (Host::start(&space).await, Host::start(&space).await);
    one.change(&[put("favorites", "a", json!({ "name": "n", "folder": "1" }))])
        .await;
    one.published().await;
    two.sync().await;
    two.change(&[put("favorites", "a", json!({ "folder": "2" }))]).await;
    one.change(&[put("favorites", "a", json!({ "name": "m" }))]).await;
    one.published().await;
    two.published().await;
    for host in [&one, &two] {
        host.sync().await;
        let row = host.row("favorites", "a").unwrap();
        assert_eq!((&row["name"], &row["folder"]), (&json!("m"), &json!("2")));
    }
}

#[tokio::test]
async fn a_row_with_a_change_of_ours_is_not_overwritten_by_a_sync() {
    let (space, _) = memory().await;
    let one = Host::start(&space).await;
    let two = Host::idle(&space, stowage_storage::Store::in_memory(Default::default())).await;
    one.change(&[put("favorites", "a", json!({ "name": "theirs", "size": 1 }))])
        .await;
    one.published().await;
    // The sink stages the change in the middle of a sync, between publishing and fetching.
    let mut tx = two.store.begin();
    two.cloud
        .stage(&mut tx, &put("favorites", "a", json!({ "name": "ours" })))
        .unwrap();
    tx.put("rows-favorites", b"a", br#"{"unique":"a","name":"ours"}"#.to_vec())
        .unwrap();
    let staging = Staging {
        host: &two,
        tx: std::sync::Mutex::new(Some(tx)),
    };
    bounded("a sync", two.cloud.sync(&staging)).await.unwrap();
    assert_eq!(two.row("favorites", "a").unwrap()["name"], "ours");
    two.sync().await;
    let row = two.row("favorites", "a").unwrap();
    assert_eq!(
        (&row["name"], &row["size"]),
        (&json!("ours"), &json!(1)),
        "and the other fields came after all"
    );
}

/// Commits a transaction just before the first batch is applied.
struct Staging<'h> {
    host: &'h Host,
    tx: std::sync::Mutex<Option<stowage_storage::Transaction>>,
}

impl stowage_cloud::RowSink for Staging<'_> {
    fn apply<'a>(
        &'a self,
        batch: &'a stowage_cloud::Batch,
    ) -> futures_util::future::BoxFuture<'a, Result<stowage_cloud::Applied, stowage_cloud::SinkError>> {
        Box::pin(async move {
            let staged = self.tx.lock().unwrap().take();
            if let Some(tx) = staged {
                self.host.store.commit(tx).await?;
            }
            stowage_cloud::RowSink::apply(self.host.sink.as_ref(), batch).await
        })
    }

    fn keeps(&self, _: &str) -> bool {
        true
    }
}

#[tokio::test]
async fn delete_then_put_makes_the_row_anew() {
    let (space, store) = memory().await;
    let host = Host::idle(&space, stowage_storage::Store::in_memory(Default::default())).await;
    write(
        store.as_ref(),
        &segment("favorites", "a"),
        "{\"unique\":\"a\",\"old\":1}\n",
    )
    .await;
    host.sync().await;
    host.change(&[delete("favorites", "a"), put("favorites", "a", json!({ "name": "x" }))])
        .await;
    host.change(&[put("favorites", "a", json!({ "size": 2 }))]).await;
    host.sync().await;
    let text = read(store.as_ref(), &segment("favorites", "a")).await;
    assert_eq!(text, "{\"unique\":\"a\",\"name\":\"x\",\"size\":2}\n");
}

#[tokio::test]
async fn an_impossible_change_is_refused_when_it_is_staged() {
    let (space, _) = memory().await;
    let host = Host::start(&space).await;
    let mut tx = host.store.begin();
    let staged = host.cloud.stage(&mut tx, &put("../x", "a", json!({})));
    assert!(matches!(staged, Err(StageError::SpaceChange(_))));
    assert!(tx.writes().next().is_none());
}

#[tokio::test]
async fn a_blob_goes_when_its_last_row_is_gone_and_not_before() {
    let (space, _) = memory().await;
    let (one, two) = (Host::start(&space).await, Host::start(&space).await);
    let hash = store_blob(&space, b"shared").await;
    let named = json!({ "hash": hash.to_string() });
    one.change(&[put("favorites", "a", named.clone())]).await;
    one.published().await;
    // The other host names the blob too, and this host does not know of it.
    two.change(&[put("temp-files", "b", named)]).await;
    two.published().await;
    one.change(&[delete("favorites", "a"), SpaceChange::DeleteBlob { hash }])
        .await;
    until("deciding on the blob", async || one.pending() == 0).await;
    assert!(
        space.head_blob(&hash).await.unwrap().is_some(),
        "the other host's row names it"
    );
    two.change(&[delete("temp-files", "b"), SpaceChange::DeleteBlob { hash }])
        .await;
    until("deciding on the blob", async || two.pending() == 0).await;
    assert_eq!(space.head_blob(&hash).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_blob_stays_while_something_here_is_about_to_name_it() {
    let (space, _) = memory().await;
    let host = Host::start(&space).await;
    let hash = store_blob(&space, b"again").await;
    let hold = host.cloud.hold_blob(&hash).await;
    host.change(&[SpaceChange::DeleteBlob { hash }]).await;
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(host.cloud.confirm_blob(&hash, 5).await.unwrap());
    host.change(&[put("favorites", "a", json!({ "hash": hash.to_string() }))])
        .await;
    drop(hold);
    until("deciding on the blob", async || {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        host.pending() == 0
    })
    .await;
    assert!(host.cloud.confirm_blob(&hash, 5).await.unwrap(), "a row names it now");
    host.change(&[delete("favorites", "a"), SpaceChange::DeleteBlob { hash }])
        .await;
    // The clock is paused. It moves on while all tasks sleep, so the publisher's rest ends.
    until("deciding on the blob", async || {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        host.pending() == 0
    })
    .await;
    assert!(!host.cloud.confirm_blob(&hash, 5).await.unwrap());
}

#[tokio::test]
async fn a_blob_that_a_row_of_an_unkept_collection_names_stays() {
    let (space, store) = memory().await;
    let host = Host::start(&space).await;
    host.keep("dapp-files", false);
    let hash = store_blob(&space, b"dapp").await;
    write(
        store.as_ref(),
        &segment("dapp-files", &hash.to_string()),
        format!("{{\"hash\":\"{hash}\"}}\n"),
    )
    .await;
    host.change(&[SpaceChange::DeleteBlob { hash }]).await;
    until("deciding on the blob", async || host.pending() == 0).await;
    assert!(space.head_blob(&hash).await.unwrap().is_some());
}

#[tokio::test]
async fn without_conditional_puts_writers_take_turns_with_a_lock_object() {
    for no_create in [false, true] {
        let store = FaultStore::default();
        store.faults.no_update.store(true, Ordering::SeqCst);
        store.faults.no_create.store(no_create, Ordering::SeqCst);
        let open = || Space::open_store(Arc::new(store.clone()), CREATE);
        let hosts = [
            Host::start(&open().await.unwrap()).await,
            Host::start(&open().await.unwrap()).await,
        ];
        let names = neighbours(8);
        let tasks = names.iter().enumerate().map(|(n, name)| {
            let host = &hosts[n % 2];
            async move {
                host.change(&[put("favorites", name, json!({ "n": n }))]).await;
                host.published().await;
            }
        });
        bounded("writing", futures_util::future::join_all(tasks)).await;
        assert_eq!(hosts[0].sync().await.malformed, 0);
        assert_eq!(hosts[0].identities("favorites").len(), names.len());
        assert!(verify(&open().await.unwrap(), false).await.unwrap().is_sound());
    }
}

#[tokio::test]
async fn a_host_starts_without_the_space_and_keeps_its_size() {
    let (space, store) = faulty().await;
    let database = stowage_storage::Store::in_memory(Default::default());
    Cloud::open(space.clone(), database.clone()).await.unwrap();
    store.set_down(true);
    let options = stowage_cloud::OpenOptions {
        unreachable_ok: true,
        ..CREATE
    };
    let space = Space::open_store(Arc::new(store.clone()), options).await.unwrap();
    assert!(Space::open_store(Arc::new(store.clone()), CREATE).await.is_err());
    let cloud = Cloud::open(space, database.clone()).await.unwrap();
    assert_eq!(cloud.total_bytes(&mut database.begin()).unwrap(), 1 << 30);
}

#[tokio::test]
async fn publishing_goes_around_a_segment_that_is_too_large() {
    let (space, store) = memory().await;
    let host = Host::start(&space).await;
    let name = Hash::of(b"some").to_string();
    let huge = vec![b'\n'; (stowage_cloud::SEGMENT_LIMIT_BYTES + 1) as usize];
    write(store.as_ref(), &segment("storage-files", &name), huge).await;
    host.change(&[
        put("storage-files", &name, json!({ "name": "x" })),
        delete("storage-files", &name),
    ])
    .await;
    host.change(&[put("storage-files", &name, json!({ "name": "y" }))])
        .await;
    host.published().await;
    let beside = format!("lists/storage-files/{}-overflow.ndjson", default_segment(&name));
    assert_eq!(
        read(store.as_ref(), &beside).await,
        format!("{{\"hash\":\"{name}\",\"name\":\"y\"}}\n")
    );
    assert_eq!(host.sync().await.malformed, 1);
    assert_eq!(host.sync().await, Default::default(), "it is reported when it changes");
    // It may name any blob.
    let blob = store_blob(&space, b"named somewhere").await;
    host.change(&[SpaceChange::DeleteBlob { hash: blob }]).await;
    until("deciding on the blob", async || host.pending() == 0).await;
    assert!(space.head_blob(&blob).await.unwrap().is_some());
}
