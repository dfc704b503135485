//! Runs WASI components: loads them, routes requests to them, calls their functions.
//!
//! A call is one transaction: an instance is armed with a snapshot and runs, and what it wrote is
//! committed. A call that conflicts with another one runs again. What modules serve is a
//! [`Generation`], which is replaced as a whole.
//!
//! The parts depend one way, from the top to the bottom of this list:
//!
//! | part | what it does |
//! |---|---|
//! | `rpc` | JSON requests to calls, outcomes to envelopes |
//! | `logic` | the facade |
//! | `routing` | which version of which function answers a request |
//! | `response_cache` | responses of calls that only read |
//! | `rollout` | canaries, versions on probation, shadows |
//! | `call` | attempts on snapshots until one commits |
//! | `imports` | the host functions that modules import |
//! | `engine` | modules in wasmtime: compiled, checked, instantiated, limited |
//! | `scheduler` | when runs get the processor |
//! | `spans` | the spans of a call, for traces |
//! | `api` | ids, errors, effects, facts, and the traits of the services |
//! | `codec` | JSON to component values and back |

#![warn(unreachable_pub)]

mod api;
mod background;
mod bindings;
mod call;
pub mod codec;
mod deadline;
mod engine;
#[doc(hidden)]
pub mod fuzz;
mod imports;
mod logic;
mod printable;
mod response_cache;
mod rollout;
mod routing;
pub mod rpc;
mod scheduler;
mod spans;

pub use api::call_id::CallId;
pub use api::effect::{CloudChange, Effect, HIDDEN, Request};
pub use api::error::{CallError, Fault, GrowthLimit, Refusal, ServiceError};
pub use api::fact::{Answer, CloudFailure, Facts, Question, SyncCounts};
pub use api::invocation::Invocation;
pub use api::moment::Moment;
pub use api::row_hooks::{HookOutcome, RowHooks};
pub use api::services::Services;
pub use bindings::stowage::host as wit;
pub use call::conditions::Conditions;
pub use call::config::Config;
pub use call::dry_run::DryRun;
pub use call::observer::{Observation, Observer};
pub use codec::Outcome;
pub use deadline::{Elapsed, within};
pub use engine::cache_state::{CacheState, inspect_cache};
pub use engine::compile_process::compile_stdin;
pub use engine::documentation::{Declaration, Documentation, DocumentedFunction, DocumentedPart, DocumentedType};
pub use engine::documented_numbers::DocumentedNumber;
pub use engine::error::{CompileError, EngineError, LoadError};
pub use engine::export::{Export, InterfaceName};
pub use engine::function::Function;
pub use engine::limits::{Limits, MAX_MODULE_BYTES};
pub use engine::module::Module;
pub use engine::pool::Reuse;
pub use engine::precompiled::{Precompiled, precompile};
pub use engine::signature::Signature;
pub use engine::stats::{FunctionCounts, InstanceEnd, ModuleStats, Retry, Summary};
pub use engine::version::{ParseVersionError, Version};
pub use logic::Logic;
pub use rollout::behaviour::{Behaviour, Ending, is_module_table};
pub use rollout::difference::{decoded, differences, shown_key};
pub use rollout::shadow::{Difference, Shadow, ShadowTally};
pub use rollout::share::Share;
pub use rollout::thresholds::Thresholds;
pub use rollout::watch::{Regression, Watch, WatchReport};
pub use routing::generation::Generation;
pub use routing::route::Route;
pub use routing::serving::CallHold;
pub use spans::SPAN_TARGET;
