//! Where a part measures: a space with large blobs, servers of it, and a Stowage that downloads.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use stowage_tests::feed::{Feed, rows};
use stowage_tests::fixture::{SpaceFixture, noise, stored_file};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::{program, s3};
use tempfile::TempDir;

/// The platform of all downloads.
const PLATFORM: u8 = 3;
/// The longest a turn may take.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// Bytes that are made or read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A new directory for a part's files.
pub fn directory() -> anyhow::Result<TempDir> {
    let builder = tempfile::Builder::new();
    Ok(match std::env::var_os("STOWAGE_BENCH_DIR") {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => builder.tempdir()?,
    })
}

/// A blob of the space.
#[derive(Clone, Debug)]
pub struct Blob {
    /// In base58.
    pub hash: String,
    /// In hex, as the space names it.
    pub hex: String,
    pub name: String,
    pub len_bytes: u64,
}

impl Blob {
    /// Its path in the space.
    pub fn path(&self) -> String {
        format!("blobs/{}/{}", &self.hex[..2], self.hex)
    }
}

/// Writes a blob of this length into a space, with a row that names it. It is never in memory as a
/// whole.
pub fn add_blob(space: &SpaceFixture, name: &str, len_bytes: u64, seed: u64) -> anyhow::Result<Blob> {
    let unfinished = space.dir().join(name);
    let mut file = File::create(&unfinished)?;
    let mut hasher = Sha256::new();
    let mut left = len_bytes;
    let mut pieces = 0;
    while left > 0 {
        let len = PIECE_BYTES.min(usize::try_from(left).unwrap_or(usize::MAX));
        let piece = noise(len, seed.wrapping_mul(1 << 20) + pieces);
        hasher.update(&piece);
        file.write_all(&piece)?;
        left -= len as u64;
        pieces += 1;
    }
    let digest = hasher.finalize();
    let hash = bs58::encode(digest).into_string();
    let path = space.blob_path(&hash);
    fs::create_dir_all(path.parent().context("a blob is in a folder")?)?;
    fs::rename(unfinished, path)?;
    space.row("storage-files", &stored_file(&hash, name, len_bytes, 1));
    Ok(Blob {
        hex: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        hash,
        name: name.to_owned(),
        len_bytes,
    })
}

/// Checks the bytes of a downloaded file and removes it.
pub fn take(file: &Path, blob: &Blob) -> anyhow::Result<()> {
    let mut hasher = Sha256::new();
    let mut reader = File::open(file).with_context(|| file.display().to_string())?;
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let len = reader.read(&mut buffer)?;
        if len == 0 {
            break;
        }
        hasher.update(&buffer[..len]);
    }
    let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    anyhow::ensure!(found == blob.hex, "{} has other bytes", file.display());
    fs::remove_file(file)?;
    Ok(())
}

/// Writes what other turns left in the page cache to the disk, so that the next turn has a calm
/// disk.
pub fn settle(directory: &Path) -> anyhow::Result<()> {
    rustix::fs::syncfs(File::open(directory)?)?;
    Ok(())
}

/// A Stowage whose downloads are followed in its feed.
pub struct Stowage {
    pub host: TestHost,
    feed: Feed,
}

impl Stowage {
    /// Starts it and syncs its lists.
    pub async fn start(launch: Launch) -> Stowage {
        let host = launch.start().await;
        host.init().await;
        let feed = Feed::follow(&host, "bench", 1, PLATFORM, None).await;
        Stowage { host, feed }
    }

    /// The file of a download.
    pub fn file(&self, blob: &Blob) -> PathBuf {
        let folder = self.host.data().join("downloads").join(PLATFORM.to_string());
        folder.join(&blob.name)
    }

    /// Downloads blobs at the same time. The time is from the first request to the last final
    /// status in the feed.
    pub async fn download(&mut self, blobs: &[Blob]) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let mut tasks = Vec::new();
        for blob in blobs {
            let task = uuid::Uuid::new_v4().to_string();
            let params = json!({"hash": blob.hash, "platform": PLATFORM, "taskId": task});
            self.host.ok("downloadStorageFileTask", params).await;
            tasks.push(task);
        }
        tokio::time::timeout(PATIENCE, self.completed(tasks)).await??;
        Ok(started.elapsed())
    }

    /// Downloads a blob. Returns the time until its file has its final name. The feed may tell of
    /// it later.
    pub async fn download_to_file(&mut self, blob: &Blob) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let task = uuid::Uuid::new_v4().to_string();
        let params = json!({"hash": blob.hash, "platform": PLATFORM, "taskId": task});
        self.host.ok("downloadStorageFileTask", params).await;
        let file = self.file(blob);
        let arrived = async {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, arrived).await?;
        let took = started.elapsed();
        tokio::time::timeout(PATIENCE, self.completed(vec![task])).await??;
        Ok(took)
    }

    /// Reads the feed until all these tasks are complete.
    pub async fn completed(&mut self, mut tasks: Vec<String>) -> anyhow::Result<()> {
        while !tasks.is_empty() {
            let frame = self.feed.next_or_end().await.context("the feed ended")?;
            for row in rows(&frame) {
                let Some(index) = tasks.iter().position(|task| row["taskId"] == *task) else {
                    continue;
                };
                anyhow::ensure!(row["status"] != 5 && row["status"] != 0, "a download failed: {row}");
                if row["status"] == 4 {
                    tasks.swap_remove(index);
                }
            }
        }
        Ok(())
    }
}

/// Makes a space in the bucket of an S3 server, with one file.
pub async fn import(server: SocketAddr, prefix: &str, file: &Path) -> anyhow::Result<()> {
    let url = s3::space_url(prefix);
    let file = file.display().to_string();
    for arguments in [
        vec!["space", "init", url.as_str()],
        vec!["space", "import", "--space", &url, "--as", "storage", &file],
    ] {
        let mut command = program::command(&arguments);
        command.envs(s3::settings(server)).stdout(Stdio::null());
        let status = command.status().await?;
        anyhow::ensure!(status.success(), "stowage {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}

/// The S3 server of the tests in a process of its own. It ends with its handle.
pub struct S3Process {
    child: Child,
    pub address: SocketAddr,
}

impl S3Process {
    pub fn start(root: &Path) -> anyhow::Result<S3Process> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve-s3")
            .arg(root)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("the child's stdout")?).read_line(&mut line)?;
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .and_then(|address| address.parse().ok())
            .with_context(|| format!("expected `listening on …`, found {line:?}"))?;
        Ok(S3Process { child, address })
    }
}

impl Drop for S3Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
