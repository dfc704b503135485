//! The directory of public keys whose modules may go live: one key a file, `NAME.pub`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use wasmsign2::PublicKey;

/// How the name of a file with a public key ends.
pub(super) const PUBLIC: &str = "pub";
/// Most keys of a directory.
const MAX_KEYS: usize = 64;
/// Most bytes of a file with a key.
const MAX_KEY_BYTES: u64 = 4096;
/// Most bytes of a key's name.
const MAX_NAME_BYTES: usize = 64;
/// Keys that a text names. More are counted.
const MAX_SHOWN: usize = 8;

/// Why keys cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The directory cannot be read.
    #[error("{}: expected a directory of public keys: {reason}", path.display())]
    Dir {
        /// The directory.
        path: PathBuf,
        /// Why not. The text has it, so it is no source.
        reason: io::Error,
    },
    /// The file of a key cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not. The text has it, so it is no source.
        reason: io::Error,
    },
    /// The file holds no key of the expected kind.
    #[error("{}: expected {expected}", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
    },
    /// The name of a key is no name of a file.
    #[error(
        "{name:?}: expected a key's name of 1 to {MAX_NAME_BYTES} letters, digits, '-', '_' and '.', the first a letter or digit"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The directory holds too many keys.
    #[error("{}: expected at most {MAX_KEYS} keys", path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
}

/// A directory of public keys. It is read again for each decision, so that keys come and go while
/// the server runs.
#[derive(Clone, Debug)]
pub struct KeyDir {
    path: PathBuf,
}

impl KeyDir {
    /// The keys of `path`.
    ///
    /// # Errors
    /// When it is no directory that can be read, or a file of it holds no key. The error names it.
    pub fn open(path: &Path) -> Result<KeyDir, KeyError> {
        let unreadable = |reason| KeyError::Dir {
            path: path.to_owned(),
            reason,
        };
        let dir = KeyDir {
            path: fs::canonicalize(path).map_err(unreadable)?,
        };
        match dir.read()?.damaged.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(dir),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys that it holds now. It blocks.
    ///
    /// # Errors
    /// When the directory cannot be read, or holds too many keys. A file that holds no key is left
    /// out: [`PublicKeys::damaged`] has it.
    pub fn read(&self) -> Result<PublicKeys, KeyError> {
        let unreadable = |reason| KeyError::Dir {
            path: self.path.clone(),
            reason,
        };
        let mut keys = PublicKeys {
            place: self.path.display().to_string(),
            ..PublicKeys::default()
        };
        for entry in fs::read_dir(&self.path).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|end| end != PUBLIC) {
                continue;
            }
            if keys.keys.len() + keys.damaged.len() == MAX_KEYS {
                return Err(KeyError::TooMany {
                    path: self.path.clone(),
                });
            }
            match read_public(&path) {
                Ok((name, key)) => drop(keys.keys.insert(name, key)),
                Err(error) => keys.damaged.push(error),
            }
        }
        Ok(keys)
    }
}

/// Public keys by name.
#[derive(Debug, Default)]
pub struct PublicKeys {
    /// The directory.
    place: String,
    keys: BTreeMap<String, PublicKey>,
    damaged: Vec<KeyError>,
}

impl PublicKeys {
    /// The files of the directory that hold no key.
    pub fn damaged(&self) -> &[KeyError] {
        &self.damaged
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys with their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &PublicKey)> {
        self.keys.iter().map(|(name, key)| (name.as_str(), key))
    }

    /// The names of the keys and where they are, for a text.
    pub(super) fn describe(&self) -> String {
        let mut names: Vec<&str> = self.keys.keys().take(MAX_SHOWN).map(String::as_str).collect();
        let more = format!("{} more", self.keys.len().saturating_sub(MAX_SHOWN));
        if self.keys.len() > MAX_SHOWN {
            names.push(&more);
        }
        match names.is_empty() {
            true => format!("a key in {}, which holds none", self.place),
            false => format!("{} (keys in {})", names.join(", "), self.place),
        }
    }

    #[cfg(test)]
    pub(super) fn of(name: &str, key: &super::SigningKey) -> PublicKeys {
        PublicKeys {
            place: "/keys".to_owned(),
            keys: BTreeMap::from([(name.to_owned(), key.public())]),
            damaged: Vec::new(),
        }
    }
}

