//! What an import did.

use std::path::PathBuf;

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files whose blob and row are in the space.
    pub files: u64,
    /// Their stored bytes.
    pub len_bytes: u64,
    /// How many of them the space had already.
    pub present: u64,
    /// Files that were left out.
    pub failures: Vec<Failure>,
}

/// A file that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The file.
    pub path: PathBuf,
    /// Why, for a person.
    pub reason: String,
}
