//! Private keys, and what they sign.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use stowage_logic::MAX_MODULE_BYTES;
use wasmsign2::{KeyPair, Module, PublicKey, SecretKey, WSError};

use super::keys::{KeyError, PUBLIC, check_name, read_small};
use super::section::Section;

/// How the name of a file with a private key ends.
const PRIVATE: &str = "key";
/// What binary components begin with.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
/// The bits of a file's mode that let others than its owner read or write it.
const OTHERS: u32 = 0o066;

/// Why a module cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The bytes are no binary component.
    #[error("expected a binary WebAssembly component")]
    NotAComponent,
    /// The signed module is larger than a module may be.
    #[error("expected a module that has at most {} MiB with its signature", MAX_MODULE_BYTES >> 20)]
    TooLarge,
    /// Its sections cannot be read.
    #[error("its sections cannot be read")]
    Sections(#[source] WSError),
}

/// A signed module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it was signed by this key already. Then its bytes are as they were.
    pub unchanged: bool,
}

/// The files of a new key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFiles {
    /// The private key. Only its owner may read it.
    pub private: PathBuf,
    /// The public key, for the servers.
    pub public: PathBuf,
}

/// A private key.
pub struct SigningKey(SecretKey);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

impl SigningKey {
    /// Makes a new key and writes its two files, `NAME.key` and `NAME.pub`, which must not exist.
    ///
    /// # Errors
    /// When the name is no name of a file, or a file exists or cannot be written.
    pub fn create(dir: &Path, name: &str) -> Result<KeyFiles, KeyError> {
        check_name(name)?;
        let file = |end: &str| dir.join(format!("{name}.{end}"));
        let files = KeyFiles {
            private: file(PRIVATE),
            public: file(PUBLIC),
        };
        let pair = KeyPair::generate();
        write_new(&files.private, 0o600, pair.sk.to_pem().as_bytes())?;
        write_new(&files.public, 0o644, pair.pk.to_pem().as_bytes()).inspect_err(|_| {
            // Half a key is of no use. The error that is returned says what went wrong.
            let _ = fs::remove_file(&files.private);
        })?;
        Ok(files)
    }

    /// Reads a private key. The second value says whether others than its owner may use the file.
    ///
    /// # Errors
    /// When the file cannot be read or holds no private key.
    pub fn read(path: &Path) -> Result<(SigningKey, bool), KeyError> {
        let bytes = read_small(path)?;
        let key = SecretKey::from_any(&bytes).map_err(|_| KeyError::NoKey {
            path: path.to_owned(),
            expected: "an Ed25519 private key in PEM, as `stowage module keygen` writes it",
        })?;
        let is_shared = fs::metadata(path).is_ok_and(|file| file.mode() & OTHERS != 0);
        Ok((SigningKey(key), is_shared))
    }

    /// The public key that belongs to it.
    pub(super) fn public(&self) -> PublicKey {
        PublicKey {
            pk: self.0.sk.public_key(),
            key_id: None,
        }
    }

    /// Signs a module. Signatures of other keys over the same bytes stay; those over other bytes
    /// are removed.
    ///
    /// # Errors
    /// When the bytes are no component, or it becomes too large.
    pub fn sign(&self, module: &[u8]) -> Result<Signed, SignError> {
        if !module.starts_with(&COMPONENT) {
            return Err(SignError::NotAComponent);
        }
        let read = || Module::deserialize(&mut &module[..]).map_err(SignError::Sections);
        let keeps_others = Section::read(module).is_ok_and(|section| section.fits());
        let signed = match keeps_others {
            true => match self.0.sign_multi(read()?, None, false, false) {
                Ok((signed, _)) => signed,
                Err(WSError::DuplicateSignature) => {
                    return Ok(Signed {
                        bytes: module.to_vec(),
                        unchanged: true,
                    });
                }
                Err(error) => return Err(SignError::Sections(error)),
            },
            false => self.0.sign(read()?, None).map_err(SignError::Sections)?,
        };
        let mut bytes = Vec::with_capacity(module.len() + 256);
        signed.serialize(&mut bytes).map_err(SignError::Sections)?;
        if bytes.len() > MAX_MODULE_BYTES {
            return Err(SignError::TooLarge);
        }
        Ok(Signed {
            bytes,
            unchanged: false,
        })
    }

