//! Bytes of the guest's memory that hold a value.

use wasmtime::component::__internal::wasmtime_environ::component::VariantInfo;

use crate::engine::limits::MAX_ANSWER_BYTES;

/// Why bytes of the guest are not a value of their type.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidValue {
    #[error("a value lies outside of the module's memory")]
    OutOfBounds,
    #[error("a list or a result is not aligned")]
    Unaligned,
    #[error("the type of a value has no case {0}")]
    UnknownCase(u32),
    #[error("a char is not a Unicode scalar value")]
    NoChar,
    #[error("a string is not UTF-8")]
    NoUtf8(#[from] std::str::Utf8Error),
    #[error("a value is of a type without a JSON form")]
    Unsupported,
    #[error("what the function returned is longer than {} MiB as JSON", MAX_ANSWER_BYTES >> 20)]
    TooLong,
}

/// `len` bytes from `offset`.
pub(super) fn slice(bytes: &[u8], offset: usize, len: usize) -> Result<&[u8], InvalidValue> {
    bytes
        .get(offset..)
        .and_then(|rest| rest.get(..len))
        .ok_or(InvalidValue::OutOfBounds)
}

/// The first `N` bytes.
pub(super) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], InvalidValue> {
    bytes.first_chunk().copied().ok_or(InvalidValue::OutOfBounds)
}

/// The index of the case of a variant. The type may have fewer cases.
pub(super) fn case(info: &VariantInfo, bytes: &[u8]) -> Result<u32, InvalidValue> {
    Ok(match info.size.byte_size() {
        1 => u8::from_le_bytes(array(bytes)?).into(),
        2 => u16::from_le_bytes(array(bytes)?).into(),
        _ => u32::from_le_bytes(array(bytes)?),
    })
}

/// The address of a list or a string, and its length in units.
pub(super) fn address_and_len(bytes: &[u8]) -> Result<(usize, usize), InvalidValue> {
    let [a, b, c, d, e, f, g, h] = array(bytes)?;
    Ok((
        u32::from_le_bytes([a, b, c, d]) as usize,
        u32::from_le_bytes([e, f, g, h]) as usize,
    ))
}
