//! The deployer: which modules serve, where they came from, and how they are replaced.
//!
//! ```text
//! bytes ─▶ compile ─▶ check ─▶ (shadow | canary) ─▶ migrate ─▶ rows of the store ─▶ one pointer ─▶ probation ─▶ live
//!                       └ refused, with a report       └──── one transaction ────┘                    └ too bad: rolled back
//! ```
//!
//! The *live set* names the modules by the SHA-256 of their bytes, in the order they are loaded; it and its history are rows of the
//! store, the bytes lie in `DATA/modules/SHA.wasm`. A row names bytes only after they are durable. Every change makes a new
//! generation and takes the number after the last one of the history. One change happens at a time, in a task of its own: a client
//! that hangs up does not leave one half done.
//!
//! | file | what it is |
//! |---|---|
//! | `deployer`, `beside`, `inner` | the handle and its changes; shadows and canaries; what its handles share |
//! | `start` | the live set as the process begins, and what becomes of new built-in modules |
//! | `live`, `history` | the rows: what serves, and what has served |
//! | `blobs` | the bytes of modules on disk |
//! | `check`, `interview` | what is found out before anything is visible; what a module says about itself |
//! | `switch`, `migration`, `undo` | data and code change as one |
//! | `now`, `trials` | what this process serves, and what runs beside it |
//! | `probation` | acts on versions that do worse |
//! | `api` | the JSON of the admin API |
//! | `recordings` | the recording of calls that the admin API starts and stops |
//! | `watched` | the directory whose modules go live by themselves |

pub mod api;
mod beside;
mod blobs;
mod check;
mod deployer;
mod error;
mod history;
mod inner;
mod interview;
mod live;
mod migration;
mod now;
mod options;
mod probation;
mod recordings;
mod replay;
mod start;
mod switch;
mod trials;
mod undo;
pub mod watched;

pub use deployer::Deployer;
pub use error::DeployError;
pub use options::{CanaryOptions, PROBATION, Source, SwapOptions};
pub use recordings::{Recordings, RecordingsError};
