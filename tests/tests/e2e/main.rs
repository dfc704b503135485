//! The real binary, from outside. Each test has a server with its own port and its own directory.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod admin;
mod authoring;
mod backups;
mod cli;
mod console;
mod crash;
mod day;
mod descriptions;
mod doctor;
mod downloads;
mod examples;
mod faults;
mod favorites;
mod feed;
mod files;
mod files_in_browser;
mod gate;
mod guesses;
mod hosts;
mod hot_swap;
mod lifecycle;
mod lists;
mod module_command;
mod nginx;
mod overview;
mod parameters;
mod readme;
mod recordings;
mod replay;
mod resumable;
mod routing;
mod s3;
mod shell;
mod slow_clients;
mod space_away;
mod space_info;
mod sync;
mod temp_files;
mod tls;
mod tokens;
mod unix_socket;
mod uploads;
mod watched;
mod webdav;
