//! What one writer and many get from the group commit.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::load::{Figures, Load};
use crate::host::Launch;

/// What was measured.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    /// One client.
    pub one: Figures,
    /// Sixty-four clients.
    pub many: Figures,
    /// The median time of a write and its sync, on the same disk.
    pub sync: Duration,
}

/// Measures durable creates with 1 and 64 clients.
///
/// # Panics
/// When a call fails.
pub async fn group_commit(dir: &Path, time: Duration) -> GroupCommit {
    let host = Launch::new(dir.join("data")).start().await;
    let create = |tag: &'static str| {
        move |client: usize, n: u64| ("createImFavoriteFolder", json!({"name": format!("{tag} {client} {n}")}))
    };
    // Both begin warm.
    Load::start(host.address(), 64, None, create("warm"))
        .run_for(time / 4)
        .await;
    let one = Load::start(host.address(), 1, None, create("one")).run_for(time).await;
    let many = Load::start(host.address(), 64, None, create("many"))
        .run_for(time)
        .await;
    for figures in [&one, &many] {
        assert!(figures.failures.is_empty(), "{:?}", figures.failures.first());
    }
    host.stop().await;
    let sync = sync_time(dir);
    GroupCommit { one, many, sync }
}

/// The median time of a write of 4 KiB and its sync.
fn sync_time(dir: &Path) -> Duration {
    use std::os::unix::fs::FileExt as _;
    let path = dir.join("sync");
    let file = std::fs::File::create(&path).expect("a writable directory");
    file.set_len(1 << 20).expect("a writable file");
    let page = vec![1; 4096];
    let mut times: Vec<Duration> = (0..200)
        .map(|n| {
            let begun = Instant::now();
            file.write_all_at(&page, n % 256 * 4096).expect("a writable file");
            file.sync_data().expect("a writable file");
            begun.elapsed()
        })
        .collect();
    let _ = std::fs::remove_file(path);
    times.sort_unstable();
    times[times.len() / 2]
}
