//! Component values to a function's arguments, of whatever type the function has.
//!
//! wasmtime's own untyped calls look the function's type up and check it again on every call, and give results back as a tree of
//! allocations; a typed call does neither. So this is a typed call whose type is read at run time.

use std::mem::MaybeUninit;

use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Lower, Val};
use wasmtime::{Result, ValRaw, bail};

/// Core values that a function takes at most without a pointer to the rest.
const MOST_FLAT: usize = 16;

/// The arguments of one call.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a>(pub(crate) &'a [Val]);

// SAFETY: `Lower` is an array of `ValRaw`. Nothing is laid out by `ABI`, for as many core values as `Lower` holds are never passed through
// memory. Any type is taken because `linear_lower_to_flat` goes by the function's own.
unsafe impl ComponentType for Args<'_> {
    type Lower = [ValRaw; MOST_FLAT];
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(ty: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        match ty {
            InterfaceType::Tuple(_) => Ok(()),
            _ => bail!("parameters are a tuple"),
        }
    }
}

// SAFETY: as above: the list of types is the function's own.
unsafe impl ComponentNamedList for Args<'_> {}

// SAFETY: every core value that the function may read is written: all of them are initialized, and each value is lowered by the type that
// the component declares, after `lower` or `store` has found that it is of this type.
unsafe impl Lower for Args<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        let InterfaceType::Tuple(index) = ty else {
            bail!("parameters are a tuple");
        };
        let tuple = &cx.types[index];
        if tuple.types.len() != self.0.len() {
            bail!("expected {} arguments, found {}", tuple.types.len(), self.0.len());
        }
        let mut flat = Flat::default();
        if tuple.abi.flat_count(MOST_FLAT).is_some() {
            for (value, ty) in self.0.iter().zip(&tuple.types) {
                lower(value, cx, *ty, &mut flat)?;
            }
        } else {
            let ptr = cx.realloc(0, 0, tuple.abi.align32, tuple.abi.size32 as usize)?;
            let mut offset = ptr;
            for (value, ty) in self.0.iter().zip(&tuple.types) {
                let at = cx.types.canonical_abi(ty).next_field32_size(&mut offset);
                store(value, cx, *ty, at)?;
            }
            flat.push(ValRaw::i64(ptr as i64))?;
        }
        dst.write(flat.values);
        Ok(())
    }

    fn linear_lower_to_memory<T>(&self, _: &mut LowerContext<'_, T>, _: InterfaceType, _: usize) -> Result<()> {
        bail!("arguments are not a value in memory")
    }
}

/// Core values, in their order.
struct Flat {
    values: [ValRaw; MOST_FLAT],
    len: usize,
}

impl Default for Flat {
    fn default() -> Flat {
        Flat {
            values: [ValRaw::u64(0); MOST_FLAT],
            len: 0,
        }
    }
}

impl Flat {
    fn push(&mut self, value: ValRaw) -> Result<()> {
        match self.values.get_mut(self.len) {
            Some(slot) => *slot = value,
            None => bail!("more core values than the function takes"),
        }
        self.len += 1;
        Ok(())
    }

    /// Leaves out values up to this one: the other cases of a variant may have more.
    fn skip_to(&mut self, len: usize) {
        self.len = len;
    }
}

fn mismatch<T>() -> Result<T> {
    bail!("an argument is of another type than the function's")
}

/// The index of a case, and its payload's type and value.
type Chosen<'v> = (u32, Option<(InterfaceType, &'v Val)>);

/// Which case of an enum, option, result or variant a value is.
fn choose<'v, T>(value: &'v Val, cx: &LowerContext<'_, T>, ty: InterfaceType) -> Result<Chosen<'v>> {
    let paired = |ty: Option<InterfaceType>, payload: &'v Option<Box<Val>>| match (ty, payload) {
        (Some(ty), Some(payload)) => Ok(Some((ty, &**payload))),
        (None, None) => Ok(None),
        _ => mismatch(),
    };
    match (ty, value) {
        (InterfaceType::Enum(i), Val::Enum(name)) => match cx.types[i].names.get_index_of(name) {
            Some(index) => Ok((u32::try_from(index)?, None)),
            None => mismatch(),
        },
        (InterfaceType::Option(_), Val::Option(None)) => Ok((0, None)),
        (InterfaceType::Option(i), Val::Option(payload)) => Ok((1, paired(Some(cx.types[i].ty), payload)?)),
        (InterfaceType::Result(i), Val::Result(Ok(payload))) => Ok((0, paired(cx.types[i].ok, payload)?)),
        (InterfaceType::Result(i), Val::Result(Err(payload))) => Ok((1, paired(cx.types[i].err, payload)?)),
        (InterfaceType::Variant(i), Val::Variant(name, payload)) => match cx.types[i].cases.get_full(name) {
            Some((index, _, ty)) => Ok((u32::try_from(index)?, paired(*ty, payload)?)),
            None => mismatch(),
        },
        _ => mismatch(),
    }
}

