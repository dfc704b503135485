//! Tasks that people pause, cancel, retry, remove and order.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::fs;
use std::time::Duration;

use common::{Fault, Rig, Running, bytes, eventually, file, request};
use serde_json::Value;
use stowage_transfer::{Direction, DownloadRequest, Filter, Refusal, TaskChange, TaskFilter};

const MIB: usize = 1 << 20;

fn named(file: &stowage_transfer::File, task_id: &str) -> DownloadRequest {
    let mut request = request(file);
    request.task_id = Some(task_id.to_owned());
    request
}

/// A download that stands still at three quarters of 4 MiB.
async fn stalled(rig: &Rig, running: &Running, task_id: &str) -> Vec<u8> {
    let content = bytes(4 * MIB, 1);
    let blob = rig.blob("big", &content).await;
    rig.objects.set(Fault::StallAt(3 * MIB as u64));
    running.download(&named(&blob, task_id)).await;
    running.until(task_id, |row| row.progress == 75).await;
    content
}

/// Waits until another, later download is complete. So the host had time to start every task that
/// may run.
async fn another_download(rig: &Rig, running: &Running, name: &str) {
    let blob = rig.blob(name, name.as_bytes()).await;
    let id = running.download(&request(&blob)).await;
    running.status(&id, 4).await;
}

#[tokio::test]
async fn a_paused_download_keeps_its_progress_and_stays_paused_after_a_restart() {
    let rig = Rig::new().await;
    let running = rig.start();
    let content = stalled(&rig, &running, "mine").await;
    running.change("mine", TaskChange::Pause).await;
    let row = running.row("mine");
    assert_eq!((row.status, row.code, row.speed, row.remaining), (2, 0, 0, 0));
    eventually(|| (rig.checkpoint() == 3 * MIB as u64).then_some(())).await;
    running.change("mine", TaskChange::Pause).await;
    running.stop().await;

    rig.objects.set(Fault::None);
    rig.objects.take_served();
    let running = rig.start();
    another_download(&rig, &running, "other").await;
    let row = running.row("mine");
    assert_eq!((row.status, row.progress), (2, 75));
    assert_eq!(rig.objects.take_served(), "other".len() as u64);

    running.change("mine", TaskChange::Resume).await;
    running.status("mine", 4).await;
    assert_eq!(rig.objects.take_served(), MIB as u64);
    assert_eq!(fs::read(rig.downloads().join("big")).unwrap(), content);
}

#[tokio::test]
async fn a_waiting_task_that_is_paused_does_not_start_and_others_pass_it() {
    let mut rig = Rig::new().await;
    rig.config.max_active = 1;
    rig.hook.admit_gate.set_open(false);
    let running = rig.start();
    let ids = uploads(&rig, &running, ["a", "b", "c"]).await;
    running.status(&ids[1], 0).await;
    running.change(&ids[1], TaskChange::Pause).await;
    assert_eq!(running.row(&ids[1]).status, 4);
    rig.hook.admit_gate.set_open(true);
    running.status(&ids[2], 1).await;
    assert_eq!(running.row(&ids[1]).status, 4);
    running.change(&ids[1], TaskChange::Resume).await;
    running.status(&ids[1], 1).await;
}

#[tokio::test]
async fn nothing_happens_to_a_complete_task_but_removal() {
    let rig = Rig::new().await;
    let blob = rig.blob("x", b"content").await;
    let running = rig.start();
    running.download(&named(&blob, "mine")).await;
    running.status("mine", 4).await;
    for change in [
        TaskChange::Pause,
        TaskChange::Cancel,
        TaskChange::Resume,
        TaskChange::Retry,
    ] {
        running.change("mine", change).await;
        assert_eq!(running.row("mine").status, 4, "{change:?}");
    }
    running.stop().await;
    let running = rig.start();
    assert_eq!(running.row("mine").status, 4);
    assert!(running.stage_change("unknown", TaskChange::Pause).await.is_none());
}

