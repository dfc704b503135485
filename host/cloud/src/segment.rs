//! A segment: an object with a row in each line.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::row::{self, Digest, Row};
use crate::{Collection, Hash};

/// The most bytes of a segment. A larger one is malformed and is left as it is.
pub const SEGMENT_LIMIT_BYTES: u64 = 256 << 20;
/// The most rows of a segment.
pub const SEGMENT_LIMIT_ROWS: usize = 1_000_000;
/// The longest name of a segment, in bytes.
pub(crate) const NAME_LIMIT_BYTES: usize = 128;

/// The default segment of a row: new rows with this identity go there.
pub fn default_segment(identity: &str) -> String {
    format!("{:02x}", Sha256::digest(identity.as_bytes())[0])
}

/// The segment for new rows if their default segment is malformed.
pub(crate) fn overflow_segment(identity: &str) -> String {
    format!("{}-overflow", default_segment(identity))
}

/// The object of a segment.
pub(crate) fn path(collection: &Collection, segment: &str) -> String {
    format!("lists/{}/{segment}.ndjson", collection.name)
}

/// The name of the segment in a file of this name. `None` if the file is no segment.
pub(crate) fn name_of(file: &str) -> Option<&str> {
    let name = file.strip_suffix(".ndjson")?;
    let fits = !name.is_empty() && name.len() <= NAME_LIMIT_BYTES && !name.starts_with('.');
    (fits && !name.chars().any(char::is_control)).then_some(name)
}

/// Why the bytes of an object are not a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseError {
    #[error("more than {} bytes", SEGMENT_LIMIT_BYTES)]
    TooLarge,
    #[error("more than {} rows", SEGMENT_LIMIT_ROWS)]
    TooManyRows,
}

/// A segment that was read. If two lines have one identity, the last one counts.
#[derive(Debug)]
pub(crate) struct Segment {
    collection: &'static Collection,
    text: Bytes,
    /// The line of each row, by identity.
    rows: HashMap<String, Range<usize>>,
    skipped: u32,
}

impl Segment {
    pub(crate) fn empty(collection: &'static Collection) -> Self {
        Self {
            collection,
            text: Bytes::new(),
            rows: HashMap::new(),
            skipped: 0,
        }
    }

    pub(crate) fn parse(collection: &'static Collection, text: Bytes) -> Result<Self, ParseError> {
        if text.len() as u64 > SEGMENT_LIMIT_BYTES {
            return Err(ParseError::TooLarge);
        }
        let mut segment = Self {
            collection,
            text: text.clone(),
            rows: HashMap::new(),
            skipped: 0,
        };
        for range in lines(&text) {
            let line = trim(&text[range.clone()]);
            if line.is_empty() {
                continue;
            }
            let Some(identity) = row::identify(collection, line) else {
                segment.skipped = segment.skipped.saturating_add(1);
                continue;
            };
            if segment.rows.len() >= SEGMENT_LIMIT_ROWS {
                return Err(ParseError::TooManyRows);
            }
            segment.rows.insert(identity, range);
        }
        Ok(segment)
    }

    /// How many lines are no rows.
    pub(crate) fn skipped(&self) -> u32 {
        self.skipped
    }

    /// The identities of its rows.
    pub(crate) fn identities(&self) -> impl ExactSizeIterator<Item = &String> {
        self.rows.keys()
    }

    /// The row with this identity.
    pub(crate) fn row(&self, identity: &str) -> Option<Row> {
        row::parse(self.collection, self.line(identity)?)
    }

    /// The line of a row, without its line break.
    pub(crate) fn line(&self, identity: &str) -> Option<&[u8]> {
        Some(trim(&self.text[self.rows.get(identity)?.clone()]))
    }
}

/// An edit of one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RowEdit {
    /// Sets these fields. Makes the row if there is none.
    Set(Map<String, Value>),
    /// Sets these fields if the row exists.
    Update(Map<String, Value>),
    /// Makes the row with these fields if there is none. An existing row stays as it is.
    Make(Map<String, Value>),
    /// Makes the row with these fields only. An existing row is replaced.
    Replace(Map<String, Value>),
    /// Removes the row.
    Remove,
}

/// What an edit did to a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EditOutcome {
    pub before: Option<Digest>,
    pub after: Option<(Digest, Option<Hash>)>,
}