/// # Errors
/// [`KeyError::Name`].
pub(super) fn check_name(name: &str) -> Result<(), KeyError> {
    let fits = name.len() <= MAX_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match fits {
        true => Ok(()),
        false => Err(KeyError::Name {
            name: name.chars().take(MAX_NAME_BYTES).collect(),
        }),
    }
}

/// The name and the public key of a file.
fn read_public(path: &Path) -> Result<(String, PublicKey), KeyError> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    check_name(&name)?;
    let bytes = read_small(path)?;
    let key = PublicKey::from_any(&bytes)
        .ok()
        // A weak key would accept signatures that nobody made.
        .filter(|key| key.pk.validate().is_ok());
    let key = key.ok_or_else(|| KeyError::NoKey {
        path: path.to_owned(),
        expected: "an Ed25519 public key in PEM, as `stowage module keygen` writes it",
    })?;
    Ok((name.into_owned(), key))
}

/// The bytes of a file that may hold a key.
pub(super) fn read_small(path: &Path) -> Result<Vec<u8>, KeyError> {
    // Without this flag, opening a pipe in place of the file would wait for a writer.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let read = || {
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("expected a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(MAX_KEY_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_KEY_BYTES {
            return Err(io::Error::other(format!("expected at most {MAX_KEY_BYTES} bytes")));
        }
        Ok(bytes)
    };
    read().map_err(|reason| KeyError::File {
        path: path.to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::super::signing_key::tests::key;
    use super::*;

    fn write(dir: &Path, file: &str, bytes: impl AsRef<[u8]>) {
        fs::write(dir.join(file), bytes).expect("writable");
    }

    fn names(keys: &PublicKeys) -> Vec<&str> {
        keys.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn keys_come_and_go_while_the_directory_is_open() {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = KeyDir::open(dir.path()).expect("a directory");
        assert!(keys.read().expect("readable").is_empty());
        write(dir.path(), "release.pub", key(1).public().to_pem());
        write(dir.path(), "release.key", "not looked at");
        assert_eq!(names(&keys.read().expect("readable")), ["release"]);
        fs::remove_file(dir.path().join("release.pub")).expect("writable");
        assert!(keys.read().expect("readable").is_empty());
    }

    #[test]
    fn keys_of_other_programs_are_read() {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), "pem.pub", key(1).public().to_pem());
        write(dir.path(), "der.pub", key(1).public().to_der());
        write(dir.path(), "raw.pub", key(1).public().to_bytes());
        let keys = KeyDir::open(dir.path()).expect("keys").read().expect("readable");
        assert_eq!(names(&keys), ["der", "pem", "raw"]);
        assert!(keys.iter().all(|(_, read)| *read == key(1).public()));
    }

    #[test]
    fn a_file_that_holds_no_key_is_named() {
        let weak = [&[1_u8][..], &[0; 32]].concat();
        let large = vec![b'x'; 5000];
        let private = key(1).to_pem();
        for (file, bytes, word) in [
            ("text.pub", &b"no key"[..], "Ed25519"),
            ("empty.pub", b"", "Ed25519"),
            ("weak.pub", &weak, "Ed25519"),
            ("private.pub", private.as_bytes(), "Ed25519"),
            ("large.pub", &large, "4096"),
            ("a b.pub", b"", "letters"),
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            write(dir.path(), file, bytes);
            let error = KeyDir::open(dir.path()).expect_err("no key").to_string();
            assert!(error.contains(word), "{file}: {error}");
            assert!(error.contains(file.trim_end_matches(".pub")), "{error}");
        }
        assert!(KeyDir::open(Path::new("/no/such/directory")).is_err());
        assert!(KeyDir::open(Path::new("/dev/null")).is_err());
    }

    #[test]
    fn a_directory_with_too_many_keys_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        for n in 0..=MAX_KEYS {
            write(dir.path(), &format!("k{n}.pub"), key(1).public().to_pem());
        }
        assert!(matches!(KeyDir::open(dir.path()), Err(KeyError::TooMany { .. })));
    }

    #[test]
    fn a_text_names_some_keys_and_counts_the_others() {
        let key = key(1).public();
        let keys = PublicKeys {
            place: "/keys".into(),
            keys: (0..10).map(|n| (format!("k{n}"), key.clone())).collect(),
            damaged: Vec::new(),
        };
        assert_eq!(
            keys.describe(),
            "k0, k1, k2, k3, k4, k5, k6, k7, 2 more (keys in /keys)"
        );
        assert!(PublicKeys::default().describe().contains("holds none"));
    }
}