/// A crash after the commit and before the release must not lose the pause, although the running
/// download writes its row in between.
#[tokio::test]
async fn a_pause_survives_the_checkpoints_that_follow_it_and_a_crash() {
    let mut rig = Rig::new().await;
    rig.config.checkpoint_bytes = 64 << 10;
    let running = rig.start();
    let content = bytes(8 * MIB, 2);
    let blob = rig.blob("big", &content).await;
    running
        .set_limits(|limits| limits.download_bytes_per_second = 2 << 20)
        .await;
    running.download(&named(&blob, "mine")).await;
    running.until("mine", |row| row.progress >= 5).await;
    running.stage_change("mine", TaskChange::Pause).await.unwrap();
    let before = rig.checkpoint();
    eventually(|| (rig.checkpoint() > before).then_some(())).await;
    running.crash().await;
    let running = rig.start();
    another_download(&rig, &running, "other").await;
    assert_eq!(running.row("mine").status, 2);
    running.set_limits(|limits| limits.download_bytes_per_second = 0).await;
    running.change("mine", TaskChange::Resume).await;
    running.status("mine", 4).await;
    assert_eq!(fs::read(rig.downloads().join("big")).unwrap(), content);
}

#[tokio::test]
async fn the_last_change_counts_in_whatever_order_changes_are_put_in_force() {
    let rig = Rig::new().await;
    let running = rig.start();
    stalled(&rig, &running, "mine").await;
    let pause = running.stage_change("mine", TaskChange::Pause).await.unwrap();
    let resume = running.stage_change("mine", TaskChange::Resume).await.unwrap();
    running.transfers.release(resume);
    running.transfers.release(pause);
    assert_eq!(running.row("mine").status, 1);
    rig.objects.set(Fault::None);
    running.stop().await;
    rig.start().status("mine", 4).await;
}

#[tokio::test]
async fn a_resumed_task_goes_on_although_it_had_not_stopped_yet() {
    let rig = Rig::new().await;
    let running = rig.start();
    let content = stalled(&rig, &running, "mine").await;
    rig.objects.set(Fault::None);
    for _ in 0..20 {
        running.change("mine", TaskChange::Pause).await;
        running.change("mine", TaskChange::Resume).await;
    }
    running.status("mine", 4).await;
    assert_eq!(fs::read(rig.downloads().join("big")).unwrap(), content);
}

#[tokio::test]
async fn a_task_can_be_paused_or_removed_before_the_call_that_made_it_is_released() {
    let rig = Rig::new().await;
    let blob = rig.blob("x", b"content").await;
    let running = rig.start();
    let paused = running.stage(&named(&blob, "paused")).await.unwrap();
    let removed = running.stage(&named(&blob, "removed")).await.unwrap();
    running.change("paused", TaskChange::Pause).await;
    let removal = running.stage_change("removed", TaskChange::Remove).await.unwrap();
    running.transfers.release(removal);
    running.transfers.release(removed);
    running.transfers.release(paused);
    another_download(&rig, &running, "other").await;
    assert_eq!(running.row("paused").status, 2);
    let ids: Vec<_> = running
        .rows(Direction::Download)
        .into_iter()
        .map(|row| row.task_id)
        .collect();
    assert!(!ids.contains(&"removed".to_owned()));
}

#[tokio::test]
async fn a_cancelled_download_fails_keeps_its_part_and_can_be_retried() {
    let rig = Rig::new().await;
    let running = rig.start();
    let content = stalled(&rig, &running, "mine").await;
    running.change("mine", TaskChange::Cancel).await;
    let row = running.row("mine");
    assert_eq!((row.status, row.code, row.speed), (5, 499, 0));
    eventually(|| (rig.checkpoint() == 3 * MIB as u64).then_some(())).await;
    running.change("mine", TaskChange::Resume).await;
    running.change("mine", TaskChange::Cancel).await;
    assert_eq!(running.row("mine").code, 499);
    running.stop().await;

    rig.objects.set(Fault::None);
    rig.objects.take_served();
    let running = rig.start();
    another_download(&rig, &running, "other").await;
    let row = running.row("mine");
    assert_eq!((row.status, row.code), (5, 499));
    assert_eq!(rig.names().len(), 2, "the part and the other file");

    running.change("mine", TaskChange::Retry).await;
    running.status("mine", 4).await;
    assert_eq!(rig.objects.take_served(), MIB as u64 + "other".len() as u64);
    assert_eq!(fs::read(rig.downloads().join("big")).unwrap(), content);
}

