//! Values in the guest's memory, written as JSON text.
//!
//! Each value is written while it is read. No tree of values is made.

use wasmtime::Result;
use wasmtime::component::__internal::wasmtime_environ::component::{
    StringEncoding, TypeEnum, TypeFlags, TypeOption, TypeRecord, TypeResult, TypeTuple, TypeVariant, VariantInfo,
};
use wasmtime::component::__internal::{ComponentTypes, InterfaceType, LiftContext};
use wasmtime::component::Lift;

use super::guest_bytes::{InvalidValue, address_and_len, array, case, slice};
use super::names::write_camel_case;
use crate::engine::limits::MAX_ANSWER_BYTES;

/// JSON text that is being written. Lists may share the bytes they point to, so a small memory can
/// describe an endless text. The store's host call fuel pays for each byte of the text. This bounds
/// the text.
pub(super) struct JsonText<'c, 'a> {
    cx: &'c mut LiftContext<'a>,
    types: &'a ComponentTypes,
    memory: &'a [u8],
    out: Vec<u8>,
    paid_bytes: usize,
    is_utf8: bool,
}

impl<'c, 'a> JsonText<'c, 'a> {
    pub(super) fn new(cx: &'c mut LiftContext<'a>) -> JsonText<'c, 'a> {
        JsonText {
            types: cx.types,
            memory: cx.memory(),
            out: Vec::with_capacity(1024),
            paid_bytes: 0,
            is_utf8: matches!(cx.options().string_encoding, StringEncoding::Utf8),
            cx,
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Pays for what was written since the last payment.
    fn pay(&mut self) -> Result<()> {
        let written = self.out.len() - self.paid_bytes;
        self.paid_bytes = self.out.len();
        self.check_room(0)?;
        self.cx.consume_fuel(written)
    }

    /// # Errors
    /// When the text would be too long with so many bytes more.
    fn check_room(&self, more_bytes: usize) -> Result<(), InvalidValue> {
        match self.out.len().saturating_add(more_bytes) > MAX_ANSWER_BYTES {
            true => Err(InvalidValue::TooLong),
            false => Ok(()),
        }
    }

    /// Writes the value whose bytes these are.
    pub(super) fn value(&mut self, ty: InterfaceType, bytes: &[u8]) -> Result<()> {
        let types = self.types;
        match ty {
            InterfaceType::Bool => self.scalar(&(array::<1>(bytes)? != [0])),
            InterfaceType::S8 => self.scalar(&i8::from_le_bytes(array(bytes)?)),
            InterfaceType::U8 => self.scalar(&u8::from_le_bytes(array(bytes)?)),
            InterfaceType::S16 => self.scalar(&i16::from_le_bytes(array(bytes)?)),
            InterfaceType::U16 => self.scalar(&u16::from_le_bytes(array(bytes)?)),
            InterfaceType::S32 => self.scalar(&i32::from_le_bytes(array(bytes)?)),
            InterfaceType::U32 => self.scalar(&u32::from_le_bytes(array(bytes)?)),
            InterfaceType::S64 => self.scalar(&i64::from_le_bytes(array(bytes)?)),
            InterfaceType::U64 => self.scalar(&u64::from_le_bytes(array(bytes)?)),
            // NaN and infinities have no JSON form: serde_json writes null.
            InterfaceType::Float32 => self.scalar(&f32::from_le_bytes(array(bytes)?)),
            InterfaceType::Float64 => self.scalar(&f64::from_le_bytes(array(bytes)?)),
            InterfaceType::Char => {
                let found = char::from_u32(u32::from_le_bytes(array(bytes)?));
                self.scalar(&found.ok_or(InvalidValue::NoChar)?);
            }
            InterfaceType::String => self.string(bytes)?,
            InterfaceType::List(i) => self.list(types[i].element, bytes)?,
            InterfaceType::Record(i) => self.record(&types[i], bytes)?,
            InterfaceType::Tuple(i) => self.tuple(&types[i], bytes)?,
            InterfaceType::Variant(i) => self.variant(&types[i], bytes)?,
            InterfaceType::Enum(i) => self.enumeration(&types[i], bytes)?,
            InterfaceType::Option(i) => self.option(&types[i], bytes)?,
            InterfaceType::Result(i) => self.result(&types[i], bytes)?,
            InterfaceType::Flags(i) => self.flags(&types[i], bytes)?,
            // A module whose functions have other types is refused when it is loaded.
            _ => return Err(InvalidValue::Unsupported.into()),
        }
        Ok(())
    }

    fn scalar<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        // Writing a number or a string to a Vec does not fail.
        let _ = serde_json::to_writer(&mut self.out, value);
    }

    fn string(&mut self, bytes: &[u8]) -> Result<()> {
        if self.is_utf8 {
            let (address, len) = address_and_len(bytes)?;
            self.cx.consume_fuel(len)?;
            let text = slice(self.memory, address, len)?;
            self.text(std::str::from_utf8(text).map_err(InvalidValue::from)?)?;
        } else {
            let text = self.read_string(bytes)?;
            self.text(&text)?;
        }
        Ok(())
    }

    /// Writes a string in quotes. One fast pass over the bytes finds whether it needs escapes. Most
    /// strings need none.
    fn text(&mut self, text: &str) -> Result<(), InvalidValue> {
        self.check_room(text.len())?;
        let needs_escape = text
            .bytes()
            .fold(false, |found, b| found | (b < 0x20) | (b == b'"') | (b == b'\\'));
        if needs_escape {
            self.check_room(text.bytes().map(escaped_len).sum())?;
            self.scalar(text);
            return Ok(());
        }
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
        Ok(())
    }

    /// The string whose address and length these bytes are, in the guest's encoding.
    pub(super) fn read_string(&mut self, bytes: &[u8]) -> Result<String> {
        String::linear_lift_from_memory(self.cx, InterfaceType::String, slice(bytes, 0, 8)?)
    }

    fn list(&mut self, item: InterfaceType, bytes: &[u8]) -> Result<()> {
        let (address, len) = address_and_len(bytes)?;
        let abi = self.types.canonical_abi(&item);
        let size = abi.size32 as usize;
        let total = len.checked_mul(size).ok_or(InvalidValue::OutOfBounds)?;
        if !address.is_multiple_of(abi.align32 as usize) {
            return Err(InvalidValue::Unaligned.into());
        }
        let items = slice(self.memory, address, total)?;
        self.out.push(b'[');
        for (i, bytes) in items.chunks_exact(size.max(1)).enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.value(item, bytes)?;
            self.pay()?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn record(&mut self, record: &TypeRecord, bytes: &[u8]) -> Result<()> {
        let mut next = 0;
        self.out.push(b'{');
        for (i, field) in record.fields.iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.key(&field.name);
            self.field(field.ty, &mut next, bytes)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn tuple(&mut self, tuple: &TypeTuple, bytes: &[u8]) -> Result<()> {
        let mut next = 0;
        self.out.push(b'[');
        for (i, ty) in tuple.types.iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.field(*ty, &mut next, bytes)?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// The next field of a record or tuple; `next` is the end of the one before.
    fn field(&mut self, ty: InterfaceType, next: &mut usize, bytes: &[u8]) -> Result<()> {
        let abi = self.types.canonical_abi(&ty);
        let offset = abi.next_field32_size(next);
        self.value(ty, slice(bytes, offset, abi.size32 as usize)?)
    }

    fn variant(&mut self, variant: &TypeVariant, bytes: &[u8]) -> Result<()> {
        let case = case(&variant.info, bytes)?;
        match variant.cases.get_index(case as usize) {
            None => Err(InvalidValue::UnknownCase(case).into()),
            Some((name, None)) => {
                self.name(name);
                Ok(())
            }
            Some((name, payload)) => self.tagged(name, *payload, &variant.info, bytes),
        }
    }

    fn enumeration(&mut self, ty: &TypeEnum, bytes: &[u8]) -> Result<()> {
        let case = case(&ty.info, bytes)?;
        let name = ty.names.iter().nth(case as usize);
        self.name(name.ok_or(InvalidValue::UnknownCase(case))?);
        Ok(())
    }

    fn option(&mut self, option: &TypeOption, bytes: &[u8]) -> Result<()> {
        match case(&option.info, bytes)? {
            0 => self.payload(None, &option.info, bytes),
            1 => self.payload(Some(option.ty), &option.info, bytes),
            other => Err(InvalidValue::UnknownCase(other).into()),
        }
    }

    fn result(&mut self, result: &TypeResult, bytes: &[u8]) -> Result<()> {
        match case(&result.info, bytes)? {
            0 => self.tagged("ok", result.ok, &result.info, bytes),
            1 => self.tagged("err", result.err, &result.info, bytes),
            other => Err(InvalidValue::UnknownCase(other).into()),
        }
    }

    fn flags(&mut self, flags: &TypeFlags, bytes: &[u8]) -> Result<()> {
        self.out.push(b'[');
        let begin = self.out.len();
        for (bit, name) in flags.names.iter().enumerate() {
            let [byte] = array(slice(bytes, bit / 8, 1)?)?;
            if byte >> (bit % 8) & 1 == 1 {
                if self.out.len() > begin {
                    self.out.push(b',');
                }
                self.name(name);
            }
        }
        self.out.push(b']');
        Ok(())
    }

    /// A variant's payload, or null if there is none.
    pub(super) fn payload(&mut self, ty: Option<InterfaceType>, info: &VariantInfo, bytes: &[u8]) -> Result<()> {
        let Some(ty) = ty else {
            self.out.extend_from_slice(b"null");
            return Ok(());
        };
        let size = self.types.canonical_abi(&ty).size32 as usize;
        self.value(ty, slice(bytes, info.payload_offset32 as usize, size)?)
    }

    fn tagged(&mut self, tag: &str, ty: Option<InterfaceType>, info: &VariantInfo, bytes: &[u8]) -> Result<()> {
        self.out.push(b'{');
        self.key(tag);
        self.payload(ty, info, bytes)?;
        self.out.push(b'}');
        Ok(())
    }

    /// A WIT name in its wire form. It has only ASCII letters, digits and hyphens, so it needs no
    /// escapes.
    fn name(&mut self, kebab: &str) {
        self.out.push(b'"');
        write_camel_case(kebab, &mut self.out);
        self.out.push(b'"');
    }

    fn key(&mut self, kebab: &str) {
        self.name(kebab);
        self.out.push(b':');
    }
}

/// The bytes that a byte of a string may take in JSON.
fn escaped_len(byte: u8) -> usize {
    match byte {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    }
}
