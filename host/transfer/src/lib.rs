//! Uploads to and downloads from the cloud space, and the feed of their progress.
//!
//! [`Transfers`] keeps durable tasks and moves their bytes. [`Feed`] holds the latest row of each
//! task. It gives each subscriber a snapshot, and then the changes. Neither knows HTTP or
//! WebAssembly.

#![warn(unreachable_pub)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that panics has failed"))]

mod audit;
mod audit_tickets;
mod blob_checks;
mod config;
mod confirm;
mod decrypt;
mod disk;
mod download;
mod engine;
mod feed;
mod fetch;
mod name;
mod outcome;
mod prune;
mod request;
mod row;
mod runner;
mod source;
mod table;
mod task;
mod tasks;
mod transfers;
mod upload;

pub use config::{Config, Retry};
pub use disk::DirectoryError;
pub use feed::{Connection, FRAME_INTERVAL, Feed, Filter, Fragment, KEY_LIFETIME, MAX_KEYS, SubscribeError};
pub use request::{
    DownloadRefusal, DownloadRequest, File, HookError, Password, Refusal, TaskIdError, UploadHook, UploadRequest,
};
pub use row::{Direction, Row};
pub use transfers::{OpenError, Staged, Transfers};
