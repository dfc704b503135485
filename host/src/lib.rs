//! **Stowage**: a local storage server whose business logic is hot-swappable WASI components.
//!
//! The way of a request:
//!
//! ```text
//! server ─▶ server::gate ─▶ rpc (codec) ─▶ logic ─▶ a component's function
//!                                            │          │ imports: storage · transfer · cloud · progress
//!                                            └─ commit ◀┘
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`server`] | sockets: HTTP/1.1, the gate, the websocket of the feed |
//! | [`rpc`] | which method a request means, its parameters, the envelope |
//! | [`codec`] | JSON ⇄ component values, from component types |
//! | [`logic`] | engine, modules, route table, one call = one transaction |
//! | [`serve`] | puts the parts together, and takes them apart in order |
//! | [`settings`] | flags, environment, file |
//! | [`cli`] | the client's commands |
//! | [`demo`] | the set that `--demo` fills an empty space with |
//!
//! Storage, cloud and transfers are crates of their own (`stowage-storage`, `stowage-cloud`, `stowage-transfer`), which know
//! neither HTTP nor WebAssembly.

pub mod cli;
pub mod codec;
pub mod demo;
pub mod logic;
pub mod rpc;
pub mod serve;
pub mod server;
pub mod settings;
