//! The spans of a call, for traces: waiting for a permit, host calls, questions, the commit and its
//! effects are its children.
//!
//! All have one target, so that a layer of the host can choose them. If no layer wants them, a span
//! costs one look at a cached flag, and its children are not even tried. Fields hold numbers and
//! names, never stored values.

use tracing::Span;
use tracing::field::Empty;

use crate::api::call_id::CallId;
use crate::api::code;
use crate::engine::function::Function;

/// The target of all spans for traces.
pub const SPAN_TARGET: &str = "stowage::span";

/// A call of this function, routed by this generation.
pub(crate) fn call(function: &Function, id: CallId, generation: u64) -> Span {
    let module = function.module();
    tracing::debug_span!(
        target: SPAN_TARGET,
        "call",
        call_id = %id,
        method = function.method(),
        module = &*module.name,
        version = %module.version,
        generation,
        attempts = Empty,
        trial_version = Empty,
        fell_back = Empty,
        code = Empty,
        otel.status_code = Empty,
    )
}

/// Notes how a call ended.
pub(crate) fn ended(call: &Span, code: i32) {
    call.record("code", code);
    if code == code::FAILURE {
        call.record("otel.status_code", "ERROR");
    }
}

/// The wait for a permit to run.
pub(crate) fn wait(call: &Span) -> Span {
    child(
        call,
        || tracing::debug_span!(target: SPAN_TARGET, parent: call, "wait for a permit"),
    )
}

/// A function of the host that the module calls.
pub(crate) fn host_call(call: &Span, function: &'static str) -> Span {
    child(call, || {
        tracing::debug_span!(
            target: SPAN_TARGET,
            parent: call,
            "host call",
            otel.name = function,
            table = Empty,
            bytes = Empty,
            rows = Empty,
        )
    })
}

/// A question that is answered outside of the transaction.
pub(crate) fn question(call: &Span, kind: &'static str) -> Span {
    child(
        call,
        || tracing::debug_span!(target: SPAN_TARGET, parent: call, "question", otel.name = "question", kind),
    )
}

/// The commit, with the bytes that it writes.
pub(crate) fn commit(call: &Span, bytes: usize) -> Span {
    child(call, || {
        tracing::debug_span!(
            target: SPAN_TARGET,
            parent: call,
            "commit",
            bytes,
            sequence = Empty,
            batch = Empty,
            conflict = Empty,
        )
    })
}

/// An effect that is released.
pub(crate) fn effect(call: &Span, kind: &'static str) -> Span {
    child(
        call,
        || tracing::debug_span!(target: SPAN_TARGET, parent: call, "effect", kind),
    )
}

/// A child of a call, if the call is traced.
fn child(call: &Span, make: impl FnOnce() -> Span) -> Span {
    match call.is_disabled() {
        true => Span::none(),
        false => make(),
    }
}
