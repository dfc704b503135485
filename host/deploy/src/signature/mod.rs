//! Signatures of modules: who signed the bytes of a module, and how a module is signed.
//!
//! The format is that of WebAssembly module signatures: the first section of a signed module is a
//! custom section `signature`. It holds the SHA-256 of all bytes after it, signed with Ed25519.
//! Several keys may sign the same bytes. The crate `wasmsign2` makes and verifies signatures.
//!
//! | file | what it is |
//! |---|---|
//! | `section` | the signature section, read with bounds before anything else looks at it |
//! | `keys` | the directory of public keys |
//! | `verify` | which keys signed a module |
//! | `signing_key` | private keys, and what they sign |

mod keys;
mod section;
mod signing_key;
mod verify;

pub use keys::{KeyDir, KeyError, PublicKeys};
pub use signing_key::{KeyFiles, SignError, Signed, SigningKey};
pub use verify::{SignatureError, signers};
