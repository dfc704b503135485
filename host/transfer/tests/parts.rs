//! Downloads with several requests at once.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::fs;
use std::time::Duration;

use common::{Fault, PIECE, Rig, Running, bytes, eventually, request};
use stowage_transfer::File;

const MIB: usize = 1 << 20;
/// Some requests.
const LEN: usize = 13 * MIB + 5;
/// A time that no test waits for.
const NEVER: Duration = Duration::from_secs(3600);

/// A rig where an attempt that fails is not repeated.
async fn rig() -> Rig {
    let mut rig = Rig::new().await;
    rig.config.retry.first = NEVER;
    rig.config.retry.most = NEVER;
    rig
}

async fn arrives(rig: &Rig, running: &Running, blob: &File, content: &[u8]) {
    let id = running.download(&request(blob)).await;
    running.status(&id, 4).await;
    assert!(
        fs::read(rig.downloads().join(&blob.name)).unwrap() == content,
        "the same bytes"
    );
    assert_eq!(rig.names(), [blob.name.as_str()]);
}

#[tokio::test]
async fn a_large_blob_is_asked_for_in_parts_and_each_byte_once() {
    let rig = rig().await;
    let content = bytes(LEN, 1);
    let blob = rig.blob("x", &content).await;
    arrives(&rig, &rig.start(), &blob, &content).await;
    let asked = rig.objects.take_asked();
    assert!(asked.len() > 2 && asked.iter().all(Option::is_some), "{asked:?}");
    assert_eq!(rig.objects.take_served(), LEN as u64);
}

#[tokio::test]
async fn a_small_blob_is_asked_for_whole() {
    let rig = rig().await;
    let content = bytes(2 * MIB, 2);
    let blob = rig.blob("x", &content).await;
    arrives(&rig, &rig.start(), &blob, &content).await;
    assert_eq!(rig.objects.take_asked(), [None]);
}

#[tokio::test]
async fn a_store_that_ignores_ranges_is_read_with_one_request() {
    for fault in [Fault::NoRanges, Fault::OtherRange] {
        let rig = rig().await;
        let content = bytes(LEN, 3);
        let blob = rig.blob("x", &content).await;
        rig.objects.set(fault);
        arrives(&rig, &rig.start(), &blob, &content).await;
        assert_eq!(rig.objects.take_asked().last(), Some(&None));
        assert_eq!(rig.objects.take_served(), LEN as u64, "only the whole was read");
    }
}

#[tokio::test]
async fn a_store_that_stops_to_know_ranges_goes_on_from_the_prefix() {
    let rig = rig().await;
    let content = bytes(LEN, 4);
    let blob = rig.blob("x", &content).await;
    rig.objects.set(Fault::HoleAt(7 * MIB as u64));
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    running.until(&id, |row| row.progress > 50).await;
    running.stop().await;
    assert!(rig.checkpoint() > 0);
    rig.objects.set(Fault::NoRanges);
    let running = rig.start();
    running.status(&id, 4).await;
    assert!(
        fs::read(rig.downloads().join("x")).unwrap() == content,
        "the same bytes"
    );
}

#[tokio::test]
async fn a_connection_that_stalls_is_replaced_and_the_attempt_goes_on() {
    let mut rig = rig().await;
    rig.config.stall_timeout = Duration::from_secs(1);
    for len in [MIB, LEN] {
        let content = bytes(len, 5);
        let blob = rig.blob(&format!("{len}"), &content).await;
        rig.objects.set_times(Fault::StallAt(MIB as u64 / 2), 1);
        let running = rig.start();
        let id = running.download(&request(&blob)).await;
        let row = running.status(&id, 4).await;
        assert!(fs::read(row.folder_path).unwrap() == content, "the same bytes");
        running.stop().await;
    }
}

#[tokio::test]
async fn at_the_end_an_idle_connection_takes_over_what_a_dead_one_has() {
    let mut rig = rig().await;
    // So no time limit helps.
    rig.config.stall_timeout = NEVER;
    let content = bytes(LEN, 6);
    let blob = rig.blob("x", &content).await;
    rig.objects.set_times(Fault::StallAt(0), 1);
    arrives(&rig, &rig.start(), &blob, &content).await;
    assert_eq!(rig.objects.take_served(), LEN as u64);
}

#[tokio::test]
async fn a_connection_that_breaks_is_replaced_and_no_byte_comes_twice() {
    let rig = rig().await;
    let content = bytes(LEN, 7);
    let blob = rig.blob("x", &content).await;
    rig.objects.set_times(Fault::BreakAt(MIB as u64), 2);
    arrives(&rig, &rig.start(), &blob, &content).await;
    assert_eq!(rig.objects.take_served(), LEN as u64);
}

