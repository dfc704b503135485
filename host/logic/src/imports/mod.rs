//! The host's side of a module's imports: the borrowed state of the call that is under way, its budget, and one file an interface.

mod cloud;
mod progress;
mod storage;
mod transfer;

use wasmtime::component::{HasSelf, Linker};

use crate::api::effect::Request;
use crate::api::fact::{CloudAnswer, Question};
use crate::bindings::stowage::host;
use crate::engine::instance::{Call, State};
use crate::engine::limits::HOST_CALLS_USED;

/// Adds every interface of `stowage:host` that modules import.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    host::storage::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    host::transfer::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    host::cloud::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    host::progress::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

/// What a host call costs besides the bytes it moves, so that many empty calls are counted too.
const CALL_BYTES: u64 = 16;

impl State {
    /// The call under way, charged for one host call that takes `bytes`.
    fn call(&mut self, bytes: usize) -> wasmtime::Result<&mut Call> {
        let call = self.under_way()?;
        match call.host_calls_left.checked_sub(1) {
            Some(left) => call.host_calls_left = left,
            None => return Err(call.refuse(HOST_CALLS_USED)),
        }
        call.charge(bytes)?;
        Ok(call)
    }
}

impl State {
    /// The call under way.
    fn under_way(&mut self) -> wasmtime::Result<&mut Call> {
        self.call
            .as_deref_mut()
            .ok_or_else(|| wasmtime::Error::msg("a host function was called outside of a call"))
    }
}

impl Call {
    /// Ends the run, with the reason for the log.
    fn refuse(&mut self, reason: impl std::fmt::Display) -> wasmtime::Error {
        let reason = reason.to_string();
        self.refused = Some(reason.clone());
        wasmtime::Error::msg(reason)
    }

    /// Charges bytes that a host call took or gives.
    fn charge(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let bytes = (bytes as u64).saturating_add(CALL_BYTES);
        match self.host_bytes_left.checked_sub(bytes) {
            Some(left) => {
                self.host_bytes_left = left;
                Ok(())
            }
            None => Err(self.refuse("more bytes through host calls than a call may move")),
        }
    }

    /// Counts an effect.
    fn effect(&mut self) -> wasmtime::Result<()> {
        match self.effects_left.checked_sub(1) {
            Some(left) => {
                self.effects_left = left;
                Ok(())
            }
            None => Err(self.refuse("more effects than a call may have")),
        }
    }

    /// Notes a request where somebody compares or records what the call does.
    fn note(&mut self, request: impl FnOnce() -> Request) {
        if let Some(requests) = &mut self.requests {
            requests.push(request().without_password());
        }
    }

    /// The answer to a question, or the end of this run so that it can be found out.
    fn ask(&mut self, question: Question) -> wasmtime::Result<CloudAnswer> {
        if let Some(answer) = self.facts.get(&question) {
            return Ok(answer.clone());
        }
        if self.facts.is_full() {
            return Err(self.refuse("more questions to the cloud than a call may ask"));
        }
        self.asked = Some(question);
        Err(wasmtime::Error::msg("the call runs again once the cloud has answered"))
    }
}
