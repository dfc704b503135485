//! The address of a server, and connections to it.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Url};

use crate::reply::ClientError;
use crate::trust::Trust;

/// What an address of a unix socket begins with.
const UNIX: &str = "unix:";
/// The Host header for a unix socket.
const LOCALHOST: &str = "localhost";

/// Where a server is.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// As a person writes it.
    pub(crate) shown: String,
    /// The value of the Host header.
    pub(crate) authority: String,
    /// What comes before each path.
    pub(crate) prefix: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    /// The host and the port.
    Tcp(String),
    Tls {
        socket: String,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    },
    Unix(PathBuf),
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) enum ServerStream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

impl Address {
    /// An `http://` or `https://` address, or `unix:` and a path. `trust` is for `https://`.
    ///
    /// # Errors
    /// [`ClientError::BadAddress`], [`ClientError::BadCa`].
    pub(crate) fn parse(address: &str, trust: &Trust) -> Result<Address, ClientError> {
        let bad = |reason: &str| ClientError::BadAddress {
            address: address.to_owned(),
            reason: reason.to_owned(),
        };
        if let Some(path) = address.strip_prefix(UNIX) {
            if path.is_empty() {
                return Err(bad("it names no path"));
            }
            return Ok(Address {
                shown: address.to_owned(),
                authority: LOCALHOST.to_owned(),
                prefix: String::new(),
                place: Place::Unix(path.into()),
            });
        }
        let url = Url::parse(address).map_err(|error| bad(&error.to_string()))?;
        let is_tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(bad("it does not begin with http://, https:// or unix:")),
        };
        let host = url.host_str().ok_or_else(|| bad("it names no host"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("credentials do not belong into it; use --token"));
        }
        let port = url.port_or_known_default().ok_or_else(|| bad("it names no port"))?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let prefix = url.path().trim_end_matches('/').to_owned();
        let socket = format!("{host}:{port}");
        let place = match is_tls {
            false => Place::Tcp(socket),
            true => Place::Tls {
                socket,
                name: server_name(&url).ok_or_else(|| bad("no certificate can have this host's name"))?,
                config: trust.config()?,
            },
        };
        Ok(Address {
            shown: format!("{}://{authority}{prefix}", url.scheme()),
            authority,
            prefix,
            place,
        })
    }

    /// Connects, without a limit of time.
    pub(crate) async fn connect(&self) -> io::Result<ServerStream> {
        let tcp = async |socket: &str| {
            let stream = TcpStream::connect(socket).await?;
            stream.set_nodelay(true)?;
            io::Result::Ok(stream)
        };
        match &self.place {
            Place::Tcp(socket) => tcp(socket).await.map(ServerStream::Tcp),
            Place::Tls { socket, name, config } => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), tcp(socket).await?).await?;
                Ok(ServerStream::Tls(Box::new(stream)))
            }
            Place::Unix(path) => UnixStream::connect(path).await.map(ServerStream::Unix),
        }
    }
}

fn server_name(url: &Url) -> Option<ServerName<'static>> {
    Some(match url.host()? {
        Host::Domain(name) => ServerName::try_from(name.to_owned()).ok()?,
        Host::Ipv4(address) => ServerName::IpAddress(address.into()),
        Host::Ipv6(address) => ServerName::IpAddress(address.into()),
    })
}

macro_rules! delegate {
    ($self:expr, $method:ident($($argument:expr),*)) => {
        match $self.get_mut() {
            ServerStream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            ServerStream::Tls(stream) => Pin::new(&mut **stream).$method($($argument),*),
            ServerStream::Unix(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for ServerStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_read(cx, buffer))
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> Result<Address, ClientError> {
        Address::parse(address, &Trust::Pinned("00".to_owned()))
    }

    #[test]
    fn addresses_that_cannot_be_talked_to_are_refused_with_the_reason() {
        for address in [
            "127.0.0.1:8787",
            "ftp://x",
            "http://u:p@x",
            "https://u@x",
            "",
            "http://",
            "https://",
            "unix:",
        ] {
            assert!(
                matches!(parse(address), Err(ClientError::BadAddress { .. })),
                "{address}"
            );
        }
    }

    #[test]
    fn an_address_has_a_host_header_and_a_prefix() {
        for (address, shown, authority, prefix) in [
            ("http://[::1]:8787/api/", "http://[::1]:8787/api", "[::1]:8787", "/api"),
            ("https://127.0.0.1:8787", "https://127.0.0.1:8787", "127.0.0.1:8787", ""),
            (
                "https://stowage.example",
                "https://stowage.example",
                "stowage.example",
                "",
            ),
            ("unix:/run/stowage.sock", "unix:/run/stowage.sock", "localhost", ""),
        ] {
            let parsed = parse(address).expect(address);
            assert_eq!(
                (parsed.shown.as_str(), parsed.authority.as_str(), parsed.prefix.as_str()),
                (shown, authority, prefix)
            );
        }
    }
}
