//! The interfaces of the host that modules import.

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::stowage::host;
use crate::engine::state::State;

/// Adds every interface of `stowage:host` that modules import.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    host::storage::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    host::transfer::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    host::cloud::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    host::progress::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    host::tasks::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    host::files::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}
