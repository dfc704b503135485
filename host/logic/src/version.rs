//! The identity of a module's bytes.

use std::fmt;

use sha2::{Digest, Sha256};

/// The SHA-256 of a module's bytes. Displays as its first twelve hex digits; `{:#}` gives all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version([u8; 32]);

impl Version {
    /// The version of these bytes.
    pub fn of(bytes: &[u8]) -> Version {
        Version(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if f.alternate() { 32 } else { 6 };
        self.0[..shown].iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({self:#})")
    }
}
