//! Random component types, with random values of them.

use stowage_tests::random::Random;
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Type, Val};

/// A component type.
pub enum Ty {
    Scalar(&'static str),
    List(Box<Ty>),
    Record(Vec<Ty>),
    Tuple(Vec<Ty>),
    Variant(Vec<Option<Ty>>),
    Enum(u64),
    Flags(u64),
    Option(Box<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
}

const SCALARS: [&str; 13] = [
    "bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "float32", "float64", "char", "string",
];
/// Numbers at the ends of types, and between.
const NUMBERS: [i128; 9] = [
    0,
    1,
    -1,
    127,
    255,
    65_535,
    i64::MAX as i128,
    i64::MIN as i128,
    u64::MAX as i128,
];
const FLOATS: [f64; 7] = [0.0, -1.5, 1e300, 0.1, f64::NAN, f64::INFINITY, 3.0];
const CHARS: [char; 4] = ['a', '"', '我', '😀'];

impl Ty {
    /// A random type of at most this depth.
    pub fn random(random: &mut Random, depth: u64) -> Ty {
        let boxed = |random: &mut Random| Box::new(Ty::random(random, depth - 1));
        let several = |random: &mut Random| 1 + random.below(4);
        match random.below(if depth == 0 { 6 } else { 13 }) {
            0 => Ty::Enum(several(random)),
            1 => Ty::Flags(several(random)),
            2..=5 => Ty::Scalar(SCALARS[random.below(SCALARS.len() as u64) as usize]),
            6 => Ty::List(boxed(random)),
            7 | 8 => Ty::Record((0..several(random)).map(|_| Ty::random(random, depth - 1)).collect()),
            9 => Ty::Tuple((0..several(random)).map(|_| Ty::random(random, depth - 1)).collect()),
            10 => {
                let case = |random: &mut Random| (random.below(2) == 0).then(|| Ty::random(random, depth - 1));
                Ty::Variant((0..several(random)).map(|_| case(random)).collect())
            }
            11 => Ty::Option(boxed(random)),
            _ => {
                let mut payload = || (random.below(2) == 0).then(|| boxed(random));
                Ty::Result(payload(), payload())
            }
        }
    }

    /// The type as wasmtime has it, from a component that exports it.
    pub fn compiled(&self, engine: &Engine) -> Type {
        let mut definitions = Vec::new();
        let text = self.text(&mut definitions);
        let definitions = definitions.concat();
        let text = format!(r#"(component {definitions} (type $whole (tuple {text})) (export "t" (type $whole)))"#);
        let component = Component::new(engine, &text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let ty = component.component_type();
        let exported = ty.exports(engine).find(|(name, _)| *name == "t");
        match exported.map(|(_, item)| item.ty) {
            Some(ComponentItem::Type(Type::Tuple(whole))) => whole.types().next().expect("one type"),
            other => panic!("{other:?}"),
        }
    }

    /// How the type is referred to in WAT. A type that needs a name is defined and exported before.
    fn text(&self, definitions: &mut Vec<String>) -> String {
        let named = |count: u64| (0..count).map(|i| format!(" {:?}", name(i))).collect::<String>();
        let definition = match self {
            Ty::Scalar(scalar) => return (*scalar).to_owned(),
            Ty::List(item) => return format!("(list {})", item.text(definitions)),
            Ty::Option(inner) => return format!("(option {})", inner.text(definitions)),
            Ty::Tuple(types) => {
                let types: Vec<_> = types.iter().map(|ty| ty.text(definitions)).collect();
                return format!("(tuple {})", types.join(" "));
            }
            Ty::Result(ok, err) => {
                let ok = ok.as_ref().map(|ty| ty.text(definitions)).unwrap_or_default();
                let err = err.as_ref().map(|ty| format!("(error {})", ty.text(definitions)));
                return format!("(result {ok} {})", err.unwrap_or_default());
            }
            Ty::Record(fields) => {
                let fields: Vec<_> = (0..)
                    .zip(fields)
                    .map(|(i, ty)| format!("(field {:?} {})", name(i), ty.text(definitions)))
                    .collect();
                format!("(record {})", fields.concat())
            }
            Ty::Variant(cases) => {
                let cases: Vec<_> = (0..)
                    .zip(cases)
                    .map(|(i, ty)| {
                        let payload = ty.as_ref().map(|ty| ty.text(definitions)).unwrap_or_default();
                        format!("(case {:?} {payload})", name(i))
                    })
                    .collect();
                format!("(variant {})", cases.concat())
            }
            Ty::Enum(count) => format!("(enum{})", named(*count)),
            Ty::Flags(count) => format!("(flags{})", named(*count)),
        };
        let index = definitions.len();
        definitions.push(format!(
            r#"(type $d{index} {definition}) (export $t{index} "t{index}" (type $d{index}))"#
        ));
        format!("$t{index}")
    }

    /// A random value of the type.
    pub fn value(&self, random: &mut Random) -> Val {
        match self {
            Ty::Scalar(scalar) => scalar_value(scalar, random),
            Ty::List(item) => Val::List((0..random.below(3)).map(|_| item.value(random)).collect()),
            Ty::Record(fields) => Val::Record((0..).zip(fields).map(|(i, ty)| (name(i), ty.value(random))).collect()),
            Ty::Tuple(types) => Val::Tuple(types.iter().map(|ty| ty.value(random)).collect()),
            Ty::Variant(cases) => {
                let index = random.below(cases.len() as u64);
                let payload = cases[index as usize].as_ref().map(|ty| Box::new(ty.value(random)));
                Val::Variant(name(index), payload)
            }
            Ty::Enum(count) => Val::Enum(name(random.below(*count))),
            Ty::Flags(count) => Val::Flags((0..*count).filter(|_| random.below(2) == 0).map(name).collect()),
            Ty::Option(inner) => Val::Option((random.below(2) == 0).then(|| Box::new(inner.value(random)))),
            Ty::Result(ok, err) => {
                let is_ok = random.below(2) == 0;
                let payload = if is_ok { ok } else { err }
                    .as_ref()
                    .map(|ty| Box::new(ty.value(random)));
                Val::Result(if is_ok { Ok(payload) } else { Err(payload) })
            }
        }
    }
}

/// The name of a field, case or flag.
fn name(index: u64) -> String {
    format!("n-{}", char::from(b'a' + (index % 26) as u8))
}

fn scalar_value(scalar: &str, random: &mut Random) -> Val {
    let number = NUMBERS[random.below(NUMBERS.len() as u64) as usize];
    let float = FLOATS[random.below(FLOATS.len() as u64) as usize];
    match scalar {
        "bool" => Val::Bool(random.below(2) == 0),
        "s8" => Val::S8(number as i8),
        "u8" => Val::U8(number as u8),
        "s16" => Val::S16(number as i16),
        "u16" => Val::U16(number as u16),
        "s32" => Val::S32(number as i32),
        "u32" => Val::U32(number as u32),
        "s64" => Val::S64(number as i64),
        "u64" => Val::U64(number as u64),
        "float32" => Val::Float32(float as f32),
        "float64" => Val::Float64(float),
        "char" => Val::Char(CHARS[random.below(CHARS.len() as u64) as usize]),
        _ => Val::String(CHARS[..random.below(4) as usize].iter().collect()),
    }
}
