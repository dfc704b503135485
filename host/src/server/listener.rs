//! The socket of a server, and who is at the other end of a connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use tokio::net::{TcpListener, UnixListener};

use super::stream::Socket;
use super::tls::Tls;

/// The socket that accepts connections.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp { listener: TcpListener, tls: Option<Tls> },
    Unix(UnixListener),
}

/// Who is at the other end, as far as wrong tokens are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    /// An address. Of IPv6, the network of one household: its last 64 bits are zero. This machine
    /// has many addresses, 127.0.0.1 stands for all of them that are loopback.
    Address(IpAddr),
    /// A user of this machine, by number.
    User(u32),
    /// The system does not tell.
    Unknown,
}

impl Peer {
    fn of(address: IpAddr) -> Peer {
        Peer::Address(match address.to_canonical() {
            address if address.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes()),
        })
    }
}

impl Listener {
    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Listener::Tcp { listener, .. } => {
                let (stream, address) = listener.accept().await?;
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY is not set: small responses may be delayed");
                }
                Ok((Socket::Tcp(stream), Peer::of(address.ip())))
            }
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let peer = stream.peer_cred().map_or(Peer::Unknown, |who| Peer::User(who.uid()));
                Ok((Socket::Unix(stream), peer))
            }
        }
    }

    /// TLS, if it is spoken.
    pub(super) fn tls(&self) -> Option<&Tls> {
        match self {
            Listener::Tcp { tls, .. } => tls.as_ref(),
            Listener::Unix(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_household_are_one_peer() {
        let peer = |text: &str| Peer::of(text.parse().expect("an address"));
        assert_eq!(peer("2001:db8:1:2::1"), peer("2001:db8:1:2:3:4:5:6"));
        assert_ne!(peer("2001:db8:1:2::1"), peer("2001:db8:1:3::1"));
        assert_ne!(peer("192.168.1.2"), peer("192.168.1.3"));
        assert_eq!(peer("::ffff:192.168.1.2"), peer("192.168.1.2"));
    }

    #[test]
    fn this_machine_is_one_peer() {
        let peer = |text: &str| Peer::of(text.parse().expect("an address"));
        for address in ["127.0.0.2", "127.255.255.254", "::1", "::ffff:127.0.0.3"] {
            assert_eq!(peer(address), peer("127.0.0.1"), "{address}");
        }
        assert_ne!(peer("128.0.0.1"), peer("127.0.0.1"));
        assert_ne!(peer("::2"), peer("::1"));
    }
}
