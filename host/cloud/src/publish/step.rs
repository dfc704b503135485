//! One step: edits of segments of one collection.
//!
//! A row that is updated may be gone from its segment. If it is in another segment, it is updated
//! there. If it is nowhere, another host removed it. Then the update is dropped, and the next sync
//! removes the row here. But an update that names a blob makes the row again: it is a file that was
//! just uploaded.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value};

use super::plan::SegmentEdits;
use crate::exclusion::Guard;
use crate::list::SegmentChange;
use crate::row;
use crate::segment::{RowEdit, default_segment, overflow_segment};
use crate::{Collection, Error, Space};

/// Segments edited side by side.
const SEGMENTS_AT_ONCE: usize = 8;

/// How the edits of a step went.
#[derive(Default)]
pub(super) struct StepOutcome {
    /// What was done, by segment.
    pub changes: Vec<(String, SegmentChange)>,
    /// Rows to update that are gone from their segment, with the fields to set.
    missing: HashMap<String, Map<String, Value>>,
    /// Segments that the next sync must fetch, because such rows are gone from them.
    pub refetch: Vec<String>,
    /// Rows whose edit is not in the space.
    pub unpublished: HashSet<String>,
    pub failure: Option<Error>,
}

impl StepOutcome {
    fn add(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.missing.extend(other.missing);
        self.refetch.extend(other.refetch);
        self.unpublished.extend(other.unpublished);
        self.failure = other.failure.or(self.failure.take());
    }
}

/// Edits segments of one collection.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub space: &'a Space,
    pub guard: &'a Guard,
    pub collection: &'static Collection,
}

impl Step<'_> {
    /// Carries out the edits.
    pub(super) async fn run(self, edits: SegmentEdits) -> StepOutcome {
        // Owned items: a future that borrows them is not known to be `Send` for every lifetime.
        let outcomes: Vec<_> = stream::iter(edits)
            .map(|(segment, edits)| async move { self.edit(segment, &edits).await })
            .buffer_unordered(SEGMENTS_AT_ONCE)
            .collect()
            .await;
        let mut all = StepOutcome::default();
        for outcome in outcomes {
            all.add(outcome);
        }
        let missing = std::mem::take(&mut all.missing);
        if !missing.is_empty() {
            self.edit_missing(missing, &mut all).await;
        }
        all
    }

    async fn edit(self, segment: String, edits: &HashMap<String, RowEdit>) -> StepOutcome {
        let mut outcome = StepOutcome::default();
        match self.edit_segment(&segment, edits).await {
            Ok(mut change) => {
                outcome.missing = missing_rows(&change, edits);
                if !outcome.missing.is_empty() {
                    // The mirror keeps them for now. It tells a sync that the modules have them.
                    change
                        .rows
                        .retain(|identity, _| !outcome.missing.contains_key(identity));
                    outcome.refetch.push(segment.clone());
                }
                outcome.changes.push((segment, change));
            }
            Err(Error::Malformed { object, reason }) => {
                tracing::error!(object, reason, "the segment is left as it is; new rows go beside it");
                let mut overflow = SegmentEdits::new();
                for (identity, edit) in edits {
                    if let RowEdit::Set(fields)
                    | RowEdit::Update(fields)
                    | RowEdit::Make(fields)
                    | RowEdit::Replace(fields) = edit
                    {
                        let segment = overflow.entry(overflow_segment(identity)).or_default();
                        segment.insert(identity.clone(), RowEdit::Set(fields.clone()));
                    }
                }
                self.edit_elsewhere(overflow, &mut outcome).await;
            }
            Err(error) => {
                outcome.unpublished.extend(edits.keys().cloned());
                outcome.failure = Some(error);
            }
        }
        outcome
    }

    /// Updates rows that are gone from their segment.
    async fn edit_missing(self, missing: HashMap<String, Map<String, Value>>, outcome: &mut StepOutcome) {
        let found = self
            .space
            .segments_of_rows(self.collection, |_, identity| missing.contains_key(identity));
        let segments = match found.await {
            Ok(segments) => segments,
            Err(error) => {
                outcome.unpublished.extend(missing.into_keys());
                outcome.failure = Some(error);
                return;
            }
        };
        let mut edits = SegmentEdits::new();
        for (identity, fields) in missing {
            let (segment, edit) = match segments.get(&identity) {
                Some(segment) => (segment.to_string(), RowEdit::Update(fields)),
                None if row::blob(&fields).is_some() => (default_segment(&identity), RowEdit::Set(fields)),
                None => {
                    tracing::info!(
                        collection = ?self.collection,
                        identity,
                        "dropping an edit of a row that another host removed"
                    );
                    continue;
                }
            };
            edits.entry(segment).or_default().insert(identity, edit);
        }
        self.edit_elsewhere(edits, outcome).await;
    }

    /// Carries out edits in other segments than planned.
    async fn edit_elsewhere(self, edits: SegmentEdits, outcome: &mut StepOutcome) {
        for (segment, edits) in edits {
            match self.edit_segment(&segment, &edits).await {
                Ok(change) => outcome.changes.push((segment, change)),
                Err(Error::Malformed { object, reason }) => {
                    tracing::error!(
                        object,
                        reason,
                        rows = edits.len(),
                        "dropping changes: there is no room for them"
                    );
                }
                Err(error) => {
                    outcome.unpublished.extend(edits.into_keys());
                    outcome.failure = Some(error);
                }
            }
        }
    }

    /// Edits a segment and logs the edits that were refused.
    async fn edit_segment(self, segment: &str, edits: &HashMap<String, RowEdit>) -> Result<SegmentChange, Error> {
        let collection = self.collection;
        let change = self.space.edit_segment(self.guard, collection, segment, edits).await?;
        for identity in edits.keys().filter(|identity| !change.rows.contains_key(*identity)) {
            tracing::error!(
                ?collection,
                segment,
                identity,
                "dropping a change that would make the row too long"
            );
        }
        Ok(change)
    }
}

/// The rows of a change that were to be updated and are not there.
fn missing_rows(change: &SegmentChange, edits: &HashMap<String, RowEdit>) -> HashMap<String, Map<String, Value>> {
    let missing = edits.iter().filter_map(|(identity, edit)| match edit {
        RowEdit::Update(fields) if change.rows.get(identity).is_some_and(|row| row.after.is_none()) => {
            Some((identity.clone(), fields.clone()))
        }
        _ => None,
    });
    missing.collect()
}