#[tokio::test]
async fn a_cancelled_upload_sends_nothing_more_and_a_repeated_request_starts_a_cancelled_download() {
    let rig = Rig::new().await;
    rig.hook.admit_gate.set_open(false);
    let running = rig.start();
    let temp = rig.temp("x", b"content");
    let id = running.upload(&temp).await;
    eventually(|| (rig.hook.calls().len() == 1).then_some(())).await;
    running.change(&id, TaskChange::Cancel).await;
    let row = running.row(&id);
    assert_eq!((row.status, row.code), (3, 499));
    rig.hook.admit_gate.set_open(true);
    running.change(&id, TaskChange::Retry).await;
    running.status(&id, 1).await;

    stalled(&rig, &running, "mine").await;
    running.change("mine", TaskChange::Cancel).await;
    rig.objects.set(Fault::None);
    running.download(&named(&file("big", &bytes(4 * MIB, 1)), "mine")).await;
    running.status("mine", 4).await;
}

#[tokio::test]
async fn whatever_ended_without_success_can_be_retried() {
    let mut rig = Rig::new().await;
    rig.config.retry.attempts = 1;
    let running = rig.start();
    let content = bytes(1000, 3);

    // Invalid, because the blob is nowhere yet.
    let blob = file("invalid", &content);
    running.download(&named(&blob, "invalid")).await;
    running.status("invalid", 0).await;
    rig.blob("invalid", &content).await;
    running.change("invalid", TaskChange::Retry).await;
    let path = running.status("invalid", 4).await.folder_path;

    // Deleted here.
    fs::remove_file(&path).unwrap();
    running.change("invalid", TaskChange::Retry).await;
    eventually(|| fs::read(&path).ok().filter(|found| *found == content)).await;
    running.status("invalid", 4).await;

    // Failed, because the connection broke.
    let blob = rig.blob("failed", b"failed").await;
    rig.objects.set(Fault::BreakAt(1));
    running.download(&named(&blob, "failed")).await;
    assert_eq!(running.status("failed", 5).await.code, 500);
    rig.objects.set(Fault::None);
    running.change("failed", TaskChange::Retry).await;
    assert_eq!(running.status("failed", 4).await.code, 0);

    // No space, and then a source that is gone.
    let temp = rig.temp("up", b"up");
    *rig.hook.admit.lock().unwrap() = Some(Refusal::NoSpace);
    let id = running.upload(&temp).await;
    running.status(&id, 5).await;
    *rig.hook.admit.lock().unwrap() = Some(Refusal::Gone);
    running.change(&id, TaskChange::Retry).await;
    running.status(&id, 3).await;
    *rig.hook.admit.lock().unwrap() = None;
    running.change(&id, TaskChange::Retry).await;
    running.status(&id, 1).await;
}

/// The next frame of a connection.
async fn next_frame(connection: &mut stowage_transfer::Connection) -> Value {
    let fragment = tokio::time::timeout(Duration::from_secs(10), connection.next_fragment());
    let fragment = fragment.await.expect("a frame is due").expect("the feed is open");
    assert!(fragment.is_last, "so few rows are one fragment");
    serde_json::from_slice(&fragment.text).unwrap()
}

#[tokio::test]
async fn a_removed_download_leaves_no_part_and_the_feed_gets_a_last_row() {
    let rig = Rig::new().await;
    let running = rig.start();
    let blob = rig.blob("done", b"done").await;
    running.download(&named(&blob, "done")).await;
    let done = running.status("done", 4).await;
    stalled(&rig, &running, "mine").await;
    let filter = Filter {
        direction: Direction::Download,
        platform: 3,
        status: None,
    };
    running.feed.subscribe("k", filter).unwrap();
    let mut connection = running.feed.connect(None);
    assert_eq!(next_frame(&mut connection).await["data"].as_array().unwrap().len(), 2);

    running.change("mine", TaskChange::Remove).await;
    assert!(
        running.stage_change("mine", TaskChange::Remove).await.is_none(),
        "it is gone"
    );
    let last = loop {
        let frame = next_frame(&mut connection).await;
        let row = frame["data"][0].clone();
        if row["status"] == 5 {
            break row;
        }
    };
    assert_eq!((&last["taskId"], &last["code"]), (&"mine".into(), &499.into()));
    eventually(|| (rig.names() == ["done"]).then_some(())).await;
    running.change("done", TaskChange::Remove).await;
    assert!(
        running.rows(Direction::Download).is_empty(),
        "a snapshot has no removed task"
    );
    assert!(running.transfers.list(&TaskFilter::default(), false, 0, 10).is_empty());
    assert_eq!(fs::read(done.folder_path).unwrap(), b"done");
    running.stop().await;
    assert!(rig.stored().is_empty());
}

