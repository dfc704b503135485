//! The bytes of modules on disk, by their version: `DATA/modules/SHA.wasm`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use stowage_logic::{MAX_MODULE_BYTES, Version};

use super::error::DeployError;

/// The directory. Its functions block.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    dir: PathBuf,
}

impl Blobs {
    /// # Errors
    /// When the directory cannot be created.
    pub(crate) fn open(dir: PathBuf) -> Result<Blobs, DeployError> {
        let blobs = Blobs { dir };
        fs::create_dir_all(&blobs.dir).map_err(blobs.failed(&blobs.dir))?;
        Ok(blobs)
    }

    fn file(&self, version: Version) -> PathBuf {
        self.dir.join(format!("{version:#}.wasm"))
    }

    /// Makes the bytes of versions durable. Returns whether some are new. An existing file of the
    /// same length is trusted here; its hash is checked when it is read.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn keep<B: AsRef<[u8]>>(&self, versions: &[(Version, B)]) -> Result<bool, DeployError> {
        // By file: two modules may have the same bytes.
        let mut written = BTreeMap::new();
        for (version, bytes) in versions {
            let (file, bytes) = (self.file(*version), bytes.as_ref());
            let is_kept = fs::metadata(&file).is_ok_and(|m| m.is_file() && m.len() == bytes.len() as u64);
            if !is_kept && !written.contains_key(&file) {
                let temporary = Temporary::write(&file, bytes).map_err(self.failed(&file))?;
                written.insert(file, temporary);
            }
        }
        if written.is_empty() {
            return Ok(false);
        }
        // Synced after all of them are written: the first sync then does most of the work of all.
        for (file, temporary) in written {
            temporary.rename(&file).map_err(self.failed(&file))?;
        }
        let directory = File::open(&self.dir).and_then(|dir| dir.sync_all());
        directory.map_err(self.failed(&self.dir))?;
        Ok(true)
    }

    /// The bytes of a version.
    ///
    /// # Errors
    /// When there is no such file, or its hash is wrong.
    pub(crate) fn read(&self, version: Version) -> Result<Vec<u8>, DeployError> {
        let file = self.file(version);
        let read = || {
            if fs::metadata(&file)?.len() > MAX_MODULE_BYTES as u64 {
                return Err(io::Error::other("the file is larger than a module may be"));
            }
            let bytes = fs::read(&file)?;
            if Version::of(&bytes) != version {
                return Err(io::Error::other(
                    "the file is damaged: its SHA-256 does not match its name",
                ));
            }
            Ok(bytes)
        };
        read().map_err(self.failed(&file))
    }

    /// Removes the module files that are not in `kept`, and temporary files. Other files stay. A
    /// file that cannot be removed is logged.
    pub(crate) fn sweep(&self, kept: &BTreeSet<Version>) {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(%error, dir = %self.dir.display(), "unused modules were not removed");
                return;
            }
        };
        for path in entries.filter_map(|entry| entry.ok().map(|e| e.path())) {
            let Some((stem, rest)) = path
                .file_name()
                .and_then(|n| n.to_str())
                .and_then(|n| n.split_once('.'))
            else {
                continue;
            };
            let Ok(version) = stem.parse::<Version>() else {
                continue;
            };
            let unused = match rest {
                "wasm" => !kept.contains(&version),
                _ => rest.ends_with(".tmp"),
            };
            if unused && let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, file = %path.display(), "an unused module was not removed");
            }
        }
    }

    fn failed(&self, path: &Path) -> impl FnOnce(io::Error) -> DeployError + use<> {
        let path = path.to_owned();
        move |source| DeployError::Bytes { path, source }
    }
}

/// A file that is written and not yet synced. If the process dies, the sweep removes it.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn write(target: &Path, bytes: &[u8]) -> io::Result<Temporary> {
        let path = target.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = File::create(&path)?;
        file.write_all(bytes)?;
        Ok(Temporary { path, file })
    }

    /// Syncs the file and gives it its name.
    fn rename(self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_back_and_damaged_ones_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("modules")).unwrap();
        let version = Version::of(b"module");
        assert!(blobs.read(version).is_err());
        let others = [
            (version, &b"module"[..]),
            (Version::of(b"other"), b"other"),
            (version, b"module"),
        ];
        assert!(blobs.keep(&others).unwrap());
        assert!(!blobs.keep(&others).unwrap());
        assert_eq!(blobs.read(others[1].0).unwrap(), b"other");
        assert_eq!(blobs.read(version).unwrap(), b"module");
        fs::write(blobs.file(version), b"m0dule").unwrap();
        assert!(blobs.read(version).is_err());
        fs::write(blobs.file(version), b"mod").unwrap();
        assert!(blobs.keep(&others).unwrap());
        assert_eq!(blobs.read(version).unwrap(), b"module");
    }

    #[test]
    fn a_changed_bit_anywhere_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().to_owned()).unwrap();
        let module = b"\0asm\x0d\0\x01\0 and what follows";
        let version = Version::of(module);
        blobs.keep(&[(version, module)]).unwrap();
        for bit in 0..8 * module.len() {
            let mut damaged = module.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(blobs.file(version), damaged).unwrap();
            assert!(blobs.read(version).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_sweep_removes_unused_modules_and_leftovers_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().to_owned()).unwrap();
        let (used, unused) = (Version::of(b"used"), Version::of(b"unused"));
        blobs.keep(&[(used, &b"used"[..]), (unused, b"unused")]).unwrap();
        fs::write(blobs.file(used).with_extension("77.tmp"), b"us").unwrap();
        fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
        fs::write(dir.path().join("mine.wasm"), b"mine").unwrap();
        blobs.sweep(&BTreeSet::from([used]));
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expected = vec![format!("{used:#}.wasm"), "mine.wasm".to_owned(), "notes.txt".to_owned()];
        expected.sort();
        assert_eq!(left, expected);
    }
}
