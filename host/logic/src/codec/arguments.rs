//! Writes component values as the arguments of a function of any type. `call.rs` says what the
//! implementation relies on.

use std::mem::MaybeUninit;

use wasmtime::component::__internal::wasmtime_environ::component::{MAX_FLAT_PARAMS, TypeFlags, VariantInfo};
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Lower, Val};
use wasmtime::{Result, ValRaw, bail};

/// The arguments of one call.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a>(pub(super) &'a [Val]);

/// Why values are not arguments of the function.
#[derive(Debug, thiserror::Error)]
enum ArgumentError {
    #[error("expected {expected} arguments, found {found}")]
    Count { expected: usize, found: usize },
    #[error("an argument is not of the type of the function's parameter")]
    OtherType,
    #[error("a list is larger than a memory")]
    ListTooLong,
}

// SAFETY: `Lower` is as many `ValRaw`s as a function takes core values at most, so wasmtime does
// not use `ABI` (facts 1 and 2 of `call.rs`). `typecheck` accepts each function because the values
// are lowered by the function's own types (fact 5).
unsafe impl ComponentType for Arguments<'_> {
    type Lower = [ValRaw; MAX_FLAT_PARAMS];
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(ty: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        match ty {
            InterfaceType::Tuple(_) => Ok(()),
            _ => bail!("expected the parameters of a function: a tuple"),
        }
    }
}

// SAFETY: the list of types is the function's own (fact 5 of `call.rs`).
unsafe impl ComponentNamedList for Arguments<'_> {}

// SAFETY: all core values of `Lower` are written. Those that the function reads are of its own
// types: `Destination::lower` checks each value before it writes it.
unsafe impl Lower for Arguments<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        let InterfaceType::Tuple(index) = ty else {
            bail!("expected the parameters of a function: a tuple");
        };
        let tuple = &cx.types[index];
        let (expected, found) = (tuple.types.len(), self.0.len());
        if expected != found {
            return Err(ArgumentError::Count { expected, found }.into());
        }
        let mut core = CoreValues::default();
        if tuple.abi.flat_count(MAX_FLAT_PARAMS).is_some() {
            Destination::Core(&mut core).lower_fields(cx, self.0, tuple.types.iter().copied())?;
        } else {
            let address = cx.realloc(0, 0, tuple.abi.align32, tuple.abi.size32 as usize)?;
            Destination::Memory(address).lower_fields(cx, self.0, tuple.types.iter().copied())?;
            core.push(ValRaw::u64(address as u64))?;
        }
        dst.write(core.values);
        Ok(())
    }

    fn linear_lower_to_memory<T>(&self, _: &mut LowerContext<'_, T>, _: InterfaceType, _: usize) -> Result<()> {
        bail!("expected arguments in core values, not in memory")
    }
}

/// Core values in their order; those not yet pushed are 0.
struct CoreValues {
    values: [ValRaw; MAX_FLAT_PARAMS],
    len: usize,
}

impl Default for CoreValues {
    fn default() -> CoreValues {
        CoreValues {
            values: [ValRaw::u64(0); MAX_FLAT_PARAMS],
            len: 0,
        }
    }
}

impl CoreValues {
    fn push(&mut self, value: ValRaw) -> Result<(), ArgumentError> {
        let slot = self.values.get_mut(self.len).ok_or(ArgumentError::OtherType)?;
        *slot = value;
        self.len += 1;
        Ok(())
    }
}

/// Where a value is written.
enum Destination<'c> {
    /// The next core values.
    Core(&'c mut CoreValues),
    /// This address in the guest's memory. The guest has allocated as many bytes as the value
    /// takes.
    Memory(usize),
}

/// The index of a case, and the type and value of its payload.
type Case<'v> = (u32, Option<(InterfaceType, &'v Val)>);

