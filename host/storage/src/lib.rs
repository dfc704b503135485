//! An ordered key-value store with serializable transactions and group commit.
//!
//! A [`Store`] keeps tables of byte keys and byte values or counters, in a file or in memory. A [`Transaction`] reads one
//! [`Snapshot`], sees its own writes, and remembers what it read. [`Store::commit`] hands it to the committer,
//! the one thread that writes:
//!
//! ```text
//! begin ─▶ Transaction: snapshot · read set · write set ─▶ commit ─▶ queue (bounded)
//!   ▲                                                                  │
//!   └── published snapshot ◀── backend (one durable write) ◀── batch ◀─┴─ validated against the history
//! ```
//!
//! Committed transactions are equivalent to running them one after another in the order of their
//! [`Commit::sequence`]: a transaction is refused when anything it read, keys that were absent included, was written
//! after its snapshot. What was answered is durable and seen by every later [`Store::begin`].
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
mod committer;
mod config;
mod error;
#[cfg(test)]
mod faults;
mod footprint;
mod history;
mod keys;
mod merge;
mod overlay;
#[cfg(test)]
mod random;
mod range;
mod read_set;
mod snapshot;
mod stats;
mod store;
mod stored;
mod table_versions;
mod transaction;
mod visitor;
mod walk;
mod write_set;

pub use config::{Config, Limits};
pub use error::{BackendError, CommitError, Error, OpenError, UpdateError};
/// The former name, until its users follow.
#[doc(hidden)]
pub use footprint::KeyWrite as Change;
pub use footprint::{Footprint, KeyWrite};
pub use range::{Entry, KeyRange, Page, ScanOptions};
pub use snapshot::Snapshot;
pub use stats::Stats;
pub use store::{Commit, Store};
pub use table_versions::TableVersions;
pub use transaction::Transaction;
pub use visitor::{Count, Found, Scan, Visitor};
pub use walk::Walk;
pub use write_set::Write;
