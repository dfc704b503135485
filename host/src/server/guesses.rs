//! Wrong tokens are counted, so that nobody can guess one.
//!
//! After ten wrong tokens of one peer, no token of that peer is looked at for a second, and for
//! twice as long after each further one, at most for half a minute. Requests in such a pause do not
//! make it longer: a right token is accepted again after it. A connection that has given the right
//! token is not concerned. So the clients that are connected go on while somebody guesses.
//!
//! Each credential is counted by itself: who guesses the token of the API does not keep the
//! operator out of the admin API.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::listener::Peer;

/// Wrong tokens without a pause.
const FREE: u32 = 10;
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a wrong token counts.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// Peers that are counted. If there are more, the one that was quiet longest is forgotten.
const MAX_PEERS: usize = 4096;

/// What is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Credential {
    /// The token of the API.
    Token,
    /// The token of the admin API.
    AdminToken,
    /// The secret of a link into the console.
    ConsoleSecret,
}

/// One connection, as the gate sees it.
#[derive(Debug)]
pub(crate) struct Caller {
    peer: Peer,
    /// Of each credential, whether the last one of this connection was right.
    known: [AtomicBool; 3],
}

impl Caller {
    pub(crate) fn new(peer: Peer) -> Caller {
        Caller {
            peer,
            known: Default::default(),
        }
    }

    fn known(&self, credential: Credential) -> &AtomicBool {
        &self.known[credential as usize]
    }
}

/// The wrong tokens of each peer.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<HashMap<(Credential, Peer), Wrong>>);

#[derive(Clone, Copy, Debug)]
struct Wrong {
    count: u32,
    last: Instant,
    until: Instant,
}

impl Guesses {
    /// Whether the last such credential of a caller was right.
    pub(crate) fn knows(&self, credential: Credential, caller: &Caller) -> bool {
        caller.known(credential).load(Ordering::Relaxed)
    }

    /// How long no credential of a caller is looked at. `None` if one may be tried now.
    pub(crate) fn pause(&self, credential: Credential, caller: &Caller) -> Option<Duration> {
        if self.knows(credential, caller) {
            return None;
        }
        let wrong = self.0.lock().get(&(credential, caller.peer)).copied()?;
        let left = wrong.until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Counts a wrong credential.
    pub(crate) fn add_wrong(&self, credential: Credential, caller: &Caller) {
        caller.known(credential).store(false, Ordering::Relaxed);
        let key = (credential, caller.peer);
        let now = Instant::now();
        let is_over = |wrong: &Wrong| now.saturating_duration_since(wrong.last) >= FORGOTTEN_AFTER;
        let mut peers = self.0.lock();
        if peers.len() >= MAX_PEERS && !peers.contains_key(&key) {
            peers.retain(|_, wrong| !is_over(wrong));
            let quiet = peers.iter().min_by_key(|(_, wrong)| wrong.last).map(|(key, _)| *key);
            if let Some(quiet) = quiet.filter(|_| peers.len() >= MAX_PEERS) {
                peers.remove(&quiet);
            }
        }
        let none = Wrong {
            count: 0,
            last: now,
            until: now,
        };
        let wrong = peers.entry(key).or_insert(none);
        if is_over(wrong) {
            *wrong = none;
        }
        wrong.count = wrong.count.saturating_add(1);
        wrong.last = now;
        if let Some(further) = wrong.count.checked_sub(FREE) {
            let pause = Duration::from_secs(1 << further.min(5)).min(LONGEST_PAUSE);
            wrong.until = now + pause;
            if further == 0 {
                tracing::warn!(
                    credential = ?credential,
                    peer = ?caller.peer,
                    "{FREE} wrong tokens came from one client: the next ones have to wait"
                );
            }
        }
    }

    /// A caller gave the right credential: what it did wrong before is forgotten.
    pub(crate) fn add_right(&self, credential: Credential, caller: &Caller) {
        if !caller.known(credential).swap(true, Ordering::Relaxed) {
            self.0.lock().remove(&(credential, caller.peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::time::advance;

    use super::*;

    fn caller(number: u32) -> Caller {
        Caller::new(Peer::Address(Ipv4Addr::from(number).into()))
    }

    #[tokio::test(start_paused = true)]
    async fn each_further_wrong_token_waits_longer_and_a_right_one_is_accepted_after_the_pause() {
        let (guesses, caller) = (Guesses::default(), caller(1));
        for _ in 0..FREE {
            assert_eq!(guesses.pause(Credential::Token, &caller), None);
            guesses.add_wrong(Credential::Token, &caller);
        }
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let pause = Duration::from_secs(seconds);
            assert_eq!(guesses.pause(Credential::Token, &caller), Some(pause));
            // Asking does not make it longer.
            assert_eq!(guesses.pause(Credential::Token, &caller), Some(pause));
            assert_eq!(guesses.pause(Credential::AdminToken, &caller), None);
            advance(pause).await;
            assert_eq!(guesses.pause(Credential::Token, &caller), None);
            guesses.add_wrong(Credential::Token, &caller);
        }
        advance(LONGEST_PAUSE).await;
        guesses.add_right(Credential::Token, &caller);
        let same_peer = self::caller(1);
        guesses.add_wrong(Credential::Token, &same_peer);
        assert_eq!(guesses.pause(Credential::Token, &same_peer), None, "it starts over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_has_given_the_right_token_goes_on() {
        let guesses = Guesses::default();
        let (good, bad) = (caller(1), caller(1));
        guesses.add_right(Credential::Token, &good);
        for _ in 0..FREE {
            guesses.add_wrong(Credential::Token, &bad);
        }
        assert!(guesses.pause(Credential::Token, &bad).is_some());
        assert_eq!(guesses.pause(Credential::Token, &good), None);
        assert_eq!(guesses.pause(Credential::Token, &caller(2)), None, "another peer");
        // Who knows one credential may not guess another.
        guesses.add_right(Credential::AdminToken, &bad);
        assert!(guesses.pause(Credential::Token, &bad).is_some());
        // Behind a proxy, one connection has many clients.
        guesses.add_wrong(Credential::Token, &good);
        assert!(guesses.pause(Credential::Token, &good).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_are_forgotten_and_only_so_many_peers_are_counted() {
        let guesses = Guesses::default();
        for _ in 0..FREE - 1 {
            guesses.add_wrong(Credential::Token, &caller(0));
        }
        advance(FORGOTTEN_AFTER).await;
        guesses.add_wrong(Credential::Token, &caller(0));
        assert_eq!(guesses.pause(Credential::Token, &caller(0)), None);
        for number in 0..2 * MAX_PEERS {
            let number = u32::try_from(number).expect("small");
            guesses.add_wrong(Credential::Token, &caller(number));
            assert!(guesses.0.lock().len() <= MAX_PEERS);
        }
    }
}
