//! What the tests share: the documented examples, spaces on disk, the real binary as a child process, and clients for it.
//!
//! | module | what it is |
//! |---|---|
//! | [`document`] | code blocks of the repository's documents |
//! | [`examples`] | each documented request with the state it needs and the answer it gets |
//! | [`fixture`] | a cloud space written to a directory by hand, as its format says |
//! | [`host`] | the program under test |
//! | [`admin`] | the admin API from outside, and modules to swap with |
//! | [`wire`] | HTTP from outside: requests a client library would not send included |
//! | [`feed`] | a websocket that reads the progress feed |
//! | [`s3`] | an S3 server on loopback |
//! | [`wait`] | conditions with a bound, instead of sleeps |
//!
//! Everything here panics with what it saw: a test has no use for errors.

pub mod admin;
pub mod document;
pub mod examples;
pub mod feed;
pub mod fixture;
pub mod host;
pub mod s3;
pub mod wait;
pub mod wire;
