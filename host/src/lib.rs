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
//! | [`Services`], [`RowModules`], [`Hooks`] | what modules reach of the cloud, transfers and feed, and the other way |
//! | [`serve`] | puts the parts together, and takes them apart in order |
//! | [`settings`] | flags, environment, file |
//! | [`demo`] | the set that `--demo` fills an empty space with |
//!
//! Crates of their own are: which modules serve (`stowage-deploy`), the commands of a client (`stowage-cli`), running components
//! (`stowage-logic`), recordings (`stowage-recording`), storage, cloud and transfers (`stowage-storage`, `stowage-cloud`,
//! `stowage-transfer`). The last three know neither HTTP nor WebAssembly.

pub mod admin;
mod builtin;
pub mod demo;
mod hooks;
mod response;
pub mod serve;
pub mod server;
mod services;
pub mod settings;

pub use builtin::{builtin_modules, read_modules};
pub use hooks::{Hooks, RowModules};
pub use services::Services;
