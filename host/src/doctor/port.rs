//! The check of the address or the unix socket where the server is to listen.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use super::procfs;
use super::subject::Subject;
use super::verdict::Verdict;
use crate::listen::{Endpoint, Listen};
use crate::serve::{FoundSocket, check_socket_path, listen_address, look_at_socket};

const ID: &str = "port";

/// Whether the address can be used. It is taken for a moment.
pub(super) fn check(subject: &Subject) -> Verdict {
    match listen_address(&subject.settings) {
        Listen::Tcp(address) => check_address(subject, address),
        Listen::Unix(path) => match std::path::absolute(&path) {
            Ok(path) => check_socket(subject, &path),
            Err(error) => unusable_socket(&path, &error.to_string()),
        },
    }
}

fn check_address(subject: &Subject, address: SocketAddr) -> Verdict {
    if address.port() == 0 {
        return Verdict::ok(ID, format!("{address}: the system picks a free port"));
    }
    let running = subject.server_address();
    let own = [Endpoint::Http(address), Endpoint::Https(address)];
    if own.iter().any(|own| running == Some(own.to_string().as_str())) {
        return Verdict::ok(ID, format!("{address} is used by the server of this data directory"));
    }
    match TcpListener::bind(address) {
        Ok(_) => Verdict::ok(ID, free(&address.to_string(), running)),
        Err(error) => unusable(address, error.kind(), &error.to_string()),
    }
}

fn check_socket(subject: &Subject, path: &Path) -> Verdict {
    let shown = Endpoint::Unix(path.to_owned()).to_string();
    let running = subject.server_address();
    if running == Some(shown.as_str()) {
        return Verdict::ok(ID, format!("{shown} is used by the server of this data directory"));
    }
    match check_socket_path(path).and_then(|()| look_at_socket(path)) {
        Ok(FoundSocket::Nothing) => Verdict::ok(ID, free(&shown, running)),
        Ok(FoundSocket::Stale) => Verdict::ok(
            ID,
            format!("{shown}: a server that is gone left it; it will be replaced"),
        ),
        Ok(FoundSocket::Live) => Verdict::error(
            ID,
            format!("{shown} is used by another server"),
            "stop it, or choose another path with --listen unix:PATH",
        ),
        Err(error) => unusable_socket(path, &format!("{error:#}")),
    }
}

fn free(shown: &str, running: Option<&str>) -> String {
    match running {
        Some(running) => format!("{shown} is free; the running server listens on {running}"),
        None => format!("{shown} is free"),
    }
}

fn unusable_socket(path: &Path, reason: &str) -> Verdict {
    Verdict::error(
        ID,
        format!("unix:{} cannot be used: {reason}", path.display()),
        "correct that, or choose another path with --listen unix:PATH",
    )
}

fn unusable(address: SocketAddr, kind: ErrorKind, reason: &str) -> Verdict {
    match kind {
        ErrorKind::AddrInUse => {
            let who = procfs::listener(address).map_or_else(|| "another process".to_owned(), procfs::described);
            Verdict::error(
                ID,
                format!("{address} is taken by {who}"),
                "stop it, or choose another port with --listen ADDRESS:PORT",
            )
        }
        ErrorKind::AddrNotAvailable => Verdict::error(
            ID,
            format!("this machine does not have the address {}", address.ip()),
            "choose an address of this machine with --listen ADDRESS:PORT, for example 127.0.0.1:8787",
        ),
        ErrorKind::PermissionDenied => Verdict::error(
            ID,
            format!("this user may not use port {}", address.port()),
            "choose a port of 1024 or above with --listen ADDRESS:PORT",
        ),
        _ => Verdict::error(
            ID,
            format!("{address} cannot be used: {reason}"),
            "choose another address with --listen ADDRESS:PORT",
        ),
    }
}
