//! The real binary, from outside: one server a test, on a port of its own, in a directory of its own.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod admin;
mod authoring;
mod backups;
mod cli;
mod crash;
mod downloads;
mod examples;
mod favorites;
mod feed;
mod gate;
mod hot_swap;
mod lifecycle;
mod lists;
mod module_command;
mod parameters;
mod readme;
mod recordings;
mod replay;
mod routing;
mod s3;
mod space_info;
mod sync;
mod temp_files;
mod uploads;
mod watched;
