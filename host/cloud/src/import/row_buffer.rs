//! Rows that wait to be published.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::entry::NewRow;
use crate::segment::{RowEdit, default_segment};
use crate::{Error, Space};

/// Rows that are published together.
const ROWS_AT_ONCE: usize = 256;

pub(super) struct RowBuffer<'a> {
    space: &'a Space,
    waiting: Vec<NewRow>,
    /// The segments of the strays of a collection, read before its first row is published.
    strays: HashMap<&'static str, HashMap<String, Arc<str>>>,
}

impl<'a> RowBuffer<'a> {
    pub(super) fn new(space: &'a Space) -> Self {
        Self {
            space,
            waiting: Vec::new(),
            strays: HashMap::new(),
        }
    }

    /// Adds a row. Publishes the rows if there are enough of them.
    pub(super) async fn push(&mut self, row: NewRow) -> Result<(), Error> {
        self.waiting.push(row);
        if self.waiting.len() >= ROWS_AT_ONCE {
            self.publish().await?;
        }
        Ok(())
    }

    pub(super) async fn publish(&mut self) -> Result<(), Error> {
        let mut segments: HashMap<(&'static str, String), HashMap<String, RowEdit>> = HashMap::new();
        let mut order = Vec::new();
        for row in self.waiting.drain(..) {
            let collection = row.collection;
            let strays = match self.strays.entry(collection.name) {
                Entry::Occupied(read) => read.into_mut(),
                Entry::Vacant(unread) => {
                    let is_stray = |segment: &str, identity: &str| segment != default_segment(identity);
                    unread.insert(self.space.segments_of_rows(collection, is_stray).await?)
                }
            };
            // A row is in one segment only.
            let segment = match strays.get(&row.identity) {
                Some(segment) => segment.to_string(),
                None => default_segment(&row.identity),
            };
            let key = (collection.name, segment);
            if !segments.contains_key(&key) {
                order.push((collection, key.clone()));
            }
            // If files have the same bytes, the first one gives the name.
            let edits = segments.entry(key).or_default();
            edits.entry(row.identity).or_insert(RowEdit::Make(row.fields));
        }
        let exclusion = self.space.exclusion().await?;
        for (collection, key) in order {
            let guard = exclusion.enter(self.space.objects()).await?;
            if let Some(edits) = segments.get(&key) {
                self.space.edit_segment(&guard, collection, &key.1, edits).await?;
            }
        }
        Ok(())
    }
}
