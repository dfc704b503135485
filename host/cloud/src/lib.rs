//! The cloud: a space in any object store, shared by several hosts, and this host's part in it.
//!
//! ```text
//! transaction ─ stage ─▶ outbox ─ publish ─▶ lists/COLLECTION/SEGMENT.ndjson ─ sync ─▶ batches ─▶ RowSink
//!                          │                      ▲ read, edit, put if unchanged        │
//!                          └─ reap ─▶ blobs/      └────────── mirror ◀──────────────────┘
//! ```
//!
//! A [`Space`] is the object store with the space's layout: blobs, and segments of rows that are
//! changed with conditional puts. A [`Cloud`] joins it to the local database: what transactions
//! [stage](Cloud::stage) is published in order, across outages and restarts; [`Cloud::sync`] brings
//! local rows in line with the space and fetches only what changed. The mirror in the database says
//! which rows are in which segment, so that both touch no more than they must.
//!
//! Order of things: a blob is durable before any row names it ([`Space::put_blob`], then the row);
//! a row is gone before its blob goes. How a removal and an upload of one blob meet is described
//! with [`Cloud::confirm_blob`].

#![warn(unreachable_pub)]

mod backoff;
mod batch;
mod blob;
mod change;
mod cloud;
mod collection;
mod connect;
mod error;
mod exclusion;
mod hash;
mod holds;
pub mod import;
mod layout;
mod lease;
mod list;
mod mirror;
mod objects;
mod outbox;
mod password;
mod publish;
mod publisher;
mod reap;
mod redaction;
mod row;
mod segment;
mod space;
mod state;
mod sync;
mod sync_runs;
mod update;
pub mod verify;

pub use batch::{Applied, BATCH_LIMIT_BYTES, BATCH_LIMIT_ROWS, Batch, RowSink, Rows};
pub use blob::{BlobInfo, Put};
pub use change::{SpaceChange, SpaceChangeError};
pub use cloud::{CONFIRM_AFTER, Cloud, StageError};
pub use collection::{COLLECTIONS, Collection};
pub use error::{Error, SinkError, Source};
pub use hash::{Hash, Hasher, ParseHashError};
pub use holds::BlobHold;
pub use import::import;
pub use layout::FORMAT;
pub use password::{HeaderError, OpenSealedError, SealedReader, seal};
pub use row::{DEPTH_LIMIT, IDENTITY_LIMIT_BYTES, LINE_LIMIT_BYTES};
pub use segment::{SEGMENT_LIMIT_BYTES, SEGMENT_LIMIT_ROWS, default_segment};
pub use space::{OpenOptions, Space};
pub use sync_runs::SyncReport;
pub use verify::verify;
