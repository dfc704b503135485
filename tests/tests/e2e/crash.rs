//! kill -9 at random moments: what was acknowledged exists once, and no wrong file has a final
//! name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use stowage_tests::feed::{Feed, rows};
use stowage_tests::fixture::{SpaceFixture, hash_of, noise, stored_file};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::random::Random;
use stowage_tests::wait::until;
use stowage_tests::wire;

const CYCLES: usize = 32;
const WRITERS: usize = 3;
const BLOBS: usize = 24;

/// Creates folders until the server is gone, and returns the acknowledged ones.
async fn write(host: &TestHost, name: String) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let name = format!("{name} {n}");
        let request = wire::post(
            host.address(),
            "/createImFavoriteFolder",
            json!({ "name": name }).to_string(),
        );
        match wire::try_send(host.address(), request).await {
            Ok(reply) if reply.status == 200 && reply.code() == 200 => acknowledged.push(name),
            // The answer is lost: the folder may or may not exist.
            _ => break,
        }
    }
    acknowledged
}

async fn folders(host: &TestHost) -> Vec<Value> {
    let mut all = Vec::new();
    for page in 1.. {
        let rows = host
            .ok("getImFavoriteFolders", json!({"page": page, "pageSize": 1000}))
            .await;
        let rows = rows.as_array().unwrap().clone();
        if rows.is_empty() {
            return all;
        }
        all.extend(rows);
    }
    all
}

/// Every file with a final name has the bytes of its blob.
fn check_files(dir: &Path, blobs: &BTreeMap<String, Vec<u8>>) -> usize {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    let mut files = 0;
    for entry in entries {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with('.') {
            continue;
        }
        files += 1;
        let stem = name.split([' ', '.']).next().unwrap();
        let bytes = fs::read(dir.join(&name)).unwrap();
        assert!(
            bytes == blobs[stem],
            "{name} has {} bytes that are not its blob's",
            bytes.len()
        );
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let mut random = Random::from_environment();
    let dir = tempfile::tempdir().unwrap();
    let space = SpaceFixture::create(&dir.path().join("space"));
    let mut blobs = BTreeMap::new();
    for n in 0..BLOBS {
        let bytes = noise(2_000_000 + usize::try_from(random.below(4_000_000)).unwrap(), n as u64);
        let hash = space.blob(&bytes);
        space.row(
            "storage-files",
            &stored_file(&hash, &format!("blob{n}.bin"), bytes.len() as u64, 1),
        );
        blobs.insert(format!("blob{n}"), bytes);
    }
    let mut host = Launch::new(dir.path().join("data")).space(space.url()).start().await;
    host.init().await;
    let downloads = host.data().join("downloads/3");
    let mut acknowledged = BTreeSet::new();
    let mut tasks = BTreeSet::new();
    for cycle in 0..CYCLES {
        let moment = Duration::from_millis(random.below(350));
        // Some downloads begin in this cycle. Earlier ones continue by themselves.
        for n in [cycle % BLOBS, (cycle * 7) % BLOBS] {
            let task = format!("{cycle}-{n}");
            let hash = hash_of(&blobs[&format!("blob{n}")]);
            host.ok(
                "downloadStorageFileTask",
                json!({"hash": hash, "platform": 3, "taskId": task}),
            )
            .await;
            tasks.insert(task);
        }
        let launch = {
            let writers = (0..WRITERS).map(|w| write(&host, format!("{cycle} {w}")));
            let killing = async {
                tokio::time::sleep(moment).await;
                host.signal_kill();
            };
            let (written, ()) = tokio::join!(futures_util::future::join_all(writers), killing);
            acknowledged.extend(written.into_iter().flatten());
            host.dead().await
        };
        check_files(&downloads, &blobs);
        host = launch.start().await;
        let names: Vec<String> = folders(&host)
            .await
            .iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect();
        let once: BTreeSet<_> = names.iter().cloned().collect();
        assert_eq!(once.len(), names.len(), "a folder is there twice after cycle {cycle}");
        let lost: Vec<_> = acknowledged.difference(&once).collect();
        assert!(lost.is_empty(), "acknowledged and lost by cycle {cycle}: {lost:?}");
    }
    println!("{} folders acknowledged, {} downloads", acknowledged.len(), tasks.len());
    assert!(
        acknowledged.len() > CYCLES,
        "the writers got to work: {}",
        acknowledged.len()
    );
    let mut feed = Feed::follow(&host, "k", 1, 3, None).await;
    let mut complete = BTreeSet::new();
    feed.find("every download is complete", |frame| {
        for row in rows(frame) {
            assert!(row["status"] != 5 && row["status"] != 0 && row["status"] != 3, "{row}");
            if row["status"] == 4 {
                complete.insert(row["taskId"].as_str().unwrap().to_owned());
            }
        }
        complete.is_superset(&tasks).then_some(())
    })
    .await;
    assert!(
        check_files(&downloads, &blobs) >= tasks.iter().map(|t| t.split('-').nth(1)).collect::<BTreeSet<_>>().len()
    );
    let left: Vec<_> = fs::read_dir(&downloads)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "temporary files stay: {left:?}");
    // The space has every folder once as well.
    host.init().await;
    let here = folders(&host).await.len();
    until("every folder is in the space", || {
        space
            .read("favorite-folders")
            .iter()
            .filter(|row| row["id"] != "1")
            .count()
            == here - 1
    })
    .await;
    host.stop().await;
}
