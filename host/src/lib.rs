//! **Stowage**: a local storage server whose business logic is hot-swappable WASI components.
//!
//! The path of a request:
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
//! | [`admin`] | the admin API: shows and replaces the live modules; its token |
//! | [`console`] | the page at `/`: its files, one-time links and sessions |
//! | [`overview`], [`traffic`], [`journal`] | what the admin API tells about the server: state and warnings; calls a second; the last lines of the log |
//! | [`health`], [`metrics`] | `/healthz`, `/readyz` and `/metrics` |
//! | [`telemetry`] | the log's format, and traces and logs over OTLP |
//! | [`backups`] | backups that the server makes: when it is asked, and by a schedule |
//! | [`db`] | `stowage db`: backups, restores, checks, text, salvage |
//! | [`Services`] | what modules import: the cloud, transfers and the feed |
//! | [`Hooks`], [`RowModules`] | the functions of modules that the cloud and transfers call |
//! | [`serve`] | assembles the parts, and shuts them down in order |
//! | [`settings`], `settings_file` | flags, environment, file; the file's faults |
//! | [`listen`] | where a server listens: an address or a unix socket |
//! | [`Arguments`] | the command line, and what runs each command |
//! | [`doctor`] | `stowage doctor`: checks what a server needs |
//! | [`completions`], [`man`], [`color`] | completions of shells, manual pages, colours |
//! | [`demo`] | the files and rows that `--demo` fills an empty space with |
//!
//! The other parts are crates: `stowage-deploy` (which modules serve), `stowage-cli` (the commands
//! of a client), `stowage-logic` (running components), `stowage-recording`, `stowage-storage`,
//! `stowage-cloud` and `stowage-transfer`. The last three know neither HTTP nor WebAssembly.

#![warn(unreachable_pub)]

mod admin;
mod arguments;
mod backups;
mod builtin;
pub mod color;
pub mod completions;
mod console;
mod db;
mod demo;
mod doctor;
#[doc(hidden)]
pub mod fuzz;
mod health;
mod hooks;
pub mod journal;
pub mod listen;
mod man;
mod metrics;
mod overview;
mod response;
pub mod serve;
mod server;
mod services;
pub mod settings;
mod settings_file;
pub mod telemetry;
mod traffic;

pub use arguments::{Arguments, Command};
pub use builtin::{builtin_code, builtin_modules, read_modules};
pub use hooks::{Hooks, RowModules};
pub use services::Services;
