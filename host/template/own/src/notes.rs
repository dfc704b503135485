//! Notes: how they are stored, listed and searched.

use serde::{Deserialize, Serialize};
use stowage_sdk::{Blobs, Collection, Context, Error, Key, Keyword, Listing, Order, Paging, Writer, searchable};

use crate::bindings::api;

/// The longest text, in characters.
const MAX_TEXT_CHARS: usize = 1000;

/// The error code for a missing note. A module chooses its codes; 200 is success, 600 a bad
/// parameter.
const NO_NOTE: i32 = 70001;

/// A note as it is stored. A field that is added later has its default value in older rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    id: String,
    text: String,
    /// Milliseconds since the epoch.
    time: i64,
}

/// Index. Key: time, identity. Value: the searchable text.
const NOTES_BY_TIME: &str = "{{name}}-notes-by-time";

/// All modules share the tables. So the names of this module's tables begin with its own name.
const NOTES: Collection<Note> = Collection {
    name: "{{name}}-notes",
    version: 1,
    identity: |note| &note.id,
    derive: |note, derived| derived.listed(NOTES_BY_TIME, Key::new().time(note.time).tail(&note.id)),
    text: |note| searchable(&[&note.text]),
};

/// Pins a note.
///
/// # Errors
/// 600 a bad text.
pub fn add(ctx: &dyn Context, text: &str) -> Result<api::Note, Error> {
    let text = text.trim();
    if text.is_empty() || text.chars().nth(MAX_TEXT_CHARS).is_some() {
        return Err(Error::parameter("text", "1 to 1000 characters"));
    }
    let note = Note {
        id: ctx.new_id(),
        text: text.to_owned(),
        time: ctx.now_ms(),
    };
    Writer::scope(ctx, Blobs::Keep, |writer| writer.put(&NOTES, &note));
    Ok(to_api(note))
}

/// Takes a note off the board.
///
/// # Errors
/// 70001 no such note.
pub fn remove(ctx: &dyn Context, id: &str) -> Result<bool, Error> {
    match Writer::scope(ctx, Blobs::Keep, |writer| writer.remove(&NOTES, id)) {
        Some(_) => Ok(true),
        None => Err(Error {
            code: NO_NOTE,
            message: "there is no such note".to_owned(),
        }),
    }
}

/// A page of the notes.
///
/// # Errors
/// 600 a bad page.
pub fn list(
    ctx: &dyn Context,
    keyword: Option<&str>,
    order: Option<Order>,
    page: u32,
    page_size: u32,
) -> Result<Vec<api::Note>, Error> {
    let found = Listing::new(NOTES_BY_TIME, Vec::new())
        .order(order.unwrap_or(Order::Asc))
        .containing(&Keyword::new(keyword))
        .page(ctx, Paging::new(page, page_size)?);
    Ok(NOTES.get_all(ctx, &found).into_iter().map(to_api).collect())
}

fn to_api(note: Note) -> api::Note {
    api::Note {
        id: note.id,
        text: note.text,
        time: note.time,
    }
}

/// Checks that a pinned note is listed. The host calls this on a snapshot of the live data before
/// this version goes live, and drops what it writes.
///
/// # Errors
/// A text for a person that says what does not work.
pub fn self_test(ctx: &dyn Context) -> Result<(), String> {
    let note = add(ctx, "self-test").map_err(|error| error.message)?;
    let newest = list(ctx, Some("SELF-test"), Some(Order::Desc), 1, 1000).map_err(|error| error.message)?;
    match newest.iter().any(|found| *found == note) {
        true => Ok(()),
        false => Err("a note that was pinned is not listed".to_owned()),
    }
}
