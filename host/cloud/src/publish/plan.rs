//! What a step does to each segment.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};
use stowage_storage::{Error as StorageError, Transaction};

use crate::outbox::StagedChange;
use crate::segment::{RowEdit, default_segment};
use crate::{Collection, SpaceChange, mirror};

/// Edits of rows, by segment and identity.
pub(super) type SegmentEdits = BTreeMap<String, HashMap<String, RowEdit>>;

/// Rows that are planned before other tasks get a turn.
const ROWS_PER_TURN: usize = 256;

/// What one row is to be after a step.
enum WantedRow {
    /// It has these fields, and keeps the others.
    With(Map<String, Value>),
    /// It has these fields only.
    Only(Map<String, Value>),
    /// It does not exist.
    Absent,
}

/// The edits that carry out a step.
pub(super) async fn edits(
    collection: &Collection,
    step: &[StagedChange],
    tx: &mut Transaction,
) -> Result<SegmentEdits, StorageError> {
    let mut edits = SegmentEdits::new();
    let mut add = |segment: String, identity: &str, edit| {
        let segment = edits.entry(segment).or_default();
        segment.insert(identity.to_owned(), edit);
    };
    // Most collections have no strays. Then one read a row is enough.
    let has_strays = mirror::has_strays(tx, collection.name)?;
    for (n, (identity, row)) in wanted_rows(step).into_iter().enumerate() {
        if n % ROWS_PER_TURN == ROWS_PER_TURN - 1 {
            tokio::task::yield_now().await;
        }
        let default = default_segment(identity);
        let segments = match has_strays {
            true => mirror::segments_of(tx, collection.name, identity)?,
            false => mirror::in_default_segment(tx, collection.name, identity)?
                .into_iter()
                .collect(),
        };
        match row {
            WantedRow::With(fields) => match segments.into_iter().next() {
                Some(segment) => add(segment, identity, RowEdit::Update(fields)),
                None => add(default, identity, RowEdit::Set(fields)),
            },
            WantedRow::Only(fields) => {
                // Other copies would bring the old fields back.
                for segment in segments.into_iter().filter(|segment| *segment != default) {
                    add(segment, identity, RowEdit::Remove);
                }
                add(default, identity, RowEdit::Replace(fields));
            }
            WantedRow::Absent => {
                // Every copy must go. The default segment may hold one that is not in the mirror.
                for segment in segments.into_iter().chain([default]) {
                    add(segment, identity, RowEdit::Remove);
                }
            }
        }
    }
    Ok(edits)
}

fn wanted_rows(step: &[StagedChange]) -> BTreeMap<&str, WantedRow> {
    let mut rows = BTreeMap::new();
    for StagedChange { change, .. } in step {
        match change {
            SpaceChange::PutRow { identity, fields, .. } => {
                let row = match rows.remove(identity.as_str()) {
                    None => WantedRow::With(fields.clone()),
                    Some(WantedRow::Absent) => WantedRow::Only(fields.clone()),
                    Some(WantedRow::With(old)) => WantedRow::With(merged(old, fields)),
                    Some(WantedRow::Only(old)) => WantedRow::Only(merged(old, fields)),
                };
                rows.insert(identity.as_str(), row);
            }
            SpaceChange::DeleteRow { identity, .. } => drop(rows.insert(identity, WantedRow::Absent)),
            SpaceChange::DeleteBlob { .. } => {}
        }
    }
    rows
}

fn merged(mut old: Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    old.extend(new.clone());
    old
}
