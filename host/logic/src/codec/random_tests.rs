//! Random types and values: the hand-written calls do exactly what wasmtime does for `Val`.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config as Cases;
use serde_json::Value;
use wasmtime::component::{Component, Func, Linker, Val};
use wasmtime::{Engine, OptLevel, Store};

use super::arguments::Arguments;
use super::{Outcome, json};

/// A component type.
#[derive(Clone, Debug)]
pub(super) enum Ty {
    Scalar(&'static str),
    List(Box<Ty>),
    Record(Vec<Ty>),
    Tuple(Vec<Ty>),
    Variant(Vec<Option<Ty>>),
    Enum(usize),
    Flags(usize),
    Option(Box<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
}

const SCALARS: [&str; 13] = [
    "bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "float32", "float64", "char", "string",
];

pub(super) fn types() -> impl Strategy<Value = Ty> {
    let leaf = prop_oneof![
        8 => prop::sample::select(&SCALARS[..]).prop_map(Ty::Scalar),
        1 => prop_oneof![1..4_usize, Just(256), Just(257)].prop_map(Ty::Enum),
        1 => prop::sample::select(vec![1, 8, 9, 16, 17, 32]).prop_map(Ty::Flags),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Ty::List),
            vec(inner.clone(), 1..6).prop_map(Ty::Record),
            vec(inner.clone(), 1..4).prop_map(Ty::Tuple),
            vec(prop::option::of(inner), 1..5).prop_map(Ty::Variant),
            boxed.clone().prop_map(Ty::Option),
            (prop::option::of(boxed.clone()), prop::option::of(boxed)).prop_map(|(ok, err)| Ty::Result(ok, err)),
        ]
    })
}

/// The name of a field, case or flag.
fn name(i: usize) -> String {
    let letter = |i: usize| char::from(b'a' + (i % 26) as u8);
    format!("n-{}{}", letter(i / 26), letter(i))
}

pub(super) fn values(ty: &Ty) -> BoxedStrategy<Val> {
    let boxed = |ty: &Ty| values(ty).prop_map(Box::new);
    let payload = |ty: &Option<Box<Ty>>| match ty {
        Some(ty) => values(ty).prop_map(|v| Some(Box::new(v))).boxed(),
        None => Just(None).boxed(),
    };
    match ty {
        Ty::Scalar(scalar) => scalars(scalar),
        Ty::List(item) => vec(values(item), 0..4).prop_map(Val::List).boxed(),
        Ty::Record(fields) => {
            let fields: Vec<_> = fields.iter().map(values).collect();
            let named = |fields: Vec<Val>| fields.into_iter().enumerate().map(|(i, v)| (name(i), v)).collect();
            fields.prop_map(move |fields| Val::Record(named(fields))).boxed()
        }
        Ty::Tuple(fields) => fields
            .iter()
            .map(values)
            .collect::<Vec<_>>()
            .prop_map(Val::Tuple)
            .boxed(),
        Ty::Variant(cases) => {
            let case = |(i, ty): (usize, &Option<Ty>)| match ty {
                Some(ty) => boxed(ty).prop_map(move |v| Val::Variant(name(i), Some(v))).boxed(),
                None => Just(Val::Variant(name(i), None)).boxed(),
            };
            proptest::strategy::Union::new(cases.iter().enumerate().map(case)).boxed()
        }
        Ty::Enum(count) => (0..*count).prop_map(|i| Val::Enum(name(i))).boxed(),
        Ty::Flags(count) => {
            let flags = prop::sample::subsequence((0..*count).map(name).collect::<Vec<_>>(), 0..=*count);
            flags.prop_map(Val::Flags).boxed()
        }
        Ty::Option(inner) => prop::option::of(boxed(inner)).prop_map(Val::Option).boxed(),
        Ty::Result(ok, err) => prop_oneof![
            payload(ok).prop_map(|v| Val::Result(Ok(v))),
            payload(err).prop_map(|v| Val::Result(Err(v))),
        ]
        .boxed(),
    }
}

