//! The rows of a store at one moment, table by table, in the order of their keys.

use std::ops::ControlFlow;

use stowage_storage::{
    BackendError, Checkpoint, Error as StorageError, KeyRange, Row as StoredRow, RowValue, ScanOptions, Snapshot,
    Store, Transaction,
};

/// Entries that are read in one step.
const PAGE: u32 = 10_000;
/// No key is behind this one: the longest key has as many bytes.
const LAST_KEY: [u8; 1024] = [0xff; 1024];

/// What a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Value,
    /// A number of 8 bytes, little-endian, that transactions add to.
    Counter,
}

/// A key and what it holds.
pub(crate) type Owned = (Vec<u8>, Vec<u8>);

/// A row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) kind: Kind,
    pub(crate) value: &'a [u8],
}

impl Row<'_> {
    /// The number of a counter. `None` for a value.
    pub(crate) fn counter(&self) -> Option<i64> {
        match self.kind {
            Kind::Counter => self.value.try_into().ok().map(i64::from_le_bytes),
            Kind::Value => None,
        }
    }

    /// The form that storage takes. `None` for a counter that has not 8 bytes.
    pub(crate) fn stored(&self) -> Option<RowValue<'_>> {
        match self.kind {
            Kind::Value => Some(RowValue::Value(self.value)),
            Kind::Counter => self.counter().map(RowValue::Counter),
        }
    }
}

/// A committed state that can be walked.
pub(crate) trait Moment {
    /// Visits all rows after a place, in order.
    fn walk_after(
        &self,
        after: Option<(&str, &[u8])>,
        visit: &mut dyn FnMut(StoredRow<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError>;

    /// The names of all tables that have rows, in order.
    fn tables(&self) -> Result<Vec<String>, BackendError> {
        let mut tables: Vec<String> = Vec::new();
        loop {
            let mut next = None;
            let after = tables.last().map(|table| (table.as_str(), &LAST_KEY[..]));
            self.walk_after(after, &mut |row| {
                next = Some(row.table.to_owned());
                ControlFlow::Break(())
            })?;
            match next {
                Some(table) => tables.push(table),
                None => return Ok(tables),
            }
        }
    }

    /// Passes the rows of a table to `visit`, until it breaks.
    fn walk_table<B>(
        &self,
        table: &str,
        mut visit: impl FnMut(Row<'_>) -> ControlFlow<B>,
    ) -> Result<Option<B>, BackendError>
    where
        Self: Sized,
    {
        let mut broke = None;
        // No key is empty, so this is the place before the first one.
        self.walk_after(Some((table, b"")), &mut |stored| {
            if stored.table != table {
                return ControlFlow::Break(());
            }
            let number;
            let (kind, value) = match stored.value {
                RowValue::Value(value) => (Kind::Value, value),
                RowValue::Counter(counter) => {
                    number = counter.to_le_bytes();
                    (Kind::Counter, &number[..])
                }
            };
            let row = Row {
                key: stored.key,
                kind,
                value,
            };
            match visit(row) {
                ControlFlow::Continue(()) => ControlFlow::Continue(()),
                ControlFlow::Break(value) => {
                    broke = Some(value);
                    ControlFlow::Break(())
                }
            }
        })?;
        Ok(broke)
    }
}

impl Moment for Checkpoint {
    fn walk_after(
        &self,
        after: Option<(&str, &[u8])>,
        visit: &mut dyn FnMut(StoredRow<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        self.walk(after, visit)
    }
}

impl Moment for Snapshot {
    fn walk_after(
        &self,
        after: Option<(&str, &[u8])>,
        visit: &mut dyn FnMut(StoredRow<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        self.walk(after, visit)
    }
}

/// All rows of a store at one moment, for checks: they can also be looked up.
pub(crate) struct Rows {
    snapshot: Snapshot,
    reads: Transaction,
}

impl Moment for Rows {
    fn walk_after(
        &self,
        after: Option<(&str, &[u8])>,
        visit: &mut dyn FnMut(StoredRow<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        self.snapshot.walk(after, visit)
    }
}

impl Rows {
    /// The rows that are committed now.
    pub(crate) fn of(store: &Store) -> Rows {
        let snapshot = store.snapshot();
        Rows {
            reads: store.begin_at(&snapshot),
            snapshot,
        }
    }

    /// What a key holds.
    pub(crate) fn get(&mut self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.reads.get(table, key)
    }

    /// The first row of a table whose key begins with `prefix`.
    pub(crate) fn first_from(&mut self, table: &str, prefix: &[u8]) -> Result<Option<Owned>, StorageError> {
        let page = self.reads.peek(table, &KeyRange::prefix(prefix), &limited(1))?;
        Ok(page.entries.into_iter().next().map(|entry| (entry.key, entry.value)))
    }

    /// Some rows of a table after a key. `None` at its end.
    pub(crate) fn page(&mut self, table: &str, after: Option<&[u8]>) -> Result<Option<Vec<Owned>>, StorageError> {
        let range = KeyRange {
            start: after.map(|key| [key, b"\0"].concat()),
            end: None,
        };
        let page = self.reads.peek(table, &range, &limited(PAGE))?;
        let rows: Vec<_> = page.entries.into_iter().map(|entry| (entry.key, entry.value)).collect();
        Ok((!rows.is_empty()).then_some(rows))
    }
}

fn limited(limit: u32) -> ScanOptions {
    ScanOptions {
        limit,
        ..ScanOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stowage_storage::Config;

    #[tokio::test]
    async fn every_table_and_every_row_of_it_is_visited() {
        let store = Store::in_memory(Config::default());
        store
            .update::<_, StorageError>(|tx| {
                tx.put("a", &[0], b"1".to_vec())?;
                tx.put("a", &[0xff; 1024], b"2".to_vec())?;
                tx.add("a-b", b"k", -7)?;
                tx.put("b", b"k", vec![1; 8])
            })
            .await
            .unwrap();
        let checkpoint = store.checkpoint().await.unwrap();
        let seen = |moment: &Checkpoint, table: &str| {
            let mut rows = Vec::new();
            let ended = moment.walk_table(table, |row| {
                rows.push((row.key.to_vec(), row.counter(), row.value.to_vec()));
                ControlFlow::<()>::Continue(())
            });
            assert_eq!(ended.unwrap(), None);
            rows
        };
        assert_eq!(Moment::tables(&checkpoint).unwrap(), ["a", "a-b", "b"]);
        assert_eq!(seen(&checkpoint, "a").len(), 2);
        assert_eq!(
            seen(&checkpoint, "a-b"),
            [(b"k".to_vec(), Some(-7), (-7_i64).to_le_bytes().to_vec())]
        );
        assert_eq!(seen(&checkpoint, "b"), [(b"k".to_vec(), None, vec![1; 8])]);
        assert_eq!(seen(&checkpoint, "none"), []);
        let stopped = checkpoint.walk_table("a", |row| ControlFlow::Break(row.key.len()));
        assert_eq!(stopped.unwrap(), Some(1));
        store.close().await;
    }
}