/// Appends a value's core values.
fn lower<T>(value: &Val, cx: &mut LowerContext<'_, T>, ty: InterfaceType, out: &mut Flat) -> Result<()> {
    let types = cx.types;
    match (ty, value) {
        (InterfaceType::Bool, Val::Bool(v)) => out.push(ValRaw::u32((*v).into())),
        (InterfaceType::S8, Val::S8(v)) => out.push(ValRaw::i32((*v).into())),
        (InterfaceType::U8, Val::U8(v)) => out.push(ValRaw::u32((*v).into())),
        (InterfaceType::S16, Val::S16(v)) => out.push(ValRaw::i32((*v).into())),
        (InterfaceType::U16, Val::U16(v)) => out.push(ValRaw::u32((*v).into())),
        (InterfaceType::S32, Val::S32(v)) => out.push(ValRaw::i32(*v)),
        (InterfaceType::U32, Val::U32(v)) => out.push(ValRaw::u32(*v)),
        (InterfaceType::S64, Val::S64(v)) => out.push(ValRaw::i64(*v)),
        (InterfaceType::U64, Val::U64(v)) => out.push(ValRaw::u64(*v)),
        (InterfaceType::Float32, Val::Float32(v)) => out.push(ValRaw::f32(v.to_bits())),
        (InterfaceType::Float64, Val::Float64(v)) => out.push(ValRaw::f64(v.to_bits())),
        (InterfaceType::Char, Val::Char(v)) => out.push(ValRaw::u32((*v).into())),
        (InterfaceType::String, Val::String(v)) => {
            let mut pair = MaybeUninit::new([ValRaw::u64(0); 2]);
            v.as_str().linear_lower_to_flat(cx, ty, &mut pair)?;
            // SAFETY: it was initialized above, whatever has been written to it since.
            let [ptr, len] = unsafe { pair.assume_init() };
            out.push(ptr)?;
            out.push(len)
        }
        (InterfaceType::List(i), Val::List(items)) => {
            let (ptr, len) = store_list(items, cx, types[i].element)?;
            out.push(ValRaw::u32(ptr))?;
            out.push(ValRaw::u32(len))
        }
        (InterfaceType::Record(i), Val::Record(values)) => {
            let fields = &types[i].fields;
            if fields.len() != values.len() {
                return mismatch();
            }
            fields
                .iter()
                .zip(values)
                .try_for_each(|(field, (_, v))| lower(v, cx, field.ty, out))
        }
        (InterfaceType::Tuple(i), Val::Tuple(values)) => {
            let tuple = &types[i].types;
            if tuple.len() != values.len() {
                return mismatch();
            }
            tuple.iter().zip(values).try_for_each(|(ty, v)| lower(v, cx, *ty, out))
        }
        (InterfaceType::Flags(i), Val::Flags(set)) => {
            let names = &types[i].names;
            let mut words = [0_u32; MOST_FLAT];
            for name in set {
                let Some((bit, word)) = names
                    .get_index_of(name)
                    .and_then(|bit| Some((bit, words.get_mut(bit / 32)?)))
                else {
                    return mismatch();
                };
                *word |= 1 << (bit % 32);
            }
            words
                .iter()
                .take(names.len().div_ceil(32))
                .try_for_each(|word| out.push(ValRaw::u32(*word)))
        }
        (
            InterfaceType::Enum(_) | InterfaceType::Option(_) | InterfaceType::Result(_) | InterfaceType::Variant(_),
            _,
        ) => {
            let Some(count) = types.canonical_abi(&ty).flat_count(MOST_FLAT) else {
                return mismatch();
            };
            let end = out.len + count;
            let (case, payload) = choose(value, cx, ty)?;
            out.push(ValRaw::u32(case))?;
            if let Some((ty, payload)) = payload {
                lower(payload, cx, ty, out)?;
            }
            out.skip_to(end);
            Ok(())
        }
        _ => mismatch(),
    }
}

