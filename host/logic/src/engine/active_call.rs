//! The call that an instance runs: its transaction, its budget, and what it asked for.

use std::sync::Arc;

use stowage_storage::Transaction;
use tracing::Span;

use crate::api::effect::{Effect, Request};
use crate::api::error::Refusal;
use crate::api::fact::{Answer, Facts, Question};
use crate::api::services::Services;

/// What each host call costs in addition to its bytes. It bounds host calls that move no bytes.
const CALL_BYTES: u64 = 16;

/// One run of one call.
pub(crate) struct ActiveCall {
    pub(crate) transaction: Transaction,
    pub(crate) now_ms: u64,
    pub(crate) effects: Vec<Effect>,
    /// What the run asked for. Kept only for observers and comparisons.
    pub(crate) requests: Option<Vec<Request>>,
    pub(crate) facts: Facts,
    /// The question that ended the run.
    pub(crate) asked: Option<Question>,
    /// Why a host function ended the run.
    pub(crate) refused: Option<Refusal>,
    pub(crate) host_calls_left: u32,
    pub(crate) host_bytes_left: u64,
    pub(crate) effects_left: usize,
    pub(crate) services: Arc<dyn Services>,
    /// The call in traces; none if it is not traced.
    pub(crate) span: Span,
    /// Whether the run used the clock or random numbers, or printed. Known once it has ended.
    pub(crate) used_world: bool,
}

impl ActiveCall {
    /// Ends the run for this reason.
    pub(crate) fn refuse(&mut self, reason: impl Into<Refusal>) -> wasmtime::Error {
        let reason = reason.into();
        let error = wasmtime::Error::msg(reason.to_string());
        self.refused = Some(reason);
        error
    }

    /// Charges bytes that a host call takes or gives.
    pub(crate) fn charge(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let bytes = (bytes as u64).saturating_add(CALL_BYTES);
        let Some(left) = self.host_bytes_left.checked_sub(bytes) else {
            return Err(self.refuse(Refusal::HostByteLimit));
        };
        self.host_bytes_left = left;
        Ok(())
    }

    /// Counts an effect.
    pub(crate) fn count_effect(&mut self) -> wasmtime::Result<()> {
        let Some(left) = self.effects_left.checked_sub(1) else {
            return Err(self.refuse(Refusal::EffectLimit));
        };
        self.effects_left = left;
        Ok(())
    }

    /// Keeps a request for observers and comparisons.
    pub(crate) fn note(&mut self, request: impl FnOnce() -> Request) {
        if let Some(requests) = &mut self.requests {
            requests.push(request().without_password());
        }
    }

    /// The answer to a question. If it is not known yet, the run ends and the host finds it out.
    pub(crate) fn ask(&mut self, question: Question) -> wasmtime::Result<Answer> {
        if let Some(answer) = self.facts.get(&question) {
            return Ok(answer.clone());
        }
        if self.facts.is_full() {
            return Err(self.refuse(Refusal::QuestionLimit));
        }
        self.asked = Some(question);
        Err(wasmtime::Error::msg(
            "the call runs again once the question is answered",
        ))
    }

    /// Whether the run only read the store. Its outcome then follows from the function, its
    /// arguments and the tables it read.
    pub(crate) fn only_read(&self) -> bool {
        !self.used_world && self.effects.is_empty() && self.facts.is_empty()
    }
}
