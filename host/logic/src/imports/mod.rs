//! The host's side of a module's imports: one file for each interface.

mod cloud;
mod files;
pub(crate) mod linker;
mod progress;
mod storage;
mod tasks;
mod transfer;
