//! The host's side of a module's imports: one file for each interface.

mod cloud;
pub(crate) mod linker;
mod progress;
mod storage;
mod transfer;
