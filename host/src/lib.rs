//! **Stowage**: a local storage server whose business logic is hot-swappable WASI components.
//!
//! The way of a request:
//!
//! ```text
//! server ─▶ server::gate ─▶ logic: rpc (codec) ─▶ call ─▶ a component's function
//!                                            │          │ imports: storage · transfer · cloud · progress
//!                                            └─ commit ◀┘
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`server`] | sockets: HTTP/1.1, the gate, the websocket of the feed |
//! | [`admin`] | the admin API: what is live, swapping it, and its token |
//! | [`watched`] | the directory whose modules go live by themselves |
//! | [`Services`], [`Hooks`] | what modules reach of the cloud, transfers and feed, and the other way |
//! | [`deploy`] | which modules serve: checks, swaps, trials, migrations, the way back |
//! | [`serve`] | puts the parts together, and takes them apart in order |
//! | [`recording`] | the recording of calls that the admin API starts and stops |
//! | [`settings`] | flags, environment, file |
//! | [`cli`] | the client's commands |
//! | [`demo`] | the set that `--demo` fills an empty space with |
//!
//! Running components (`stowage-logic`), storage, cloud and transfers (`stowage-storage`, `stowage-cloud`, `stowage-transfer`) are
//! crates of their own; the last three know neither HTTP nor WebAssembly.

pub mod admin;
mod builtin;
pub mod cli;
pub mod demo;
pub mod deploy;
mod hooks;
mod proofs;
pub mod recording;
pub mod serve;
pub mod server;
mod services;
pub mod settings;
pub mod watched;

pub use builtin::{builtin_modules, read_modules};
pub use hooks::Hooks;
pub use services::Services;
