//! Downloads against a space that fails in every way a space can.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::fs;
use std::time::Duration;

use common::{Fault, PIECE, Rig, bytes, eventually, file, names, request};
use stowage_transfer::{Direction, DownloadRefusal, Retry};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_download_arrives_whole_under_its_name() {
    let rig = Rig::new().await;
    let content = bytes(3 * MIB + 17, 1);
    let blob = rig.blob("photo.jpg", &content).await;
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    let row = running.status(&id, 4).await;
    assert_eq!((row.progress, row.code, row.size), (100, 0, content.len() as u64));
    assert_eq!(row.folder_path, rig.downloads().join("photo.jpg").display().to_string());
    assert_eq!(fs::read(&row.folder_path).unwrap(), content);
    assert_eq!(rig.names(), ["photo.jpg"]);
    running.stop().await;
    assert_eq!(rig.stored()[0]["state"], "done");
}

#[tokio::test]
async fn a_blob_of_a_space_in_a_directory_arrives_too() {
    let rig = Rig::on_directory().await;
    let content = bytes(5 * MIB + 1, 19);
    let blob = rig.blob("big", &content).await;
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    let row = running.status(&id, 4).await;
    assert_eq!(fs::read(row.folder_path).unwrap(), content);
}

#[tokio::test]
async fn an_empty_file_arrives_too() {
    let rig = Rig::new().await;
    let blob = rig.blob("empty", b"").await;
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    let row = running.status(&id, 4).await;
    assert_eq!(fs::read(row.folder_path).unwrap(), b"");
}

#[tokio::test]
async fn a_task_shows_in_the_feed_as_soon_as_it_is_released() {
    let rig = Rig::new().await;
    let blob = rig.blob("x", b"content").await;
    let running = rig.start();
    let staged = running.stage(&request(&blob)).await.unwrap();
    assert!(running.rows(Direction::Download).is_empty());
    let id = staged.task_id().to_owned();
    running.transfers.release(staged);
    let row = running.row(&id);
    assert_eq!((row.status, row.progress, row.time), (-1, 0, 1000));
}

#[tokio::test]
async fn a_taken_name_gets_a_number_and_equal_content_is_not_stored_twice() {
    let rig = Rig::new().await;
    let running = rig.start();
    for (content, name) in [
        (b"one", "a.txt"),
        (b"two", "a (1).txt"),
        (b"six", "a (2).txt"),
        (b"two", "a (1).txt"),
    ] {
        let blob = rig.blob("a.txt", content).await;
        let id = running.download(&request(&blob)).await;
        let row = running.status(&id, 4).await;
        assert_eq!(row.folder_path, rig.downloads().join(name).display().to_string());
    }
    assert_eq!(rig.names(), ["a (1).txt", "a (2).txt", "a.txt"]);
}

#[tokio::test]
async fn after_a_crash_only_what_was_not_checkpointed_is_fetched_again() {
    let mut rig = Rig::new().await;
    rig.config.checkpoint_bytes = 256 << 10;
    let content = bytes(4 * MIB, 2);
    let blob = rig.blob("big", &content).await;
    rig.objects.set(Fault::StallAt(3 * MIB as u64));
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    eventually(|| (rig.checkpoint() >= 2 * MIB as u64).then_some(())).await;
    running.crash().await;
    assert_eq!(rig.names().len(), 1, "only the temporary file is there");
    rig.objects.set(Fault::None);
    let (checkpoint, _) = (rig.checkpoint(), rig.objects.take_served());
    let running = rig.start();
    running.status(&id, 4).await;
    assert_eq!(rig.objects.take_served(), content.len() as u64 - checkpoint);
    assert_eq!(fs::read(rig.downloads().join("big")).unwrap(), content);
    assert_eq!(rig.names(), ["big"]);
}

#[tokio::test]
async fn a_shutdown_pauses_at_a_checkpoint_and_the_next_run_goes_on() {
    let rig = Rig::new().await;
    let content = bytes(4 * MIB, 3);
    let blob = rig.blob("big", &content).await;
    rig.objects.set(Fault::StallAt(3 * MIB as u64));
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    running.until(&id, |row| row.progress == 75).await;
    running.stop().await;
    assert_eq!(rig.stored()[0]["state"], "paused");
    assert_eq!(rig.checkpoint(), 3 * MIB as u64);
    rig.objects.set(Fault::None);
    rig.objects.take_served();
    let running = rig.start();
    assert_eq!(running.row(&id).progress, 75);
    running.status(&id, 4).await;
    assert_eq!(rig.objects.take_served(), MIB as u64);
    assert_eq!(fs::read(rig.downloads().join("big")).unwrap(), content);
}