/// A segment after edits.
#[derive(Debug)]
pub(crate) struct RewrittenSegment {
    /// `None` if no edit changed anything.
    pub text: Option<Bytes>,
    /// The outcome of each edit.
    pub rows: HashMap<String, EditOutcome>,
}

/// Applies edits. Every other line keeps its bytes, whether it is a row or not. An edit that would
/// exceed the limits of a row is left out, and has no outcome.
pub(crate) fn rewrite(segment: &Segment, edits: &HashMap<String, RowEdit>) -> RewrittenSegment {
    let mut done = HashMap::with_capacity(edits.len());
    let mut lines_of: HashMap<usize, Option<Vec<u8>>> = HashMap::new();
    let mut appended = Vec::new();
    let mut changed = false;
    let mut ordered: Vec<_> = edits.iter().collect();
    ordered.sort_by_key(|(identity, _)| identity.as_str());
    for (identity, edit) in ordered {
        let old = segment.rows.get(identity);
        let before = segment.line(identity).map(row::digest);
        let Some(new) = edited_line(segment, identity, edit) else {
            continue;
        };
        let after = match &new {
            Some(line) => match row::parse(segment.collection, line) {
                Some(row) => Some((row.digest, row.blob)),
                None => continue,
            },
            None => None,
        };
        if before != after.as_ref().map(|(digest, _)| *digest) {
            changed = true;
            match (old, new) {
                (Some(line), new) => drop(lines_of.insert(line.start, new)),
                (None, Some(line)) => appended.push(line),
                (None, None) => {}
            }
        }
        done.insert(identity.clone(), EditOutcome { before, after });
    }
    let text = changed.then(|| compose(segment, edits, &lines_of, &appended));
    RewrittenSegment { text, rows: done }
}

/// The line of a row after an edit, `Some(None)` if there is no such row. `None` if it would be no
/// row.
fn edited_line(segment: &Segment, identity: &str, edit: &RowEdit) -> Option<Option<Vec<u8>>> {
    Some(match (edit, segment.line(identity)) {
        (RowEdit::Remove, _) | (RowEdit::Update(_), None) => None,
        (RowEdit::Make(_), Some(line)) => Some(line.to_vec()),
        (RowEdit::Set(fields) | RowEdit::Update(fields), Some(line)) => {
            let mut fields = fields.clone();
            fields.remove(segment.collection.identity);
            match has_fields(line, &fields) {
                true => Some(line.to_vec()),
                false => Some(row::rewrite(line, &fields)?),
            }
        }
        (RowEdit::Replace(fields), _) | (RowEdit::Set(fields) | RowEdit::Make(fields), None) => {
            Some(row::render(segment.collection, identity, fields)?)
        }
    })
}

/// Whether the fields of a line have these values already.
fn has_fields(line: &[u8], fields: &Map<String, Value>) -> bool {
    let Ok(old) = serde_json::from_slice::<Map<String, Value>>(line) else {
        return false;
    };
    fields.iter().all(|(name, value)| old.get(name) == Some(value))
}

fn compose(
    segment: &Segment,
    edits: &HashMap<String, RowEdit>,
    lines_of: &HashMap<usize, Option<Vec<u8>>>,
    appended: &[Vec<u8>],
) -> Bytes {
    let extra: usize = appended.iter().map(|line| line.len() + 1).sum();
    let mut out = Vec::with_capacity(segment.text.len() + extra + 256);
    for range in lines(&segment.text) {
        let whole = &segment.text[range.clone()];
        match lines_of.get(&range.start) {
            Some(Some(line)) => push_line(&mut out, line),
            Some(None) => {}
            // If the last line of an identity is removed, its earlier lines must not count again.
            None if is_shadowed(segment, &range, edits) => {}
            None => push_line(&mut out, whole),
        }
    }
    for line in appended {
        push_line(&mut out, line);
    }
    out.into()
}

/// Whether the row of a line is removed.
fn is_shadowed(segment: &Segment, range: &Range<usize>, edits: &HashMap<String, RowEdit>) -> bool {
    if !edits.values().any(|edit| matches!(edit, RowEdit::Remove)) {
        return false;
    }
    let Some(row) = row::parse(segment.collection, trim(&segment.text[range.clone()])) else {
        return false;
    };
    matches!(edits.get(&row.identity), Some(RowEdit::Remove))
}

fn push_line(out: &mut Vec<u8>, line: &[u8]) {
    out.extend_from_slice(line);
    if !line.ends_with(b"\n") {
        out.push(b'\n');
    }
}