impl Destination<'_> {
    /// Writes a value. It must be of this type.
    fn lower<T>(&mut self, cx: &mut LowerContext<'_, T>, value: &Val, ty: InterfaceType) -> Result<()> {
        let types = cx.types;
        match (ty, value) {
            (InterfaceType::Bool, Val::Bool(v)) => self.scalar(cx, ValRaw::u32((*v).into()), [(*v).into()]),
            (InterfaceType::S8, Val::S8(v)) => self.scalar(cx, ValRaw::i32((*v).into()), v.to_le_bytes()),
            (InterfaceType::U8, Val::U8(v)) => self.scalar(cx, ValRaw::u32((*v).into()), v.to_le_bytes()),
            (InterfaceType::S16, Val::S16(v)) => self.scalar(cx, ValRaw::i32((*v).into()), v.to_le_bytes()),
            (InterfaceType::U16, Val::U16(v)) => self.scalar(cx, ValRaw::u32((*v).into()), v.to_le_bytes()),
            (InterfaceType::S32, Val::S32(v)) => self.scalar(cx, ValRaw::i32(*v), v.to_le_bytes()),
            (InterfaceType::U32, Val::U32(v)) => self.scalar(cx, ValRaw::u32(*v), v.to_le_bytes()),
            (InterfaceType::S64, Val::S64(v)) => self.scalar(cx, ValRaw::i64(*v), v.to_le_bytes()),
            (InterfaceType::U64, Val::U64(v)) => self.scalar(cx, ValRaw::u64(*v), v.to_le_bytes()),
            (InterfaceType::Float32, Val::Float32(v)) => self.scalar(cx, ValRaw::f32(v.to_bits()), v.to_le_bytes()),
            (InterfaceType::Float64, Val::Float64(v)) => self.scalar(cx, ValRaw::f64(v.to_bits()), v.to_le_bytes()),
            (InterfaceType::Char, Val::Char(v)) => {
                let code = u32::from(*v);
                self.scalar(cx, ValRaw::u32(code), code.to_le_bytes())
            }
            (InterfaceType::String, Val::String(v)) => self.string(cx, v),
            (InterfaceType::List(i), Val::List(items)) => self.list(cx, items, types[i].element),
            (InterfaceType::Record(i), Val::Record(fields)) => {
                let declared = types[i].fields.iter().map(|field| field.ty);
                self.lower_fields(cx, fields.iter().map(|(_, v)| v), declared)
            }
            (InterfaceType::Tuple(i), Val::Tuple(fields)) => {
                self.lower_fields(cx, fields, types[i].types.iter().copied())
            }
            (InterfaceType::Flags(i), Val::Flags(set)) => self.flags(cx, set, &types[i]),
            (InterfaceType::Enum(i), _) => self.case(cx, choose(cx, value, ty)?, ty, &types[i].info),
            (InterfaceType::Option(i), _) => self.case(cx, choose(cx, value, ty)?, ty, &types[i].info),
            (InterfaceType::Result(i), _) => self.case(cx, choose(cx, value, ty)?, ty, &types[i].info),
            (InterfaceType::Variant(i), _) => self.case(cx, choose(cx, value, ty)?, ty, &types[i].info),
            _ => Err(ArgumentError::OtherType.into()),
        }
    }

    fn scalar<T, const N: usize>(&mut self, cx: &mut LowerContext<'_, T>, core: ValRaw, bytes: [u8; N]) -> Result<()> {
        match self {
            Destination::Core(values) => values.push(core)?,
            Destination::Memory(address) => *cx.get(*address) = bytes,
        }
        Ok(())
    }

    /// Writes the fields of a record or tuple, or all arguments.
    fn lower_fields<'v, T>(
        &mut self,
        cx: &mut LowerContext<'_, T>,
        fields: impl IntoIterator<Item = &'v Val, IntoIter: ExactSizeIterator>,
        types: impl ExactSizeIterator<Item = InterfaceType>,
    ) -> Result<()> {
        let fields = fields.into_iter();
        if fields.len() != types.len() {
            return Err(ArgumentError::OtherType.into());
        }
        match self {
            Destination::Core(_) => fields.zip(types).try_for_each(|(v, ty)| self.lower(cx, v, ty)),
            Destination::Memory(address) => {
                let mut next = *address;
                fields.zip(types).try_for_each(|(v, ty)| {
                    let at = cx.types.canonical_abi(&ty).next_field32_size(&mut next);
                    Destination::Memory(at).lower(cx, v, ty)
                })
            }
        }
    }

    /// Writes a string, in the guest's encoding.
    fn string<T>(&mut self, cx: &mut LowerContext<'_, T>, text: &str) -> Result<()> {
        match self {
            Destination::Memory(address) => text.linear_lower_to_memory(cx, InterfaceType::String, *address),
            Destination::Core(values) => {
                let mut pair = MaybeUninit::new([ValRaw::u64(0); 2]);
                text.linear_lower_to_flat(cx, InterfaceType::String, &mut pair)?;
                // SAFETY: `MaybeUninit::new` initialized both values, and writes only replace them.
                let [address, len] = unsafe { pair.assume_init() };
                values.push(address)?;
                Ok(values.push(len)?)
            }
        }
    }

    /// Writes a list's items to memory that the guest allocates, and their address and number.
    fn list<T>(&mut self, cx: &mut LowerContext<'_, T>, items: &[Val], item: InterfaceType) -> Result<()> {
        let abi = cx.types.canonical_abi(&item);
        let size = abi.size32 as usize;
        let bytes = items.len().checked_mul(size).ok_or(ArgumentError::ListTooLong)?;
        let address = cx.realloc(0, 0, abi.align32, bytes)?;
        for (i, value) in items.iter().enumerate() {
            Destination::Memory(address + i * size).lower(cx, value, item)?;
        }
        let (address, len) = (u32::try_from(address)?, u32::try_from(items.len())?);
        match self {
            Destination::Core(values) => {
                values.push(ValRaw::u32(address))?;
                values.push(ValRaw::u32(len))?;
            }
            Destination::Memory(at) => {
                *cx.get(*at) = address.to_le_bytes();
                *cx.get(*at + 4) = len.to_le_bytes();
            }
        }
        Ok(())
    }

    /// Writes flags: one bit each. The component model allows 32 of them.
    fn flags<T>(&mut self, cx: &mut LowerContext<'_, T>, set: &[String], flags: &TypeFlags) -> Result<()> {
        let mut word = 0_u32;
        for name in set {
            let bit = flags.names.get_index_of(name).ok_or(ArgumentError::OtherType)?;
            word |= u32::try_from(bit)
                .ok()
                .and_then(|bit| 1_u32.checked_shl(bit))
                .ok_or(ArgumentError::OtherType)?;
        }
        self.integer(cx, word, flags.abi.size32)
    }

    /// Writes which case a variant is, and its payload.
    fn case<T>(
        &mut self,
        cx: &mut LowerContext<'_, T>,
        (index, payload): Case<'_>,
        ty: InterfaceType,
        info: &VariantInfo,
    ) -> Result<()> {
        match self {
            Destination::Core(values) => {
                let count = cx.types.canonical_abi(&ty).flat_count(MAX_FLAT_PARAMS);
                let end = values.len + count.ok_or(ArgumentError::OtherType)?;
                values.push(ValRaw::u32(index))?;
                if let Some((ty, payload)) = payload {
                    self.lower(cx, payload, ty)?;
                }
                // Another case may have more core values. Those stay 0.
                if let Destination::Core(values) = self {
                    values.len = end;
                }
                Ok(())
            }
            Destination::Memory(address) => {
                let payload_address = *address + info.payload_offset32 as usize;
                self.integer(cx, index, info.size.byte_size())?;
                match payload {
                    Some((ty, payload)) => Destination::Memory(payload_address).lower(cx, payload, ty),
                    None => Ok(()),
                }
            }
        }
    }

    /// Writes an integer that takes `size` bytes in memory, 4 at most.
    fn integer<T>(&mut self, cx: &mut LowerContext<'_, T>, value: u32, size: u32) -> Result<()> {
        match self {
            Destination::Core(values) => values.push(ValRaw::u32(value))?,
            Destination::Memory(address) => {
                let size = (size as usize).min(4);
                cx.as_slice_mut()[*address..][..size].copy_from_slice(&value.to_le_bytes()[..size]);
            }
        }
        Ok(())
    }
}

