//! The tests in wasmtime of a crate that `stowage module new` wrote, with this repository's kit in place of the copy in the crate: so
//! nothing is compiled for them but themselves. `STOWAGE_GENERATED` names their text.

include!(env!("STOWAGE_GENERATED"));
