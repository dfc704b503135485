//! What fuzzers call in this crate: readers of what others write into the space.
//!
//! Each target takes any bytes. It panics if a property of the code is violated. docs/fuzzing.md
//! lists all targets of the project.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::{Map, Value};
use stowage_storage::fuzz::Choices;

use crate::description::Description;
use crate::segment::{self, RowEdit, Segment};
use crate::{COLLECTIONS, Collection, DEPTH_LIMIT, IDENTITY_LIMIT_BYTES, LINE_LIMIT_BYTES, SpaceChange};

/// Edits of one input.
const MOST_EDITS: usize = 4;

/// A segment: the first bytes choose a collection and edits, the others are the text. Rows are
/// within their limits, and an edit changes nothing but the rows that it means.
pub fn segment(data: &[u8]) {
    let mut choices = Choices::new(data);
    let collection = &COLLECTIONS[choices.below(COLLECTIONS.len())];
    let wanted: Vec<(u8, usize)> = (0..choices.below(MOST_EDITS + 1))
        .map(|_| (choices.byte(), choices.below(1 << 16)))
        .collect();
    let text = choices.rest();
    let Ok(before) = Segment::parse(collection, Bytes::copy_from_slice(text)) else {
        panic!("a short text is a segment");
    };
    let lines = text.split(|byte| *byte == b'\n').count();
    assert!(before.identities().len() + before.skipped() as usize <= lines);
    for identity in before.identities() {
        check_row(collection, &before, identity);
    }
    check_edits(collection, &before, &edits(&before, &wanted));
}

/// Checks a row of a segment.
fn check_row(collection: &Collection, segment: &Segment, identity: &str) {
    assert!(!identity.is_empty() && identity.len() <= IDENTITY_LIMIT_BYTES);
    let line = segment.line(identity).expect("a row has a line");
    assert!(line.len() <= LINE_LIMIT_BYTES);
    let row = segment.row(identity).expect("the line of a row can be read");
    assert_eq!(row.identity, identity, "both readers find the same identity");
    assert_eq!(row.fields[collection.identity], identity);
    assert!(row.fields.values().map(depth).max().unwrap_or(0) < DEPTH_LIMIT);
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The wanted edits, of rows that are there and of others.
fn edits(segment: &Segment, wanted: &[(u8, usize)]) -> HashMap<String, RowEdit> {
    let mut identities: Vec<&String> = segment.identities().collect();
    identities.sort();
    let edit = |(kind, number): &(u8, usize)| {
        let known = identities.get(number % (identities.len() + 1));
        let identity = known.map_or_else(|| format!("new-{number}"), |known| (*known).clone());
        let fields = Map::from_iter([
            ("name".to_owned(), Value::from(format!("name {number}"))),
            ("size".to_owned(), Value::from(*number)),
        ]);
        let edit = match kind % 5 {
            0 => RowEdit::Set(fields),
            1 => RowEdit::Update(fields),
            2 => RowEdit::Make(fields),
            3 => RowEdit::Replace(fields),
            _ => RowEdit::Remove,
        };
        (identity, edit)
    };
    wanted.iter().map(edit).collect()
}

/// Applies edits, and checks what they did.
fn check_edits(collection: &'static Collection, before: &Segment, edits: &HashMap<String, RowEdit>) {
    let rewritten = segment::rewrite(before, edits);
    let Some(text) = rewritten.text else {
        for outcome in rewritten.rows.values() {
            assert_eq!(outcome.before, outcome.after.as_ref().map(|(digest, _)| *digest));
        }
        return;
    };
    let Ok(after) = Segment::parse(collection, text) else {
        panic!("a segment with edits is a segment");
    };
    assert_eq!(after.skipped(), before.skipped(), "lines that are no rows stay");
    for identity in before.identities().chain(after.identities()) {
        if !edits.contains_key(identity) {
            assert_eq!(
                before.line(identity),
                after.line(identity),
                "{identity:?} was not edited"
            );
        }
    }
    for (identity, edit) in edits {
        let row = after.row(identity);
        match rewritten.rows.get(identity) {
            None => assert_eq!(before.line(identity), after.line(identity), "it was left out"),
            Some(outcome) => {
                let digest = outcome.after.as_ref().map(|(digest, _)| *digest);
                assert_eq!(row.as_ref().map(|row| row.digest), digest);
                if let (RowEdit::Set(fields) | RowEdit::Replace(fields), Some(row)) = (edit, &row) {
                    assert!(fields.iter().all(|(name, value)| row.fields.get(name) == Some(value)));
                }
                assert!(!matches!(edit, RowEdit::Remove) || row.is_none());
            }
        }
    }
    let again = segment::rewrite(&after, edits);
    assert!(again.text.is_none(), "the same edits change nothing more");
}

/// What a space says of itself, the name of a file in it, and a change of the outbox: any bytes are
/// read or refused.
pub fn space_files(data: &[u8]) {
    if let Ok(description) = Description::parse(data) {
        let json: Value = serde_json::from_slice(data).expect("it was read as JSON");
        assert_eq!(json["totalBytes"], description.total_bytes);
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(name) = segment::name_of(text)
    {
        assert!(!name.is_empty() && name.len() <= segment::NAME_LIMIT_BYTES);
        assert!(!name.starts_with('.') && !name.contains(char::is_control));
    }
    if let Ok(change) = rmp_serde::from_slice::<SpaceChange>(data) {
        let bytes = rmp_serde::to_vec_named(&change).expect("memory takes it");
        let again: SpaceChange = rmp_serde::from_slice(&bytes).expect("what was written is read");
        assert_eq!(again, change);
    }
}
