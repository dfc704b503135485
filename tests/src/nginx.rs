//! nginx on loopback: a plain server of files and ranges.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::program::Process;
use crate::space_server::SpaceServer;
use crate::tools::{free_port, needed};
use crate::wait::until;

/// A running nginx on a space in a directory. Dropping it ends it.
///
/// nginx serves the files. It has no listings that a space needs, so a [`SpaceServer`] answers all
/// methods but GET and HEAD.
#[derive(Debug)]
pub struct Nginx {
    address: SocketAddr,
    _process: Process,
    _listings: SpaceServer,
}

impl Nginx {
    /// Serves a directory. `work` is an empty directory for its own files. `None` if nginx is not
    /// installed; see [`needed`].
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(space: &Path, work: &Path, skipped: &str) -> Option<Nginx> {
        let program = needed("nginx", skipped)?;
        Some(Nginx::run(program, space, work).await)
    }

    async fn run(program: PathBuf, space: &Path, work: &Path) -> Nginx {
        let listings = SpaceServer::start(space).await;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        fs::create_dir_all(work).expect("a writable directory");
        let settings = work.join("nginx.conf");
        fs::write(&settings, configuration(space, work, address, listings.address())).expect("a writable directory");
        let mut command = Command::new(program);
        command.arg("-p").arg(work).arg("-c").arg(&settings);
        // Until it has read its settings, it would log to the system's directory.
        command.args(["-e", "stderr"]);
        let process = Process::spawn("nginx", command);
        until("nginx listens", || TcpStream::connect(address).is_ok()).await;
        Nginx {
            address,
            _process: process,
            _listings: listings,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the space.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// One process without a master, which ends with the test.
fn configuration(space: &Path, work: &Path, address: SocketAddr, listings: SocketAddr) -> String {
    let (space, work) = (space.display(), work.display());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("    {kind}_temp_path {work}/{kind};\n"))
        .collect();
    format!(
        "daemon off;
master_process off;
worker_rlimit_nofile 65536;
pid {work}/nginx.pid;
error_log stderr error;
events {{ worker_connections 16384; }}
http {{
{temporary}    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000;
    types {{ }}
    default_type application/octet-stream;
    server {{
        listen {address} backlog=4096;
        root {space};
        autoindex on;
        location / {{
            if ($request_method !~ ^(GET|HEAD)$) {{ proxy_pass http://{listings}; }}
        }}
    }}
}}
"
    )
}
