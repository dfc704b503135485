//! Backups of stores in a folder.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod backups;
mod damage;
mod prunes;
mod scene;