fn scalars(scalar: &str) -> BoxedStrategy<Val> {
    match scalar {
        "bool" => any::<bool>().prop_map(Val::Bool).boxed(),
        "s8" => any::<i8>().prop_map(Val::S8).boxed(),
        "u8" => any::<u8>().prop_map(Val::U8).boxed(),
        "s16" => any::<i16>().prop_map(Val::S16).boxed(),
        "u16" => any::<u16>().prop_map(Val::U16).boxed(),
        "s32" => any::<i32>().prop_map(Val::S32).boxed(),
        "u32" => any::<u32>().prop_map(Val::U32).boxed(),
        "s64" => any::<i64>().prop_map(Val::S64).boxed(),
        "u64" => any::<u64>().prop_map(Val::U64).boxed(),
        "float32" => prop::num::f32::ANY.prop_map(Val::Float32).boxed(),
        "float64" => prop::num::f64::ANY.prop_map(Val::Float64).boxed(),
        "char" => any::<char>().prop_map(Val::Char).boxed(),
        _ => prop_oneof!["[a-z\"\\\\\n]{0,6}", "\\PC{0,4}"]
            .prop_map(Val::String)
            .boxed(),
    }
}

/// The text of types, in WAT.
#[derive(Default)]
pub(super) struct Text {
    /// Definitions of the types that need a name: they are `t0`, `t1` and so on.
    definitions: Vec<String>,
}

impl Text {
    /// How a type is referred to.
    pub(super) fn of(&mut self, ty: &Ty) -> String {
        let named = |count: usize| (0..count).map(|i| format!(" {:?}", name(i))).collect::<String>();
        let definition = match ty {
            Ty::Scalar(scalar) => return (*scalar).to_owned(),
            Ty::List(item) => return format!("(list {})", self.of(item)),
            Ty::Option(inner) => return format!("(option {})", self.of(inner)),
            Ty::Tuple(fields) => {
                let fields: Vec<_> = fields.iter().map(|ty| self.of(ty)).collect();
                return format!("(tuple {})", fields.join(" "));
            }
            Ty::Result(ok, err) => {
                let ok = ok.as_ref().map(|ty| self.of(ty)).unwrap_or_default();
                let err = err.as_ref().map(|ty| format!("(error {})", self.of(ty)));
                return format!("(result {ok} {})", err.unwrap_or_default());
            }
            Ty::Record(fields) => {
                let field = |(i, ty)| format!("(field {:?} {})", name(i), self.of(ty));
                format!("(record {})", fields.iter().enumerate().map(field).collect::<String>())
            }
            Ty::Variant(cases) => {
                let case = |(i, ty): (usize, &Option<Ty>)| {
                    let payload = ty.as_ref().map(|ty| self.of(ty)).unwrap_or_default();
                    format!("(case {:?} {payload})", name(i))
                };
                format!("(variant {})", cases.iter().enumerate().map(case).collect::<String>())
            }
            Ty::Enum(count) => format!("(enum{})", named(*count)),
            Ty::Flags(count) => format!("(flags{})", named(*count)),
        };
        self.definitions.push(definition);
        format!("$t{}", self.definitions.len() - 1)
    }

    /// One text for each definition, made of its number and itself.
    pub(super) fn each(&self, text: impl Fn(usize, &str) -> String) -> String {
        let definitions = self.definitions.iter().enumerate();
        definitions.map(|(i, definition)| text(i, definition)).collect()
    }
}

/// The core values that a value of this type is, by the canonical ABI.
pub(super) fn flat(ty: &Ty) -> Vec<&'static str> {
    let cases = |cases: Vec<Vec<&'static str>>| {
        let mut joined = vec!["i32"];
        for case in cases {
            for (i, core) in case.into_iter().enumerate() {
                match joined.get_mut(i + 1) {
                    None => joined.push(core),
                    Some(found) if *found == core => {}
                    Some(found) if matches!((*found, core), ("i32", "f32") | ("f32", "i32")) => *found = "i32",
                    Some(found) => *found = "i64",
                }
            }
        }
        joined
    };
    let payload = |ty: &Option<Box<Ty>>| ty.as_ref().map(|ty| flat(ty)).unwrap_or_default();
    match ty {
        Ty::Scalar("s64" | "u64") => vec!["i64"],
        Ty::Scalar("float32") => vec!["f32"],
        Ty::Scalar("float64") => vec!["f64"],
        Ty::Scalar("string") | Ty::List(_) => vec!["i32", "i32"],
        Ty::Scalar(_) | Ty::Enum(_) | Ty::Flags(_) => vec!["i32"],
        Ty::Record(fields) | Ty::Tuple(fields) => fields.iter().flat_map(flat).collect(),
        Ty::Variant(of) => cases(of.iter().map(|ty| ty.as_ref().map(flat).unwrap_or_default()).collect()),
        Ty::Option(inner) => cases(vec![flat(inner)]),
        Ty::Result(ok, err) => cases(vec![payload(ok), payload(err)]),
    }
}

