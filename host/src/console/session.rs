//! The tokens of the console's sessions.
//!
//! A token is `console-` and base64url of: its end in milliseconds since 1970 (8 bytes, big
//! endian), 16 random bytes, and an HMAC-SHA256 over both. The server keeps no list of tokens. The
//! key comes from the admin token, so a session goes on after a restart with the same data
//! directory, and a new admin token ends all sessions.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::TryRng as _;
use sha2::Sha256;

use super::Problem;
use crate::admin::AdminToken;

/// How long a session lasts, if the page does not renew it.
pub(crate) const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// What all tokens of sessions start with: they are told from other tokens.
const PREFIX: &str = "console-";
/// What the key is derived for. Another format of tokens needs another text.
const PURPOSE: &[u8] = b"stowage console session 1";
/// Bytes of a token before its code: end and random bytes.
const SIGNED_BYTES: usize = 8 + 16;
/// Bytes of HMAC-SHA256.
const CODE_BYTES: usize = 32;

/// Makes tokens and checks them. `Debug` does not show the key.
#[derive(Clone)]
pub(crate) struct Sessions(Hmac<Sha256>);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(…)")
    }
}

/// A new session, as the page is told.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Session {
    pub(crate) token: String,
    /// When it ends, in milliseconds since 1970.
    pub(crate) until: u64,
}

impl Sessions {
    /// The sessions of a server with this admin token.
    pub(crate) fn new(admin: &AdminToken) -> Sessions {
        let mut key = keyed(&admin.digest());
        key.update(PURPOSE);
        Sessions(keyed(&key.finalize().into_bytes()))
    }

    /// Begins a session at `now`, in milliseconds since 1970.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub(crate) fn begin(&self, now: u64) -> Result<Session, Problem> {
        let until = now.saturating_add(u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX));
        let mut bytes = [0; SIGNED_BYTES + CODE_BYTES];
        let (signed, code) = bytes.split_at_mut(SIGNED_BYTES);
        signed[..8].copy_from_slice(&until.to_be_bytes());
        rand::rngs::SysRng
            .try_fill_bytes(&mut signed[8..])
            .map_err(|_| Problem::NoRandomBytes)?;
        let mut mac = self.0.clone();
        mac.update(signed);
        code.copy_from_slice(&mac.finalize().into_bytes());
        Ok(Session {
            token: format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)),
            until,
        })
    }

    /// Whether a token is one of ours that has not ended at `now`. The time that this takes reveals
    /// nothing about the code.
    pub(crate) fn knows(&self, token: &str, now: u64) -> bool {
        let Some(bytes) = token.strip_prefix(PREFIX).and_then(|t| URL_SAFE_NO_PAD.decode(t).ok()) else {
            return false;
        };
        let Some((signed, code)) = bytes.split_at_checked(SIGNED_BYTES) else {
            return false;
        };
        let Some(until) = signed.first_chunk().map(|until| u64::from_be_bytes(*until)) else {
            return false;
        };
        let mut mac = self.0.clone();
        mac.update(signed);
        mac.verify_slice(code).is_ok() && now < until
    }
}

/// Whether a token looks like one of a session, of any server and any time.
pub(crate) fn is_session(token: &str) -> bool {
    token.starts_with(PREFIX)
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    match Hmac::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        let dir = tempfile::tempdir().expect("a directory");
        Sessions::new(&AdminToken::open(&dir.path().join("admin.token")).expect("made"))
    }

    #[test]
    fn a_session_is_known_until_it_ends() {
        let sessions = sessions();
        let Session { token, until } = sessions.begin(1000).expect("random bytes");
        assert_eq!(until, 1000 + 7 * 24 * 3600 * 1000);
        assert!(is_session(&token));
        assert!(sessions.knows(&token, 1000));
        assert!(sessions.knows(&token, until - 1));
        assert!(!sessions.knows(&token, until));
        assert_ne!(
            sessions.begin(1000).expect("random bytes").token,
            token,
            "each token is another one"
        );
        assert!(!format!("{sessions:?}").contains(&token));
    }

    #[test]
    fn a_session_outlives_the_process_and_belongs_to_one_data_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("admin.token");
        let token = {
            let first = Sessions::new(&AdminToken::open(&path).expect("made"));
            first.begin(1).expect("random bytes").token
        };
        let again = Sessions::new(&AdminToken::open(&path).expect("kept"));
        assert!(again.knows(&token, 1));
        assert!(!sessions().knows(&token, 1), "another data directory");
    }

    #[test]
    fn a_forged_token_is_refused() {
        let sessions = sessions();
        let token = sessions.begin(1).expect("random bytes").token;
        let bytes = URL_SAFE_NO_PAD.decode(&token[PREFIX.len()..]).expect("base64url");
        for index in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[index] ^= 1;
            let forged = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(forged));
            assert!(!sessions.knows(&forged, 1), "byte {index}");
        }
        for length in 0..bytes.len() {
            let cut = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&bytes[..length]));
            assert!(!sessions.knows(&cut, 1), "{length} bytes");
        }
        for other in [
            "",
            "console-",
            "console-====",
            &token[PREFIX.len()..],
            &format!("{token}A"),
        ] {
            assert!(!sessions.knows(other, 1), "{other}");
        }
    }
}
