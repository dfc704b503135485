//! The tests in wasmtime of a crate that `stowage module new` wrote. They use the kit of this
//! repository instead of the copy in the crate, so that only the tests themselves are compiled.
//! `STOWAGE_GENERATED` is the path of their text.

include!(env!("STOWAGE_GENERATED"));
