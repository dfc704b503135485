//! A new store that is filled from rows, much faster than by transactions.

use std::path::{Path, PathBuf};

use crate::backend::format;
use crate::backend::new_database::NewDatabase;
use crate::config::Limits;
use crate::error::{Error, OpenError};
use crate::row::{Row, RowValue};
use crate::stored;

/// A store that is being filled. No one can open it before [`Import::finish`], and it is worthless
/// if it is dropped before.
///
/// ```
/// # use stowage_storage::{Config, Import, Row, RowValue, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("new.redb");
/// let mut import = Import::create(&path).unwrap();
/// import
///     .put(Row { table: "folders", key: b"1", value: RowValue::Value(b"music") })
///     .unwrap();
/// assert_eq!(import.finish().unwrap(), 1);
/// let store = Store::open(&path, Config::default()).unwrap();
/// assert_eq!(store.begin().get("folders", b"1").unwrap().unwrap(), b"music");
/// ```
#[derive(Debug)]
pub struct Import {
    path: PathBuf,
    file: NewDatabase,
    limits: Limits,
    key: Vec<u8>,
}

impl Import {
    /// Creates the database file. Its log is created when the store is opened.
    ///
    /// # Errors
    ///
    /// [`OpenError::Backend`] if the file exists and is not empty, or cannot be written.
    pub fn create(path: &Path) -> Result<Self, OpenError> {
        // A log beside it would be of another file, and is ignored by its identity.
        Ok(Self {
            path: path.to_path_buf(),
            file: NewDatabase::create(path).map_err(|error| format::not_read(path, error))?,
            limits: Limits::default(),
            key: Vec::new(),
        })
    }

    /// Adds a row. It is fastest if rows come in order. A row that was added before is replaced.
    ///
    /// # Errors
    ///
    /// If the row is no valid row of a store with default limits, or the file cannot be written.
    pub fn put(&mut self, row: Row<'_>) -> Result<(), Error> {
        if let RowValue::Value(value) = row.value
            && value.len() > self.limits.value_bytes
        {
            return Err(Error::ValueTooLong {
                len_bytes: value.len(),
                limit_bytes: self.limits.value_bytes,
            });
        }
        self.locate(row.table, row.key)?;
        Ok(self.file.put(&self.key, &row.value.to_stored())?)
    }

    /// Removes a row that may have been added before.
    ///
    /// # Errors
    ///
    /// Those of [`Import::put`].
    pub fn remove(&mut self, table: &str, key: &[u8]) -> Result<(), Error> {
        self.locate(table, key)?;
        Ok(self.file.remove(&self.key)?)
    }

    /// Checks table and key, and sets `self.key` to the stored key.
    fn locate(&mut self, table: &str, key: &[u8]) -> Result<(), Error> {
        stored::check_table(table)?;
        if key.is_empty() {
            return Err(Error::KeyEmpty);
        }
        if key.len() > self.limits.key_bytes {
            return Err(Error::KeyTooLong {
                len_bytes: key.len(),
                limit_bytes: self.limits.key_bytes,
            });
        }
        stored::write_key(&mut self.key, table, key);
        Ok(())
    }

    /// Makes the file a store, durably, and closes it. Returns the number of rows that were added.
    ///
    /// # Errors
    ///
    /// [`OpenError::Backend`] if the file cannot be written.
    pub fn finish(self) -> Result<u64, OpenError> {
        let finished = self.file.finish(format::new_file_id(), 0);
        finished.map_err(|error| format::not_read(&self.path, error))
    }
}
