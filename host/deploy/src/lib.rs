//! The deployer: which modules serve, where they came from, and how they are replaced.
//!
//! ```text
//! bytes ─▶ compile ─▶ check ─▶ (shadow | canary) ─▶ migrate ─▶ rows of the store ─▶ publish ─▶ probation ─▶ live
//!                       └ refused, with a report      └───── one transaction ────┘               └ rolled back
//! ```
//!
//! The *live set* names the modules by the SHA-256 of their bytes, in load order. The live set and
//! its history are rows of the store; the bytes are in `DATA/modules/SHA.wasm`. A row names bytes
//! only after they are durable. Every change makes a new generation, whose number follows the last
//! one of the history. One change is made at a time, in a task of its own: a client that
//! disconnects does not interrupt it.
//!
//! | file | what it is |
//! |---|---|
//! | `deployer` | the handle, and what it tells |
//! | `swap`, `rollback`, `rollout` | the changes: modules go live, go back, run as shadows and canaries |
//! | `supervisor` | rolls back or aborts versions that exceed their thresholds |
//! | `start` | the live set when the process begins |
//! | `switch`, `publish` | a change is committed and published |
//! | `migration` | stored rows are brought to another data version |
//! | `check`, `lifecycle` | what is found out before anything is visible; the functions that modules export for it |
//! | `shared`, `serving` | what all handles share; what this process serves |
//! | `candidate`, `trials`, `probation` | versions that are not live, or not for good |
//! | `change`, `live_set`, `history`, `rows` | the rows of a change |
//! | `migration_record` | the progress of a migration |
//! | `blobs` | the bytes of modules on disk |
//! | `trust` | which modules may go live, if modules have to be signed |
//! | `signature` | who signed a module; keys; signing |
//! | `recordings` | the recording of calls that the admin API starts and stops |
//! | `watched` | the directory whose modules go live by themselves |
//! | `counts` | what the metrics tell about modules |
//! | `api` | the JSON of the admin API |

#![warn(unreachable_pub)]

pub mod api;
mod blobs;
mod candidate;
mod change;
mod check;
mod clock;
mod counts;
mod deployer;
mod error;
mod history;
mod lifecycle;
mod live_set;
mod migration;
mod migration_record;
mod options;
mod probation;
mod publish;
mod recordings;
mod rollback;
mod rollout;
mod rows;
mod serving;
mod shared;
pub mod signature;
mod start;
mod supervisor;
mod swap;
mod switch;
mod trials;
mod trust;
pub mod watched;
mod wire;

pub use counts::{Counts, ShadowCounts, TrialCounts};
pub use deployer::Deployer;
pub use error::{DeployError, StorageError};
pub use options::{BUILT_IN, CanaryOptions, PROBATION, Source, SwapOptions};
pub use recordings::{Recordings, RecordingsError};
pub use start::SignedModules;
