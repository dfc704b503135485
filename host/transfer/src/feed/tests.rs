//! Tests of the feed under paused time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, advance, timeout};

use super::progress_feed::AUDIT_TIMEOUT;
use super::*;
use crate::row::Direction;
use crate::row::sample;

const DOWNLOADS: Filter = Filter {
    direction: Direction::Download,
    platform: 1,
    status: None,
};

fn publish(feed: &Feed, id: u64, status: i32, progress: u8) {
    let mut row = sample(id, Direction::Download, 1, status);
    row.progress = progress;
    feed.publish(row);
}

async fn frame(connection: &mut Connection) -> Value {
    let text = within(connection.next_frame()).await.expect("the feed is open");
    serde_json::from_str(&text).unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(5), future).await.expect("a frame was due")
}

async fn silent(connection: &mut Connection) {
    assert!(
        timeout(Duration::from_secs(5), connection.next_frame()).await.is_err(),
        "no frame was due"
    );
}

/// How many keys are remembered.
fn key_count(feed: &Feed) -> usize {
    let mut state = feed.lock();
    state.keys.expire(Instant::now());
    state.keys.iter().count()
}

fn statuses(frame: &Value) -> Vec<(u64, i64)> {
    frame["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["id"].as_u64().unwrap(), row["status"].as_i64().unwrap()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_frame_is_the_snapshot_and_later_ones_hold_only_changes() {
    let feed = Feed::new();
    publish(&feed, 1, 4, 100);
    publish(&feed, 2, 1, 10);
    feed.publish(sample(3, Direction::Upload, 1, 2));
    feed.publish(sample(4, Direction::Download, 2, 1));
    feed.subscribe("k", DOWNLOADS).unwrap();
    let mut connection = feed.connect(Some(vec!["k".into()]));
    let first = frame(&mut connection).await;
    assert_eq!(first["key"], "k");
    assert_eq!(first["code"], 200);
    assert!(first["message"].is_null());
    assert_eq!(first["seq"], 1);
    assert_eq!(statuses(&first), [(1, 4), (2, 1)]);
    publish(&feed, 2, 1, 20);
    let second = frame(&mut connection).await;
    assert_eq!(second["seq"], 2);
    assert_eq!(statuses(&second), [(2, 1)]);
    assert_eq!(second["data"][0]["progress"], 20);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_without_rows_is_an_empty_list() {
    let feed = Feed::new();
    let mut connection = feed.connect(None);
    feed.subscribe("k", DOWNLOADS).unwrap();
    let first = frame(&mut connection).await;
    assert_eq!(first["data"], serde_json::json!([]));
}

#[tokio::test(start_paused = true)]
async fn changes_are_coalesced_to_ten_frames_a_second_and_the_last_state_arrives() {
    let feed = Feed::new();
    publish(&feed, 1, 1, 0);
    feed.subscribe("k", DOWNLOADS).unwrap();
    let mut connection = feed.connect(None);
    frame(&mut connection).await;
    let start = Instant::now();
    let publisher = tokio::spawn({
        let feed = feed.clone();
        async move {
            for step in 0..1000u32 {
                advance(Duration::from_millis(1)).await;
                publish(&feed, 1, 1, u8::try_from(step / 11).unwrap());
            }
            publish(&feed, 1, 4, 100);
        }
    });
    let mut frames = 0;
    let mut seq = 1;
    loop {
        let next = frame(&mut connection).await;
        frames += 1;
        seq += 1;
        assert_eq!(next["seq"], seq);
        assert_eq!(next["data"].as_array().unwrap().len(), 1);
        if next["data"][0]["status"] == 4 {
            break;
        }
    }
    publisher.await.unwrap();
    assert!(start.elapsed() <= Duration::from_millis(1200), "{:?}", start.elapsed());
    assert!((8..=12).contains(&frames), "{frames} frames");
    silent(&mut connection).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_after_a_pause_is_told_at_once() {
    let feed = Feed::new();
    feed.subscribe("k", DOWNLOADS).unwrap();
    let mut connection = feed.connect(None);
    frame(&mut connection).await;
    advance(Duration::from_secs(1)).await;
    let start = Instant::now();
    publish(&feed, 1, 1, 0);
    frame(&mut connection).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_row_makes_no_frame() {
    let feed = Feed::new();
    publish(&feed, 1, 1, 5);
    feed.subscribe("k", DOWNLOADS).unwrap();
    let mut connection = feed.connect(None);
    frame(&mut connection).await;
    publish(&feed, 1, 1, 5);
    silent(&mut connection).await;
}

#[tokio::test(start_paused = true)]
async fn a_row_that_stops_matching_the_status_is_sent_once_more() {
    let feed = Feed::new();
    publish(&feed, 1, 1, 5);
    publish(&feed, 2, 4, 100);
    let filter = Filter {
        status: Some(1),
        ..DOWNLOADS
    };
    feed.subscribe("k", filter).unwrap();
    let mut connection = feed.connect(None);
    assert_eq!(statuses(&frame(&mut connection).await), [(1, 1)]);
    publish(&feed, 1, 2, 5);
    assert_eq!(statuses(&frame(&mut connection).await), [(1, 2)]);
    publish(&feed, 1, 5, 5);
    silent(&mut connection).await;
    publish(&feed, 1, 1, 6);
    assert_eq!(statuses(&frame(&mut connection).await), [(1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_status_held_only_between_two_frames_still_tells_how_it_ended() {
    let feed = Feed::new();
    let filter = Filter {
        status: Some(1),
        ..DOWNLOADS
    };
    feed.subscribe("k", filter).unwrap();
    let mut connection = feed.connect(None);
    frame(&mut connection).await;
    publish(&feed, 1, -1, 0);
    publish(&feed, 1, 1, 0);
    publish(&feed, 1, 4, 100);
    assert_eq!(statuses(&frame(&mut connection).await), [(1, 4)]);
    silent(&mut connection).await;
}

#[tokio::test(start_paused = true)]
async fn subscribing_again_starts_anew_with_a_snapshot_and_goes_on_counting() {
    let feed = Feed::new();
    publish(&feed, 1, 1, 5);
    feed.subscribe("k", DOWNLOADS).unwrap();
    let mut connection = feed.connect(Some(vec!["k".into()]));
    frame(&mut connection).await;
    let other = Filter {
        platform: 2,
        ..DOWNLOADS
    };
    feed.publish(sample(9, Direction::Download, 2, 1));
    feed.subscribe("k", other).unwrap();
    let again = frame(&mut connection).await;
    assert_eq!(statuses(&again), [(9, 1)]);
    assert_eq!(again["seq"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_gets_only_the_keys_it_claims_and_one_without_gets_all() {
    let feed = Feed::new();
    for key in ["a", "b", "c"] {
        feed.subscribe(key, DOWNLOADS).unwrap();
    }
    let mut some = feed.connect(Some(vec!["c".into(), "a".into(), "a".into()]));
    let mut all = feed.connect(None);
    let mut keys = Vec::new();
    for _ in 0..2 {
        keys.push(frame(&mut some).await["key"].as_str().unwrap().to_owned());
    }
    keys.sort();
    assert_eq!(keys, ["a", "c"]);
    silent(&mut some).await;
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(frame(&mut all).await["key"].as_str().unwrap().to_owned());
    }
    keys.sort();
    assert_eq!(keys, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_forgotten_a_minute_after_the_last_connection_left() {
    let feed = Feed::new();
    feed.subscribe("k", DOWNLOADS).unwrap();
    advance(Duration::from_secs(59)).await;
    let mut connection = feed.connect(Some(vec!["k".into()]));
    frame(&mut connection).await;
    advance(Duration::from_secs(600)).await;
    assert_eq!(key_count(&feed), 1);
    drop(connection);
    advance(Duration::from_secs(59)).await;
    let mut connection = feed.connect(Some(vec!["k".into()]));
    assert_eq!(frame(&mut connection).await["seq"], 1);
    drop(connection);
    advance(Duration::from_secs(60)).await;
    let mut connection = feed.connect(Some(vec!["k".into()]));
    silent(&mut connection).await;
    assert_eq!(key_count(&feed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_keys_keeps_every_key_alive() {
    let feed = Feed::new();
    let all = feed.connect(None);
    feed.subscribe("k", DOWNLOADS).unwrap();
    advance(Duration::from_secs(600)).await;
    assert_eq!(key_count(&feed), 1);
    drop(all);
    advance(Duration::from_secs(60)).await;
    assert_eq!(key_count(&feed), 0);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_unclaimed_key_makes_room_and_claimed_ones_do_not() {
    let feed = Feed::new();
    for number in 0..MAX_KEYS {
        feed.subscribe(&format!("k{number}"), DOWNLOADS).unwrap();
    }
    feed.subscribe("one-more", DOWNLOADS).unwrap();
    assert_eq!(key_count(&feed), MAX_KEYS);
    let mut connection = feed.connect(Some(vec!["k0".into()]));
    silent(&mut connection).await;
    // A connection that claims every key keeps none in particular: a client's subscription is not
    // refused for a dashboard's sake.
    let _all = feed.connect(None);
    feed.subscribe("another", DOWNLOADS).unwrap();
    assert_eq!(key_count(&feed), MAX_KEYS);
    let named = (0..MAX_KEYS).map(|number| format!("k{number}"));
    let named = named.chain(["one-more".to_owned(), "another".to_owned()]);
    let _each = feed.connect(Some(named.collect()));
    assert_eq!(
        feed.subscribe("too-many", DOWNLOADS),
        Err(SubscribeError::TooManyKeys { limit: MAX_KEYS })
    );
    feed.subscribe("one-more", DOWNLOADS).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_without_characters_or_with_too_many_is_refused() {
    let feed = Feed::new();
    assert_eq!(
        feed.subscribe("", DOWNLOADS),
        Err(SubscribeError::KeyLength { chars: 0 })
    );
    assert_eq!(
        feed.subscribe(&"é".repeat(129), DOWNLOADS),
        Err(SubscribeError::KeyLength { chars: 129 })
    );
    feed.subscribe(&"é".repeat(128), DOWNLOADS).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_was_away_gets_each_task_once_in_its_latest_state() {
    let feed = Feed::new();
    feed.subscribe("k", DOWNLOADS).unwrap();
    let mut connection = feed.connect(None);
    frame(&mut connection).await;
    for round in 0..1000u32 {
        for id in 0..10 {
            publish(&feed, id, 1, u8::try_from(round % 100).unwrap());
        }
    }
    for id in 0..10 {
        publish(&feed, id, 4, 100);
    }
    let next = frame(&mut connection).await;
    let expected: Vec<_> = (0..10).map(|id| (id, 4)).collect();
    assert_eq!(statuses(&next), expected);
    silent(&mut connection).await;
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_task_leaves_the_snapshot() {
    let feed = Feed::new();
    publish(&feed, 1, 4, 100);
    publish(&feed, 2, 4, 100);
    feed.forget(1);
    feed.subscribe("k", DOWNLOADS).unwrap();
    let mut connection = feed.connect(None);
    assert_eq!(statuses(&frame(&mut connection).await), [(2, 4)]);
}

#[tokio::test(start_paused = true)]
async fn a_frame_future_that_is_dropped_loses_nothing() {
    let feed = Feed::new();
    feed.subscribe("k", DOWNLOADS).unwrap();
    let mut connection = feed.connect(None);
    frame(&mut connection).await;
    publish(&feed, 1, 1, 1);
    assert!(
        timeout(Duration::from_millis(50), connection.next_frame())
            .await
            .is_err()
    );
    let next = frame(&mut connection).await;
    assert_eq!(next["seq"], 2);
    assert_eq!(statuses(&next), [(1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_closed_feed_ends_its_connections() {
    let feed = Feed::new();
    let mut connection = feed.connect(None);
    let end = tokio::spawn(async move { connection.next_frame().await });
    tokio::task::yield_now().await;
    feed.close();
    assert_eq!(within(end).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_downloads_waits_for_the_audit_but_not_for_ever() {
    let feed = Feed::new();
    publish(&feed, 1, 4, 100);
    let audited = feed.clone();
    feed.set_audit(Arc::new(move || {
        let feed = audited.clone();
        Box::pin(async move {
            publish(&feed, 1, 3, 0);
            std::future::pending::<()>().await;
        })
    }));
    feed.subscribe("k", DOWNLOADS).unwrap();
    let mut connection = feed.connect(None);
    let start = Instant::now();
    assert_eq!(statuses(&frame(&mut connection).await), [(1, 3)]);
    assert_eq!(start.elapsed(), AUDIT_TIMEOUT);
}

#[tokio::test]
async fn frames_come_on_a_clock_that_runs_too() {
    // A first frame was once due at an instant read after the one it was compared with, and so
    // never on a running clock.
    let feed = Feed::new();
    feed.subscribe("k", DOWNLOADS).unwrap();
    let mut connection = feed.connect(None);
    frame(&mut connection).await;
    publish(&feed, 1, 4, 100);
    assert_eq!(statuses(&frame(&mut connection).await), [(1, 4)]);
}
