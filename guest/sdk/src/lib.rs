//! What the logic modules share.
//!
//! A module is a thin `impl Guest` over plain functions that take a [`Context`]: inside the host that is `HostContext`, in
//! unit tests [`MemoryContext`]. Rows live in [`Collection`]s: MessagePack values with their secondary indexes and counters, all changed
//! through a [`Writer`] in the call's one transaction. Nothing is remembered between calls.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use stowage_sdk::{Blobs, Collection, Context, Error, Key, Keyword, Listing, MemoryContext, Order, Paging, Writer, searchable};
//!
//! /// A row. Its fields are stored by their names; one that is added later has its default in rows written before.
//! #[derive(Default, Serialize, Deserialize)]
//! #[serde(default)]
//! struct Note {
//!     id: String,
//!     text: String,
//!     time: i64,
//! }
//!
//! /// An index: keys of a time and an identity are in the order of time, and ties in that of identity.
//! const BY_TIME: &str = "board-notes-by-time";
//!
//! const NOTES: Collection<Note> = Collection {
//!     name: "board-notes",
//!     version: 1,
//!     identity: |note| &note.id,
//!     derive: |note, derived| derived.listed(BY_TIME, Key::new().time(note.time).tail(&note.id)),
//!     text: |note| searchable(&[&note.text]),
//! };
//!
//! fn pin(ctx: &dyn Context, text: &str) -> Result<String, Error> {
//!     if text.is_empty() {
//!         return Err(Error::parameter("text", "a text"));
//!     }
//!     let note = Note { id: ctx.new_id(), text: text.to_owned(), time: ctx.now_ms() };
//!     Writer::scope(ctx, Blobs::Keep, |writer| writer.put(&NOTES, &note));
//!     Ok(note.id)
//! }
//!
//! fn newest(ctx: &dyn Context, keyword: &str, page: u32) -> Result<Vec<Note>, Error> {
//!     let found = Listing::new(BY_TIME, Vec::new())
//!         .order(Order::Desc)
//!         .containing(&Keyword::new(Some(keyword)))
//!         .page(ctx, Paging::new(page, 10)?);
//!     Ok(NOTES.get_all(ctx, &found))
//! }
//!
//! let ctx = MemoryContext::new();
//! // One call, one transaction: an error takes back what it wrote.
//! ctx.call(|ctx| pin(ctx, "Milk"))?;
//! assert_eq!(newest(&ctx, "milk", 1)?[0].text, "Milk");
//! assert_eq!(ctx.call(|ctx| pin(ctx, "")).unwrap_err().code, 600);
//! # Ok::<(), Error>(())
//! ```
//!
//! | for | there is |
//! |---|---|
//! | rows with indexes and counters | [`Collection`], [`Derived`], [`Writer`] |
//! | lists by time, with order, keyword, page and time range | [`Listing`], [`Keyword`], [`searchable`], [`Paging`], [`TimeRange`] |
//! | keys whose order is that of their parts | [`Key`], [`prefix_end`] |
//! | errors of the API | [`Error`], [`code`] |
//! | what the built-in modules store | [`rows`] |
//! | anything the host offers, as it is in WIT | [`Context`], [`bindings`] |

pub mod bindings;
mod codec;
mod collection;
mod context;
mod error;
mod hash;
#[cfg(target_arch = "wasm32")]
mod host;
mod key;
mod keyword;
mod kind;
mod listing;
#[cfg(not(target_arch = "wasm32"))]
mod memory;
mod message;
mod name;
mod paging;
pub mod rows;
mod size;
mod time;
mod wit_text;

pub use bindings::types::{Error, Order};
pub use collection::{Blobs, Collection, Derived, MAX_ROW_BYTES, Writer};
pub use context::Context;
pub use error::code;
pub use hash::{base58_sha256, is_hash};
#[cfg(target_arch = "wasm32")]
pub use host::HostContext;
pub use key::{Key, MAX_IDENTITY_BYTES, is_identity, prefix_end};
pub use keyword::{Keyword, folded, searchable};
pub use kind::{Kind, dotted_extension};
pub use listing::{Listed, Listing, folders_matching};
#[cfg(not(target_arch = "wasm32"))]
pub use memory::{Effect, MemoryContext};
pub use message::Message;
pub use name::folder_name;
pub use paging::{MAX_PAGE, Paging};
pub use size::{believed_count, believed_size, size_text};
pub use time::{TimeRange, Unit};
pub use wit_text::text_bytes;
