//! Where a server listens, as its settings say it, and where it can be reached once it does.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

/// What an address of a unix socket begins with.
const UNIX: &str = "unix:";

/// The setting `listen`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    /// An address of this machine and a port. Port 0 picks a free one.
    Tcp(SocketAddr),
    /// A unix socket at a path.
    Unix(PathBuf),
}

/// Why a text is no [`Listen`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// It is neither an address nor a unix socket.
    #[error("expected ADDRESS:PORT, for example 127.0.0.1:8787, or unix:PATH; found {0:?}")]
    Malformed(String),
    /// `unix:` without a path.
    #[error("expected the path of a socket after `unix:`, for example unix:/run/stowage/stowage.sock")]
    NoPath,
}

impl Default for Listen {
    fn default() -> Listen {
        Listen::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787))
    }
}

impl Listen {
    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Listen::Tcp(address) => address.ip().is_loopback(),
            Listen::Unix(_) => true,
        }
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Listen, ListenError> {
        match text.strip_prefix(UNIX) {
            Some("") => Err(ListenError::NoPath),
            Some(path) => Ok(Listen::Unix(path.into())),
            None => text
                .parse()
                .map(Listen::Tcp)
                .map_err(|_| ListenError::Malformed(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = ListenError;

    fn try_from(text: String) -> Result<Listen, ListenError> {
        text.parse()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => address.fmt(f),
            Listen::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// Where a server can be reached. It names the port where port 0 was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// HTTP, unencrypted.
    Http(SocketAddr),
    /// HTTP over TLS.
    Https(SocketAddr),
    /// HTTP over a unix socket, whose path is absolute.
    Unix(PathBuf),
}

impl Endpoint {
    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Endpoint::Http(_) | Endpoint::Unix(_) => "http",
            Endpoint::Https(_) => "https",
        }
    }

    /// The address of a TCP socket.
    pub(crate) fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Endpoint::Http(address) | Endpoint::Https(address) => Some(*address),
            Endpoint::Unix(_) => None,
        }
    }

    /// The values of the Host header that name this server.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let Some(address) = self.tcp() else {
            // A client of a unix socket has no address to name. These are what clients send.
            return vec!["localhost".to_owned()];
        };
        let port = address.port();
        let mut hosts = vec![
            format!("127.0.0.1:{port}"),
            format!("localhost:{port}"),
            format!("[::1]:{port}"),
        ];
        if !address.ip().is_unspecified() {
            hosts.push(address.to_string());
        }
        let default_port = match self.scheme() {
            "https" => ":443",
            _ => ":80",
        };
        let bare: Vec<_> = hosts
            .iter()
            .filter_map(|host| host.strip_suffix(default_port).map(str::to_owned))
            .collect();
        hosts.extend(bare);
        hosts
    }
}

/// The address as clients write it: a URL, or `unix:` and a path.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Http(address) | Endpoint::Https(address) => write!(f, "{}://{address}", self.scheme()),
            Endpoint::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_a_path_is_parsed_and_shown_as_it_was_written() {
        for text in [
            "127.0.0.1:8787",
            "[::1]:0",
            "0.0.0.0:1",
            "unix:/run/stowage.sock",
            "unix:a b",
        ] {
            let listen: Listen = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(listen.to_string(), text);
        }
        assert_eq!("unix:a".parse(), Ok(Listen::Unix("a".into())));
        assert_eq!(Listen::default().to_string(), "127.0.0.1:8787");
    }

    #[test]
    fn other_texts_are_refused_with_what_is_expected() {
        for text in ["", "8787", "localhost:8787", "127.0.0.1", "unix", "http://127.0.0.1:1"] {
            let error = text.parse::<Listen>().expect_err(text);
            assert!(error.to_string().contains("unix:PATH"), "{text}: {error}");
        }
        assert_eq!("unix:".parse::<Listen>(), Err(ListenError::NoPath));
    }

    #[test]
    fn only_loopback_and_unix_sockets_are_local() {
        for (text, local) in [
            ("127.0.0.1:1", true),
            ("127.8.8.8:1", true),
            ("[::1]:1", true),
            ("unix:/x", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("192.168.1.2:1", false),
        ] {
            assert_eq!(text.parse::<Listen>().expect(text).is_local(), local, "{text}");
        }
    }

    #[test]
    fn a_server_knows_its_own_names() {
        let hosts = |endpoint: Endpoint| endpoint.hosts();
        let address = |text: &str| text.parse().expect("an address");
        assert_eq!(hosts(Endpoint::Unix("/x".into())), ["localhost"]);
        let any = hosts(Endpoint::Http(address("0.0.0.0:8787")));
        assert_eq!(any, ["127.0.0.1:8787", "localhost:8787", "[::1]:8787"]);
        let other = hosts(Endpoint::Http(address("10.0.0.1:8787")));
        assert!(other.contains(&"10.0.0.1:8787".to_owned()), "{other:?}");
        for (endpoint, bare) in [
            (Endpoint::Http(address("127.0.0.1:80")), true),
            (Endpoint::Https(address("127.0.0.1:443")), true),
            (Endpoint::Http(address("127.0.0.1:443")), false),
            (Endpoint::Https(address("127.0.0.1:80")), false),
        ] {
            assert_eq!(endpoint.hosts().contains(&"localhost".to_owned()), bare, "{endpoint}");
        }
    }
}
