//! The network settings of a server: where it listens, who may call, and how many connections it
//! takes.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use http::uri::Authority;
use tokio::net::{TcpListener, TcpSocket};

use super::unix_socket::{self, SocketFile};
use crate::admin::AdminToken;
use crate::console::{Sessions, is_session};
use crate::listen::{Endpoint, Listen};
use crate::server::{self, Gate, Listener, Tls, TlsFiles};
use crate::settings::Settings;

/// Connections that wait to be accepted; the system may allow fewer. Beyond it the system drops
/// them, and a client that sends nothing never learns of it.
const BACKLOG: u32 = 4096;
/// File descriptors that the database, the space and transfers may need.
const OTHER_FILES: usize = 256;
/// Fewest connections, however low the limit of open files is.
const MIN_CONNECTIONS: usize = 16;
/// Fewest characters of a token that nobody guesses.
const MIN_TOKEN_CHARS: usize = 16;

/// The address of the settings, or the default.
pub(crate) fn listen(settings: &Settings) -> Listen {
    settings.listen.clone().unwrap_or_default()
}

/// The files of the certificate and its key, if TLS is to be spoken.
///
/// # Errors
/// When there is only one of them.
pub(crate) fn tls_files(settings: &Settings) -> anyhow::Result<Option<TlsFiles>> {
    match (&settings.tls_cert, &settings.tls_key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        })),
        (Some(_), None) => anyhow::bail!("--tls-cert needs the certificate's key; set --tls-key FILE too"),
        (None, Some(_)) => anyhow::bail!("--tls-key needs the key's certificate; set --tls-cert FILE too"),
    }
}

/// Refuses settings that would let everybody call.
///
/// # Errors
/// Names the setting and the expected value.
pub(crate) fn check(settings: &Settings) -> anyhow::Result<()> {
    let listen = listen(settings);
    anyhow::ensure!(
        listen.is_local() || settings.token.is_some(),
        "--listen {listen}: an address that others can reach needs a token; set --token or STOWAGE_TOKEN"
    );
    if let Some(token) = settings.token.as_deref() {
        anyhow::ensure!(!token.is_empty(), "--token: expected a token, found an empty text");
        anyhow::ensure!(
            token.bytes().all(|byte| byte.is_ascii_graphic()),
            "--token: expected ASCII characters without spaces, as a header can carry them"
        );
        anyhow::ensure!(
            !is_session(token),
            "--token: a token must not begin with `console-`, as those of the console do"
        );
        anyhow::ensure!(
            listen.is_local() || token.len() >= MIN_TOKEN_CHARS,
            "--token: at an address that others can reach, expected at least {MIN_TOKEN_CHARS} characters, found {}; \
             `openssl rand -hex 32` makes a good one",
            token.len()
        );
    }
    let tls = tls_files(settings)?;
    anyhow::ensure!(
        tls.is_none() || matches!(listen, Listen::Tcp(_)),
        "--tls-cert: a unix socket has no TLS; leave out --tls-cert and --tls-key, or listen on ADDRESS:PORT"
    );
    for origin in settings.allow_origin.iter().flatten() {
        anyhow::ensure!(
            is_origin(origin.trim()),
            "--allow-origin {origin:?}: expected SCHEME://HOST[:PORT] without a path, as browsers send it in Origin; \
             null and * cannot be allowed"
        );
    }
    for host in settings.allow_host.iter().flatten() {
        anyhow::ensure!(
            is_host(host.trim()),
            "--allow-host {host:?}: expected HOST[:PORT], as clients send it in Host"
        );
    }
    for (name, seconds) in [
        ("--head-seconds", settings.head_seconds),
        ("--body-seconds", settings.body_seconds),
        ("--write-seconds", settings.write_seconds),
    ] {
        anyhow::ensure!(
            seconds.is_none_or(|seconds| (1..=86_400).contains(&seconds)),
            "{name}: expected 1 to 86400 seconds"
        );
    }
    Ok(())
}

/// Whether a Host header can have this value.
fn is_host(text: &str) -> bool {
    text.parse::<Authority>().is_ok_and(|authority| match authority.port() {
        Some(port) => format!("{}:{port}", authority.host()) == text,
        None => authority.host() == text,
    })
}

/// Whether an Origin header can have this value.
fn is_origin(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, host)| matches!(scheme, "http" | "https") && is_host(host))
}

/// What a careful operator would change, for the log.
pub(super) fn advise(settings: &Settings) {
    let listen = listen(settings);
    let token = settings.token.as_deref();
    if token.is_some_and(|token| token.len() < MIN_TOKEN_CHARS) {
        tracing::warn!(
            "the token has fewer than {MIN_TOKEN_CHARS} characters and may be guessed; `openssl rand -hex 32` makes a good one"
        );
    }
    if !listen.is_local() && settings.tls_cert.is_none() {
        tracing::warn!(
            %listen,
            "others on the network can read the token and all data; set --tls-cert and --tls-key, or listen on \
             loopback behind a proxy that speaks TLS"
        );
    }
}

/// What a server listens with.
pub(super) struct Bound {
    pub(super) listener: Listener,
    pub(super) endpoint: Endpoint,
    pub(super) tls: Option<Tls>,
    /// Held while the server runs.
    pub(super) socket: Option<SocketFile>,
}