    /// The key as a file holds it.
    #[cfg(test)]
    pub(super) fn to_pem(&self) -> String {
        self.0.to_pem()
    }
}

/// Writes a file that does not exist yet, durably.
fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), KeyError> {
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|reason| KeyError::File {
        path: path.to_owned(),
        reason,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::keys::{KeyDir, PublicKeys};
    use super::super::verify::signers;
    use super::*;

    /// A component with two custom sections.
    pub(in super::super) const MODULE: &[u8] = b"\0asm\x0d\0\x01\0\0\x05\x01aone\0\x05\x01btwo";

    /// The key of a number.
    pub(in super::super) fn key(number: u8) -> SigningKey {
        let der = [
            &[48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32][..],
            &[number; 32],
        ]
        .concat();
        SigningKey(SecretKey::from_der(&der).expect("a seed"))
    }

    #[test]
    fn a_new_key_signs_what_its_public_key_verifies() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = SigningKey::create(dir.path(), "release").expect("new");
        let mode = |path: &Path| fs::metadata(path).expect("a file").mode() & 0o777;
        assert_eq!(mode(&files.private), 0o600);
        let (key, is_shared) = SigningKey::read(&files.private).expect("a key");
        assert!(!is_shared);
        let signed = key.sign(MODULE).expect("a component");
        let keys = KeyDir::open(dir.path()).expect("keys").read().expect("readable");
        assert_eq!(signers(&signed.bytes, &keys).expect("signed"), ["release"]);
        // A key is never overwritten.
        let before = fs::read(&files.private).expect("a file");
        assert!(SigningKey::create(dir.path(), "release").is_err());
        assert_eq!(fs::read(&files.private).expect("a file"), before);
        for name in ["", "../x", "a/b", "a b"] {
            assert!(
                matches!(SigningKey::create(dir.path(), name), Err(KeyError::Name { .. })),
                "{name}"
            );
        }
    }

    #[test]
    fn a_private_key_that_others_can_read_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a directory");
        let files = SigningKey::create(dir.path(), "k").expect("new");
        for (mode, expected) in [(0o640, true), (0o604, true), (0o620, true), (0o700, false)] {
            fs::set_permissions(&files.private, fs::Permissions::from_mode(mode)).expect("our file");
            assert_eq!(SigningKey::read(&files.private).expect("a key").1, expected, "{mode:o}");
        }
        assert!(SigningKey::read(&files.public).is_err(), "a public key signs nothing");
    }

    #[test]
    fn a_second_key_adds_its_signature_and_the_same_key_changes_nothing() {
        let one = key(1).sign(MODULE).expect("a component");
        assert_eq!(
            key(1).sign(&one.bytes).expect("signed"),
            Signed {
                unchanged: true,
                ..one.clone()
            }
        );
        let two = key(2).sign(&one.bytes).expect("signed").bytes;
        for number in [1, 2] {
            signers(&two, &PublicKeys::of("k", &key(number))).expect("signed");
        }
        let mut changed = two;
        let last = changed.len() - 1;
        changed[last] ^= 1;
        let again = key(1).sign(&changed).expect("a component").bytes;
        signers(&again, &PublicKeys::of("k", &key(1))).expect("signed");
        assert!(
            signers(&again, &PublicKeys::of("k", &key(2))).is_err(),
            "it signed other bytes"
        );
    }

    #[test]
    fn only_components_are_signed() {
        for bytes in [&b""[..], b"\0asm\x01\0\0\0", b"(component)", &COMPONENT[..7]] {
            assert!(matches!(key(1).sign(bytes), Err(SignError::NotAComponent)), "{bytes:?}");
        }
        let torn = &MODULE[..MODULE.len() - 1];
        assert!(matches!(key(1).sign(torn), Err(SignError::Sections(_))));
    }
}
