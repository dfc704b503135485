//! Backups of a data directory, and what else keeps its rows: checks, text, salvage.
//!
//! ```text
//! store ─ one moment ─▶ rows ─▶ chunks ─┐                          ┌─▶ rows ─▶ new store ─┐
//!                                       ├─▶ place of backups ─────▶┤                      ├─ compared
//! data directory ─▶ files by hash ──────┘   (folder, S3, …)        └─▶ files ─────────────┘
//! ```
//!
//! A backup is one moment, made while others write. Chunks and files are named by their hash, so
//! what did not change is stored once. The manifest is written last: a backup is complete or not
//! there. docs/backup.md describes the format and its guarantees.
//!
//! | file | what it is |
//! |---|---|
//! | `backup`, `reader`, `files` | making a backup; the thread that reads rows; which files belong to it |
//! | `uploads`, `file_upload` | objects on their way to the place |
//! | `restore`, `draft`, `loader` | a new data directory from a backup |
//! | `chunk`, `digest`, `manifest` | the format |
//! | `check` | what each table means, and what must hold between them |
//! | `dump` | rows as text |
//! | `salvage` | what can be read of a damaged data directory |
//! | `target`, `folder`, `marks`, `prune`, `listing` | the place: its objects, who works there, old backups |

#![warn(unreachable_pub)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod background;
mod backup;
pub mod check;
mod chunk;
mod digest;
mod draft;
mod dump;
mod error;
mod file_upload;
mod files;
mod folder;
mod hash;
mod listing;
mod live_modules;
mod loader;
mod manifest;
mod marks;
mod place_url;
mod progress;
mod prune;
mod reader;
mod restore;
mod rows;
mod salvage;
mod target;
mod uploads;

pub use background::in_background;
pub use backup::{GRACE, Made, Options, Source, back_up, host};
pub use dump::{dump, tables};
pub use error::Error;
pub use files::DATABASE;
pub use hash::{ContentHash, NotAHash};
pub use listing::{Listed, Listing, Unreadable, choose, list, newest_of};
pub use manifest::{FORMAT, File, Host, Manifest, Skipped, Stored, Table, TableSummary};
pub use place_url::{check_outside, place_url};
pub use progress::{Phase, Progress, Snapshot};
pub use prune::{Pruned, prune};
pub use restore::{restore, summaries};
pub use salvage::{Gap, STRAY_ROWS, Salvage, salvage};
pub use target::Target;
