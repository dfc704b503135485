//! Which modules may go live. Without keys, all that pass their check. With keys, those that one of
//! them signed, and the built-in modules, which are a part of the program.

use std::collections::BTreeSet;
use std::sync::Arc;

use stowage_logic::Version;

use super::signature::{KeyDir, SignatureError, signers};

/// Why a module may go live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trusted {
    /// Modules need no signature.
    Unasked,
    /// It is a part of a program.
    BuiltIn,
    /// These keys signed it.
    Signed(Vec<String>),
}

impl Trusted {
    /// The keys that signed it.
    pub(crate) fn keys(self) -> Vec<String> {
        match self {
            Trusted::Unasked | Trusted::BuiltIn => Vec::new(),
            Trusted::Signed(keys) => keys,
        }
    }
}

/// What decides it. A cheap handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// The keys, if modules have to be signed.
    keys: Option<KeyDir>,
    /// The built-in modules of this program.
    built_in: Arc<BTreeSet<Version>>,
}

impl Trust {
    pub(crate) fn new(keys: Option<KeyDir>, built_in: BTreeSet<Version>) -> Trust {
        Trust {
            keys,
            built_in: Arc::new(built_in),
        }
    }

    /// Whether modules have to be signed.
    pub(crate) fn asks(&self) -> bool {
        self.keys.is_some()
    }

    /// Finds out whether a module may go live. It reads the keys anew, and blocks.
    ///
    /// # Errors
    /// When no key signed it, or the keys cannot be read.
    pub(crate) fn verify(&self, version: Version, bytes: &[u8]) -> Result<Trusted, SignatureError> {
        let Some(dir) = &self.keys else {
            return Ok(Trusted::Unasked);
        };
        if self.built_in.contains(&version) {
            return Ok(Trusted::BuiltIn);
        }
        let keys = dir.read().map_err(SignatureError::Keys)?;
        for error in keys.damaged() {
            tracing::warn!(%error, "a file among the keys of modules is left out");
        }
        signers(bytes, &keys).map(Trusted::Signed)
    }
}
