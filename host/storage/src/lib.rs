//! An ordered key-value store with serializable transactions and group commit.
//!
//! A [`Store`] keeps tables of byte keys with values or counters, in files or in memory. A
//! [`Transaction`] reads a [`Snapshot`], sees its own writes, and records what it read.
//! [`Store::commit`] sends it to the committer, the only thread that writes:
//!
//! ```text
//! begin ─▶ Transaction: snapshot · read set · write set ─▶ commit ─▶ queue (bounded)
//!   ▲                                                                  │
//!   └── published snapshot ◀── backend (one durable write) ◀── batch ◀─┴─ validated against the history
//! ```
//!
//! Committed transactions have the same effect as running them one after another in the order of
//! [`Commit::sequence`]. A transaction is refused if anything that it read was written after its
//! snapshot; absent keys count. After a commit has returned, it is durable, and every later
//! [`Store::begin`] sees it. docs/storage.md describes files, crashes and bounds.
//!
//! ```
//! # use stowage_storage::{Config, Error, KeyRange, Store};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let store = Store::in_memory(Config::default());
//! store
//!     .update::<_, Error>(|tx| {
//!         tx.put("folders", b"1", b"music".to_vec())?;
//!         tx.add("sizes", b"folders", 1)
//!     })
//!     .await
//!     .expect("nothing else writes");
//! assert_eq!(store.begin().count("folders", &KeyRange::all()).expect("memory is readable"), 1);
//! # store.close().await;
//! # }
//! ```

#![warn(unreachable_pub)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backend;
mod batch;
mod checkpoint;
mod commit;
mod committer;
mod compact;
mod config;
mod distribution;
mod error;
#[cfg(any(test, feature = "faults"))]
pub mod faults;
mod footprint;
#[doc(hidden)]
pub mod fuzz;
mod history;
mod import;
mod inspect;
mod keys;
mod log_file;
mod merge;
#[cfg(test)]
mod model;
#[cfg(any(test, feature = "faults"))]
mod random;
mod range;
mod read_set;
mod row;
mod salvage;
mod snapshot;
mod stats;
mod store;
mod stored;
mod sync;
mod table_versions;
mod transaction;
mod verify;
mod visitor;
mod walk;
mod write_set;

pub use checkpoint::Checkpoint;
pub use commit::Commit;
pub use compact::compact;
pub use config::{Config, Limits};
pub use distribution::{Distribution, DistributionCounts, TIME_BOUNDS_US};
pub use error::{BackendError, CommitError, Error, OpenError, UpdateError};
pub use footprint::{Footprint, KeyWrite};
pub use import::Import;
pub use inspect::{FileState, inspect, older_format};
pub use range::{Entry, KeyRange, Page, ScanOptions};
pub use row::{Row, RowValue};
pub use salvage::{Gap, SalvageReport, Salvaged, salvage};
pub use snapshot::Snapshot;
pub use stats::{BatchStats, ServiceState, Stats};
pub use store::Store;
pub use table_versions::TableVersions;
pub use transaction::Transaction;
pub use verify::{Report, TableReport, verify};
pub use visitor::{Count, Found, Scan, Visitor};
pub use walk::Walk;
pub use write_set::Write;
