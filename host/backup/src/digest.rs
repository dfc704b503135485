//! Digests of tables: whether two tables have the same rows.

use sha2::{Digest as _, Sha256};

use crate::chunk::append_row;
use crate::hash::ContentHash;
use crate::manifest::TableSummary;
use crate::rows::Row;

/// Computes the digest of a table from its rows, in the order of their keys.
#[derive(Debug, Default)]
pub(crate) struct TableDigest {
    hasher: Sha256,
    row: Vec<u8>,
    rows: u64,
    bytes: u64,
}

impl TableDigest {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: Row<'_>) {
        self.row.clear();
        append_row(&mut self.row, row);
        self.hasher.update(&self.row);
        self.rows += 1;
        self.bytes += (row.key.len() + row.value.len()) as u64;
    }

    /// What the table has.
    pub(crate) fn finish(self, name: &str) -> TableSummary {
        TableSummary {
            name: name.to_owned(),
            rows: self.rows,
            bytes: self.bytes,
            digest: ContentHash::finish(self.hasher),
        }
    }
}

/// The digest of all tables.
pub(crate) fn of_tables<'a>(tables: impl IntoIterator<Item = &'a TableSummary>) -> ContentHash {
    let mut hasher = Sha256::new();
    for table in tables {
        hasher.update(table.name.as_bytes());
        hasher.update([0]);
        hasher.update(table.digest.as_bytes());
    }
    ContentHash::finish(hasher)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Kind;

    fn digest(rows: &[(&[u8], Kind, &[u8])]) -> TableSummary {
        let mut digest = TableDigest::default();
        for &(key, kind, value) in rows {
            digest.push(Row { key, kind, value });
        }
        digest.finish("t")
    }

    #[test]
    fn rows_that_differ_in_anything_have_other_digests() {
        type Sample<'a> = (&'a [u8], Kind, &'a [u8]);
        let rows: [&[Sample<'_>]; 6] = [
            &[],
            &[(b"ab", Kind::Value, b"c")],
            &[(b"a", Kind::Value, b"bc")],
            &[(b"a", Kind::Value, b"b"), (b"c", Kind::Value, b"")],
            &[(b"a", Kind::Value, &[0; 8])],
            &[(b"a", Kind::Counter, &[0; 8])],
        ];
        let digests: std::collections::BTreeSet<_> = rows.iter().map(|rows| digest(rows).digest).collect();
        assert_eq!(digests.len(), rows.len());
        assert_eq!((digest(rows[3]).rows, digest(rows[3]).bytes), (2, 3));
    }
}
