//! Requests that no client sends, made by a seed: random bytes, damaged heads and bodies, JSON with
//! other values than documented, and paths, frames and headers of all kinds.
//!
//! | module | what it makes |
//! |---|---|
//! | `json` | bodies that were documented examples |
//! | `http` | bytes of connections |
//! | `exchange` | sends bytes, and checks what comes back |

mod exchange;
mod http;
mod json;

pub use exchange::{Answer, CODES, Finding, exchange, findings};
pub use http::{Kind, Probe, Probes};
pub use json::{Example, body, examples};
