//! The harness of the tests: the program as a child process, clients for it, spaces on disk, and
//! the documented examples.
//!
//! | module | what it is |
//! |---|---|
//! | [`program`] | the program under test, and a process of it |
//! | [`host`], [`scene`] | a running server, and one with a space of its own |
//! | [`cli`] | commands that run to their end |
//! | [`wire`], [`feed`], [`admin`] | clients: HTTP byte by byte, the progress feed, the admin API |
//! | [`console`] | the console, as a browser reaches it |
//! | [`modules`], [`changing`] | built modules, and one whose behaviour a test chooses |
//! | [`fixture`] | a cloud space written by hand, as its format says |
//! | [`examples`] | each documented request with the state it needs and the answer it gets |
//! | [`document`] | the code blocks of the repository's documents |
//! | [`s3`], [`webdav`], [`nginx`] | servers of a space on loopback |
//! | [`space_server`] | a server of a space that fails as a test wants |
//! | [`careless_store`] | a store that ignores the conditions of puts |
//! | [`metrics`], [`collector`] | the metrics of a server; what takes its traces and logs |
//! | [`link`] | a slow link to a server |
//! | [`malformed`], [`hostile_names`] | requests that no client sends; names that lead elsewhere |
//! | [`tools`], [`usage`] | programs of others; what a process uses |
//! | [`wait`], [`random`] | waiting with a bound, choices that can be made again |
//! | [`torture`] | kills, full disks, damaged files, long load |
//!
//! Functions here panic with what they saw: a test has no use for errors.

#![warn(unreachable_pub)]

pub mod admin;
pub mod browser;
pub mod careless_store;
pub mod changing;
pub mod cli;
pub mod collector;
pub mod console;
pub mod document;
pub mod examples;
pub mod feed;
pub mod fixture;
pub mod host;
pub mod hostile_names;
pub mod link;
pub mod malformed;
pub mod metrics;
pub mod modules;
pub mod nginx;
pub mod program;
pub mod random;
pub mod s3;
pub mod scene;
pub mod space_server;
pub mod tools;
pub mod torture;
pub mod usage;
pub mod wait;
pub mod webdav;
pub mod wire;
