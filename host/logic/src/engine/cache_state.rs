//! The files of the cache of compiled modules, looked at without running any.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Bytes of the digest at the start of a file.
const DIGEST_BYTES: usize = 32;

/// What a cache of compiled modules holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheState {
    /// How many compiled modules it has.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are not what was written, by name. They are compiled again when they are needed.
    pub damaged: Vec<PathBuf>,
}

/// Reads all files of a cache.
///
/// # Errors
/// When the directory or a file of it cannot be read.
pub fn inspect_cache(dir: &Path) -> io::Result<CacheState> {
    let mut state = CacheState::default();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "cwasm") {
            continue;
        }
        let read = || match fs::metadata(&path)?.is_file() {
            true => fs::read(&path),
            // A pipe would never end. It is not what was written.
            false => Ok(Vec::new()),
        };
        let content = match read() {
            // A server removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read?,
        };
        state.files += 1;
        state.bytes += content.len() as u64;
        if intact(&content).is_none() {
            state.damaged.push(path);
        }
    }
    state.damaged.sort();
    Ok(state)
}

/// The compiled code in the content of a file, if it is what was written.
pub(super) fn intact(content: &[u8]) -> Option<&[u8]> {
    let (digest, compiled) = content.split_at_checked(DIGEST_BYTES)?;
    (Sha256::digest(compiled).as_slice() == digest).then_some(compiled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_bit_anywhere_is_noticed() {
        let whole = [Sha256::digest(b"compiled code").as_slice(), b"compiled code"].concat();
        assert_eq!(intact(&whole), Some(&b"compiled code"[..]));
        for bit in 0..8 * whole.len() {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(intact(&damaged), None, "bit {bit}");
        }
    }

    #[test]
    fn damaged_files_are_told_and_others_counted() {
        let dir = tempfile::tempdir().expect("a directory");
        let whole = [Sha256::digest(b"code").as_slice(), b"code"].concat();
        let file = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, content).expect("writable");
            path
        };
        file("a.cwasm", &whole);
        let torn = file("b.cwasm", &whole[..whole.len() - 1]);
        let short = file("c.cwasm", b"x");
        file("d.77.tmp", b"x");
        let state = inspect_cache(dir.path()).expect("readable");
        assert_eq!((state.files, state.damaged), (3, vec![torn, short]));
        assert!(inspect_cache(&dir.path().join("none")).is_err());
    }
}
