//! What is in a folder of a place on this machine.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Once;
use std::time::UNIX_EPOCH;

use crate::target::Present;

/// A file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its name from the place on, with `/`.
    pub(crate) object: String,
    pub(crate) present: Present,
    /// Whether it is an object that is being written, or was when its program died.
    pub(crate) is_part: bool,
}

/// The files and folders of a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) files: Vec<Found>,
    pub(crate) folders: Vec<String>,
}

/// Reads a folder of the place at `root`. One that is missing is empty. Names that no object has
/// are left out: one of them must not make every backup fail. Blocks.
pub(crate) fn read(root: &Path, folder: &str) -> io::Result<Folder> {
    static TOLD: Once = Once::new();
    let mut read = Folder::default();
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(read),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.contains(char::is_control)) else {
            TOLD.call_once(|| tracing::warn!(path = ?entry.path(), "a file at the place of backups is passed over"));
            continue;
        };
        let object = format!("{folder}/{name}");
        match fs::metadata(entry.path()) {
            Ok(found) if found.is_dir() => read.folders.push(object),
            Ok(found) if found.is_file() => read.files.push(Found {
                is_part: is_part(name),
                present: Present {
                    len_bytes: found.len(),
                    written_ms: found
                        .modified()?
                        .duration_since(UNIX_EPOCH)
                        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
                },
                object,
            }),
            Ok(_) => {}
            // It was removed a moment ago, or is a link to nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Whether the name is `NAME#NUMBER`, as the store names what it writes.
fn is_part(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn names_that_no_object_has_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path(), "chunks").unwrap(), Folder::default());
        let chunks = dir.path().join("chunks");
        fs::create_dir_all(chunks.join("ab")).unwrap();
        for name in ["good", "good#1", "line\nbreak"] {
            fs::write(chunks.join(name), b"xyz").unwrap();
        }
        symlink("/nowhere", chunks.join("nowhere")).unwrap();
        let mut found = read(dir.path(), "chunks").unwrap();
        found.files.sort_by(|one, other| one.object.cmp(&other.object));
        let files: Vec<_> = found
            .files
            .iter()
            .map(|file| (&*file.object, file.is_part, file.present.len_bytes))
            .collect();
        assert_eq!(files, [("chunks/good", false, 3), ("chunks/good#1", true, 3)]);
        assert_eq!(found.folders, ["chunks/ab"]);
        assert!(read(dir.path(), "chunks/good").is_err());
    }
}
