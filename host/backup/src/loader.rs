//! Filling a new database with rows as they were.

use std::path::Path;

use stowage_storage::{Import, Row as StoredRow};

use crate::error::Error;
use crate::rows::Row;

/// Writes rows into a new database. It blocks.
pub(crate) struct Loader(Import);

impl Loader {
    /// Makes the database.
    pub(crate) fn create(database: &Path) -> Result<Loader, Error> {
        Ok(Loader(Import::create(database)?))
    }

    /// Adds a row. It is fastest in the order of tables and keys.
    pub(crate) fn push(&mut self, table: &str, row: Row<'_>) -> Result<(), Error> {
        // The form of a chunk's rows was checked: a counter has 8 bytes.
        let Some(value) = row.stored() else { return Ok(()) };
        let row = StoredRow {
            table,
            key: row.key,
            value,
        };
        self.0.put(row).map_err(Error::Fill)
    }

    /// Makes everything durable and closes the database.
    pub(crate) fn finish(self) -> Result<(), Error> {
        self.0.finish()?;
        Ok(())
    }
}
