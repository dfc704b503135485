//! Shared code of the modules.
//!
//! A module is a thin `impl Guest` over plain functions that take a [`Context`]. In the host the
//! context is `HostContext`; in unit tests it is [`MemoryContext`]. Rows are in [`Collection`]s:
//! MessagePack values with index entries and counters. A [`Writer`] changes all of them in the
//! call's transaction. A module keeps no state between calls.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use stowage_sdk::{
//!     Blobs, Collection, Context, Error, Key, Keyword, Listing, MemoryContext, Order, Paging,
//!     Writer, searchable,
//! };
//!
//! /// A row. Fields are stored by name. A field that is added later has its default in older rows.
//! #[derive(Default, Serialize, Deserialize)]
//! #[serde(default)]
//! struct Note {
//!     id: String,
//!     text: String,
//!     time: i64,
//! }
//!
//! /// An index. Its keys are a time and an identity, so it is ordered by time, then by identity.
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
//! // One call is one transaction: after an error nothing is kept.
//! ctx.call(|ctx| pin(ctx, "Milk"))?;
//! assert_eq!(newest(&ctx, "milk", 1)?[0].text, "Milk");
//! assert_eq!(ctx.call(|ctx| pin(ctx, "")).unwrap_err().code, 600);
//! # Ok::<(), Error>(())
//! ```
//!
//! | for | use |
//! |---|---|
//! | rows with indexes and counters | [`Collection`], [`Derived`], [`Writer`] |
//! | lists by time | [`Listing`], [`Keyword`], [`searchable`], [`Paging`], [`TimeRange`] |
//! | keys in the order of their parts | [`Key`], [`prefix_end`] |
//! | migrations of stored rows | [`Migration`] |
//! | errors of the API | [`Error`], [`code`] |
//! | rows of the built-in modules | [`rows`] |
//! | the interfaces of the host | [`Context`], [`bindings`] |

#![warn(unreachable_pub)]

#[cfg(not(target_arch = "wasm32"))]
pub mod audit;
pub mod bindings;
mod codec;
mod collection;
mod context;
mod derived;
mod error;
mod fold;
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
mod migration;
mod name;
mod paging;
pub mod rows;
mod size;
mod time;
mod wit_text;
mod writer;

pub use bindings::types::{Error, Order};
pub use collection::Collection;
pub use context::Context;
pub use derived::Derived;
pub use error::code;
pub use fold::folded;
pub use hash::{base58_sha256, is_hash};
#[cfg(target_arch = "wasm32")]
pub use host::HostContext;
pub use key::{Key, MAX_IDENTITY_BYTES, is_identity, prefix_end};
pub use keyword::{Keyword, searchable};
pub use kind::{Kind, dotted_extension};
pub use listing::{ListEntry, Listing, folders_matching};
#[cfg(not(target_arch = "wasm32"))]
pub use memory::{Effect, MemoryContext};
pub use message::Message;
pub use migration::{Migration, Step};
pub use name::folder_name;
pub use paging::{MAX_PAGE, Paging};
pub use size::{capped_count, capped_size, size_text};
pub use time::{TimeRange, Unit};
pub use wit_text::text_bytes;
pub use writer::{Blobs, MAX_ROW_BYTES, Writer};