#[tokio::test]
async fn a_crash_after_a_removal_leaves_no_part_either() {
    let rig = Rig::new().await;
    let running = rig.start();
    stalled(&rig, &running, "mine").await;
    running.stage_change("mine", TaskChange::Remove).await.unwrap();
    running.crash().await;
    assert_eq!(rig.names().len(), 1);
    rig.objects.set(Fault::None);
    let running = rig.start();
    eventually(|| rig.names().is_empty().then_some(())).await;
    assert!(running.rows(Direction::Download).is_empty());
}

#[tokio::test]
async fn the_identifier_of_a_removed_task_can_be_used_again_at_once() {
    let rig = Rig::new().await;
    let running = rig.start();
    let content = stalled(&rig, &running, "mine").await;
    rig.objects.set(Fault::None);
    let blob = file("big", &content);
    for _ in 0..10 {
        running.change("mine", TaskChange::Remove).await;
        running.download(&named(&blob, "mine")).await;
    }
    let row = running.status("mine", 4).await;
    assert_eq!(fs::read(row.folder_path).unwrap(), content);
    eventually(|| (rig.names() == ["big"]).then_some(())).await;
    assert_eq!(running.rows(Direction::Download).len(), 1);
}

#[tokio::test]
async fn higher_priorities_run_first_and_a_task_can_be_moved_forward() {
    let mut rig = Rig::new().await;
    rig.config.max_active = 1;
    rig.hook.admit_gate.set_open(false);
    let running = rig.start();
    let ids = uploads(&rig, &running, ["a", "b", "c", "d", "e"]).await;
    eventually(|| (rig.hook.calls().len() == 1).then_some(())).await;
    running.change(&ids[1], TaskChange::Priority(1)).await;
    running.change(&ids[3], TaskChange::Priority(9)).await;
    running.change(&ids[4], TaskChange::Priority(200)).await;
    assert_eq!(running.row(&ids[4]).priority, 9, "the highest there is");
    assert_eq!(running.row(&ids[0]).priority, 5);
    rig.hook.admit_gate.set_open(true);
    running.status(&ids[1], 1).await;
    let admitted: Vec<_> = rig
        .hook
        .calls()
        .into_iter()
        .filter(|call| call.starts_with("admit"))
        .collect();
    assert_eq!(admitted, ["admit a", "admit d", "admit e", "admit c", "admit b"]);
}

#[tokio::test]
async fn a_raised_number_of_tasks_starts_more_at_once_and_survives_a_restart() {
    let mut rig = Rig::new().await;
    rig.config.max_active = 1;
    rig.hook.admit_gate.set_open(false);
    let running = rig.start();
    assert_eq!((running.limits().max_uploads, running.limits().max_downloads), (1, 1));
    let ids = uploads(&rig, &running, ["a", "b", "c", "d"]).await;
    eventually(|| (rig.hook.calls().len() == 1).then_some(())).await;
    running.set_limits(|limits| limits.max_uploads = 3).await;
    eventually(|| (rig.hook.calls().len() == 3).then_some(())).await;
    running.set_limits(|limits| limits.max_uploads = 1).await;
    another_download(&rig, &running, "other").await;
    assert_eq!(running.row(&ids[2]).status, 0, "a running task goes on");
    rig.hook.admit_gate.set_open(true);
    for id in &ids {
        running.status(id, 1).await;
    }
    running.set_limits(|limits| limits.max_uploads = 2).await;
    running.stop().await;
    rig.hook.admit_gate.set_open(false);
    rig.hook.calls.lock().unwrap().clear();
    let running = rig.start();
    assert_eq!(running.limits().max_uploads, 2);
    uploads(&rig, &running, ["e", "f", "g", "h"]).await;
    eventually(|| (rig.hook.calls().len() == 2).then_some(())).await;
    running.set_limits(|limits| limits.max_uploads = 0).await;
    eventually(|| (rig.hook.calls().len() == 4).then_some(())).await;
}

