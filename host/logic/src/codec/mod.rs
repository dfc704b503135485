//! JSON to component values and back, compiled once from a function's component type.
//!
//! | component type | JSON |
//! |---|---|
//! | `record` | object, field names in camelCase |
//! | `option` | the value, or null or absent |
//! | `list`, `tuple` | array |
//! | `enum` | string, the case in camelCase |
//! | `variant` | the case as a string where it has no payload, else `{"case": payload}` |
//! | `flags` | array of strings |
//! | `result` (inside a value) | `{"ok": …}` or `{"err": …}` |
//! | integers, floats | number; a numeric string where lossless |
//! | `string`, `char` | string; a number, as it is written |
//! | `bool` | true or false |

mod answer;
mod args;
mod decode;
#[cfg(test)]
mod guest_tests;
mod names;
mod shape;
mod value;

pub(crate) use answer::Answer;
pub use answer::Failure;
pub(crate) use args::Args;
pub use decode::{DecodeError, Decoder};
pub(crate) use names::Folded;
pub use names::{camel_case, fold_name};
pub use shape::{Shape, UnsupportedType};
pub use value::json;