/// Binds the listener, and finds its address, which names the port where port 0 was requested.
pub(super) async fn bind(settings: &Settings) -> anyhow::Result<Bound> {
    let tls = tls_files(settings)?.map(Tls::open).transpose()?;
    match listen(settings) {
        Listen::Tcp(address) => {
            let listener = bind_tcp(address).with_context(|| {
                format!("--listen {address}: the address cannot be used; choose another, or port 0")
            })?;
            let address = listener.local_addr().context("the listener's address")?;
            Ok(Bound {
                endpoint: match tls {
                    Some(_) => Endpoint::Https(address),
                    None => Endpoint::Http(address),
                },
                listener: Listener::Tcp {
                    listener,
                    tls: tls.clone(),
                },
                tls,
                socket: None,
            })
        }
        Listen::Unix(path) => {
            let (listener, socket, path) =
                bind_unix(&path).with_context(|| format!("--listen unix:{}", path.display()))?;
            Ok(Bound {
                listener,
                endpoint: Endpoint::Unix(path),
                tls: None,
                socket: Some(socket),
            })
        }
    }
}

fn bind_tcp(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn bind_unix(path: &Path) -> anyhow::Result<(Listener, SocketFile, std::path::PathBuf)> {
    let path = std::path::absolute(path)?;
    let (listener, socket) = unix_socket::bind(&path)?;
    Ok((Listener::Unix(listener), socket, path))
}

/// The rules for requests. Without a console there are no sessions.
pub(super) fn gate(settings: &Settings, endpoint: &Endpoint, admin: &AdminToken, sessions: Option<Sessions>) -> Gate {
    let gate = Gate::new(
        endpoint,
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
    for (limit, seconds) in [
        (&mut config.head_timeout, settings.head_seconds),
        (&mut config.body_timeout, settings.body_seconds),
        (&mut config.write_timeout, settings.write_seconds),
        (&mut config.drain, settings.drain_seconds),
    ] {
        if let Some(seconds) = seconds {
            *limit = Duration::from_secs(seconds);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        toml::from_str(text).expect("settings")
    }

    #[test]
    fn good_settings_pass() {
        for text in [
            "",
            "listen = \"unix:/run/stowage.sock\"",
            "listen = \"unix:/run/stowage.sock\"\ntoken = \"short\"",
            "token = \"short\"",
            "listen = \"0.0.0.0:1\"\ntoken = \"0123456789abcdef\"",
            "tls-cert = \"c\"\ntls-key = \"k\"",
            "allow-host = [\"stowage.test\", \"stowage.test:8443\", \"10.0.0.1\", \"[::1]:80\", \" spaces.test \"]",
            "head-seconds = 1\nbody-seconds = 86400\nwrite-seconds = 5",
        ] {
            check(&settings(text)).unwrap_or_else(|error| panic!("{text}: {error:#}"));
        }
    }

    #[test]
    fn bad_settings_are_named() {
        for (text, words) in [
            ("listen = \"0.0.0.0:1\"", ["--listen 0.0.0.0:1", "token"]),
            ("listen = \"[::]:1\"", ["--listen [::]:1", "token"]),
            (
                "listen = \"0.0.0.0:1\"\ntoken = \"0123456789abcde\"",
                ["--token", "at least 16 characters, found 15"],
            ),
            ("token = \"\"", ["--token", "empty"]),
            ("token = \"a b\"", ["--token", "spaces"]),
            ("token = \"console-x\"", ["--token", "console-"]),
            ("tls-cert = \"c\"", ["--tls-cert", "--tls-key"]),
            ("tls-key = \"k\"", ["--tls-key", "--tls-cert"]),
            (
                "listen = \"unix:/x\"\ntls-cert = \"c\"\ntls-key = \"k\"",
                ["unix socket", "TLS"],
            ),
            ("allow-origin = [\"*\"]", ["--allow-origin", "SCHEME://HOST"]),
            (
                "allow-origin = [\"https://x/\"]",
                ["--allow-origin \"https://x/\"", "without a path"],
            ),
            ("allow-origin = [\"https://\"]", ["--allow-origin", "SCHEME://HOST"]),
            ("allow-origin = [\"file://x\"]", ["--allow-origin", "SCHEME://HOST"]),
            ("allow-host = [\"\"]", ["--allow-host", "HOST[:PORT]"]),
            (
                "allow-host = [\"http://x\"]",
                ["--allow-host \"http://x\"", "HOST[:PORT]"],
            ),
            ("allow-host = [\"x\", \"a b\"]", ["--allow-host \"a b\"", "HOST[:PORT]"]),
            ("allow-host = [\"x/\"]", ["--allow-host", "HOST[:PORT]"]),
            ("allow-host = [\"x:http\"]", ["--allow-host", "HOST[:PORT]"]),
            ("allow-host = [\"me@x\"]", ["--allow-host", "HOST[:PORT]"]),
            ("head-seconds = 0", ["--head-seconds", "1 to 86400"]),
            ("write-seconds = 86401", ["--write-seconds", "1 to 86400"]),
        ] {
            let error = format!("{:#}", check(&settings(text)).expect_err(text));
            assert!(words.iter().all(|word| error.contains(word)), "{text}: {error}");
        }
    }
}
