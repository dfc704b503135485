//! Uploads, and the module that is asked before and told after.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Fault, Rig, bytes, eventually, file};
use futures_util::future::BoxFuture;
use stowage_cloud::{Applied, Batch, Hash, RowSink, SinkError, SpaceChange};
use stowage_transfer::{Direction, File, Refusal};
use tokio_util::sync::CancellationToken;

async fn in_space(rig: &Rig, file: &File) -> bool {
    let hash: Hash = file.hash.parse().unwrap();
    rig.cloud.space().head_blob(&hash).await.unwrap().is_some()
}

#[tokio::test]
async fn a_temp_file_moves_to_the_space_between_the_two_calls_of_the_module() {
    let rig = Rig::new().await;
    let temp = rig.temp("x", &bytes(1 << 20, 1));
    rig.hook.finished_gate.set_open(false);
    let running = rig.start();
    let id = running.upload(&temp).await;
    eventually(|| (rig.hook.calls().len() == 2).then_some(())).await;
    assert!(
        in_space(&rig, &temp).await,
        "the blob is durable before the module is told"
    );
    assert!(running.row(&id).progress < 100);
    rig.hook.finished_gate.set_open(true);
    let row = running.status(&id, 1).await;
    assert_eq!((row.progress, row.code), (100, 0));
    assert!(row.source_path.starts_with(&rig.dir.path().display().to_string()));
    assert_eq!(rig.hook.calls(), ["admit x", "finished x subject"]);
}

#[tokio::test]
async fn a_blob_that_is_there_already_does_not_move() {
    let rig = Rig::new().await;
    let blob = rig.blob("x", b"content").await;
    let running = rig.start();
    let id = running.upload(&blob).await;
    running.status(&id, 1).await;
    assert_eq!(rig.hook.calls(), ["admit x", "finished x subject"]);
}

#[tokio::test]
async fn a_file_that_is_nowhere_or_not_what_its_name_says_fails() {
    let rig = Rig::new().await;
    let running = rig.start();
    let id = running.upload(&file("x", b"nowhere")).await;
    assert_eq!(running.status(&id, 3).await.code, 60001);
    let temp = rig.temp("y", b"was");
    let hash: Hash = temp.hash.parse().unwrap();
    fs::write(rig.dir.path().join("temp").join(hash.to_hex()), b"is").unwrap();
    let id = running.upload(&temp).await;
    assert_eq!(running.status(&id, 3).await.code, 60001);
    assert!(!in_space(&rig, &temp).await);
    assert!(rig.hook.calls().iter().all(|call| call.starts_with("admit")));
}

#[tokio::test]
async fn the_modules_refusals_end_the_upload() {
    let rig = Rig::new().await;
    let temp = rig.temp("x", b"content");
    let running = rig.start();
    *rig.hook.admit.lock().unwrap() = Some(Refusal::NoSpace);
    let id = running.upload(&temp).await;
    running.status(&id, 5).await;
    *rig.hook.admit.lock().unwrap() = Some(Refusal::Gone);
    let id = running.upload(&temp).await;
    assert_eq!(running.status(&id, 3).await.code, 60001);
    assert!(!in_space(&rig, &temp).await);
    *rig.hook.admit.lock().unwrap() = None;
    *rig.hook.finished.lock().unwrap() = Some(Refusal::Gone);
    let id = running.upload(&temp).await;
    assert_eq!(running.status(&id, 3).await.code, 60001);
}

#[tokio::test]
async fn a_module_that_gives_no_answer_is_asked_again() {
    let rig = Rig::new().await;
    let temp = rig.temp("x", b"content");
    rig.hook.failures.store(2, Ordering::SeqCst);
    let running = rig.start();
    let id = running.upload(&temp).await;
    running.status(&id, 1).await;
    assert_eq!(rig.hook.calls().len(), 4);
}