#[tokio::test]
async fn a_partial_file_that_somebody_changed_is_not_built_upon() {
    let rig = Rig::new().await;
    let content = bytes(2 * MIB, 4);
    let blob = rig.blob("big", &content).await;
    rig.objects.set(Fault::StallAt(MIB as u64));
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    running.until(&id, |row| row.progress == 50).await;
    running.stop().await;
    let part = rig.downloads().join(&rig.names()[0]);
    let mut changed = fs::read(&part).unwrap();
    changed[1000] ^= 1;
    fs::write(&part, changed).unwrap();
    rig.objects.set(Fault::None);
    let running = rig.start();
    running.status(&id, 4).await;
    assert_eq!(fs::read(rig.downloads().join("big")).unwrap(), content);
}

#[tokio::test]
async fn a_partial_file_that_is_gone_begins_anew() {
    let rig = Rig::new().await;
    let content = bytes(2 * MIB, 5);
    let blob = rig.blob("big", &content).await;
    rig.objects.set(Fault::StallAt(MIB as u64));
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    running.until(&id, |row| row.progress == 50).await;
    running.stop().await;
    fs::remove_file(rig.downloads().join(&rig.names()[0])).unwrap();
    rig.objects.set(Fault::None);
    let running = rig.start();
    running.status(&id, 4).await;
    assert_eq!(fs::read(rig.downloads().join("big")).unwrap(), content);
}

