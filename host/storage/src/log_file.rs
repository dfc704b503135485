//! The write-ahead log of a closed store, to read it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use redb::backends::FileBackend;

/// Opens the log beside a database. `None` if there is none.
///
/// # Errors
/// If it is no regular file: opening a pipe would wait for its writer forever.
pub(crate) fn open(database: &Path) -> io::Result<Option<FileBackend>> {
    let path = database.with_extension("wal");
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() {
        let text = format!("{}: expected a regular file", path.display());
        return Err(io::Error::other(text));
    }
    FileBackend::new(File::open(&path)?).map(Some).map_err(io::Error::other)
}
