//! A benchmark of the feed.
//!
//! `cargo test --release -p stowage-transfer feed::bench -- --ignored --nocapture`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::*;
use crate::row::{Direction, Row, sample};

const TASKS: u64 = 1000;
const SUBSCRIBERS: usize = 1000;
const REPORTS_PER_SECOND: u32 = 20;
const SECONDS: u32 = 10;

fn row(id: u64, status: i32, step: u32) -> Row {
    let mut row = sample(id, Direction::Download, 1, status);
    row.hash = "9wzDVbmtBLPPsmQ8kYmtBLPPsmQ8kYmtBLPPsmQ8kYxx".into();
    row.folder_path = format!("/home/someone/Downloads/from a friend/file-{id}.bin");
    row.size = u64::from(step) + 1;
    row.time = 1_790_000_000_000;
    row.progress = u8::try_from(step % 100).unwrap();
    row
}

/// The processor time of this process.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // User and system time, in 1/100 s.
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[test]
#[ignore = "a benchmark, which takes 10 s of both cores"]
fn thousand_subscribers_of_thousand_tasks() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let feed = Feed::new();
        let filter = Filter {
            direction: Direction::Download,
            platform: 1,
            status: None,
        };
        for id in 0..TASKS {
            feed.publish(row(id, 1, 0));
        }
        let (frames, bytes) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let readers: Vec<_> = (0..SUBSCRIBERS)
            .map(|number| {
                let key = format!("key-{number}");
                feed.subscribe(&key, filter).unwrap();
                let mut connection = feed.connect(Some(vec![key]));
                let (frames, bytes) = (frames.clone(), bytes.clone());
                let metered = feed.clone();
                tokio::spawn(async move {
                    metered
                        .metered(async move {
                            let mut completed = std::collections::HashSet::new();
                            while completed.len() < TASKS as usize {
                                let frame = tests::next_frame(&mut connection).await.expect("the feed is open");
                                frames.fetch_add(1, Relaxed);
                                bytes.fetch_add(frame.len() as u64, Relaxed);
                                let text = String::from_utf8(frame).unwrap();
                                if text.contains("\"status\":4") {
                                    let frame: serde_json::Value = serde_json::from_str(&text).unwrap();
                                    let rows = frame["data"].as_array().unwrap();
                                    let ended = rows.iter().filter(|row| row["status"] == 4);
                                    completed.extend(ended.map(|row| row["id"].as_u64().unwrap()));
                                }
                            }
                        })
                        .await
                })
            })
            .collect();
        // The snapshots are not measured.
        while frames.load(Relaxed) < SUBSCRIBERS as u64 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        frames.store(0, Relaxed);
        bytes.store(0, Relaxed);
        let start = Instant::now();
        let before = processor_time();
        let publisher = std::thread::spawn({
            let feed = feed.clone();
            move || {
                let mut times = Vec::new();
                for step in 1..SECONDS * REPORTS_PER_SECOND {
                    for id in 0..TASKS {
                        let row = row(id, 1, step);
                        let at = Instant::now();
                        feed.publish(row);
                        times.push(at.elapsed());
                    }
                    let due = start + Duration::from_secs(1) * step / REPORTS_PER_SECOND;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                times.sort();
                times
            }
        });
        let times = tokio::task::spawn_blocking(|| publisher.join().unwrap()).await.unwrap();
        let (elapsed, used) = (start.elapsed(), processor_time() - before);
        let at = |share: usize| times[(times.len() - 1) * share / 1000];
        eprintln!(
            "{:.1} s: {:.0} frames/s, {:.0} MB/s, {:.2} cores; publish p50 {:?}, p99 {:?}, p99.9 {:?}, max {:?}",
            elapsed.as_secs_f64(),
            frames.load(Relaxed) as f64 / elapsed.as_secs_f64(),
            bytes.load(Relaxed) as f64 / 1e6 / elapsed.as_secs_f64(),
            used.as_secs_f64() / elapsed.as_secs_f64(),
            at(500),
            at(990),
            at(999),
            at(1000),
        );
        // Final states reach every reader.
        for id in 0..TASKS {
            feed.publish(row(id, 4, 0));
        }
        for reader in readers {
            reader.await.unwrap();
        }
        eprintln!("every reader got every final state");
    });
}