/// The ranges of the lines of a text, with their line breaks.
fn lines(text: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= text.len() {
            return None;
        }
        let len = text[start..]
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(text.len() - start, |at| at + 1);
        let range = start..start + len;
        start = range.end;
        Some(range)
    })
}

fn trim(line: &[u8]) -> &[u8] {
    line.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn favorites() -> &'static Collection {
        Collection::named("favorites").expect("format 1 has it")
    }

    fn segment(text: &'static str) -> Segment {
        Segment::parse(favorites(), Bytes::from_static(text.as_bytes())).expect("a segment")
    }

    fn set(identity: &str, fields: Value) -> (String, RowEdit) {
        (
            identity.to_owned(),
            RowEdit::Set(fields.as_object().expect("an object").clone()),
        )
    }

    fn text(rewritten: &RewrittenSegment) -> &str {
        std::str::from_utf8(rewritten.text.as_ref().expect("it changed")).expect("text")
    }

    #[test]
    fn garbage_lines_are_counted_and_survive_a_rewrite() {
        let segment = segment("garbage\n{\"unique\":\"a\",\"name\":\"x\"}\r\n\n[1]\n{\"unique\":\"b\"}");
        assert_eq!(segment.identities().len(), 2);
        assert_eq!(segment.skipped(), 2);
        let rewritten = rewrite(&segment, &HashMap::from([set("c", json!({"name": "n"}))]));
        assert_eq!(
            text(&rewritten),
            "garbage\n{\"unique\":\"a\",\"name\":\"x\"}\r\n\n[1]\n{\"unique\":\"b\"}\n{\"unique\":\"c\",\"name\":\"n\"}\n"
        );
    }

    #[test]
    fn an_edit_that_changes_nothing_writes_nothing() {
        let segment = segment("{\"unique\":\"a\",\"size\":1}\n");
        let edits = HashMap::from([
            set("a", json!({"size": 1, "unique": "zzz"})),
            ("nobody".to_owned(), RowEdit::Remove),
        ]);
        let rewritten = rewrite(&segment, &edits);
        assert!(rewritten.text.is_none());
        assert_eq!(
            rewritten.rows["a"].before,
            rewritten.rows["a"].after.as_ref().map(|row| row.0)
        );
        assert_eq!(
            rewritten.rows["nobody"],
            EditOutcome {
                before: None,
                after: None
            }
        );
    }

    #[test]
    fn making_a_row_leaves_one_that_is_there_as_it_is() {
        let segment = segment("{\"unique\":\"a\",\"name\":\"old\"}\n");
        let make = |identity: &str| {
            let (identity, RowEdit::Set(fields)) = set(identity, json!({"name": "new"})) else {
                panic!("it sets");
            };
            HashMap::from([(identity, RowEdit::Make(fields))])
        };
        assert!(rewrite(&segment, &make("a")).text.is_none());
        assert_eq!(
            text(&rewrite(&segment, &make("b"))),
            "{\"unique\":\"a\",\"name\":\"old\"}\n{\"unique\":\"b\",\"name\":\"new\"}\n"
        );
    }

    #[test]
    fn removing_a_row_removes_every_line_of_it() {
        let segment = segment("{\"unique\":\"a\",\"n\":1}\n{\"unique\":\"b\"}\n{\"unique\":\"a\",\"n\":2}\n");
        assert_eq!(segment.row("a").expect("there").fields["n"], 2);
        let rewritten = rewrite(&segment, &HashMap::from([("a".to_owned(), RowEdit::Remove)]));
        assert_eq!(text(&rewritten), "{\"unique\":\"b\"}\n");
    }

    #[test]
    fn a_row_that_would_be_too_long_is_left_out() {
        let segment = segment("{\"unique\":\"a\"}\n");
        let edits = HashMap::from([set("a", json!({"name": "x".repeat(row::LINE_LIMIT_BYTES)}))]);
        let rewritten = rewrite(&segment, &edits);
        assert!(rewritten.text.is_none() && rewritten.rows.is_empty());
    }

    #[test]
    fn names_of_segments_are_plain_names() {
        assert_eq!(name_of("ab.ndjson"), Some("ab"));
        for file in ["ab.json", ".ndjson", "..ndjson", ".lock.ndjson", "a\u{1}.ndjson"] {
            assert_eq!(name_of(file), None, "{file}");
        }
        assert_eq!(default_segment("1"), "6b");
    }
}
