//! What a function returned, read out of the guest's memory as JSON text.
//!
//! Every value is written as it is found: a list of records makes one text, and no tree of values.

use wasmtime::component::__internal::wasmtime_environ::component::{StringEncoding, TypeResult, VariantInfo};
use wasmtime::component::__internal::{CanonicalAbiInfo, ComponentTypes, InstanceType, InterfaceType, LiftContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift};
use wasmtime::{Result, ValRaw, bail};

use super::names::write_camel_case;

/// What a function returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Its value as JSON; null where it has none.
    Value(Vec<u8>),
    /// The error of its `result`.
    Error(Failure),
}

/// An error that a function decided on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The error as JSON; empty where it has no value.
    pub json: Vec<u8>,
    /// Code and message, where the error is a record with a `code: s32` and a `message: string`.
    pub coded: Option<(i32, String)>,
}

// SAFETY: `Lower` is one `ValRaw`: the one core value that a function returns, which `linear_lift_from_flat` takes for a value or a pointer
// as the function's own type says. Nothing is laid out by `ABI`, for one core value is never returned through memory.
unsafe impl ComponentType for Answer {
    type Lower = ValRaw;
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(ty: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        match ty {
            InterfaceType::Tuple(_) => Ok(()),
            _ => bail!("results are a tuple"),
        }
    }
}

// SAFETY: as above: the list of types is the function's own.
unsafe impl ComponentNamedList for Answer {}

// SAFETY: all that is read is the core value, as bytes, and memory through slices with their bounds checked.
unsafe impl Lift for Answer {
    fn linear_lift_from_flat(cx: &mut LiftContext<'_>, ty: InterfaceType, src: &ValRaw) -> Result<Answer> {
        let InterfaceType::Tuple(index) = ty else {
            bail!("results are a tuple");
        };
        let results = &cx.types[index];
        let Some(ty) = results.types.first() else {
            return Ok(Answer::Value(b"null".to_vec()));
        };
        let abi = cx.types.canonical_abi(ty);
        let size = abi.size32 as usize;
        if abi.flat_count(1).is_some() {
            // A type of one core value looks in memory like the value's low bytes.
            return answer(cx, *ty, slice(&src.get_u64().to_le_bytes(), 0, size)?);
        }
        let ptr = src.get_u32();
        if !ptr.is_multiple_of(abi.align32) {
            bail!("a result that is not aligned");
        }
        answer(cx, *ty, slice(cx.memory(), ptr as usize, size)?)
    }

    fn linear_lift_from_memory(_: &mut LiftContext<'_>, _: InterfaceType, _: &[u8]) -> Result<Answer> {
        bail!("a result is one core value")
    }
}

fn answer(cx: &mut LiftContext<'_>, ty: InterfaceType, bytes: &[u8]) -> Result<Answer> {
    let types: &ComponentTypes = cx.types;
    let mut text = Text::new(cx);
    let InterfaceType::Result(index) = ty else {
        text.value(ty, bytes)?;
        return Ok(Answer::Value(text.out));
    };
    let result = &types[index];
    match case(&result.info, bytes)? {
        0 => {
            text.payload(result.ok, &result.info, bytes)?;
            Ok(Answer::Value(text.out))
        }
        1 => {
            let coded = coded(&mut text, result, bytes)?;
            if result.err.is_some() {
                text.payload(result.err, &result.info, bytes)?;
            }
            Ok(Answer::Error(Failure { json: text.out, coded }))
        }
        _ => no_case(),
    }
}

/// Code and message of an error of the contract's shape.
fn coded(text: &mut Text<'_, '_>, result: &TypeResult, bytes: &[u8]) -> Result<Option<(i32, String)>> {
    let Some(InterfaceType::Record(index)) = result.err else {
        return Ok(None);
    };
    let (mut code, mut message) = (None, None);
    let mut next = result.info.payload_offset32 as usize;
    for field in &text.types[index].fields {
        let abi = text.types.canonical_abi(&field.ty);
        let bytes = slice(bytes, abi.next_field32_size(&mut next), abi.size32 as usize)?;
        match (field.name.as_str(), field.ty) {
            ("code", InterfaceType::S32) => code = Some(i32::from_le_bytes(*array(bytes)?)),
            ("message", InterfaceType::String) => message = Some(text.string(bytes)?),
            _ => {}
        }
    }
    Ok(code.zip(message))
}

