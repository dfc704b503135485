//! One-time links into the console. A link holds a secret that the page exchanges for a session.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use rand::TryRng as _;
use sha2::{Digest as _, Sha256};
use stowage_deploy::api::ConsoleLink;

use super::Problem;
use crate::listen::Endpoint;

/// Most links that wait for their use. A further one replaces the oldest.
const MAX_LINKS: usize = 32;
/// How long a link that was asked for waits for its use.
pub(crate) const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// The links that wait for their use.
#[derive(Debug)]
pub(crate) struct Links {
    /// The page, without a fragment. None if no browser can open it.
    page: Option<String>,
    waiting: Mutex<VecDeque<Waiting>>,
}

/// A secret that was not used yet.
#[derive(Debug)]
struct Waiting {
    /// The secret's hash. The time of comparing hashes reveals nothing about the secret.
    digest: [u8; 32],
    until: Option<u64>,
}

impl Links {
    /// The links of a server at `endpoint`.
    pub(super) fn new(endpoint: &Endpoint) -> Links {
        let page = endpoint.tcp().map(reachable);
        Links {
            page: page.map(|address| format!("{}://{address}/", endpoint.scheme())),
            waiting: Mutex::default(),
        }
    }

    /// Makes a link that waits until `until`, in milliseconds since 1970, or as long as the server
    /// runs.
    ///
    /// # Errors
    /// When no browser can open the page, or the system has no random bytes.
    pub(super) fn make(&self, until: Option<u64>) -> Result<ConsoleLink, Problem> {
        let page = self.page.as_ref().ok_or(Problem::NoBrowser)?;
        let mut secret = [0; SECRET_BYTES];
        rand::rngs::SysRng
            .try_fill_bytes(&mut secret)
            .map_err(|_| Problem::NoRandomBytes)?;
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let mut waiting = self.waiting.lock();
        if waiting.len() == MAX_LINKS {
            waiting.pop_front();
        }
        waiting.push_back(Waiting {
            digest: digest(&secret),
            until,
        });
        Ok(ConsoleLink {
            url: format!("{page}#key={secret}"),
            until,
        })
    }

    /// Uses a secret up. Returns whether it was one that waited: of several requests with one
    /// secret, only the first gets in.
    pub(super) fn take(&self, secret: &str, now: u64) -> bool {
        let wanted = digest(secret);
        let mut waiting = self.waiting.lock();
        waiting.retain(|link| link.until.is_none_or(|until| now < until));
        let place = waiting.iter().position(|link| link.digest == wanted);
        place.and_then(|place| waiting.remove(place)).is_some()
    }
}

/// An address that this machine's browser can open.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port()),
        _ => address,
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links::new(&Endpoint::Http(SocketAddr::from(([127, 0, 0, 1], 8787))))
    }

    fn secret(link: &ConsoleLink) -> String {
        let secret = link.url.strip_prefix("http://127.0.0.1:8787/#key=").expect("a link");
        assert_eq!(URL_SAFE_NO_PAD.decode(secret).expect("base64url").len(), SECRET_BYTES);
        secret.to_owned()
    }

    #[test]
    fn a_secret_works_once() {
        let links = links();
        let first = secret(&links.make(None).expect("made"));
        let second = secret(&links.make(None).expect("made"));
        assert!(!links.take("", 0) && !links.take("wrong", 0));
        assert!(links.take(&first, 0));
        assert!(!links.take(&first, 0), "used");
        assert!(links.take(&second, u64::MAX), "it waits without an end");
    }

    #[test]
    fn a_link_ends_at_its_time() {
        let links = links();
        let link = links.make(Some(10)).expect("made");
        assert!(!links.take(&secret(&link), 10));
        assert!(!links.take(&secret(&link), 9), "it is gone");
        let link = links.make(Some(10)).expect("made");
        assert!(links.take(&secret(&link), 9));
    }

    #[test]
    fn the_oldest_links_make_room() {
        let links = links();
        let oldest = secret(&links.make(None).expect("made"));
        let next = secret(&links.make(None).expect("made"));
        for _ in 0..MAX_LINKS - 1 {
            links.make(None).expect("made");
        }
        assert_eq!(links.waiting.lock().len(), MAX_LINKS);
        assert!(!links.take(&oldest, 0));
        assert!(links.take(&next, 0));
    }

    #[test]
    fn the_page_is_at_an_address_that_a_browser_can_open() {
        for (listen, page) in [
            ("0.0.0.0:1", "http://127.0.0.1:1/"),
            ("[::]:1", "http://[::1]:1/"),
            ("[::1]:1", "http://[::1]:1/"),
            ("192.168.1.2:80", "http://192.168.1.2:80/"),
        ] {
            let address = listen.parse().expect("an address");
            assert_eq!(Links::new(&Endpoint::Http(address)).page.as_deref(), Some(page));
            let secure = page.replace("http:", "https:");
            assert_eq!(Links::new(&Endpoint::Https(address)).page, Some(secure));
        }
        let unix = Links::new(&Endpoint::Unix("/run/stowage.sock".into()));
        assert_eq!(unix.make(None).expect_err("no link"), Problem::NoBrowser);
    }
}
