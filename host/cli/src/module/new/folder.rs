//! The files of a new crate, and how they are written.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a crate was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The directory exists already.
    #[error("{} exists already and stays as it is: name another directory with --dir", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("{} cannot be written", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// The texts of the files, by their paths in the crate.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, String>);

impl Files {
    /// Adds a file. Each path is added once.
    pub(super) fn add(&mut self, path: &str, text: impl Into<String>) {
        self.0.insert(path.to_owned(), text.into());
    }

    /// The paths of the files, in order.
    #[cfg(test)]
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The text of a file, or an empty text if there is no file.
    #[cfg(test)]
    pub(super) fn text(&self, path: &str) -> &str {
        self.0.get(path).map_or("", String::as_str)
    }

    /// Writes the files into a new directory. If that fails, the directory is removed.
    ///
    /// # Errors
    /// [`WriteError::Exists`] if the path exists, even as an empty directory.
    pub(super) fn write(&self, dir: &Path) -> Result<(), WriteError> {
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent).map_err(|source| failed(parent, source))?;
        }
        fs::create_dir(dir).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => WriteError::Exists(dir.to_owned()),
            _ => failed(dir, source),
        })?;
        let written = self.0.iter().try_for_each(|(path, text)| {
            let path = dir.join(path);
            let parent = path.parent().unwrap_or(dir);
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, text))
                .map_err(|source| failed(&path, source))
        });
        if written.is_err() {
            // The directory is new. The first error is the one to report.
            let _ = fs::remove_dir_all(dir);
        }
        written
    }
}

fn failed(path: &Path, source: io::Error) -> WriteError {
    WriteError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exists_is_not_touched() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut files = Files::default();
        files.add("a/b.txt", "text");
        for existing in ["empty", "file"] {
            let place = dir.path().join(existing);
            match existing {
                "empty" => fs::create_dir(&place).expect("writable"),
                _ => fs::write(&place, "mine").expect("writable"),
            }
            assert!(matches!(files.write(&place), Err(WriteError::Exists(_))), "{existing}");
        }
        assert_eq!(fs::read_to_string(dir.path().join("file")).expect("there"), "mine");
        let place = dir.path().join("new/crate");
        files.write(&place).expect("written");
        assert_eq!(fs::read_to_string(place.join("a/b.txt")).expect("there"), "text");
    }

    #[test]
    fn a_crate_that_cannot_be_written_whole_is_not_left_in_part() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut files = Files::default();
        files.add("a", "a file");
        files.add("a/b", "in a file");
        let place = dir.path().join("crate");
        assert!(matches!(files.write(&place), Err(WriteError::Io { .. })));
        assert!(!place.exists());
    }
}
