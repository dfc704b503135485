//! Which keys signed a module.

use std::collections::HashSet;

use wasmsign2::{PublicKeySet, WSError};

use super::keys::PublicKeys;
use super::section::{Section, SectionError};

/// Why a module does not count as signed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// It has no signature section.
    #[error("it is not signed; expected a signature by {keys}; sign it with `stowage module sign`")]
    Unsigned {
        /// The keys that were tried.
        keys: String,
    },
    /// It is signed, but by none of the keys.
    #[error(
        "none of the keys signed it; expected a signature by {keys}; sign it with one of them, or add its signer's key"
    )]
    OtherKey {
        /// The keys that were tried.
        keys: String,
    },
    /// Its bytes are not those that were signed.
    #[error("its bytes are not those that were signed; build it again and sign it; expected a signature by {keys}")]
    OtherBytes {
        /// The keys that were tried.
        keys: String,
    },
    /// Its signature section is not accepted.
    #[error("{reason}; sign it again with `stowage module sign`; expected a signature by {keys}")]
    Section {
        /// What is wrong with it.
        reason: String,
        /// The keys that were tried.
        keys: String,
    },
    /// The keys cannot be read.
    #[error("the keys of modules cannot be read: {0}")]
    Keys(super::KeyError),
}

/// The names of the keys that signed all of a module, sorted. There is at least one.
///
/// # Errors
/// When no key did. The error says what is wrong and which keys were tried.
pub fn signers(module: &[u8], keys: &PublicKeys) -> Result<Vec<String>, SignatureError> {
    let tried = || keys.describe();
    let section = Section::read(module).map_err(|error| match error {
        SectionError::Missing => SignatureError::Unsigned { keys: tried() },
        error => SignatureError::Section {
            reason: error.to_string(),
            keys: tried(),
        },
    })?;
    let set: HashSet<_> = keys.iter().map(|(_, key)| key.clone()).collect();
    match PublicKeySet::new(set).verify(&mut &module[..], None) {
        Ok(signers) => Ok(keys
            .iter()
            .filter(|(_, key)| signers.contains(key))
            .map(|(name, _)| name.to_owned())
            .collect()),
        Err(WSError::VerificationFailed) if !section.fits() => Err(SignatureError::OtherBytes { keys: tried() }),
        Err(WSError::VerificationFailed) => Err(SignatureError::OtherKey { keys: tried() }),
        Err(error) => Err(SignatureError::Section {
            reason: format!("its signature cannot be verified: {error}"),
            keys: tried(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::signing_key::tests::{MODULE, key};
    use super::*;

    fn keys() -> PublicKeys {
        PublicKeys::of("one", &key(1))
    }

    fn signed(number: u8) -> Vec<u8> {
        key(number).sign(MODULE).expect("a module").bytes
    }

    #[test]
    fn the_names_of_the_keys_that_signed_are_told() {
        assert_eq!(signers(&signed(1), &keys()).expect("signed"), ["one"]);
        let both = key(2).sign(&signed(1)).expect("signed").bytes;
        assert_eq!(signers(&both, &keys()).expect("signed"), ["one"]);
        assert_eq!(
            signers(&both, &PublicKeys::of("two", &key(2))).expect("signed"),
            ["two"]
        );
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        let mut appended = signed(1);
        appended.extend([0, 2, 1, b'x']);
        let mut cut = signed(1);
        cut.pop();
        let mut other = signed(1);
        let last = other.len() - 1;
        other[last] ^= 1;
        for (module, word) in [
            (MODULE.to_vec(), "not signed"),
            (signed(2), "none of the keys"),
            (appended, "bytes are not those"),
            (cut, "bytes are not those"),
            (other, "bytes are not those"),
            (Vec::new(), "not signed"),
        ] {
            let error = signers(&module, &keys()).expect_err("no signature").to_string();
            assert!(error.contains(word), "{word}: {error}");
            assert!(error.contains("one (keys in /keys)"), "{error}");
        }
    }

    #[test]
    fn no_key_signs_nothing() {
        assert!(signers(&signed(1), &PublicKeys::default()).is_err());
    }
}
