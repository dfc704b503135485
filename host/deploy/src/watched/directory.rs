//! The files of the watched directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use stowage_logic::MAX_MODULE_BYTES;
use tokio::task::spawn_blocking;

/// Most modules of the directory.
const MAX_FILES: usize = 64;

/// If this changes, the content of a file may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) len: u64,
    pub(super) modified_s: i64,
    pub(super) modified_ns: i64,
    pub(super) inode: u64,
}

/// The files by module name.
pub(super) type Files = BTreeMap<String, Stamp>;

/// The files of a directory.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) files: Files,
    /// How many files beyond [`MAX_FILES`] are ignored.
    pub(super) surplus: usize,
}

/// The directory.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Directory {
        Directory { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a module.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.wasm"))
    }

    /// Its `NAME.wasm` files, without the hidden ones that editors and copying programs create.
    pub(super) async fn list(&self) -> io::Result<Listing> {
        let path = self.path.clone();
        spawn_blocking(move || list(&path)).await.map_err(io::Error::other)?
    }

    /// The bytes of a module's file.
    pub(super) async fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let file = self.file(name);
        spawn_blocking(move || read(&file)).await.map_err(io::Error::other)?
    }
}

fn list(path: &Path) -> io::Result<Listing> {
    let mut files = Files::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let name = file.file_stem().and_then(|stem| stem.to_str());
        let Some(name) = name.filter(|name| !name.starts_with('.') && file.extension().is_some_and(|e| e == "wasm"))
        else {
            continue;
        };
        // A file that is gone by now is skipped.
        let Ok(metadata) = fs::metadata(&file) else {
            continue;
        };
        if metadata.is_file() {
            files.insert(
                name.to_owned(),
                Stamp {
                    len: metadata.len(),
                    modified_s: metadata.mtime(),
                    modified_ns: metadata.mtime_nsec(),
                    inode: metadata.ino(),
                },
            );
        }
    }
    let surplus = files.len().saturating_sub(MAX_FILES);
    for _ in 0..surplus {
        files.pop_last();
    }
    Ok(Listing { files, surplus })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Without this flag, opening a pipe in place of the file would wait for a writer.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("expected a regular file"));
    }
    let too_large = || io::Error::other(format!("expected at most {} MiB", MAX_MODULE_BYTES >> 20));
    if metadata.len() > MAX_MODULE_BYTES as u64 {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(MAX_MODULE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_MODULE_BYTES {
        return Err(too_large());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_visible_regular_wasm_files_are_modules() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["a.wasm", ".a.wasm", "b.wasm.tmp", "c", ".wasm"] {
            fs::write(dir.path().join(name), b"x").expect("writable");
        }
        fs::create_dir(dir.path().join("d.wasm")).expect("writable");
        std::os::unix::fs::symlink(dir.path().join("a.wasm"), dir.path().join("e.wasm")).expect("writable");
        std::os::unix::fs::symlink("nowhere", dir.path().join("f.wasm")).expect("writable");
        let pipe = dir.path().join("g.wasm");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .expect("writable");
        let directory = Directory::new(dir.path().to_owned());
        let listing = directory.list().await.expect("readable");
        assert_eq!(listing.files.keys().collect::<Vec<_>>(), ["a", "e"]);
        assert_eq!(listing.surplus, 0);
        assert_eq!(directory.read("a").await.expect("readable"), b"x");
        assert!(directory.read("g").await.is_err(), "a pipe is no file");
        let large = fs::File::create(dir.path().join("h.wasm")).expect("writable");
        large.set_len(MAX_MODULE_BYTES as u64 + 1).expect("writable");
        assert!(directory.read("h").await.is_err(), "larger than a module may be");
    }

    #[tokio::test]
    async fn a_full_directory_is_looked_at_in_part() {
        let dir = tempfile::tempdir().expect("a directory");
        for i in 0..MAX_FILES + 3 {
            fs::write(dir.path().join(format!("{i:03}.wasm")), b"").expect("writable");
        }
        let listing = Directory::new(dir.path().to_owned()).list().await.expect("readable");
        assert_eq!((listing.files.len(), listing.surplus), (MAX_FILES, 3));
        assert!(listing.files.contains_key("000"));
    }
}
