//! The file of a module in the arguments: `NAME=FILE`, or `FILE`, which gives the name.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use stowage_logic::MAX_MODULE_BYTES;
use thiserror::Error;

/// Why a file cannot be used as a module.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{path} cannot be read", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// It is larger than the server accepts.
    #[error("{path}: larger than the server takes ({mib} MiB)", path = path.display(), mib = most >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that it may have.
        most: usize,
    },
    /// The name of the file is no name of a module.
    #[error("{path}: no module name can be made of the file's; write NAME={path}", path = path.display())]
    NoName {
        /// The file.
        path: PathBuf,
    },
}

/// A module's name and bytes.
#[derive(Clone, Debug)]
pub struct ModuleFile {
    /// The module.
    pub name: String,
    /// The bytes of the module.
    pub bytes: Vec<u8>,
    /// The absolute path of the file, for the history.
    pub from: String,
}

impl ModuleFile {
    /// Reads `NAME=FILE` or `FILE`. A file with an equals sign in its path needs a name before it.
    ///
    /// # Errors
    /// The file cannot be read, is too large, or has no name.
    pub fn parse(argument: &str) -> Result<ModuleFile, FileError> {
        match argument.split_once('=') {
            Some((name, file)) if !name.is_empty() && !name.contains('/') => {
                ModuleFile::read(Some(name), Path::new(file))
            }
            _ => ModuleFile::read(None, Path::new(argument)),
        }
    }

    /// Reads a file. Without a name, the name is that of the file without `.wasm`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn read(name: Option<&str>, path: &Path) -> Result<ModuleFile, FileError> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .map(str::to_owned)
                .ok_or_else(|| FileError::NoName { path: path.to_owned() })?,
        };
        let bytes = read_at_most(path, MAX_MODULE_BYTES)?;
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(ModuleFile {
            name,
            bytes,
            from: absolute.display().to_string(),
        })
    }
}

/// The bytes of a file of at most `most` bytes.
pub(super) fn read_at_most(path: &Path, most: usize) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            most,
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_called_as_its_file_unless_it_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("notes.wasm");
        std::fs::write(&path, b"bytes").expect("writable");
        let path = path.to_str().expect("text");
        let file = ModuleFile::parse(path).expect("readable");
        assert_eq!(
            (file.name.as_str(), &file.bytes[..], file.from.as_str()),
            ("notes", &b"bytes"[..], path)
        );
        assert_eq!(
            ModuleFile::parse(&format!("board={path}")).expect("readable").name,
            "board"
        );
        assert!(matches!(
            ModuleFile::parse("a=/no/such.wasm"),
            Err(FileError::Read { .. })
        ));
        assert!(matches!(ModuleFile::parse("/"), Err(FileError::NoName { .. })));
        assert!(matches!(
            read_at_most(Path::new(path), 4),
            Err(FileError::TooLarge { .. })
        ));
    }
}