/// Starts uploads of files with these names.
async fn uploads<const N: usize>(rig: &Rig, running: &Running, names: [&str; N]) -> Vec<String> {
    let mut ids = Vec::new();
    for name in names {
        let temp = rig.temp(name, name.as_bytes());
        ids.push(running.upload(&temp).await);
    }
    ids
}

#[tokio::test]
async fn a_limit_of_one_task_or_of_all_slows_downloads_until_it_is_lifted() {
    for of_all in [false, true] {
        let rig = Rig::new().await;
        let running = rig.start();
        let content = bytes(4 * MIB, 5);
        let blob = rig.blob("big", &content).await;
        if of_all {
            running
                .set_limits(|limits| limits.download_bytes_per_second = 1000)
                .await;
            running.download(&named(&blob, "mine")).await;
        } else {
            let staged = running.stage(&named(&blob, "mine")).await.unwrap();
            running.change("mine", TaskChange::BytesPerSecond(1000)).await;
            running.transfers.release(staged);
        }
        running.status("mine", 1).await;
        another_upload(&rig, &running).await;
        // It would take more than an hour.
        let row = running.row("mine");
        assert_eq!((row.status, row.progress), (1, 0));
        if of_all {
            running.set_limits(|limits| limits.download_bytes_per_second = 0).await;
        } else {
            running.change("mine", TaskChange::BytesPerSecond(0)).await;
        }
        running.status("mine", 4).await;
        assert_eq!(fs::read(rig.downloads().join("big")).unwrap(), content);
    }
}

async fn another_upload(rig: &Rig, running: &Running) {
    let temp = rig.temp("other", b"other");
    let id = running.upload(&temp).await;
    running.status(&id, 1).await;
}

#[tokio::test]
async fn copies_of_local_files_and_uploads_obey_limits_too() {
    let rig = Rig::on_directory().await;
    let content = bytes(4 * MIB, 6);
    let blob = rig.blob("big", &content).await;
    let temp = rig.temp("up", &bytes(4 * MIB, 11));
    let running = rig.start();
    running
        .set_limits(|limits| {
            limits.download_bytes_per_second = 1000;
            limits.upload_bytes_per_second = 1000;
        })
        .await;
    running.download(&named(&blob, "down")).await;
    let up = running.upload(&temp).await;
    running.status("down", 1).await;
    running.status(&up, 2).await;
    running.change("down", TaskChange::Pause).await;
    running.change(&up, TaskChange::Pause).await;
    // A task that waits for its limit stops at once.
    running.stop().await;
    let running = rig.start();
    running
        .set_limits(|limits| {
            limits.download_bytes_per_second = 0;
            limits.upload_bytes_per_second = 0;
        })
        .await;
    assert_eq!((running.row("down").status, running.row(&up).status), (2, 4));
    running.change("down", TaskChange::Resume).await;
    running.change(&up, TaskChange::Resume).await;
    running.status("down", 4).await;
    running.status(&up, 1).await;
}

#[tokio::test]
async fn a_running_task_has_a_speed_and_a_time_left() {
    let rig = Rig::new().await;
    let blob = rig.blob("big", &bytes(4 * MIB, 8)).await;
    let running = rig.start();
    running
        .set_limits(|limits| limits.download_bytes_per_second = 1 << 20)
        .await;
    running.download(&named(&blob, "mine")).await;
    let row = running.until("mine", |row| row.speed > 0).await;
    assert!(row.remaining > 0 && row.status == 1, "{row:?}");
    running.change("mine", TaskChange::Pause).await;
    let row = running.row("mine");
    assert_eq!((row.speed, row.remaining), (0, 0));
}

#[tokio::test]
async fn a_task_that_was_seen_stays_seen() {
    let rig = Rig::new().await;
    let blob = rig.blob("x", b"content").await;
    let running = rig.start();
    running.download(&named(&blob, "mine")).await;
    assert_eq!(running.status("mine", 4).await.view, 0);
    running.change("mine", TaskChange::Viewed).await;
    assert_eq!(running.row("mine").view, 1);
    running.stop().await;
    assert_eq!(rig.start().row("mine").view, 1);
}

