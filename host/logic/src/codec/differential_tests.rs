//! The hand-written `Lower` and `Lift` beside those of wasmtime for `Val`: the same bytes for the
//! guest, the same values and the same refusals from its memory.
//!
//! The seed is fixed. `STOWAGE_CODEC_CASES` is the number of cases for each test, and
//! `STOWAGE_SEED` another seed.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config as Cases, RngSeed, TestRunner};
use wasmtime::Engine;
use wasmtime::component::Val;

use super::random_tests::{
    Text, Ty, call, compile, engine, expected, flat, instantiate, parsed, realloc, types, values,
};

/// Where the guest keeps the core values of its arguments.
const CORE_VALUES: u32 = 1024;
/// Where the memory begins that the guest allocates.
const ALLOCATED: u32 = 2048;
/// Core values of arguments; more are passed in memory.
const MOST_CORE_VALUES: usize = 16;
/// Bytes of a small memory.
const PAGE: u32 = 65536;
const ENCODINGS: [&str; 3] = ["utf8", "utf16", "latin1+utf16"];

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a whole number"))
}

fn runner(cases: u64) -> (u32, TestRunner) {
    let cases = u32::try_from(number("STOWAGE_CODEC_CASES", cases)).expect("a number of cases");
    let config = Cases {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(number("STOWAGE_SEED", 1)),
        ..Cases::with_cases(cases)
    };
    (cases, TestRunner::new(config))
}

/// A type and a value of it, in a record: it never is one core value.
fn typed_values() -> impl Strategy<Value = (Ty, Val)> {
    types().prop_flat_map(|ty| {
        let ty = Ty::Record(vec![ty, Ty::Scalar("u8")]);
        (Just(ty.clone()), values(&ty))
    })
}

/// A function `f` that returns all bytes that its argument is: the core values, and what was
/// written to the memory that it gave.
fn lowered(ty: &Ty, encoding: &str) -> String {
    let mut text = Text::default();
    let v = text.of(ty);
    let mut params = flat(ty);
    if params.len() > MOST_CORE_VALUES {
        params = vec!["i32"];
    }
    let stores: String = params
        .iter()
        .enumerate()
        .map(|(i, core)| {
            format!(
                "({core}.store (i32.const {}) (local.get {i}))",
                CORE_VALUES + 8 * i as u32
            )
        })
        .collect();
    let params = params.join(" ");
    let exports = text.each(|i, text| format!(r#"(type $d{i} {text}) (export $t{i} "t{i}" (type $d{i}))"#));
    let realloc = realloc(ALLOCATED);
    format!(
        r#"(component
            (core module $m
                (memory (export "memory") 16)
                {realloc}
                (func (export "f") (param {params}) (result i32)
                    {stores}
                    (i32.store (i32.const 1000) (i32.const {CORE_VALUES}))
                    (i32.store (i32.const 1004) (i32.sub (global.get $next) (i32.const {CORE_VALUES})))
                    (i32.const 1000)))
            (core instance $i (instantiate $m))
            {exports}
            (func (export "f") (param "v" {v}) (result (list u8))
                (canon lift (core func $i "f") (memory (core memory $i "memory"))
                    (realloc (core func $i "realloc")) string-encoding={encoding})))"#
    )
}

/// A function `f` that returns the value at an address, in a memory with these bytes from
/// [`CORE_VALUES`] on.
fn returned(ty: &Ty, encoding: &str, address: u32, bytes: &[u8]) -> String {
    let mut text = Text::default();
    let v = text.of(ty);
    let exports = text.each(|i, text| format!(r#"(type $d{i} {text}) (export $t{i} "t{i}" (type $d{i}))"#));
    let bytes: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (data (i32.const {CORE_VALUES}) "{bytes}")
                (func (export "f") (result i32) (i32.const {address})))
            (core instance $i (instantiate $m))
            {exports}
            (func (export "f") (result {v})
                (canon lift (core func $i "f") (memory (core memory $i "memory")) string-encoding={encoding})))"#
    )
}

/// The bytes that wasmtime makes of a value, or `None` if it refuses it.
fn by_wasmtime(engine: &Engine, text: &str, value: &Val) -> Option<Vec<u8>> {
    let (mut store, function) = instantiate(&compile(engine, text));
    let mut results = [Val::Bool(false)];
    function
        .call(&mut store, std::slice::from_ref(value), &mut results)
        .ok()?;
    match &results[0] {
        Val::List(bytes) => bytes
            .iter()
            .map(|byte| if let Val::U8(byte) = byte { Some(*byte) } else { None })
            .collect(),
        other => panic!("a list of bytes, not {other:?}"),
    }
}

/// The bytes that our `Lower` makes of a value, or `None` if it refuses it.
fn by_ours(engine: &Engine, text: &str, value: &Val) -> Option<Vec<u8>> {
    let (mut store, function) = instantiate(&compile(engine, text));
    let returned = call(&mut store, function, std::slice::from_ref(value)).ok()?;
    Some(serde_json::from_value(parsed(&returned).1.expect("a value")).expect("bytes"))
}

