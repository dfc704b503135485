//! Downloads blobs from a space and prints how fast that was.
//!
//! Usage: `speed SPACE_URL DIRECTORY HASH SIZE [HASH SIZE]…`. Hashes are hexadecimal. Removes the
//! downloaded files at the end.
#![allow(clippy::unwrap_used, reason = "an example that fails may panic")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use stowage_cloud::{Cloud, Hash, OpenOptions, Space};
use stowage_storage::Store;
use stowage_transfer::{
    Config, Direction, DownloadRequest, Feed, File, Filter, HookError, Refusal, Transfers, UploadHook, UploadRequest,
};

struct NoUploads;

impl UploadHook for NoUploads {
    fn admit<'a>(&'a self, _: &'a UploadRequest) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>> {
        Box::pin(async { Ok(Ok(())) })
    }

    fn finished<'a>(&'a self, _: &'a UploadRequest) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>> {
        Box::pin(async { Ok(Ok(())) })
    }
}

/// A line of `/proc/self/status`, in MiB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, directory, blobs @ ..] = arguments.as_slice() else {
        panic!("expected SPACE_URL DIRECTORY HASH SIZE…");
    };
    let options = OpenOptions {
        create: None,
        unreachable_ok: true,
    };
    let space = Space::open(url, options).await.unwrap();
    let store = Store::in_memory(stowage_storage::Config::default());
    let cloud = Cloud::open(space, store.clone()).await.unwrap();
    let temp = format!("{directory}/temp");
    std::fs::create_dir_all(&temp).unwrap();
    let mut config = Config::new(format!("{directory}/downloads"), temp);
    config.max_active = 16;
    let feed = Feed::new();
    let transfers = Transfers::open(store.clone(), cloud, feed.clone(), config).unwrap();
    tokio::spawn(transfers.clone().run(Arc::new(NoUploads), std::future::pending()));
    let idle = memory("VmRSS");

    let began = Instant::now();
    let mut bytes = 0;
    let mut count = 0;
    for blob in blobs.chunks_exact(2) {
        let size = blob[1].parse().unwrap();
        let request = DownloadRequest {
            task_id: None,
            platform: 3,
            file: File {
                hash: Hash::from_hex(&blob[0]).unwrap().to_string(),
                name: blob[0].clone(),
                ext: String::new(),
                thumb: String::new(),
                size,
                path: String::new(),
                protected: false,
            },
            directory: None,
            password: None,
        };
        let stage = store.update::<_, stowage_storage::Error>(|tx| transfers.stage_download(tx, request.clone(), 0));
        transfers.release(stage.await.unwrap().unwrap());
        bytes += size;
        count += 1;
    }
    let filter = Filter {
        direction: Direction::Download,
        platform: 3,
        status: None,
    };
    let mut most = idle;
    let rows = loop {
        let rows = feed.rows(&filter);
        if rows.len() == count && rows.iter().all(|row| row.status == 4 || row.status == 5) {
            break rows;
        }
        most = most.max(memory("VmRSS"));
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    let seconds = began.elapsed().as_secs_f64();
    assert!(rows.iter().all(|row| row.status == 4), "a download failed");
    let speed = bytes as f64 / 1e6 / seconds;
    println!(
        "{speed:.0} MB/s, {seconds:.2} s, memory {idle} MiB, at most {} MiB more",
        most - idle
    );
    for row in rows {
        std::fs::remove_file(row.folder_path).unwrap();
    }
}
