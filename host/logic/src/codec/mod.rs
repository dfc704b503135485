//! JSON to component values and back, guided by a function's component types.
//!
//! | component type | JSON |
//! |---|---|
//! | `record` | object, field names in camelCase |
//! | `option` | the value, or null or absent |
//! | `list`, `tuple` | array |
//! | `enum` | string, the case in camelCase |
//! | `variant` | a case without payload is a string, one with a payload is `{"case": payload}` |
//! | `flags` | array of strings |
//! | `result` (inside a value) | `{"ok": …}` or `{"err": …}` |
//! | integers, floats | number; a numeric string where that loses nothing |
//! | `string`, `char` | string; a number is taken as it is written |
//! | `bool` | true or false |
//!
//! The way of a request: [`Decoder`] makes values from its JSON, `arguments` writes them to the
//! guest, `outcome` and `json_text` read the result and write it as JSON.

mod arguments;
mod call;
mod decode;
#[cfg(test)]
mod differential_tests;
mod guest_bytes;
#[cfg(test)]
mod guest_tests;
mod json_text;
mod names;
mod number;
mod outcome;
#[cfg(test)]
mod random_tests;
mod shape;
mod val_json;

pub(crate) use call::call;
pub use decode::{DecodeError, Decoder};
pub(crate) use names::FoldedName;
pub use names::{camel_case, fold_name};
pub use outcome::{Failure, Outcome};
pub use shape::{Shape, UnsupportedType};
pub use val_json::json;
