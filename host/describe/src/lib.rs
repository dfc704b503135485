//! Describes the API of loaded modules: OpenAPI, AsyncAPI, TypeScript and Markdown.
//!
//! The types are those of the components. The words are the comments of the WIT text that a module
//! carries. A module without that text is described by its types alone.

#![warn(unreachable_pub)]

mod api;
mod asyncapi;
mod comment;
mod json;
mod markdown;
mod method;
mod names;
mod openapi;
mod schema;
mod typescript;

pub use asyncapi::asyncapi;
pub use json::Json;
pub use markdown::markdown;
pub use openapi::openapi;
pub use schema::{Role, schema};
pub use typescript::typescript;
