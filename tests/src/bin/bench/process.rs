//! The servers to compare, each a process that ends when its handle is dropped.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use stowage_tests::program::program;

/// How long a server is watched to see whether it is idle.
const GLANCE: Duration = Duration::from_millis(250);
/// Waits for an idle server end after half a minute.
const MOST_GLANCES: u32 = 120;

pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn echo() -> anyhow::Result<Server> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve-echo");
        Self::start(command)
    }

    pub fn sqlite(file: &Path) -> anyhow::Result<Server> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve-sqlite").arg(file);
        Self::start(command)
    }

    /// `more` are further flags.
    pub fn stowage(data: &Path, more: &[&str]) -> anyhow::Result<Server> {
        let mut command = serve(data, more);
        command.env("STOWAGE_LOG", "off");
        Self::start(command)
    }

    /// With the default log, in a file.
    pub fn stowage_logging(data: &Path, more: &[&str], log: &Path) -> anyhow::Result<Server> {
        let mut command = serve(data, more);
        command.env_remove("STOWAGE_LOG").stderr(File::create(log)?);
        Self::start(command)
    }

    fn start(mut command: Command) -> anyhow::Result<Server> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("the child's stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .and_then(|a| a.parse().ok())
            .with_context(|| format!("expected `listening on …`, found {line:?}"))?;
        Ok(Server { child, address })
    }

    /// Waits until it is idle, so that its deferred work does not disturb the next turn. The wait
    /// is bounded.
    pub async fn calm_down(&self) -> anyhow::Result<()> {
        for _ in 0..MOST_GLANCES {
            let before = self.processor_ticks()?;
            tokio::time::sleep(GLANCE).await;
            if self.processor_ticks()? - before <= 1 {
                break;
            }
        }
        Ok(())
    }

    /// The processor time that it has used, in ticks of 10 ms.
    fn processor_ticks(&self) -> anyhow::Result<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name of the program is in parentheses and may contain any characters.
        let (_, fields) = stat.rsplit_once(')').context("a name")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut ticks = || fields.next().context("a time")?.parse::<u64>().context("a number");
        Ok(ticks()? + ticks()?)
    }

    /// Resident memory in MiB.
    pub fn resident_mib(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib: f64 = status
            .lines()
            .find_map(|l| l.strip_prefix("VmRSS:"))
            .and_then(|l| l.split_whitespace().next())
            .context("VmRSS")?
            .parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server on a space in memory: the baseline has no cloud either. `more` are further flags.
fn serve(data: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(["--space", "memory:///"])
        .args(more);
    command
}
