//! What a function returned, as JSON text. `call.rs` says what the implementation relies on.

use wasmtime::component::__internal::wasmtime_environ::component::TypeResult;
use wasmtime::component::__internal::{CanonicalAbiInfo, ComponentTypes, InstanceType, InterfaceType, LiftContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift};
use wasmtime::{Result, ValRaw, bail};

use super::guest_bytes::{InvalidValue, array, case, slice};
use super::json_text::JsonText;

/// What a function returned. A value is committed; an error is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its value as JSON; null where the function returns nothing.
    Done(Vec<u8>),
    /// The error it decided on. Nothing of the call is kept.
    Failed(Failure),
}

/// An error that a function decided on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The error as JSON; empty if it has no value.
    pub json: Vec<u8>,
    /// Code and message, if the error is a record with a `code: s32` and a `message: string`.
    pub coded: Option<(i32, String)>,
}

impl Outcome {
    /// The code of an error that is a record with a code.
    pub fn code(&self) -> Option<i32> {
        self.error().map(|(code, _)| code)
    }

    /// The code and message of an `error { code: s32, message: string }`.
    pub fn error(&self) -> Option<(i32, &str)> {
        match self {
            Outcome::Failed(failure) => failure.coded.as_ref().map(|(code, message)| (*code, message.as_str())),
            Outcome::Done(_) => None,
        }
    }

    /// The outcome as text for a person.
    pub(crate) fn describe(&self) -> String {
        match (self, self.error()) {
            (_, Some((code, message))) => format!("error {code}: {message}"),
            (Outcome::Done(_), None) => "succeeds".into(),
            (Outcome::Failed(_), None) => "an error without a code".into(),
        }
    }
}

// SAFETY: `Lower` is one `ValRaw`, so wasmtime reads the one core value that a function returns and
// does not use `ABI` (facts 1 and 2 of `call.rs`). `typecheck` accepts each function because the
// value is read by the function's own type (fact 5).
unsafe impl ComponentType for Outcome {
    type Lower = ValRaw;
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(ty: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        match ty {
            InterfaceType::Tuple(_) => Ok(()),
            _ => bail!("expected the results of a function: a tuple"),
        }
    }
}

// SAFETY: the list of types is the function's own (fact 5 of `call.rs`).
unsafe impl ComponentNamedList for Outcome {}

// SAFETY: this reads the core value, which wasmtime has written, and memory through slices.
unsafe impl Lift for Outcome {
    fn linear_lift_from_flat(cx: &mut LiftContext<'_>, ty: InterfaceType, src: &ValRaw) -> Result<Outcome> {
        let InterfaceType::Tuple(index) = ty else {
            bail!("expected the results of a function: a tuple");
        };
        let types: &ComponentTypes = cx.types;
        let Some(ty) = types[index].types.first() else {
            return Ok(Outcome::Done(b"null".to_vec()));
        };
        let abi = types.canonical_abi(ty);
        let size = abi.size32 as usize;
        if abi.flat_count(1).is_some() {
            let bytes = bytes_of_core_value(types, *ty, src)?;
            return read(cx, *ty, slice(&bytes, 0, size)?);
        }
        let address = src.get_u32();
        if !address.is_multiple_of(abi.align32) {
            return Err(InvalidValue::Unaligned.into());
        }
        read(cx, *ty, slice(cx.memory(), address as usize, size)?)
    }

    fn linear_lift_from_memory(_: &mut LiftContext<'_>, _: InterfaceType, _: &[u8]) -> Result<Outcome> {
        bail!("expected the results of a function in one core value")
    }
}

/// The bytes in memory of a value that is one core value: the core value's low bytes, except where
/// the canonical ABI looks at all of it.
fn bytes_of_core_value(types: &ComponentTypes, ty: InterfaceType, value: &ValRaw) -> Result<[u8; 8], InvalidValue> {
    let mut scalar = Some(ty);
    // A record or a tuple of one core value has one field.
    while let Some(outer) = scalar {
        scalar = match outer {
            InterfaceType::Record(i) => types[i].fields.first().map(|field| field.ty),
            InterfaceType::Tuple(i) => types[i].types.first().copied(),
            _ => break,
        };
    }
    let bits = match scalar {
        Some(InterfaceType::Bool) => u64::from(value.get_u32() != 0),
        Some(
            scalar @ (InterfaceType::Enum(_)
            | InterfaceType::Option(_)
            | InterfaceType::Result(_)
            | InterfaceType::Variant(_)),
        ) => {
            let case = value.get_u32();
            if u64::from(case) >> (8 * types.canonical_abi(&scalar).size32) != 0 {
                return Err(InvalidValue::UnknownCase(case));
            }
            u64::from(case)
        }
        _ => value.get_u64(),
    };
    Ok(bits.to_le_bytes())
}

/// Reads a result from its bytes.
fn read(cx: &mut LiftContext<'_>, ty: InterfaceType, bytes: &[u8]) -> Result<Outcome> {
    let types: &ComponentTypes = cx.types;
    let mut text = JsonText::new(cx);
    let InterfaceType::Result(index) = ty else {
        text.value(ty, bytes)?;
        return Ok(Outcome::Done(text.into_bytes()));
    };
    let result = &types[index];
    match case(&result.info, bytes)? {
        0 => {
            text.payload(result.ok, &result.info, bytes)?;
            Ok(Outcome::Done(text.into_bytes()))
        }
        1 => {
            let coded = coded(&mut text, types, result, bytes)?;
            if result.err.is_some() {
                text.payload(result.err, &result.info, bytes)?;
            }
            Ok(Outcome::Failed(Failure {
                json: text.into_bytes(),
                coded,
            }))
        }
        other => Err(InvalidValue::UnknownCase(other).into()),
    }
}

/// Code and message, if the error has the fields of the contract's errors.
fn coded(
    text: &mut JsonText<'_, '_>,
    types: &ComponentTypes,
    result: &TypeResult,
    bytes: &[u8],
) -> Result<Option<(i32, String)>> {
    let Some(InterfaceType::Record(index)) = result.err else {
        return Ok(None);
    };
    let (mut code, mut message) = (None, None);
    let mut next = result.info.payload_offset32 as usize;
    for field in &types[index].fields {
        let abi = types.canonical_abi(&field.ty);
        let bytes = slice(bytes, abi.next_field32_size(&mut next), abi.size32 as usize)?;
        match (field.name.as_str(), field.ty) {
            ("code", InterfaceType::S32) => code = Some(i32::from_le_bytes(array(bytes)?)),
            ("message", InterfaceType::String) => message = Some(text.read_string(bytes)?),
            _ => {}
        }
    }
    Ok(code.zip(message))
}