/// Finds which case of an enum, option, result or variant a value is.
fn choose<'v, T>(cx: &LowerContext<'_, T>, value: &'v Val, ty: InterfaceType) -> Result<Case<'v>, ArgumentError> {
    let paired = |ty: Option<InterfaceType>, payload: &'v Option<Box<Val>>| match (ty, payload) {
        (Some(ty), Some(payload)) => Ok(Some((ty, &**payload))),
        (None, None) => Ok(None),
        _ => Err(ArgumentError::OtherType),
    };
    let (index, ty, payload) = match (ty, value) {
        (InterfaceType::Enum(i), Val::Enum(name)) => (cx.types[i].names.get_index_of(name), None, &None),
        (InterfaceType::Option(_), Val::Option(None)) => (Some(0), None, &None),
        (InterfaceType::Option(i), Val::Option(payload)) => (Some(1), Some(cx.types[i].ty), payload),
        (InterfaceType::Result(i), Val::Result(Ok(payload))) => (Some(0), cx.types[i].ok, payload),
        (InterfaceType::Result(i), Val::Result(Err(payload))) => (Some(1), cx.types[i].err, payload),
        (InterfaceType::Variant(i), Val::Variant(name, payload)) => match cx.types[i].cases.get_full(name) {
            Some((index, _, ty)) => (Some(index), *ty, payload),
            None => return Err(ArgumentError::OtherType),
        },
        _ => return Err(ArgumentError::OtherType),
    };
    let index = index.and_then(|index| u32::try_from(index).ok());
    Ok((index.ok_or(ArgumentError::OtherType)?, paired(ty, payload)?))
}
