//! A test kit for modules. It runs a component in wasmtime as the server does, over storage in
//! memory, with a scripted cloud and scripted transfers.
//!
//! ```no_run
//! use serde_json::json;
//! use stowage_kit::{ApiError, Kit};
//!
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let kit = Kit::load("target/modules/favorites.wasm").await?;
//! kit.set_now(1_700_000_000_000).set_seed([7; 32]);
//!
//! // As on the wire: JSON in, the envelope out.
//! let answer = kit.json("createImFavoriteFolder", json!({"name": "music"})).await;
//! assert_eq!(answer, json!({"code": 200, "message": null, "data": true}));
//!
//! // With Rust types, which are checked against those of the function.
//! let again: Result<bool, ApiError> = kit.call_typed("create-im-favorite-folder", ("music".to_owned(),)).await?;
//! assert_eq!(again.unwrap_err().code, 60002);
//!
//! // What was stored, and which effects were asked for.
//! assert_eq!(kit.rows("favorite-folders").len(), 1);
//! assert_eq!(kit.requests().len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What is real and what is not
//!
//! Real: the engine with all its limits, the route table, JSON and its errors, transactions with
//! conflicts and rollback, the reuse of instances, the second attempt of a call that asked the
//! cloud.
//!
//! Scripted, by [`Kit::script`]: what the cloud answers, and whether a download is accepted.
//! Effects are listed by [`Kit::requests`] and have no consequences.
//!
//! Chosen by the test: time stands still at [`Kit::set_now`]. Every call gets the same random
//! numbers until [`Kit::set_seed`]; [`Kit::vary_seed`] makes them differ from call to call, as
//! identifiers need.
//!
//! # Rows from the cloud
//!
//! ```no_run
//! # use serde_json::json;
//! # use stowage_kit::Kit;
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! # let kit = Kit::load("target/modules/favorites.wasm").await?;
//! // At once, as a sync hands them over:
//! kit.apply("favorite-folders", &[json!({"id": "1", "name": "music", "time": 1})], &[]).await?;
//! // Or when a call asks for a sync:
//! kit.script().sync_brings("favorite-folders", [json!({"id": "2", "name": "art", "time": 2})]);
//! # Ok(())
//! # }
//! ```
//!
//! # Failures
//!
//! A module cannot catch the failure of a host call. The call ends, and nothing of it is kept.
//! [`Kit::fail_each_host_call`] shows that for every host call that a call makes:
//!
//! ```no_run
//! # use serde_json::json;
//! # use stowage_kit::Kit;
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! # let kit = Kit::load("target/modules/favorites.wasm").await?;
//! let host_calls = kit
//!     .fail_each_host_call(async || {
//!         kit.json("createImFavoriteFolder", json!({"name": "music"})).await;
//!     })
//!     .await;
//! assert!(host_calls > 0);
//! # Ok(())
//! # }
//! ```
//!
//! # Recordings
//!
//! A recording holds calls with all that they read and did. It comes from a running server
//! (`stowage record`) or from a kit ([`Kit::record`]). [`Kit::replay`] runs it on another version
//! of the module and reports each difference:
//!
//! ```no_run
//! # use stowage_kit::Kit;
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let kit = Kit::load("target/modules/favorites.wasm").await?;
//! let report = kit.replay(&std::fs::read_to_string("tests/recordings/live.ndjson")?).await?;
//! assert!(report.passed(), "{:#?}", report.differences);
//! # Ok(())
//! # }
//! ```

#![warn(unreachable_pub)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod builder;
mod call_log;
mod collection;
mod conditions;
mod error;
mod function;
mod kit;
mod recording;
mod rows;
mod script;

pub use builder::KitBuilder;
pub use error::{ApiError, KitError};
pub use kit::Kit;
pub use rows::{Content, Row};
pub use script::Script;

pub use stowage_logic::wit::transfer::DownloadRefusal;
pub use stowage_logic::{CallError, CloudChange, CloudFailure, HIDDEN, Limits, Moment, Request, Reuse, SyncCounts};
pub use stowage_recording::{CallDifference, RecordingError, ReplayReport};
