//! The network settings of a server: where it listens, who may call, and how many connections it
//! takes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::admin::AdminToken;
use crate::console::Sessions;
use crate::server::{self, Gate};
use crate::settings::Settings;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787);
/// File descriptors that the database, the space and transfers may need.
const OTHER_FILES: usize = 256;
/// Fewest connections, however low the limit of open files is.
const MIN_CONNECTIONS: usize = 16;

/// The address of the settings, or the default.
pub(crate) fn listen(settings: &Settings) -> SocketAddr {
    settings.listen.unwrap_or(DEFAULT_LISTEN)
}

/// Refuses settings that would let everybody call.
///
/// # Errors
/// Names the setting and the expected value.
pub(crate) fn check(settings: &Settings) -> anyhow::Result<()> {
    let listen = listen(settings);
    anyhow::ensure!(
        listen.ip().is_loopback() || settings.token.is_some(),
        "--listen {listen}: an address that others can reach needs a token; set --token or STOWAGE_TOKEN"
    );
    anyhow::ensure!(
        settings.token.as_deref() != Some(""),
        "--token: expected a token, found an empty text"
    );
    for origin in settings.allow_origin.iter().flatten() {
        anyhow::ensure!(
            origin.starts_with("http://") || origin.starts_with("https://"),
            "--allow-origin {origin:?}: expected SCHEME://HOST[:PORT]; null and * cannot be allowed"
        );
    }
    anyhow::ensure!(
        settings.allow_host.iter().flatten().all(|host| !host.trim().is_empty()),
        "--allow-host: expected HOST[:PORT], found an empty text"
    );
    Ok(())
}

/// Binds the listener and returns its address, which names the port where port 0 was requested.
pub(super) async fn bind(settings: &Settings) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listen = listen(settings);
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("--listen {listen}: the address cannot be used; choose another, or port 0"))?;
    let address = listener.local_addr().context("the listener's address")?;
    Ok((listener, address))
}

/// The rules for requests. Without a console there are no sessions.
pub(super) fn gate(settings: &Settings, address: SocketAddr, admin: &AdminToken, sessions: Option<Sessions>) -> Gate {
    let gate = Gate::new(
        address,
        settings.allow_host.as_deref().unwrap_or_default(),
        settings.allow_origin.as_deref().unwrap_or_default(),
        settings.token.as_deref(),
    )
    .with_admin(admin);
    match sessions {
        Some(sessions) => gate.with_sessions(sessions),
        None => gate,
    }
}

/// The limits of connections, as far as the limit of open files allows them.
pub(super) fn server_config(settings: &Settings) -> server::Config {
    let mut config = server::Config::default();
    let wanted = settings.max_connections.unwrap_or(config.connections);
    let files = raise_file_limit();
    config.connections = wanted.clamp(1, files.saturating_sub(OTHER_FILES).max(MIN_CONNECTIONS));
    if config.connections < wanted {
        tracing::warn!(
            wanted,
            connections = config.connections,
            "the limit of open files allows fewer connections; raise it with `ulimit -n`"
        );
    }
    if let Some(seconds) = settings.drain_seconds {
        config.drain = Duration::from_secs(seconds);
    }
    config
}

/// The open files that a server with these settings may need.
pub(crate) fn files_needed(settings: &Settings) -> usize {
    let connections = settings
        .max_connections
        .unwrap_or(server::Config::default().connections);
    connections.saturating_add(OTHER_FILES)
}

/// Raises the limit of open files to what the system allows, and returns it.
fn raise_file_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // An error leaves the limit as it is; the result is read below.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: maximum,
                maximum,
            },
        );
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files).unwrap_or(usize::MAX).min(1 << 20)
}