#[tokio::test]
async fn a_broken_connection_costs_no_more_than_what_was_under_way() {
    let rig = Rig::new().await;
    let content = bytes(2 * MIB, 6);
    let blob = rig.blob("big", &content).await;
    for fault in [Fault::BreakAt(MIB as u64), Fault::ShortAt(MIB as u64)] {
        rig.objects.take_served();
        rig.objects.set_times(fault, 1);
        let running = rig.start();
        let mut request = request(&blob);
        request.directory = Some(format!("{fault:?}"));
        let id = running.download(&request).await;
        let row = running.status(&id, 4).await;
        assert_eq!(fs::read(row.folder_path).unwrap(), content);
        let served = rig.objects.take_served();
        assert!(served <= (content.len() + PIECE) as u64, "{served} bytes for {fault:?}");
        running.stop().await;
        rig.store
            .update::<_, stowage_storage::Error>(|tx| tx.delete_range("host.tasks", &stowage_storage::KeyRange::all()))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_source_that_stalls_for_long_is_paused_and_tried_again() {
    let mut rig = Rig::new().await;
    rig.config.stall_timeout = Duration::from_millis(100);
    rig.config.retry.first = Duration::from_secs(3600);
    rig.config.retry.most = Duration::from_secs(3600);
    let content = bytes(MIB, 7);
    let blob = rig.blob("x", &content).await;
    rig.objects.set(Fault::StallAt(MIB as u64 / 2));
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    let row = running.status(&id, 2).await;
    assert_eq!((row.progress, row.code), (50, 503));
    rig.objects.set(Fault::None);
    let mut again = request(&blob);
    again.task_id = Some(id.clone());
    running.download(&again).await;
    running.status(&id, 4).await;
    assert_eq!(fs::read(rig.downloads().join("x")).unwrap(), content);
}

#[tokio::test]
async fn wrong_bytes_never_get_the_final_name() {
    let rig = Rig::new().await;
    let content = bytes(MIB, 8);
    let blob = rig.blob("x", &content).await;
    rig.objects.set(Fault::FlipAt(MIB as u64 - 1));
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    let row = running.status(&id, 5).await;
    assert_eq!(row.code, 422);
    assert!(row.progress < 100);
    assert_eq!(rig.names(), Vec::<String>::new());
    assert_eq!(rig.objects.take_served(), 2 * MIB as u64);
}

#[tokio::test]
async fn bytes_that_are_wrong_once_are_fetched_from_the_beginning() {
    let rig = Rig::new().await;
    let content = bytes(MIB, 9);
    let blob = rig.blob("x", &content).await;
    rig.objects.set_times(Fault::FlipAt(0), 1);
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    running.status(&id, 4).await;
    assert_eq!(fs::read(rig.downloads().join("x")).unwrap(), content);
}

#[tokio::test]
async fn a_space_out_of_reach_pauses_however_long_and_asking_again_starts_at_once() {
    let mut rig = Rig::new().await;
    rig.config.retry = Retry {
        attempts: 1,
        first: Duration::from_secs(3600),
        most: Duration::from_secs(3600),
    };
    let content = bytes(MIB, 10);
    let blob = rig.blob("x", &content).await;
    rig.objects.set(Fault::Unreachable);
    let running = rig.start();
    let mut request = request(&blob);
    request.task_id = Some("mine".into());
    running.download(&request).await;
    assert_eq!(running.status("mine", 2).await.code, 503);
    rig.objects.set(Fault::None);
    running.download(&request).await;
    running.status("mine", 4).await;
    assert_eq!(running.rows(Direction::Download).len(), 1);
}

#[tokio::test]
async fn a_blob_that_is_nowhere_makes_the_task_invalid() {
    let rig = Rig::new().await;
    let running = rig.start();
    let id = running.download(&request(&file("x", b"never stored"))).await;
    let row = running.status(&id, 0).await;
    assert_eq!((row.code, row.progress), (60001, 0));
    let mut nonsense = file("x", b"");
    nonsense.hash = "../../etc/passwd".into();
    let id = running.download(&request(&nonsense)).await;
    assert_eq!(running.status(&id, 0).await.code, 60001);
}

#[tokio::test]
async fn a_blob_that_vanishes_on_the_way_leaves_nothing() {
    let rig = Rig::new().await;
    let content = bytes(MIB, 11);
    let blob = rig.blob("x", &content).await;
    rig.objects.set(Fault::StallAt(MIB as u64 / 2));
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    running.until(&id, |row| row.progress == 50).await;
    running.stop().await;
    let hash = blob.hash.parse().unwrap();
    rig.cloud.space().delete_blob(&hash).await.unwrap();
    let running = rig.start();
    running.status(&id, 0).await;
    assert_eq!(rig.names(), Vec::<String>::new());
}

#[tokio::test]
async fn a_temp_file_serves_where_the_space_does_not() {
    let rig = Rig::new().await;
    let content = bytes(MIB, 12);
    let temp = rig.temp("x", &content);
    rig.objects.set(Fault::Unreachable);
    let running = rig.start();
    let id = running.download(&request(&temp)).await;
    running.status(&id, 4).await;
    assert_eq!(fs::read(rig.downloads().join("x")).unwrap(), content);
}

#[tokio::test]
async fn a_temp_file_with_other_bytes_than_its_name_says_is_not_delivered() {
    let rig = Rig::new().await;
    let temp = rig.temp("x", b"what it was");
    let hash: stowage_cloud::Hash = temp.hash.parse().unwrap();
    fs::write(rig.dir.path().join("temp").join(hash.to_hex()), b"what it is").unwrap();
    let running = rig.start();
    let id = running.download(&request(&temp)).await;
    running.status(&id, 5).await;
    assert_eq!(rig.names(), Vec::<String>::new());
}

#[tokio::test]
async fn downloads_of_one_blob_at_once_move_its_bytes_once() {
    let rig = Rig::new().await;
    let content = bytes(MIB, 13);
    let blob = rig.blob("x", &content).await;
    let running = rig.start();
    let mut ids = Vec::new();
    for directory in ["a", "b", "c"] {
        let mut request = request(&blob);
        request.directory = Some(directory.into());
        ids.push(running.download(&request).await);
    }
    for id in &ids {
        let row = running.status(id, 4).await;
        assert_eq!(fs::read(row.folder_path).unwrap(), content);
    }
    assert_eq!(rig.objects.take_served(), MIB as u64);
}

#[tokio::test]
async fn directories_outside_the_roots_are_refused() {
    let rig = Rig::new().await;
    let blob = rig.blob("x", b"content").await;
    let running = rig.start();
    for directory in ["/etc", "../x", "a/../../b", "C:\\x", "a\0b"] {
        let mut request = request(&blob);
        request.directory = Some(directory.into());
        let staged = running.stage(&request).await;
        assert!(matches!(staged, Err(DownloadRefusal::Directory(_))), "{directory:?}");
    }
    assert!(rig.stored().is_empty());
}

#[tokio::test]
async fn a_link_out_of_the_root_is_not_followed() {
    let rig = Rig::new().await;
    let blob = rig.blob("x", b"content").await;
    let outside = rig.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir_all(rig.downloads()).unwrap();
    std::os::unix::fs::symlink(&outside, rig.downloads().join("link")).unwrap();
    let running = rig.start();
    for directory in ["link", "link/deeper"] {
        let mut request = request(&blob);
        request.directory = Some(directory.into());
        let id = running.download(&request).await;
        assert_eq!(running.status(&id, 5).await.code, 500);
    }
    assert_eq!(names(&outside), Vec::<String>::new());
}

#[tokio::test]
async fn a_hostile_name_stays_in_its_directory() {
    let rig = Rig::new().await;
    let running = rig.start();
    for (name, stored) in [
        ("../../evil", "evil"),
        ("/etc/passwd", "passwd"),
        ("NUL.txt", "_NUL.txt"),
        ("a\0b\u{7}c. ", "abc"),
    ] {
        let blob = rig.blob(name, name.as_bytes()).await;
        let id = running.download(&request(&blob)).await;
        let row = running.status(&id, 4).await;
        assert_eq!(row.folder_path, rig.downloads().join(stored).display().to_string());
    }
    let blob = rig.blob("..", b"nameless").await;
    let id = running.download(&request(&blob)).await;
    running.status(&id, 4).await;
    assert!(rig.names().contains(&blob.hash));
}

#[tokio::test]
async fn a_download_that_does_not_fit_waits_for_room_before_it_begins() {
    let mut rig = Rig::new().await;
    rig.config.min_free_bytes = u64::MAX / 2;
    let blob = rig.blob("x", &bytes(MIB, 14)).await;
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    assert_eq!(running.until(&id, |row| row.code == 507).await.status, 2);
    assert_eq!(rig.objects.take_served(), 0);
}

#[tokio::test]
async fn a_size_that_the_row_has_wrong_is_put_right() {
    let rig = Rig::new().await;
    let content = bytes(MIB, 15);
    let mut blob = rig.blob("x", &content).await;
    blob.size = 5;
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    assert_eq!(running.status(&id, 4).await.size, MIB as u64);
    assert_eq!(fs::read(rig.downloads().join("x")).unwrap(), content);
}

#[tokio::test]
async fn a_deleted_or_changed_file_is_told_and_can_be_brought_back() {
    let rig = Rig::new().await;
    let content = bytes(1000, 16);
    let blob = rig.blob("x", &content).await;
    let running = rig.start();
    let mut request = request(&blob);
    request.task_id = Some("mine".into());
    running.download(&request).await;
    let path = running.status("mine", 4).await.folder_path;
    let snapshot = async || {
        let filter = stowage_transfer::Filter {
            direction: Direction::Download,
            platform: 3,
            status: None,
        };
        running.feed.subscribe("k", filter).unwrap();
        let mut connection = running.feed.connect(None);
        let frame = tokio::time::timeout(Duration::from_secs(10), connection.next_fragment());
        let frame = frame.await.expect("a snapshot is due").unwrap();
        let frame: serde_json::Value = serde_json::from_slice(&frame.text).unwrap();
        frame["data"][0]["status"].as_i64().unwrap()
    };
    assert_eq!(snapshot().await, 4);
    let touched = fs::File::options().write(true).open(&path).unwrap();
    touched.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(snapshot().await, 4);
    fs::remove_file(&path).unwrap();
    assert_eq!(snapshot().await, 3);
    running.download(&request).await;
    running.status("mine", 4).await;
    assert_eq!(fs::read(&path).unwrap(), content);
    fs::write(&path, vec![0; 1000]).unwrap();
    assert_eq!(snapshot().await, 3);
    running.stop().await;
    assert_eq!(rig.stored()[0]["state"], "deleted");
}

#[tokio::test]
async fn a_file_deleted_while_the_host_was_away_is_told_at_start() {
    let rig = Rig::new().await;
    let blob = rig.blob("x", b"content").await;
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    let path = running.status(&id, 4).await.folder_path;
    running.stop().await;
    fs::remove_file(path).unwrap();
    let running = rig.start();
    assert_eq!(running.status(&id, 3).await.progress, 0);
}

#[tokio::test]
async fn a_known_task_is_resumed_and_an_unknown_identifier_is_taken() {
    let rig = Rig::new().await;
    let blob = rig.blob("x", b"content").await;
    let other = rig.blob("y", b"other").await;
    let running = rig.start();
    let mut first = request(&blob);
    first.task_id = Some("mine".into());
    running.download(&first).await;
    running.status("mine", 4).await;
    running.download(&first).await;
    assert_eq!(running.row("mine").status, 4, "complete and there: no change");
    for refused in [
        {
            let mut r = request(&other);
            r.task_id = Some("mine".into());
            r
        },
        {
            let mut r = first.clone();
            r.platform = 1;
            r
        },
        {
            let mut r = first.clone();
            r.task_id = Some(String::new());
            r
        },
        {
            let mut r = first.clone();
            r.task_id = Some("x".repeat(129));
            r
        },
        {
            let mut r = first.clone();
            r.task_id = Some("a\nb".into());
            r
        },
    ] {
        let staged = running.stage(&refused).await;
        assert!(matches!(staged, Err(DownloadRefusal::TaskId(_))), "{refused:?}");
    }
    let upload = running.upload(&blob).await;
    let mut crossed = request(&blob);
    crossed.task_id = Some(upload);
    assert!(matches!(running.stage(&crossed).await, Err(DownloadRefusal::TaskId(_))));
}

#[tokio::test]
async fn asking_for_a_running_task_again_changes_nothing() {
    let rig = Rig::new().await;
    let content = bytes(MIB, 17);
    let blob = rig.blob("x", &content).await;
    rig.objects.set_times(Fault::StallAt(MIB as u64 / 2), 1);
    let running = rig.start();
    let mut request = request(&blob);
    request.task_id = Some("mine".into());
    running.download(&request).await;
    running.until("mine", |row| row.progress == 50).await;
    running.download(&request).await;
    let row = running.row("mine");
    assert_eq!((row.status, row.progress), (1, 50));
    assert_eq!(running.rows(Direction::Download).len(), 1);
    assert_eq!(rig.objects.served(), MIB as u64 / 2);
}

#[tokio::test]
async fn a_crash_before_the_end_was_taken_down_finds_the_file_again() {
    let rig = Rig::new().await;
    let blob = rig.blob("x", &bytes(MIB, 18)).await;
    rig.blob("y", b"taken").await;
    fs::create_dir_all(rig.downloads()).unwrap();
    fs::write(rig.downloads().join("x"), b"taken").unwrap();
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    running.status(&id, 4).await;
    running.stop().await;
    let mut task = rig.stored().remove(0);
    task["state"] = "initial".into();
    task["landed"] = serde_json::Value::Null;
    let key = task["id"].as_u64().unwrap().to_be_bytes();
    rig.store
        .update::<_, stowage_storage::Error>(|tx| tx.put("host.tasks", &key, rmp_serde::to_vec_named(&task).unwrap()))
        .await
        .unwrap();
    rig.objects.take_served();
    let running = rig.start();
    running.status(&id, 4).await;
    assert_eq!(rig.objects.take_served(), 0);
    assert_eq!(rig.names(), ["x", "x (1)"]);
}

#[tokio::test]
async fn finished_tasks_beyond_the_limit_are_forgotten_and_their_files_stay() {
    let mut rig = Rig::new().await;
    rig.config.finished_kept = 3;
    let running = rig.start();
    for number in 0..8u8 {
        let blob = rig.blob(&format!("f{number}"), &[number]).await;
        let id = running.download(&request(&blob)).await;
        eventually(|| {
            let rows = running.rows(Direction::Download);
            rows.iter()
                .all(|row| row.task_id != id || row.status == 4)
                .then_some(())
        })
        .await;
    }
    eventually(|| (rig.stored().len() == 3 && running.rows(Direction::Download).len() == 3).then_some(())).await;
    assert_eq!(rig.names().len(), 8);
    let left: Vec<_> = running
        .rows(Direction::Download)
        .into_iter()
        .map(|row| row.name)
        .collect();
    assert_eq!(left, ["f5", "f6", "f7"]);
}