#[tokio::test]
async fn a_space_out_of_reach_pauses_the_upload() {
    let mut rig = Rig::new().await;
    rig.config.retry.attempts = 1000;
    let temp = rig.temp("x", b"content");
    rig.objects.set(Fault::Unreachable);
    let running = rig.start();
    let id = running.upload(&temp).await;
    running.status(&id, 4).await;
    rig.objects.set(Fault::None);
    running.status(&id, 1).await;
    assert!(in_space(&rig, &temp).await);
}

#[tokio::test]
async fn uploads_behind_others_are_waiting() {
    let mut rig = Rig::new().await;
    rig.config.max_active = 1;
    rig.hook.admit_gate.set_open(false);
    let running = rig.start();
    let mut ids = Vec::new();
    for number in 0..3u8 {
        let temp = rig.temp(&format!("f{number}"), &[number]);
        ids.push(running.upload(&temp).await);
    }
    for id in &ids[1..] {
        running.status(id, 0).await;
    }
    rig.hook.admit_gate.set_open(true);
    for id in &ids {
        running.status(id, 1).await;
    }
    let rows = running.rows(Direction::Upload);
    assert!(rows.iter().all(|row| row.progress == 100));
}

#[tokio::test]
async fn after_a_crash_the_module_is_told_again_but_not_asked_again() {
    let rig = Rig::new().await;
    let temp = rig.temp("x", b"content");
    rig.hook.finished_gate.set_open(false);
    let running = rig.start();
    let id = running.upload(&temp).await;
    eventually(|| (rig.hook.calls().len() == 2).then_some(())).await;
    running.crash().await;
    rig.hook.finished_gate.set_open(true);
    let running = rig.start();
    running.status(&id, 1).await;
    assert_eq!(
        rig.hook.calls(),
        ["admit x", "finished x subject", "finished x subject"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_a_part_that_the_space_has_is_not_sent_again() {
    let rig = Rig::on_parts().await;
    let temp = rig.temp("x", &bytes((16 << 20) + 5, 1));
    rig.objects.only_first_part.store(true, Ordering::SeqCst);
    let running = rig.start();
    let id = running.upload(&temp).await;
    let sent = |rig: &Rig| rig.stored()[0]["part_upload"]["parts"].as_array().map_or(0, Vec::len);
    eventually(|| (sent(&rig) == 1).then_some(())).await;
    running.crash().await;

    rig.objects.only_first_part.store(false, Ordering::SeqCst);
    let running = rig.start();
    assert_eq!(running.row(&id).progress, 99, "what the space has, counts at once");
    assert_eq!(running.status(&id, 1).await.progress, 100);
    let mut parts = rig.objects.parts.lock().unwrap().clone();
    parts.sort_unstable();
    assert_eq!(parts, [0, 1], "each once");
    assert!(in_space(&rig, &temp).await);
    assert!(rig.stored()[0]["part_upload"].is_null());
}

#[tokio::test]
async fn a_file_is_copied_into_a_space_that_is_a_directory() {
    let rig = Rig::on_directory().await;
    let content = bytes((3 << 20) + 1, 1);
    let temp = rig.temp("x", &content);
    let running = rig.start();
    let id = running.upload(&temp).await;
    running.status(&id, 1).await;
    let hex = temp.hash.parse::<Hash>().unwrap().to_hex();
    let folder = rig.dir.path().join("space/blobs").join(&hex[..2]);
    assert!(fs::read(folder.join(&hex)).unwrap() == content);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
}

#[tokio::test]
async fn while_the_space_is_away_an_upload_waits_however_long() {
    let mut rig = Rig::new().await;
    rig.config.retry.attempts = 1;
    let temp = rig.temp("x", b"content");
    rig.objects.set(Fault::Unreachable);
    let running = rig.start();
    let id = running.upload(&temp).await;
    eventually(|| (rig.hook.calls().len() >= 4).then_some(())).await;
    assert_eq!(running.status(&id, 4).await.code, 503);
    rig.objects.set(Fault::None);
    running.status(&id, 1).await;
}

#[tokio::test]
async fn a_shutdown_pauses_an_upload_and_the_next_run_goes_on() {
    let rig = Rig::new().await;
    let temp = rig.temp("x", b"content");
    rig.hook.admit_gate.set_open(false);
    let running = rig.start();
    let id = running.upload(&temp).await;
    eventually(|| (rig.hook.calls().len() == 1).then_some(())).await;
    running.stop().await;
    assert_eq!(rig.stored()[0]["state"], "paused");
    rig.hook.admit_gate.set_open(true);
    let running = rig.start();
    running.status(&id, 1).await;
}

#[tokio::test]
async fn a_blob_that_another_host_removed_meanwhile_is_stored_anew() {
    let rig = Rig::new().await;
    let temp = rig.temp("x", b"content");
    let running = rig.start();
    let id = running.upload(&temp).await;
    running.status(&id, 1).await;
    running.stop().await;
    let hash: Hash = temp.hash.parse().unwrap();
    rig.cloud.space().delete_blob(&hash).await.unwrap();
    // A row names it. One that nobody names any more would stay away.
    let stop = CancellationToken::new();
    let publishing = tokio::spawn({
        let (cloud, stop) = (rig.cloud.clone(), stop.clone());
        async move { cloud.run(Arc::new(NoRows), stop.cancelled()).await }
    });
    name_blob(&rig, &hash).await;
    let running = rig.start();
    let returned = async {
        let mut turns = tokio::time::interval(Duration::from_millis(2));
        while !in_space(&rig, &temp).await {
            turns.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), returned)
        .await
        .expect("it is stored anew");
    running.stop().await;
    stop.cancel();
    publishing.await.unwrap();
}

/// No module keeps rows.
struct NoRows;

impl RowSink for NoRows {
    fn apply<'a>(&'a self, _: &'a Batch) -> BoxFuture<'a, Result<Applied, SinkError>> {
        Box::pin(async { Ok(Applied::default()) })
    }

    fn keeps(&self, _: &str) -> bool {
        false
    }
}

/// Puts a row that names a blob into the space.
async fn name_blob(rig: &Rig, hash: &Hash) {
    let change = SpaceChange::PutRow {
        collection: "storage-files".to_owned(),
        identity: hash.to_string(),
        fields: serde_json::Map::from_iter([("hash".to_owned(), hash.to_string().into())]),
    };
    let staged = rig.store.update(|tx| rig.cloud.stage(tx, &change)).await;
    staged.unwrap();
    rig.cloud.wake();
    rig.cloud.published().await.unwrap();
}

#[tokio::test]
async fn a_blob_that_no_row_names_any_more_is_not_stored_again() {
    let rig = Rig::new().await;
    let temp = rig.temp("x", b"content");
    let running = rig.start();
    let id = running.upload(&temp).await;
    running.status(&id, 1).await;
    running.stop().await;
    let hash: Hash = temp.hash.parse().unwrap();
    rig.cloud.space().delete_blob(&hash).await.unwrap();
    let running = rig.start();
    // A second upload ends after the check of the first one, which is due at once.
    let other = rig.temp("y", b"other");
    let id = running.upload(&other).await;
    running.status(&id, 1).await;
    assert!(!in_space(&rig, &temp).await);
    running.stop().await;
}

#[tokio::test]
async fn the_blob_of_an_upload_that_no_row_will_name_goes() {
    let rig = Rig::new().await;
    let stop = CancellationToken::new();
    let publishing = tokio::spawn({
        let (cloud, stop) = (rig.cloud.clone(), stop.clone());
        async move { cloud.run(Arc::new(NoRows), stop.cancelled()).await }
    });
    let temp = rig.temp("x", b"content");
    *rig.hook.finished.lock().unwrap() = Some(Refusal::Gone);
    let running = rig.start();
    let id = running.upload(&temp).await;
    running.status(&id, 3).await;
    let gone = async {
        while in_space(&rig, &temp).await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .expect("it goes");
    running.stop().await;
    stop.cancel();
    publishing.await.unwrap();
}
