//! kill -9 during a backup and during a restore.

use std::path::Path;

use serde_json::{Value, json};
use stowage_storage::{Import, Row, RowValue};
use stowage_tests::admin::Admin;
use stowage_tests::cli::Cli;
use stowage_tests::fixture::noise;
use stowage_tests::host::Launch;
use stowage_tests::wait::{eventually, until};

use super::{backed_up, db, files_below, restored, rows, shown, sound};

/// A data directory whose database has many rows of a module that nobody loaded: about 400 bytes
/// each, which do not compress.
pub(super) async fn bulk(data: &Path, count: u32) {
    std::fs::create_dir_all(data).unwrap();
    let database = data.join("stowage.redb");
    let bytes = noise(1 << 20, 9);
    let filling = tokio::task::spawn_blocking(move || {
        let mut import = Import::create(&database).unwrap();
        for n in 0..count {
            let at = (n as usize * 397) % (bytes.len() - 400);
            let value = [&n.to_be_bytes()[..], &bytes[at..at + 400]].concat();
            let row = Row {
                table: "bulk",
                key: &n.to_be_bytes(),
                value: RowValue::Value(&value),
            };
            import.put(row).unwrap();
        }
        import.finish().unwrap();
    });
    filling.await.unwrap();
}

/// A server that is killed while it makes a backup leaves no backup. The next one uses what it had
/// stored, and its mark does not hold the prune up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_during_a_backup_leaves_none_and_the_next_one_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let (data, place) = (dir.path().join("data"), dir.path().join("place"));
    bulk(&data, 60_000).await;
    let mut launch = Launch::new(&data);
    let mut killed_in_the_middle = 0;
    for moment in [1_u64, 40, 150] {
        let host = launch.start().await;
        let admin = Admin::of(&host);
        let to = format!("file://{}", place.display());
        assert_eq!(admin.post("backup", json!({"to": to})).await.0, 200);
        let chunks = || files_below(&place.join("chunks")).len() as u64;
        until("some chunks are stored", || chunks() >= moment).await;
        launch = host.kill().await;
        killed_in_the_middle += usize::from(files_below(&place.join("backups")).is_empty());
        if killed_in_the_middle == 0 {
            break;
        }
    }
    assert!(killed_in_the_middle > 0, "a backup was interrupted");
    let there = files_below(&place.join("chunks")).len() as u64;
    let backups = files_below(&place.join("backups")).len();
    let host = launch.start().await;
    let made = host
        .cli(["db", "backup", shown(&place), "--keep", "1", "--json"])
        .succeeds()
        .await
        .json();
    assert_eq!(made["error"], Value::Null, "{made:#}");
    assert_eq!(made["pruned"]["postponed"], Value::Null, "{made:#}");
    assert_eq!(made["pruned"]["backups"].as_array().unwrap().len(), backups);
    let all = files_below(&place.join("chunks")).len() as u64;
    assert_eq!(made["backup"]["stored"]["chunks"], all - there, "{made:#}");
    assert!(files_below(&place.join("marks")).is_empty());
    let launch = host.stop().await;
    backed_up(launch.data(), &place).await;
    let again = dir.path().join("restored");
    restored(&place, &again).await;
    assert_eq!(rows(&again).await, rows(&data).await);
}

/// A restore that is killed leaves no data directory, and the next one is not disturbed by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_during_a_restore_leaves_nothing_that_a_server_would_take() {
    let dir = tempfile::tempdir().unwrap();
    let (data, place) = (dir.path().join("data"), dir.path().join("place"));
    bulk(&data, 60_000).await;
    backed_up(&data, &place).await;
    let (restored_data, draft) = (dir.path().join("restored"), dir.path().join(".restored.restore"));
    let mut interrupted = 0;
    for wanted in [1_u64, 2 << 20, 12 << 20] {
        let mut restoring = Cli::new(["db", "restore", shown(&place)]).data(&restored_data).spawn();
        let database = draft.join("stowage.redb");
        let begun = eventually("the restore has begun", || async {
            let len = std::fs::metadata(&database).map_or(0, |metadata| metadata.len());
            // It may be faster than this test.
            (len >= wanted || restored_data.exists()).then(|| !restored_data.exists())
        })
        .await;
        restoring.signal(rustix::process::Signal::KILL);
        restoring.ended().await;
        if restored_data.exists() {
            std::fs::remove_dir_all(&restored_data).unwrap();
        } else if begun {
            interrupted += 1;
            assert!(draft.exists());
        }
    }
    assert!(interrupted > 0, "a restore was interrupted");
    restored(&place, &restored_data).await;
    assert!(!draft.exists(), "what was left is gone");
    assert_eq!(rows(&restored_data).await, rows(&data).await);
    sound(&restored_data).await;
    let refused = db(["restore", shown(&place)], &restored_data).fails(2).await;
    assert!(refused.stderr.contains("is not empty"), "{refused}");
}
