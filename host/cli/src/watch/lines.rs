//! Rows as JSON lines, for scripts.

use std::io;

use super::row::Row;
use crate::output;

/// Writes each row as it came, one a line.
pub(super) struct Lines;

impl Lines {
    /// `false` when nobody reads any more.
    pub(super) fn show(&self, rows: &[Row]) -> io::Result<bool> {
        for row in rows {
            if !output::line(&row.text)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
