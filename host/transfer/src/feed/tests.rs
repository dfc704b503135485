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

/// The text of the next frame. `None` once the feed is closed.
pub(super) async fn next_frame(connection: &mut Connection) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        let fragment = connection.next_fragment().await?;
        assert_eq!(fragment.is_first, text.is_empty());
        text.extend_from_slice(&fragment.text);
        if fragment.is_last {
            return Some(text);
        }
    }
}

async fn frame(connection: &mut Connection) -> Value {
    let text = within(next_frame(connection)).await.expect("the feed is open");
    serde_json::from_slice(&text).unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(5), future).await.expect("a frame was due")
}

async fn silent(connection: &mut Connection) {
    assert!(
        timeout(Duration::from_secs(5), connection.next_fragment())
            .await
            .is_err(),
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
        timeout(Duration::from_millis(50), connection.next_fragment())
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
    let end = tokio::spawn(async move { next_frame(&mut connection).await });
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

/// Opens a connection of its own for each key, and takes the snapshots.
async fn followers(feed: &Feed, keys: &[&str]) -> Vec<Connection> {
    let mut connections = Vec::new();
    for key in keys {
        feed.subscribe(key, DOWNLOADS).unwrap();
        let mut connection = feed.connect(Some(vec![(*key).to_owned()]));
        frame(&mut connection).await;
        connections.push(connection);
    }
    connections
}

async fn fragments(connection: &mut Connection) -> Vec<Fragment> {
    let mut fragments: Vec<Fragment> = Vec::new();
    while fragments.last().is_none_or(|last| !last.is_last) {
        fragments.push(within(connection.next_fragment()).await.expect("the feed is open"));
    }
    fragments
}

#[tokio::test(start_paused = true)]
async fn a_frame_of_many_rows_comes_in_small_fragments() {
    let feed = Feed::new();
    for id in 0..1000 {
        publish(&feed, id, 1, 0);
    }
    feed.subscribe("k", DOWNLOADS).unwrap();
    let mut connection = feed.connect(None);
    let parts = fragments(&mut connection).await;
    assert!(parts.len() > 10, "{} fragments", parts.len());
    assert!(parts.iter().all(|part| part.text.len() <= 8 << 10));
    let is_first: Vec<_> = parts.iter().map(|part| part.is_first).collect();
    assert!(is_first[0] && is_first[1..].iter().all(|is_first| !is_first));
    let text: Vec<u8> = parts.iter().flat_map(|part| part.text.to_vec()).collect();
    let expected: Vec<_> = (0..1000).map(|id| (id, 1)).collect();
    assert_eq!(statuses(&serde_json::from_slice(&text).unwrap()), expected);
}

#[tokio::test(start_paused = true)]
async fn subscribers_with_the_same_filter_share_the_bytes_of_rows() {
    let feed = Feed::new();
    let mut connections = followers(&feed, &["a", "b"]).await;
    // The second round starts from a common tick.
    for progress in [1, 2] {
        advance(Duration::from_secs(1)).await;
        for id in 0..200 {
            publish(&feed, id, 1, progress);
        }
        let mut shared = Vec::new();
        for connection in &mut connections {
            let parts = fragments(connection).await;
            assert!(parts.len() >= 3);
            shared.push(parts[1].text.as_ptr());
        }
        if progress == 2 {
            assert_eq!(shared[0], shared[1]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_the_state_of_the_time_at_which_it_reads() {
    let feed = Feed::new();
    let mut connections = followers(&feed, &["slow", "other"]).await;
    advance(Duration::from_secs(1)).await;
    for id in 0..1000 {
        publish(&feed, id, 1, 50);
    }
    let [slow, other] = &mut connections[..] else {
        unreachable!()
    };
    let first = within(slow.next_fragment()).await.unwrap();
    assert!(!first.is_last);
    fragments(other).await;
    for id in 0..1000 {
        publish(&feed, id, 4, 100);
    }
    advance(Duration::from_secs(1)).await;
    fragments(other).await;
    // The frame ends without the rows that have changed meanwhile. The next one has them.
    let rest = within(slow.next_fragment()).await.unwrap();
    assert!(rest.is_last && rest.text.starts_with(b"],\"seq\":2"), "{rest:?}");
    let next = frame(slow).await;
    assert_eq!(next["seq"], 3);
    let expected: Vec<_> = (0..1000).map(|id| (id, 4)).collect();
    assert_eq!(statuses(&next), expected);
    silent(slow).await;
}

#[tokio::test(start_paused = true)]
async fn rows_that_change_all_the_time_reach_a_reader_that_is_late_each_time() {
    let feed = Feed::new();
    let mut connections = followers(&feed, &["late"]).await;
    let publisher = tokio::spawn({
        let feed = feed.clone();
        async move {
            for progress in 0..100 {
                for id in 0..10 {
                    publish(&feed, id, 1, progress);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let mut last = 0;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(170)).await;
        let next = frame(&mut connections[0]).await;
        assert_eq!(next["data"].as_array().unwrap().len(), 10);
        let progress = next["data"][0]["progress"].as_u64().unwrap();
        assert!(progress > last, "{progress} after {last}");
        last = progress;
    }
    publisher.abort();
}

#[tokio::test(start_paused = true)]
async fn ticks_come_less_often_when_subscribers_take_much_processor_time() {
    let feed = Feed::new();
    let mut connections = followers(&feed, &["k"]).await;
    advance(Duration::from_secs(1)).await;
    publish(&feed, 1, 1, 1);
    frame(&mut connections[0]).await;
    let start = Instant::now();
    feed.metered(async { std::thread::sleep(Duration::from_millis(40)) })
        .await;
    publish(&feed, 1, 1, 2);
    frame(&mut connections[0]).await;
    let slowed = start.elapsed();
    assert!(slowed >= Duration::from_millis(400), "{slowed:?}");
    // The cost counts only once.
    let start = Instant::now();
    publish(&feed, 1, 1, 3);
    frame(&mut connections[0]).await;
    assert!(start.elapsed() < slowed);
}

#[tokio::test(start_paused = true)]
async fn each_of_many_subscribers_is_told_in_time() {
    let feed = Feed::new();
    let keys: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    let mut tasks = Vec::new();
    for key in keys {
        feed.subscribe(&key, DOWNLOADS).unwrap();
        let mut connection = feed.connect(Some(vec![key]));
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            for _ in 0..5 {
                frame(&mut connection).await;
                times.push(Instant::now());
            }
            times
        }));
    }
    let publisher = tokio::spawn(async move {
        for progress in 0.. {
            publish(&feed, 1, 1, progress % 100);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    for task in tasks {
        let times = task.await.unwrap();
        for pair in times.windows(2) {
            let gap = pair[1] - pair[0];
            assert!(
                gap >= FRAME_INTERVAL && gap < FRAME_INTERVAL * 3,
                "{gap:?} between frames"
            );
        }
    }
    publisher.abort();
}
