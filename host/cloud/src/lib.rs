//! The cloud: a space in an object store, which several hosts share, and this host's part in it.
//!
//! ```text
//! transaction ─ stage ─▶ outbox ─ publish ─▶ lists/COLLECTION/SEGMENT.ndjson ─ sync ─▶ batches ─▶ RowSink
//!                          │                      ▲ read, edit, put if unchanged        │
//!                          └─ reap ─▶ blobs/      └────────── mirror ◀──────────────────┘
//! ```
//!
//! A [`Space`] is an object store with blobs and with segments of rows. Segments are changed with
//! conditional puts. A [`Cloud`] connects a space to the local database. It publishes what
//! transactions [stage](Cloud::stage), in order, also after an outage or a restart.
//! [`Cloud::sync`] fetches what changed in the space and updates the local rows. The mirror in the
//! database says which rows are in which segment. So both read only the segments that they need.
//!
//! A blob is durable before a row names it: call [`Space::put_blob`] first, then stage the row. A
//! row is removed before its blob. `reap.rs` tells what happens if one host removes a blob while
//! another one uploads it.

#![warn(unreachable_pub)]

mod attempts;
pub mod audit;
mod backoff;
mod batch;
mod blob;
mod change;
mod cloud;
mod collection;
mod conditions;
mod connect;
mod description;
mod directory;
mod error;
mod exclusion;
#[doc(hidden)]
pub mod fuzz;
mod hash;
mod health;
mod holds;
pub mod import;
mod layout;
mod lease;
mod list;
mod memory;
mod mirror;
mod native_copy;
mod objects;
mod outbox;
mod password;
mod place;
mod publish;
mod publisher;
mod put_file;
mod read_blob;
mod reap;
mod redaction;
mod retry_after;
mod row;
mod segment;
mod space;
mod state;
mod store_failure;
mod sync;
mod sync_runs;
mod trial;
mod update;
mod upload_state;
pub mod verify;

pub use batch::{Applied, BATCH_LIMIT_BYTES, BATCH_LIMIT_ROWS, Batch, RowSink, Rows};
pub use blob::{BlobInfo, Put};
pub use change::{SpaceChange, SpaceChangeError};
pub use cloud::{CONFIRM_AFTER, Cloud, StageError, Waiting};
pub use collection::{COLLECTIONS, Collection};
pub use conditions::{Condition, Conditions};
pub use error::{Error, ErrorClass, SinkError, Source};
pub use hash::{Hash, Hasher, ParseHashError};
pub use health::Health;
pub use holds::BlobHold;
pub use import::import;
pub use layout::FORMAT;
pub use password::{HeaderError, OpenSealedError, ReadAgain, SealedReader, seal};
pub use place::{Place, explain_store_error};
pub use row::{DEPTH_LIMIT, IDENTITY_LIMIT_BYTES, LINE_LIMIT_BYTES};
pub use segment::{SEGMENT_LIMIT_BYTES, SEGMENT_LIMIT_ROWS, default_segment};
pub use space::{OpenOptions, Space};
pub use sync_runs::SyncReport;
pub use trial::{ClockDifference, Trial, WriterExclusion};
pub use upload_state::{PartUpload, UploadState};
pub use verify::verify;
