//! The check of the address where the server is to listen.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use super::procfs;
use super::subject::Subject;
use super::verdict::Verdict;
use crate::serve::listen_address;

const ID: &str = "port";

/// Whether the address can be used. It is taken for a moment.
pub(super) fn check(subject: &Subject) -> Verdict {
    let address = listen_address(&subject.settings);
    if address.port() == 0 {
        return Verdict::ok(ID, format!("{address}: the system picks a free port"));
    }
    let running = subject.server_address();
    if running == Some(format!("http://{address}").as_str()) {
        return Verdict::ok(ID, format!("{address} is used by the server of this data directory"));
    }
    match TcpListener::bind(address) {
        Ok(_) => Verdict::ok(
            ID,
            match running {
                Some(running) => format!("{address} is free; the running server listens on {running}"),
                None => format!("{address} is free"),
            },
        ),
        Err(error) => unusable(address, error.kind(), &error.to_string()),
    }
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
