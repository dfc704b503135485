//! A call of a function whose types are known at run time only.
//!
//! wasmtime's public way for such calls is `Func::call_async` with `Val`s. It looks up the
//! function's type on each call and returns a tree of allocations, a name for each field included.
//! This module makes a typed call instead, whose types are read from the component at run time.
//! `docs/decisions/typed-calls.md` has the measurements.
//!
//! # What this relies on
//!
//! [`Arguments`] and [`Outcome`] implement `ComponentType`, `Lower` and `Lift` by hand.
//! wasmtime reserves these traits for its macros, so read its `component/func.rs` and
//! `func/typed.rs` again at each upgrade. In wasmtime 48 these facts hold:
//!
//! 1. `TypedFunc` chooses between core values and memory by the size of `ComponentType::Lower`, in
//!    units of `ValRaw`, and not by `ABI`. `Arguments` has `MAX_FLAT_PARAMS` of them and
//!    `Outcome` has `MAX_FLAT_RESULTS`, one. So wasmtime only calls `linear_lower_to_flat` and
//!    `linear_lift_from_flat`.
//! 2. `ABI` gives the size and the alignment of a value in memory. wasmtime reads them only where
//!    it takes the way through memory, or where the type is part of another one, as in `Vec<T>`.
//!    Both types are whole parameter and result lists, so `ABI` is not read, and `ZERO` is never
//!    wrong.
//! 3. A function of more than `MAX_FLAT_PARAMS` core parameters takes one: a pointer to a tuple of
//!    them. One of more than `MAX_FLAT_RESULTS` core results returns one: a pointer to them. The
//!    code here decides which, by the function's own type, exactly as wasmtime does for `Val`.
//! 4. wasmtime passes a pointer to a union of both `Lower` types to the compiled function. That
//!    reads as many core values as its own type has, 16 at most, and writes one at most. All 16 are
//!    written here, and `ValRaw` allows all bytes.
//! 5. The `ty` that `linear_lower_to_flat` and `linear_lift_from_flat` get is the tuple of the
//!    function's own parameters or results. So `typecheck` can accept each function. A value of
//!    another type is found while it is lowered.
//! 6. Memories are 32 bits wide: the engine does not enable 64-bit memories for components.
//!
//! Sizes, alignments, offsets of fields, sizes of discriminants and counts of core values are not
//! computed here. They come from `ComponentTypes::canonical_abi` and `VariantInfo`, which wasmtime
//! uses itself. Memory is read and written through slices, so a mistake could give a wrong value or
//! a panic, but no access outside the guest's memory. `random_tests.rs` compares with `Val`.

use wasmtime::component::__internal::wasmtime_environ::component::MAX_FLAT_RESULTS;
use wasmtime::component::{Func, Val};
use wasmtime::{Result, Store};

use super::arguments::Arguments;
use super::outcome::Outcome;

// Fact 1: a result is one core value.
const _: () = assert!(MAX_FLAT_RESULTS == 1);

/// Calls a function.
///
/// # Errors
/// When an argument is not of the function's type, the function traps, or what it returned is no
/// value of its type.
pub(crate) async fn call<T: Send>(store: &mut Store<T>, function: Func, arguments: &[Val]) -> Result<Outcome> {
    function
        .typed::<Arguments<'_>, Outcome>(&*store)?
        .call_async(store, Arguments(arguments))
        .await
}