pub(super) fn engine() -> Engine {
    let mut config = wasmtime::Config::new();
    config.cranelift_opt_level(OptLevel::None);
    Engine::new(&config).unwrap()
}

/// A `realloc` that gives memory from an address on. `$next` is the end of what it gave.
pub(super) fn realloc(first: u32) -> String {
    format!(
        r#"(global $next (mut i32) (i32.const {first}))
        (func (export "realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32)
            (result i32)
            (local $at i32)
            (local.set $at (i32.and
                (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
                (i32.sub (i32.const 0) (local.get $align))))
            (global.set $next (i32.add (local.get $at) (local.get $new)))
            (memory.copy (local.get $at) (local.get $old)
                (select (local.get $size) (local.get $new)
                    (i32.lt_u (local.get $size) (local.get $new))))
            local.get $at)"#
    )
}

/// A function `f` that passes its argument to the host's `f` and returns what that returns.
fn echo(ty: &Ty, encoding: &str) -> String {
    let mut text = Text::default();
    let v = text.of(ty);
    let flat = flat(ty);
    let params = if flat.len() > 16 { vec!["i32"] } else { flat.clone() };
    let locals: String = (0..params.len()).map(|i| format!("(local.get {i})")).collect();
    let params = params.join(" ");
    // What is more than one core value is returned at address 16.
    let (result, host_param, host_result, body) = match flat.as_slice() {
        [one] => (*one, "", format!("(result {one})"), format!("(call $f {locals})")),
        _ => (
            "i32",
            "i32",
            String::new(),
            format!("(call $f {locals} (i32.const 16)) (i32.const 16)"),
        ),
    };
    let declared = text.each(|i, text| format!(r#"(type $d{i} {text}) (export "t{i}" (type $t{i} (eq $d{i})))"#));
    let aliases = text.each(|i, _| format!(r#"(alias export $host "t{i}" (type $t{i}))"#));
    let realloc = realloc(65536);
    let options = format!(
        r#"(memory (core memory $libc "memory")) (realloc (core func $libc "realloc")) string-encoding={encoding}"#
    );
    format!(
        r#"(component
            (import "host" (instance $host {declared} (export "f" (func (param "v" {v}) (result {v})))))
            {aliases}
            (core module $libc'
                (memory (export "memory") 16)
                {realloc})
            (core instance $libc (instantiate $libc'))
            (core func $lowered (canon lower (func $host "f") {options}))
            (core module $echo'
                (import "host" "f" (func $f (param {params} {host_param}) {host_result}))
                (func (export "f") (param {params}) (result {result}) {body}))
            (core instance $echo (instantiate $echo'
                (with "host" (instance (export "f" (func $lowered))))))
            (func (export "f") (param "v" {v}) (result {v}) (canon lift (core func $echo "f") {options})))"#
    )
}

/// A function `f` that returns this core value, in a memory that begins with these words.
fn returning(ty: &Ty, value: u32, words: &[u32]) -> String {
    let mut text = Text::default();
    let v = text.of(ty);
    let core = match flat(ty).as_slice() {
        [one] => *one,
        _ => "i32",
    };
    let exports = text.each(|i, text| format!(r#"(type $d{i} {text}) (export $t{i} "t{i}" (type $d{i}))"#));
    let bytes: String = words
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .map(|byte| format!("\\{byte:02x}"))
        .collect();
    format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (data (i32.const 0) "{bytes}")
                (func (export "f") (result {core}) ({core}.const {value})))
            (core instance $i (instantiate $m))
            {exports}
            (func (export "f") (result {v}) (canon lift (core func $i "f") (memory (core memory $i "memory")))))"#
    )
}

pub(super) fn compile(engine: &Engine, text: &str) -> Component {
    Component::new(engine, text).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

/// Instantiates a component. The host's `f` keeps its argument and returns it.
pub(super) fn instantiate(component: &Component) -> (Store<Option<Val>>, Func) {
    let engine = component.engine();
    let mut linker: Linker<Option<Val>> = Linker::new(engine);
    linker
        .instance("host")
        .unwrap()
        .func_new("f", |mut store, _, params, results| {
            *store.data_mut() = params.first().cloned();
            results.clone_from_slice(params);
            Ok(())
        })
        .unwrap();
    let mut store = Store::new(engine, None);
    let instance = linker.instantiate(&mut store, component).unwrap();
    let function = instance.get_func(&mut store, "f").unwrap();
    (store, function)
}

pub(super) fn call(store: &mut Store<Option<Val>>, function: Func, arguments: &[Val]) -> wasmtime::Result<Outcome> {
    let typed = function.typed::<Arguments<'_>, Outcome>(&*store)?;
    typed.call(store, Arguments(arguments))
}

/// What a function returned, as JSON: the value or the error of its result.
pub(super) fn parsed(returned: &Outcome) -> (bool, Option<Value>) {
    let (is_ok, text) = match returned {
        Outcome::Done(text) => (true, text),
        Outcome::Failed(failure) => (false, &failure.json),
    };
    let value = (!text.is_empty()).then(|| serde_json::from_slice(text).unwrap());
    (is_ok, value)
}

/// The same of a `Val`.
pub(super) fn expected(value: &Val) -> (bool, Option<Value>) {
    // Numbers are read from their text, as in `parsed`: serde_json may round them.
    let read = |value: &Val| serde_json::from_str(&json(value).to_string()).unwrap();
    match value {
        Val::Result(Ok(value)) => (true, Some(value.as_ref().map_or(Value::Null, |v| read(v)))),
        Val::Result(Err(value)) => (false, value.as_ref().map(|v| read(v))),
        value => (true, Some(read(value))),
    }
}

#[test]
fn values_pass_to_the_guest_and_back_as_wasmtime_passes_them() {
    let engine = engine();
    let pairs = types().prop_flat_map(|ty| (values(&ty), Just(ty)));
    let encodings = prop::sample::select(vec!["utf8", "utf16", "latin1+utf16"]);
    proptest!(Cases::with_cases(300), |((value, ty) in pairs, encoding in encodings)| {
        let (mut store, function) = instantiate(&compile(&engine, &echo(&ty, encoding)));
        let returned = call(&mut store, function, std::slice::from_ref(&value)).unwrap();
        prop_assert_eq!(store.data().as_ref(), Some(&value), "what wasmtime read from the guest");
        prop_assert_eq!(parsed(&returned), expected(&value));
    });
}

#[test]
fn any_memory_is_read_or_refused_as_wasmtime_does() {
    let engine = engine();
    // Addresses and lengths that are mostly inside of the memory, and words that are not.
    let words = || prop_oneof![12 => 0..4_u32, 6 => (0..24_u32).prop_map(|n| 4 * n), 1 => 65_530..65_540_u32, 1 => any::<u32>()];
    proptest!(Cases::with_cases(400), |(ty in types(), value in words(), memory in vec(words(), 64))| {
        let component = compile(&engine, &returning(&ty, value, &memory));
        let (mut store, function) = instantiate(&component);
        let mut results = [Val::Bool(false)];
        let by_wasmtime = function.call(&mut store, &[], &mut results);
        // An instance is of no use after an error.
        let (mut store, function) = instantiate(&component);
        match (call(&mut store, function, &[]), by_wasmtime) {
            (Ok(returned), Ok(())) => prop_assert_eq!(parsed(&returned), expected(&results[0])),
            (Err(_), Err(_)) => {}
            (ours, wasmtimes) => prop_assert!(false, "{:?} but wasmtime: {:?}", ours, wasmtimes),
        }
    });
}