#[test]
fn arguments_are_the_same_bytes_as_those_of_wasmtime() {
    let engine = engine();
    let (cases, mut runner) = runner(200);
    let input = (typed_values(), select(&ENCODINGS[..]));
    let same = runner.run(&input, |((ty, value), encoding)| {
        let text = lowered(&ty, encoding);
        let theirs = by_wasmtime(&engine, &text, &value);
        prop_assert!(theirs.is_some(), "a value of its type is taken");
        prop_assert_eq!(by_ours(&engine, &text, &value), theirs, "{:?} as {:?}", value, ty);
        Ok(())
    });
    same.unwrap_or_else(|error| panic!("{error}"));
    println!("scorecard: F3 {cases} random arguments lowered, the same bytes as with Val");
}

/// Our `Lower` trusts the names of fields, which come from the same type. Besides that, it takes
/// what wasmtime takes.
#[test]
fn values_of_another_type_are_refused_where_wasmtime_refuses_them() {
    let engine = engine();
    let (cases, mut runner) = runner(150);
    let input = (typed_values(), typed_values(), select(&ENCODINGS[..]));
    let same = runner.run(&input, |((ty, _), (_, value), encoding)| {
        let text = lowered(&ty, encoding);
        let ours = by_ours(&engine, &text, &value);
        if let Some(theirs) = by_wasmtime(&engine, &text, &value) {
            prop_assert_eq!(ours, Some(theirs), "{:?} as {:?}", value, ty);
        }
        Ok(())
    });
    same.unwrap_or_else(|error| panic!("{error}"));
    println!("scorecard: F3 {cases} arguments of other types, 0 panics");
}

/// A hostile change of memory.
#[derive(Clone, Debug)]
enum Change {
    /// Another word at an address that is a multiple of 4.
    Word(Index, u32),
    /// The word there, and this.
    Add(Index, i32),
    Byte(Index, u8),
    Flip(Index, u8),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    // The ends of the memory, tags of encodings, lengths whose bytes overflow, and what is not
    // UTF-8.
    let words = vec![
        0,
        1,
        2,
        3,
        256,
        CORE_VALUES,
        ALLOCATED,
        ALLOCATED + 1,
        PAGE - 8,
        PAGE - 1,
        PAGE,
        PAGE + 1,
        0x7fff_ffff,
        0x8000_0000,
        0x8000_0001,
        0xffff_fffc,
        0xffff_ffff,
        0x0000_d800,
        0x0011_0000,
        0x2000_0000,
        0x4000_0001,
        0xedbf_a080,
    ];
    let at = any::<Index>;
    let change = prop_oneof![
        4 => (at(), select(words)).prop_map(|(at, word)| Change::Word(at, word)),
        2 => (at(), -9..9_i32).prop_map(|(at, by)| Change::Add(at, by)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        2 => (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
    ];
    vec(change, 0..4)
}

impl Change {
    fn apply(&self, bytes: &mut [u8]) {
        // The value begins where the allocated memory does.
        let (_, bytes) = bytes.split_at_mut((ALLOCATED - CORE_VALUES) as usize);
        let words = bytes.len() / 4;
        match self {
            Change::Word(at, word) if words > 0 => {
                bytes[4 * at.index(words)..][..4].copy_from_slice(&word.to_le_bytes());
            }
            Change::Add(at, by) if words > 0 => {
                let place = &mut bytes[4 * at.index(words)..][..4];
                let word = u32::from_le_bytes([place[0], place[1], place[2], place[3]]);
                place.copy_from_slice(&word.wrapping_add_signed(*by).to_le_bytes());
            }
            Change::Byte(at, byte) if !bytes.is_empty() => bytes[at.index(bytes.len())] = *byte,
            Change::Flip(at, bit) if !bytes.is_empty() => bytes[at.index(bytes.len())] ^= 1 << bit,
            _ => {}
        }
    }
}

#[test]
fn hostile_memory_is_read_or_refused_as_wasmtime_does() {
    let engine = engine();
    let (cases, mut runner) = runner(300);
    let input = (typed_values(), select(&ENCODINGS[..]), changes(), -1..2_i32);
    let (taken, refused) = (Cell::new(0_u32), Cell::new(0_u32));
    let same = runner.run(&input, |((ty, value), encoding, changes, moved)| {
        // What is in a list is in memory.
        let list = Ty::List(Box::new(ty.clone()));
        let in_list = Val::List(vec![value]);
        let mut bytes = by_wasmtime(&engine, &lowered(&list, encoding), &in_list).expect("a value of its type");
        for change in &changes {
            change.apply(&mut bytes);
        }
        // Seldom the address is not aligned.
        let address = ALLOCATED.wrapping_add_signed(if changes.len() == 3 { moved } else { 0 });
        let component = compile(&engine, &returned(&ty, encoding, address, &bytes));
        let (mut store, function) = instantiate(&component);
        let mut results = [Val::Bool(false)];
        let theirs = function.call(&mut store, &[], &mut results);
        // An instance is of no use after an error.
        let (mut store, function) = instantiate(&component);
        match (call(&mut store, function, &[]), theirs) {
            (Ok(ours), Ok(())) => {
                taken.set(taken.get() + 1);
                prop_assert_eq!(parsed(&ours), expected(&results[0]));
            }
            (Err(_), Err(_)) => refused.set(refused.get() + 1),
            (ours, theirs) => prop_assert!(false, "{:?} but wasmtime: {:?}", ours, theirs),
        }
        Ok(())
    });
    same.unwrap_or_else(|error| panic!("{error}"));
    let (taken, refused) = (taken.get(), refused.get());
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
    println!("scorecard: F3 {cases} hostile memories, {taken} read alike, {refused} refused alike, 0 panics");
}
