//! What the logic modules share.
//!
//! A module is a thin `impl Guest` over plain functions that take a [`Context`]: inside the host that is `HostContext`, in
//! unit tests [`MemoryContext`]. Rows live in [`Collection`]s: MessagePack values with their secondary indexes and counters, all changed
//! through a [`Writer`] in the call's one transaction. Nothing is remembered between calls.

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
