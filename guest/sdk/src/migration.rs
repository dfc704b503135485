//! Migrations of stored rows, in steps.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::storage::{KeyRange, ScanOptions};
use crate::collection::Collection;
use crate::context::Context;
use crate::derived::Derived;
use crate::listing::after;
use crate::writer::{Blobs, Writer};

/// The most rows of a step.
const STEP_ROWS: u32 = 1000;

/// A step ends after it has read and written so many bytes. A row may have as many by itself.
const STEP_BYTES: usize = 4 << 20;

/// How far a migration has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where the next step begins; absent when the migration is done.
    pub cursor: Option<Vec<u8>>,
    /// Rows that this step changed.
    pub rows: u64,
}

/// One step of a migration, for a module that exports `stowage:host/schema`.
///
/// ```
/// # use stowage_sdk::rows::TEMP_FOLDERS;
/// # use stowage_sdk::{Context, MemoryContext, Migration, Step};
/// /// Migrates the rows from `cursor` on.
/// fn migrate(ctx: &dyn Context, cursor: Option<Vec<u8>>) -> Result<Step, String> {
///     let mut step = Migration::begin(ctx, cursor)?;
///     step.rewrite_texts(&TEMP_FOLDERS);
///     Ok(step.end())
/// }
/// # let done = Step { cursor: None, rows: 0 };
/// # assert_eq!(migrate(&MemoryContext::new(), None), Ok(done));
/// ```
///
/// Each step names the same collections in the same order. A step does as much as fits into one
/// call, so a small database is migrated in one step. Running a step twice changes nothing more if
/// the rows add the same to counters before and after.
pub struct Migration<'a> {
    ctx: &'a dyn Context,
    /// The collection that the step begins in, counted from 0.
    first: u8,
    /// The key that it begins at; empty for the first one.
    start: Vec<u8>,
    /// The number of the next collection.
    next: u8,
    rows_left: u32,
    bytes_left: usize,
    changed: u64,
    /// Where the next step begins, once this step has done enough.
    cursor: Option<Vec<u8>>,
}

impl<'a> Migration<'a> {
    /// Begins a step at the cursor of the step before; the first step has none.
    ///
    /// # Errors
    /// The cursor is not one of a step.
    pub fn begin(ctx: &'a dyn Context, cursor: Option<Vec<u8>>) -> Result<Self, String> {
        let (first, start) = match cursor.as_deref().map(<[u8]>::split_first) {
            None => (0, Vec::new()),
            Some(Some((first, start))) => (*first, start.to_vec()),
            Some(None) => return Err("the cursor of a migration is never empty".to_owned()),
        };
        Ok(Self {
            ctx,
            first,
            start,
            next: 0,
            rows_left: STEP_ROWS,
            bytes_left: STEP_BYTES,
            changed: 0,
            cursor: None,
        })
    }

    /// Rewrites the texts of index entries, for a collection whose [`text`](Collection::text)
    /// changed.
    pub fn rewrite_texts<R: Serialize + DeserializeOwned>(&mut self, collection: &Collection<R>) {
        self.rederive(collection, collection.derive, |_| {});
    }

    /// Changes the rows of a collection, and makes their index entries and counters what
    /// [`derive`](Collection::derive) says now.
    ///
    /// `before` is what followed from a row until now, `change` brings a row to its new form. What
    /// is right already is not written again.
    pub fn rederive<R: Serialize + DeserializeOwned>(
        &mut self,
        collection: &Collection<R>,
        before: fn(&R, &mut Derived),
        change: fn(&mut R),
    ) {
        let number = self.next;
        self.next += 1;
        if number < self.first || self.cursor.is_some() {
            return;
        }
        let mut start = if number == self.first {
            std::mem::take(&mut self.start)
        } else {
            Vec::new()
        };
        let ctx = self.ctx;
        Writer::scope(ctx, Blobs::Keep, |writer| {
            loop {
                if self.has_done_enough() {
                    self.cursor = Some([&[number], &start[..]].concat());
                    return;
                }
                let range = KeyRange {
                    start: Some(start).filter(|start| !start.is_empty()),
                    end: None,
                };
                let options = ScanOptions {
                    reverse: false,
                    skip: 0,
                    limit: self.rows_left,
                    contains: None,
                    keys_only: false,
                };
                let page = ctx.scan(collection.name, &range, &options);
                for entry in page.entries {
                    if self.has_done_enough() {
                        self.cursor = Some([&[number], &entry.key[..]].concat());
                        return;
                    }
                    let written = writer.rederive(collection, &entry, before, change);
                    self.rows_left -= 1;
                    self.bytes_left = self.bytes_left.saturating_sub(entry.value.len() + written);
                    self.changed += u64::from(written > 0);
                }
                match page.cursor {
                    Some(last) => start = after(last),
                    None => return,
                }
            }
        });
    }

    fn has_done_enough(&self) -> bool {
        self.rows_left == 0 || self.bytes_left == 0
    }

    /// Ends the step.
    pub fn end(self) -> Step {
        Step {
            cursor: self.cursor,
            rows: self.changed,
        }
    }
}

/// Implements `stowage:host/schema` for a module: its type, its generated interface, the version of
/// its rows and its function that migrates them. The function takes a [`Context`](crate::Context)
/// and a cursor, and returns a [`Step`](crate::Step) or a text.
#[macro_export]
macro_rules! export_schema {
    ($module:ident, $schema:ident, $version:expr, $migrate:expr) => {
        impl $schema::Guest for $module {
            fn version() -> u32 {
                $version
            }

            fn migrate(_old: u32, cursor: Option<Vec<u8>>) -> Result<$schema::Step, String> {
                let step = $migrate(&$crate::HostContext, cursor)?;
                Ok($schema::Step {
                    cursor: step.cursor,
                    rows: step.rows,
                    total: None,
                })
            }
        }
    };
}

#[cfg(test)]
mod tests;
