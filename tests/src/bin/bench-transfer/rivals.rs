//! The programs that Stowage is compared with.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use stowage_tests::tools;
use tokio::process::Command;

use crate::site::Blob;

/// A program that is installed.
pub struct Rival(PathBuf);

impl Rival {
    pub fn find(name: &str) -> anyhow::Result<Rival> {
        tools::find(name)
            .map(Rival)
            .with_context(|| format!("{name} is not installed: run `make test-tools`"))
    }

    /// Runs it to its end, without the user's proxies.
    async fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let mut command = Command::new(&self.0);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().to_ascii_uppercase().ends_with("_PROXY") {
                command.env_remove(name);
            }
        }
        let status = command.kill_on_drop(true).status().await?;
        anyhow::ensure!(status.success(), "{} ended with {status}", self.0.display());
        Ok(started.elapsed())
    }

    /// `curl -o`.
    pub async fn curl(&self, url: &str, file: &Path) -> anyhow::Result<Duration> {
        self.run([OsStr::new("-sSf"), "-o".as_ref(), file.as_os_str(), url.as_ref()])
            .await
    }

    /// `curl -o`, and then the file is synced, as that of Stowage is.
    pub async fn curl_synced(&self, url: &str, file: &Path) -> anyhow::Result<Duration> {
        let started = Instant::now();
        self.curl(url, file).await?;
        File::open(file)?.sync_all()?;
        Ok(started.elapsed())
    }

    /// `aria2c -x8 -s8`. It checks the bytes if it is told which blob they are.
    pub async fn aria2c(&self, url: &str, file: &Path, blob: Option<&Blob>) -> anyhow::Result<Duration> {
        let folder = file.parent().context("a file in a folder")?.display().to_string();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let checksum = blob.map(|blob| format!("--checksum=sha-256={}", blob.hex));
        // It would fill the file with zeros first.
        let fixed = [
            "-x8",
            "-s8",
            "-q",
            "--no-conf",
            "--allow-overwrite=true",
            "--file-allocation=falloc",
        ];
        let chosen = ["-d", &folder, "-o", &name, url];
        self.run(fixed.into_iter().chain(chosen).chain(checksum.as_deref()))
            .await
    }

    /// `rclone copy` of a folder of a web server, with this many transfers at once.
    pub async fn rclone(&self, url: &str, folder: &Path, transfers: usize) -> anyhow::Result<Duration> {
        let (transfers, folder) = (transfers.to_string(), folder.display().to_string());
        let fixed = ["copy", ":http:", "--config", "/dev/null", "--http-url", url];
        let chosen = ["--transfers", &transfers, "--checkers", &transfers, &folder];
        self.run(fixed.into_iter().chain(chosen)).await
    }
}