/// Stops or kills a download that has all but a hole.
async fn leave_hole(rig: &mut Rig, content: &[u8], crash: bool) -> String {
    rig.config.checkpoint_interval = Duration::from_millis(1);
    let blob = rig.blob("x", content).await;
    rig.objects.set(Fault::HoleAt(5 * MIB as u64));
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    eventually(|| (rig.checkpoint() > 8 * MIB as u64).then_some(())).await;
    if crash {
        running.crash().await;
    } else {
        running.stop().await;
    }
    let checkpoint = &rig.stored()[0]["checkpoint"];
    assert!(checkpoint["offset"].as_u64().unwrap() <= 5 * MIB as u64);
    assert!(!checkpoint["ranges"].as_array().unwrap().is_empty());
    rig.objects.set(Fault::None);
    rig.objects.take_served();
    id
}

#[tokio::test]
async fn after_an_end_of_any_kind_only_the_holes_are_fetched() {
    for crash in [false, true] {
        let mut rig = rig().await;
        let content = bytes(LEN, 8);
        let id = leave_hole(&mut rig, &content, crash).await;
        let covered = rig.checkpoint();
        let running = rig.start();
        let row = running.row(&id);
        assert_eq!(u64::from(row.progress), covered * 100 / LEN as u64);
        running.status(&id, 4).await;
        assert_eq!(rig.objects.take_served(), LEN as u64 - covered);
        assert!(
            fs::read(rig.downloads().join("x")).unwrap() == content,
            "the same bytes"
        );
    }
}

#[tokio::test]
async fn bytes_behind_a_hole_that_somebody_changed_are_found_at_the_end() {
    let mut rig = rig().await;
    let content = bytes(LEN, 9);
    let id = leave_hole(&mut rig, &content, false).await;
    let part = rig.downloads().join(&rig.names()[0]);
    let mut changed = fs::read(&part).unwrap();
    changed[LEN - 1] ^= 1;
    fs::write(&part, changed).unwrap();
    let running = rig.start();
    running.status(&id, 4).await;
    assert!(
        fs::read(rig.downloads().join("x")).unwrap() == content,
        "the same bytes"
    );
    assert_eq!(
        rig.objects.take_asked().last(),
        Some(&None),
        "the second time, the whole was asked for"
    );
}

#[tokio::test]
async fn a_checkpoint_that_makes_no_sense_is_not_believed() {
    let mut rig = rig().await;
    let content = bytes(LEN, 10);
    let id = leave_hole(&mut rig, &content, false).await;
    let mut task = rig.stored().remove(0);
    task["checkpoint"]["ranges"] = serde_json::json!([[u64::MAX - 1, u64::MAX], [3, 1]]);
    let key = task["id"].as_u64().unwrap().to_be_bytes();
    rig.store
        .update::<_, stowage_storage::Error>(|tx| tx.put("host.tasks", &key, rmp_serde::to_vec_named(&task).unwrap()))
        .await
        .unwrap();
    let running = rig.start();
    running.status(&id, 4).await;
    assert!(
        fs::read(rig.downloads().join("x")).unwrap() == content,
        "the same bytes"
    );
}

#[tokio::test]
async fn wrong_bytes_in_parts_are_fetched_again_as_a_whole() {
    let rig = rig().await;
    let content = bytes(LEN, 11);
    let blob = rig.blob("x", &content).await;
    rig.objects.set(Fault::FlipInRangeAt(6 * MIB as u64));
    arrives(&rig, &rig.start(), &blob, &content).await;
    let asked = rig.objects.take_asked();
    assert_eq!(asked.iter().filter(|range| range.is_none()).count(), 1);
    assert_eq!(rig.objects.take_served(), 2 * LEN as u64);
}

#[tokio::test]
async fn wrong_bytes_in_parts_and_as_a_whole_fail() {
    let rig = rig().await;
    let content = bytes(LEN, 12);
    let blob = rig.blob("x", &content).await;
    rig.objects.set(Fault::FlipAt(6 * MIB as u64));
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    assert_eq!(running.status(&id, 5).await.code, 422);
    assert_eq!(rig.names(), Vec::<String>::new());
    assert_eq!(rig.objects.take_served(), 2 * LEN as u64);
}

#[tokio::test]
async fn a_line_that_breaks_again_and_again_is_no_failure_while_it_brings_bytes() {
    let rig = rig().await;
    let content = bytes(LEN, 13);
    let blob = rig.blob("x", &content).await;
    rig.objects.set(Fault::BreakAfter(MIB as u64 + 1000));
    arrives(&rig, &rig.start(), &blob, &content).await;
    assert!(rig.objects.take_asked().len() > 10);
    assert_eq!(rig.objects.take_served(), LEN as u64);
}

#[tokio::test]
async fn a_line_that_brings_next_to_nothing_ends_the_attempt() {
    let rig = rig().await;
    let content = bytes(LEN, 14);
    let blob = rig.blob("x", &content).await;
    rig.objects.set(Fault::BreakAfter(PIECE as u64));
    let running = rig.start();
    let id = running.download(&request(&blob)).await;
    running.status(&id, 2).await;
    assert!(rig.objects.take_asked().len() < 20);
}
