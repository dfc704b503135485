//! Rows as JSON lines, for scripts.

use std::io;

use super::row::Row;
use crate::output;

/// Writes each row as the server sent it, one a line.
pub(super) struct Lines;

impl Lines {
    /// Returns `false` if stdout is closed.
    pub(super) fn show(&self, rows: &[Row]) -> io::Result<bool> {
        for row in rows {
            if !output::line(&row.text)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
