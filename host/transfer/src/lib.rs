//! Uploads to and downloads from the cloud space, and the feed of their progress.
//!
//! [`Transfers`] keeps durable tasks and moves their bytes. [`Feed`] holds the latest row of each
//! task. It gives each subscriber a snapshot, and then the changes. Neither knows HTTP or
//! WebAssembly.

#![warn(unreachable_pub)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that panics has failed"))]

mod arrivals;
mod audit;
mod audit_tickets;
mod blob_checks;
mod bucket;
mod change;
mod changes;
mod config;
mod confirm;
mod control;
mod counts;
mod decrypt;
mod disk;
mod download;
mod engine;
mod feed;
mod fetch;
#[doc(hidden)]
pub mod fuzz;
mod incoming;
mod kept_upload;
mod limits;
mod name;
mod outcome;
mod outgoing;
mod prepare;
mod prepare_blob;
mod prepared_id;
mod prune;
mod removal;
mod request;
mod room;
mod row;
mod runner;
mod source;
mod span;
mod speed;
mod staged;
mod staging;
mod table;
mod task;
mod tasks;
mod transfers;
mod upload;
mod upload_roots;
mod upload_source;

pub use change::{TaskChange, TaskFilter};
pub use changes::FoundBlob;
pub use config::{Config, Retry};
pub use counts::TransferCounts;
pub use disk::DirectoryError;
pub use feed::{Connection, FRAME_INTERVAL, Feed, Filter, Fragment, KEY_LIFETIME, MAX_KEYS, SubscribeError};
pub use incoming::{
    Append, Checksum, EXPIRES_AFTER, Held, Incoming, IncomingError, LockError, Progress, Received, Receiving, Upload,
};
pub use limits::Limits;
pub use outgoing::{Blob, OpenedBlob, OutgoingError, Pieces};
pub use prepare::{PrepareError, PrepareSource, Prepared};
pub use request::{
    DownloadRefusal, DownloadRequest, File, FileUpload, FileUploadRefusal, HookError, Password, Refusal, TaskIdError,
    UploadHook, UploadRequest,
};
pub use row::{Direction, Row};
pub use staged::Staged;
pub use transfers::{OpenError, Transfers};
pub use upload_roots::PathError;