/// Writes a value to the guest's memory.
fn store<T>(value: &Val, cx: &mut LowerContext<'_, T>, ty: InterfaceType, offset: usize) -> Result<()> {
    let types = cx.types;
    match (ty, value) {
        (InterfaceType::Bool, Val::Bool(v)) => *cx.get(offset) = [u8::from(*v)],
        (InterfaceType::S8, Val::S8(v)) => *cx.get(offset) = v.to_le_bytes(),
        (InterfaceType::U8, Val::U8(v)) => *cx.get(offset) = v.to_le_bytes(),
        (InterfaceType::S16, Val::S16(v)) => *cx.get(offset) = v.to_le_bytes(),
        (InterfaceType::U16, Val::U16(v)) => *cx.get(offset) = v.to_le_bytes(),
        (InterfaceType::S32, Val::S32(v)) => *cx.get(offset) = v.to_le_bytes(),
        (InterfaceType::U32, Val::U32(v)) => *cx.get(offset) = v.to_le_bytes(),
        (InterfaceType::S64, Val::S64(v)) => *cx.get(offset) = v.to_le_bytes(),
        (InterfaceType::U64, Val::U64(v)) => *cx.get(offset) = v.to_le_bytes(),
        (InterfaceType::Float32, Val::Float32(v)) => *cx.get(offset) = v.to_le_bytes(),
        (InterfaceType::Float64, Val::Float64(v)) => *cx.get(offset) = v.to_le_bytes(),
        (InterfaceType::Char, Val::Char(v)) => *cx.get(offset) = u32::from(*v).to_le_bytes(),
        (InterfaceType::String, Val::String(v)) => return v.as_str().linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::List(i), Val::List(items)) => {
            let (ptr, len) = store_list(items, cx, types[i].element)?;
            *cx.get(offset) = ptr.to_le_bytes();
            *cx.get(offset + 4) = len.to_le_bytes();
        }
        (InterfaceType::Record(i), Val::Record(values)) => {
            let fields = &types[i].fields;
            if fields.len() != values.len() {
                return mismatch();
            }
            let mut next = offset;
            for (field, (_, v)) in fields.iter().zip(values) {
                let at = types.canonical_abi(&field.ty).next_field32_size(&mut next);
                store(v, cx, field.ty, at)?;
            }
        }
        (InterfaceType::Tuple(i), Val::Tuple(values)) => {
            let tuple = &types[i].types;
            if tuple.len() != values.len() {
                return mismatch();
            }
            let mut next = offset;
            for (ty, v) in tuple.iter().zip(values) {
                let at = types.canonical_abi(ty).next_field32_size(&mut next);
                store(v, cx, *ty, at)?;
            }
        }
        (InterfaceType::Flags(i), Val::Flags(set)) => {
            let flags = &types[i];
            let size = flags.abi.size32 as usize;
            let bytes = &mut cx.as_slice_mut()[offset..][..size];
            bytes.fill(0);
            for name in set {
                match flags.names.get_index_of(name) {
                    Some(bit) => bytes[bit / 8] |= 1 << (bit % 8),
                    None => return mismatch(),
                }
            }
        }
        (InterfaceType::Enum(_), _) => {
            let (case, _) = choose(value, cx, ty)?;
            let size = types.canonical_abi(&ty).size32;
            store_case(cx, offset, size, case);
        }
        (InterfaceType::Option(_) | InterfaceType::Result(_) | InterfaceType::Variant(_), _) => {
            let info = match ty {
                InterfaceType::Option(i) => &types[i].info,
                InterfaceType::Result(i) => &types[i].info,
                InterfaceType::Variant(i) => &types[i].info,
                _ => return mismatch(),
            };
            let (case, payload) = choose(value, cx, ty)?;
            store_case(cx, offset, info.size.byte_size(), case);
            if let Some((ty, payload)) = payload {
                store(payload, cx, ty, offset + info.payload_offset32 as usize)?;
            }
        }
        _ => return mismatch(),
    }
    Ok(())
}

/// Writes which case a variant is, in as many bytes as its type takes for that.
fn store_case<T>(cx: &mut LowerContext<'_, T>, offset: usize, size: u32, case: u32) {
    let size = (size as usize).min(4);
    cx.as_slice_mut()[offset..][..size].copy_from_slice(&case.to_le_bytes()[..size]);
}

/// Copies a list's items into memory that the guest allocates; gives where they are and how many.
fn store_list<T>(items: &[Val], cx: &mut LowerContext<'_, T>, item: InterfaceType) -> Result<(u32, u32)> {
    let abi = cx.types.canonical_abi(&item);
    let size = abi.size32 as usize;
    let Some(bytes) = items.len().checked_mul(size) else {
        bail!("a list is larger than a memory");
    };
    let ptr = cx.realloc(0, 0, abi.align32, bytes)?;
    for (i, value) in items.iter().enumerate() {
        store(value, cx, item, ptr + i * size)?;
    }
    Ok((u32::try_from(ptr)?, u32::try_from(items.len())?))
}