fn slice(bytes: &[u8], offset: usize, len: usize) -> Result<&[u8]> {
    match bytes.get(offset..).and_then(|rest| rest.get(..len)) {
        Some(found) => Ok(found),
        None => bail!("a value beyond the end of memory"),
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<&[u8; N]> {
    match bytes.first_chunk() {
        Some(found) => Ok(found),
        None => bail!("a value beyond the end of memory"),
    }
}

/// Which case a variant is.
fn case(info: &VariantInfo, bytes: &[u8]) -> Result<usize> {
    Ok(match info.size.byte_size() {
        1 => u8::from_le_bytes(*array(bytes)?).into(),
        2 => u16::from_le_bytes(*array(bytes)?).into(),
        _ => u32::from_le_bytes(*array(bytes)?) as usize,
    })
}

/// A case that the type does not have.
fn no_case<T>() -> Result<T> {
    bail!("a value of no case of its type")
}

/// Where a list or a string lies, and its length in units.
fn pair(bytes: &[u8]) -> Result<(usize, usize)> {
    let [a, b, c, d, e, f, g, h] = *array(bytes)?;
    Ok((
        u32::from_le_bytes([a, b, c, d]) as usize,
        u32::from_le_bytes([e, f, g, h]) as usize,
    ))
}

/// JSON text that grows. A guest may name the same bytes many times over: what is written is charged to the store's host call
/// fuel, so that the text stays bounded.
struct Text<'c, 'a> {
    cx: &'c mut LiftContext<'a>,
    types: &'a ComponentTypes,
    memory: &'a [u8],
    out: Vec<u8>,
    charged: usize,
    utf8: bool,
}

impl<'c, 'a> Text<'c, 'a> {
    fn new(cx: &'c mut LiftContext<'a>) -> Text<'c, 'a> {
        Text {
            types: cx.types,
            memory: cx.memory(),
            out: Vec::with_capacity(1024),
            charged: 0,
            utf8: matches!(cx.options().string_encoding, StringEncoding::Utf8),
            cx,
        }
    }

    fn charge(&mut self) -> Result<()> {
        let written = self.out.len() - self.charged;
        self.charged = self.out.len();
        self.cx.consume_fuel(written)
    }

    fn value(&mut self, ty: InterfaceType, bytes: &[u8]) -> Result<()> {
        let types = self.types;
        match ty {
            InterfaceType::Bool => {
                let [byte] = *array(bytes)?;
                self.out
                    .extend_from_slice(if byte == 0 { &b"false"[..] } else { b"true" });
            }
            InterfaceType::S8 => self.scalar(&i8::from_le_bytes(*array(bytes)?)),
            InterfaceType::U8 => self.scalar(&u8::from_le_bytes(*array(bytes)?)),
            InterfaceType::S16 => self.scalar(&i16::from_le_bytes(*array(bytes)?)),
            InterfaceType::U16 => self.scalar(&u16::from_le_bytes(*array(bytes)?)),
            InterfaceType::S32 => self.scalar(&i32::from_le_bytes(*array(bytes)?)),
            InterfaceType::U32 => self.scalar(&u32::from_le_bytes(*array(bytes)?)),
            InterfaceType::S64 => self.scalar(&i64::from_le_bytes(*array(bytes)?)),
            InterfaceType::U64 => self.scalar(&u64::from_le_bytes(*array(bytes)?)),
            // NaN and infinities have no JSON form: serde_json writes null.
            InterfaceType::Float32 => self.scalar(&f32::from_le_bytes(*array(bytes)?)),
            InterfaceType::Float64 => self.scalar(&f64::from_le_bytes(*array(bytes)?)),
            InterfaceType::Char => match char::from_u32(u32::from_le_bytes(*array(bytes)?)) {
                Some(c) => self.scalar(&c),
                None => bail!("a character that is none"),
            },
            InterfaceType::String => self.write_string(bytes)?,
            InterfaceType::List(i) => self.list(types[i].element, bytes)?,
            InterfaceType::Record(i) => {
                let mut next = 0;
                self.out.push(b'{');
                for (i, field) in types[i].fields.iter().enumerate() {
                    if i > 0 {
                        self.out.push(b',');
                    }
                    self.key(&field.name);
                    let abi = types.canonical_abi(&field.ty);
                    let at = abi.next_field32_size(&mut next);
                    self.value(field.ty, slice(bytes, at, abi.size32 as usize)?)?;
                }
                self.out.push(b'}');
            }
            InterfaceType::Tuple(i) => {
                let mut next = 0;
                self.out.push(b'[');
                for (i, ty) in types[i].types.iter().enumerate() {
                    if i > 0 {
                        self.out.push(b',');
                    }
                    let abi = types.canonical_abi(ty);
                    let at = abi.next_field32_size(&mut next);
                    self.value(*ty, slice(bytes, at, abi.size32 as usize)?)?;
                }
                self.out.push(b']');
            }
            InterfaceType::Variant(i) => {
                let variant = &types[i];
                match variant.cases.get_index(case(&variant.info, bytes)?) {
                    None => no_case()?,
                    Some((name, None)) => self.name(name),
                    Some((name, payload)) => self.tagged(name, *payload, &variant.info, bytes)?,
                }
            }
            InterfaceType::Enum(i) => {
                let names = &types[i].names;
                match case(&types[i].info, bytes)? {
                    found if found < names.len() => self.name(&names[found]),
                    _ => no_case()?,
                }
            }
            InterfaceType::Option(i) => {
                let option = &types[i];
                match case(&option.info, bytes)? {
                    0 => self.payload(None, &option.info, bytes)?,
                    1 => self.payload(Some(option.ty), &option.info, bytes)?,
                    _ => no_case()?,
                }
            }
            InterfaceType::Result(i) => {
                let result = &types[i];
                match case(&result.info, bytes)? {
                    0 => self.tagged("ok", result.ok, &result.info, bytes)?,
                    1 => self.tagged("err", result.err, &result.info, bytes)?,
                    _ => no_case()?,
                }
            }
            InterfaceType::Flags(i) => {
                self.out.push(b'[');
                let begin = self.out.len();
                for (bit, name) in types[i].names.iter().enumerate() {
                    if slice(bytes, bit / 8, 1)?[0] >> (bit % 8) & 1 == 1 {
                        if self.out.len() > begin {
                            self.out.push(b',');
                        }
                        self.name(name);
                    }
                }
                self.out.push(b']');
            }
            // Refused when the module was loaded.
            _ => bail!("a result of a type without a JSON form"),
        }
        Ok(())
    }

    fn list(&mut self, item: InterfaceType, bytes: &[u8]) -> Result<()> {
        let (ptr, len) = pair(bytes)?;
        let abi = self.types.canonical_abi(&item);
        let size = abi.size32 as usize;
        let Some(total) = len.checked_mul(size) else {
            bail!("a list beyond the end of memory");
        };
        if !ptr.is_multiple_of(abi.align32 as usize) {
            bail!("a list that is not aligned");
        }
        let items = slice(self.memory, ptr, total)?;
        self.out.push(b'[');
        for (i, bytes) in items.chunks_exact(size.max(1)).enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.value(item, bytes)?;
            self.charge()?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// A variant's payload, or null.
    fn payload(&mut self, ty: Option<InterfaceType>, info: &VariantInfo, bytes: &[u8]) -> Result<()> {
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

    /// A WIT name in its wire form. It consists of ASCII letters, digits and hyphens, none of which JSON escapes.
    fn name(&mut self, kebab: &str) {
        self.out.push(b'"');
        write_camel_case(kebab, &mut self.out);
        self.out.push(b'"');
    }

    fn key(&mut self, kebab: &str) {
        self.name(kebab);
        self.out.push(b':');
    }

    fn scalar<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        scalar(value, &mut self.out);
    }

    fn write_string(&mut self, bytes: &[u8]) -> Result<()> {
        if self.utf8 {
            let text = self.utf8(bytes)?;
            write_text(text, &mut self.out);
        } else {
            let text = String::linear_lift_from_memory(self.cx, InterfaceType::String, bytes)?;
            write_text(&text, &mut self.out);
        }
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) -> Result<String> {
        String::linear_lift_from_memory(self.cx, InterfaceType::String, bytes)
    }

    fn utf8(&mut self, bytes: &[u8]) -> Result<&'a str> {
        let (ptr, len) = pair(bytes)?;
        self.cx.consume_fuel(len)?;
        Ok(std::str::from_utf8(slice(self.memory, ptr, len)?)?)
    }
}

fn scalar<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // Writing a number or a string to a Vec does not fail.
    let _ = serde_json::to_writer(out, value);
}

/// A string in quotes. Most need no escapes: one pass over the bytes tells, eight or more at a time.
fn write_text(text: &str, out: &mut Vec<u8>) {
    let special = text
        .bytes()
        .fold(false, |found, b| found | (b < 0x20) | (b == b'"') | (b == b'\\'));
    if special {
        return scalar(text, out);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}
