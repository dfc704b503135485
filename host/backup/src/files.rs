//! Which files of a data directory belong to a backup.
//!
//! | file | in a backup | why |
//! |---|---|---|
//! | `stowage.redb`, `stowage.wal` | their rows | the database |
//! | `modules/SHA256.wasm` | yes | the live modules, and those of the history |
//! | `temp/SHA256` | yes | temp files exist only here |
//! | `staging/SHA256` | yes | files that wait for their upload; clients were told they are safe |
//! | `staging/incoming/…` | no | uploads that are not complete; their clients begin again |
//! | `downloads/…` | no | files of the user, which the space has too |
//! | `cache/…` | no | compiled again when it is missing |
//! | `admin.token`, `server.json` | no | made at each start, or secret |
//! | `space/…` | no | a space is a store of its own, with its own copy |

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::hash::ContentHash;

/// The database in a data directory.
pub const DATABASE: &str = "stowage.redb";

/// The folders whose files are named by the SHA-256 of their bytes, and the ends of the names.
pub(crate) const FOLDERS: [(&str, &str); 3] = [(MODULES, ".wasm"), (TEMP, ""), (STAGING, "")];
/// The folder of module bytes.
pub(crate) const MODULES: &str = "modules";
/// The folder of temp files.
pub(crate) const TEMP: &str = "temp";
/// The folder of files that wait for their upload.
pub(crate) const STAGING: &str = "staging";

/// A file that belongs to a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedFile {
    /// Its path in the data directory, with `/`.
    pub(crate) path: String,
    /// The SHA-256 that its name says.
    pub(crate) hash: ContentHash,
    pub(crate) size: u64,
}

/// The files of a data directory that belong to a backup, by path. Links are left out. Blocks.
pub(crate) fn find(data: &Path) -> Result<Vec<NamedFile>, Error> {
    let mut found = Vec::new();
    for (folder, end) in FOLDERS {
        let dir = data.join(folder);
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::file(&dir)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(Error::file(&dir))?;
            let name = entry.file_name();
            let Some(hash) = name.to_str().and_then(|name| name.strip_suffix(end)?.parse().ok()) else {
                continue;
            };
            match entry.metadata() {
                Ok(metadata) if metadata.is_file() => found.push(NamedFile {
                    path: file_path(folder, end, hash),
                    hash,
                    size: metadata.len(),
                }),
                Ok(_) => {}
                // It was removed a moment ago.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::file(&entry.path())(error)),
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn file_path(folder: &str, end: &str, hash: ContentHash) -> String {
    format!("{folder}/{hash}{end}")
}

/// The path of the bytes of a module's version.
pub(crate) fn module_path(version: ContentHash) -> String {
    file_path(MODULES, ".wasm", version)
}

/// The path of a file that waits for its upload.
pub(crate) fn staged_path(hash: ContentHash) -> String {
    file_path(STAGING, "", hash)
}

/// The place in a data directory of a file that a manifest names, and the hash that its name says.
/// `None` for a path that a backup never has: a manifest of somebody else must not lead out of the
/// directory.
pub(crate) fn place(data: &Path, path: &str) -> Option<(PathBuf, ContentHash)> {
    let (folder, name) = path.split_once('/')?;
    let (_, end) = FOLDERS.into_iter().find(|(known, _)| *known == folder)?;
    let hash: ContentHash = name.strip_suffix(end)?.parse().ok()?;
    Some((data.join(folder).join(format!("{hash}{end}")), hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_the_name_of_a_hash_are_found_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(find(dir.path()).unwrap(), []);
        let hash = ContentHash::of(b"x");
        for (folder, _) in FOLDERS {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let expected = [module_path(hash), staged_path(hash), format!("temp/{hash}")];
        for path in expected.iter().map(String::as_str).chain([
            "modules/mine.wasm",
            &format!("modules/{hash}"),
            &format!("modules/{hash}.77.tmp"),
            "staging/.draft",
            "temp/notes.txt",
        ]) {
            fs::write(dir.path().join(path), b"x").unwrap();
        }
        fs::create_dir(dir.path().join(format!("temp/{}", ContentHash::of(b"dir")))).unwrap();
        std::os::unix::fs::symlink(
            "/etc/passwd",
            dir.path().join(format!("temp/{}", ContentHash::of(b"link"))),
        )
        .unwrap();
        let found = find(dir.path()).unwrap();
        let paths: Vec<_> = found.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, expected);
        assert!(found.iter().all(|file| (file.hash, file.size) == (hash, 1)));
    }

    #[test]
    fn a_path_of_a_manifest_never_leads_elsewhere() {
        let (data, hash) = (Path::new("/data"), ContentHash::of(b"x"));
        for (folder, end) in FOLDERS {
            let path = file_path(folder, end, hash);
            assert_eq!(place(data, &path), Some((data.join(&path), hash)));
        }
        for path in [
            "",
            "temp",
            "temp/../../etc/passwd",
            &format!("temp/../{hash}"),
            &format!("/temp/{hash}"),
            &format!("temp//{hash}"),
            &format!("cache/{hash}"),
            &format!("temp/{hash}.wasm"),
            &format!("modules/{hash}"),
        ] {
            assert_eq!(place(data, path), None, "{path}");
        }
    }
}
