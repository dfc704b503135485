//! A WebDAV server on loopback that keeps its files in a directory: `rclone serve webdav`.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use tokio::process::Command;

use crate::program::Process;
use crate::tools::{free_port, needed};
use crate::wait::until;

/// A running WebDAV server. Dropping it ends it.
#[derive(Debug)]
pub struct WebDav {
    address: SocketAddr,
    _process: Process,
}

impl WebDav {
    /// Serves a directory. `None` if rclone is not installed; see [`needed`].
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(directory: &Path, skipped: &str) -> Option<WebDav> {
        let program = needed("rclone", skipped)?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = Command::new(program);
        command.args(["serve", "webdav", "--addr", &address.to_string()]);
        // No settings of the user, and no listings kept in memory: tests also change the files.
        command.args(["--config", "/dev/null", "--dir-cache-time", "0s", "--etag-hash", "auto"]);
        command.arg(directory);
        let process = Process::spawn("rclone serve webdav", command);
        until("rclone listens", || TcpStream::connect(address).is_ok()).await;
        Some(WebDav {
            address,
            _process: process,
        })
    }

    /// The URL of the space.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}