#[tokio::test]
async fn a_change_of_many_tasks_concerns_those_that_match_and_have_not_ended() {
    let mut rig = Rig::new().await;
    rig.config.max_active = 1;
    let running = rig.start();
    another_download(&rig, &running, "done").await;
    stalled(&rig, &running, "mine").await;
    let blob = rig.blob("waiting", b"waiting").await;
    running.download(&named(&blob, "waiting")).await;
    rig.hook.admit_gate.set_open(false);
    let temp = rig.temp("up", b"up");
    let up = running.upload(&temp).await;

    let downloads = TaskFilter {
        direction: Some(Direction::Download),
        ..TaskFilter::default()
    };
    let elsewhere = TaskFilter {
        platform: Some(1),
        ..TaskFilter::default()
    };
    assert_eq!(running.change_all(elsewhere, TaskChange::Pause).await, 0);
    assert_eq!(running.change_all(downloads, TaskChange::Pause).await, 2);
    assert_eq!(
        running.change_all(downloads, TaskChange::Pause).await,
        0,
        "they are paused"
    );
    assert_eq!((running.row("mine").status, running.row("waiting").status), (2, 2));
    assert!(running.row(&up).status < 1);
    let paused = TaskFilter {
        status: Some(2),
        ..downloads
    };
    let ids = |filter, newest_first, skip, limit| {
        let rows = running.transfers.list(&filter, newest_first, skip, limit);
        rows.into_iter().map(|row| row.task_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(paused, false, 0, 10), ["mine", "waiting"]);
    assert_eq!(ids(paused, true, 0, 1), ["waiting"]);
    assert_eq!(ids(paused, true, 1, 10), ["mine"]);
    assert_eq!(ids(downloads, false, 0, 10).len(), 3);
    rig.objects.set(Fault::None);
    assert_eq!(running.change_all(TaskFilter::default(), TaskChange::Resume).await, 2);
    running.status("mine", 4).await;
    running.status("waiting", 4).await;
}

#[tokio::test]
async fn a_space_that_refuses_us_needs_a_person() {
    let rig = Rig::new().await;
    let blob = rig.blob("x", b"content").await;
    let running = rig.start();
    rig.objects.set(Fault::Refused);
    running.download(&named(&blob, "mine")).await;
    assert_eq!(running.status("mine", 5).await.code, 403);
    rig.objects.set(Fault::None);
    running.change("mine", TaskChange::Retry).await;
    running.status("mine", 4).await;
}

#[tokio::test]
async fn a_temporary_failure_is_503_and_a_person_need_not_wait_for_the_next_attempt() {
    let mut rig = Rig::new().await;
    rig.config.retry.first = Duration::from_secs(3600);
    rig.config.retry.most = Duration::from_secs(3600);
    let blob = rig.blob("x", b"content").await;
    let running = rig.start();
    rig.objects.set(Fault::Unreachable);
    running.download(&named(&blob, "mine")).await;
    assert_eq!(running.until("mine", |row| row.status == 2).await.code, 503);
    rig.objects.set(Fault::None);
    running.change("mine", TaskChange::Resume).await;
    assert_eq!(running.status("mine", 4).await.code, 0);
}

#[tokio::test]
async fn a_download_waits_for_room_and_goes_on_by_itself() {
    const GIB: u64 = 1 << 30;
    let mut rig = Rig::new().await;
    let blob = rig.blob("x", &bytes(MIB, 9)).await;
    // A file takes room until it is removed. Others may write to the disk meanwhile, but not so
    // much.
    let filler = rig.dir.path().join("filler");
    let file = fs::File::create(&filler).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 4 * GIB).unwrap();
    let stat = rustix::fs::statvfs(rig.dir.path()).unwrap();
    rig.config.min_free_bytes = stat.f_bavail * stat.f_frsize + 2 * GIB;
    rig.config.room_interval = Duration::from_millis(20);
    rig.config.retry.attempts = 1;
    let running = rig.start();
    running.download(&named(&blob, "mine")).await;
    let row = running.until("mine", |row| row.code == 507).await;
    assert_eq!((row.status, rig.objects.served()), (2, 0));
    running.change("mine", TaskChange::Pause).await;
    assert_eq!(running.row("mine").code, 0);
    running.change("mine", TaskChange::Resume).await;
    running.until("mine", |row| row.code == 507).await;
    drop(file);
    fs::remove_file(filler).unwrap();
    assert_eq!(running.status("mine", 4).await.code, 0);
}
