//! Arguments and return values of small components.

use serde_json::{Map, Value, json};
use wasmtime::component::{Component, Func, Linker, Type, Val};
use wasmtime::{Engine, Result, Store};

use super::arguments::Arguments;
use super::{Decoder, Failure, Outcome, Shape};

const MODULE: &str = r#"
    (core module $m
        (memory (export "memory") 1)
        (global $next (mut i32) (i32.const 4096))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.set $next (i32.and
                (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
                (i32.sub (i32.const 0) (local.get 2))))
            global.get $next
            (global.set $next (i32.add (global.get $next) (local.get 3))))
        CORE)
    (core instance $i (instantiate $m))
    TYPES
    (func (export "f") SIGNATURE
        (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
"#;

/// An instance whose function `f` is the core function of this text.
fn function(types: &str, signature: &str, core: &str) -> (Store<()>, Func) {
    let engine = Engine::default();
    let text = MODULE
        .replace("CORE", core)
        .replace("TYPES", types)
        .replace("SIGNATURE", signature);
    let component = Component::new(&engine, format!("(component {text})")).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
    let func = instance.get_func(&mut store, "f").unwrap();
    (store, func)
}

fn call(store: &mut Store<()>, func: Func, args: &[Val]) -> Result<Outcome> {
    func.typed::<Arguments<'_>, Outcome>(&*store)?
        .call(store, Arguments(args))
}

/// Calls a function without parameters. It returns what the core function `core` gives, and its
/// memory has these bytes from address 16.
fn returned(types: &str, result: &str, core: &str, memory: &str) -> Result<Outcome> {
    let core = format!(r#"(data (i32.const 16) "{memory}") (func (export "f") {core})"#);
    let (mut store, func) = function(types, &format!("(result {result})"), &core);
    call(&mut store, func, &[])
}

fn at_16(types: &str, result: &str, memory: &str) -> Result<Outcome> {
    returned(types, result, "(result i32) i32.const 16", memory)
}

fn value(json: &str) -> Outcome {
    Outcome::Done(json.into())
}

const TYPES: &str = r#"
    (type $size' (enum "very-small" "large")) (export $size "size" (type $size'))
    (type $perms' (flags "can-read" "write" "x" "d" "e" "f" "g" "h" "i-j")) (export $perms "perms" (type $perms'))
    (type $shape' (variant (case "no-shape") (case "radius" float64) (case "two-sides" (tuple u8 u32)) (case "name" string)))
    (export $shape "shape" (type $shape'))
    (type $row' (record (field "id" string) (field "n" s64))) (export $row "row" (type $row'))
    (type $all' (record
        (field "a-bool" bool) (field "s8" s8) (field "u8" u8) (field "s16" s16) (field "u16" u16) (field "s32" s32)
        (field "u32" u32) (field "s64" s64) (field "u64" u64) (field "f32" float32) (field "f64" float64)
        (field "a-char" char) (field "text" string) (field "numbers" (list u16)) (field "rows" (list $row))
        (field "maybe" (option bool)) (field "size" $size) (field "perms" $perms) (field "shape" $shape)
        (field "shapes" (list $shape)) (field "outcome" (result u8 (error string)))
        (field "maybe-maybe" (option (option u32)))))
    (export $all "all" (type $all'))
"#;

fn everything() -> Value {
    json!({
        "aBool": true, "s8": -128, "u8": 255, "s16": -32768, "u16": 65535, "s32": i32::MIN, "u32": u32::MAX,
        "s64": i64::MIN, "u64": u64::MAX, "f32": 0.5, "f64": -1.0, "aChar": "我", "text": "a\"\\\n\u{1}我",
        "numbers": [1, 2, 65535], "rows": [{"id": "", "n": 0}, {"id": "x/y", "n": -7}], "maybe": true,
        "size": "large", "perms": ["canRead", "iJ"], "shape": {"twoSides": [1, 2]},
        "shapes": ["noShape", {"radius": 1.5}, {"name": "ab"}], "outcome": {"err": "no"}, "maybeMaybe": 3,
    })
}

fn decoded(ty: &Type, value: Value) -> Val {
    let mut object = Map::new();
    object.insert("v".into(), value);
    Decoder::new(Shape::new(ty).unwrap())
        .decode_member(&object, "v")
        .unwrap()
}

#[test]
fn every_kind_of_value_comes_back_as_it_went() {
    // More than 16 core values are passed through memory, so the function can return its parameter.
    let core = r#"(func (export "f") (param i32) (result i32) local.get 0)"#;
    let (mut store, func) = function(TYPES, r#"(param "v" $all) (result $all)"#, core);
    let (_, ty) = func.ty(&store).params().next().unwrap();
    let mut sent = everything();
    for (field, other) in [
        ("aBool", json!(false)),
        ("maybe", json!(null)),
        ("shape", json!("noShape")),
        ("outcome", json!({"ok": 9})),
        ("perms", json!([])),
        ("rows", json!([])),
        ("size", json!("verySmall")),
    ] {
        let args = [decoded(&ty, sent.clone())];
        let Outcome::Done(text) = call(&mut store, func, &args).unwrap() else {
            panic!("no error was returned");
        };
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), sent);
        sent[field] = other;
    }
}

#[test]
fn arguments_that_fit_are_passed_as_core_values() {
    let types = r#"
        (type $shape' (variant (case "none") (case "half" float32) (case "whole" s64) (case "name" string)))
        (export $shape "shape" (type $shape'))
        (type $size' (enum "small" "large")) (export $size "size" (type $size'))
    "#;
    let signature = r#"(param "s" $shape) (param "o" (option $size)) (param "n" s8) (result u64)"#;
    // case · 10^15 + payload · 1000 + option · 100 + size · 10 + n
    let core = r#"(func (export "f") (param i32 i64 i32 i32 i32 i32) (result i64)
        (i64.mul (i64.extend_i32_u (local.get 0)) (i64.const 1000000000000000))
        (i64.mul (local.get 1) (i64.const 1000)) i64.add
        (i64.mul (i64.extend_i32_u (local.get 3)) (i64.const 100)) i64.add
        (i64.mul (i64.extend_i32_u (local.get 4)) (i64.const 10)) i64.add
        (i64.extend_i32_s (local.get 5)) i64.add)"#;
    let (mut store, func) = function(types, signature, core);
    let variant = |name: &str, payload: Option<Val>| Val::Variant(name.into(), payload.map(Box::new));
    let large = Val::Option(Some(Box::new(Val::Enum("large".into()))));
    let half = u64::from(1.5_f32.to_bits());
    for (shape, size, n, expected) in [
        (variant("none", None), Val::Option(None), -1, u64::MAX),
        (
            variant("half", Some(Val::Float32(1.5))),
            large.clone(),
            0,
            1_000_000_000_000_000 + half * 1000 + 110,
        ),
        (variant("whole", Some(Val::S64(7))), large, 5, 2_000_000_000_007_115),
    ] {
        let answer = call(&mut store, func, &[shape, size, Val::S8(n)]).unwrap();
        assert_eq!(answer, value(&expected.to_string()));
    }
    let wrong = [Val::U8(1), Val::Option(None), Val::S8(0)];
    assert!(call(&mut store, func, &wrong).is_err(), "a value of another type");
    assert!(call(&mut store, func, &wrong[..1]).is_err(), "too few");
}

#[test]
fn one_core_value_is_read_as_its_type() {
    let returns = |result: &str, core: &str| returned(TYPES, result, core, "").unwrap();
    assert_eq!(returns("bool", "(result i32) i32.const 1"), value("true"));
    assert_eq!(returns("s8", "(result i32) i32.const -3"), value("-3"));
    assert_eq!(returns("s64", "(result i64) i64.const -3"), value("-3"));
    assert_eq!(returns("float64", "(result f64) f64.const 2"), value("2.0"));
    assert_eq!(returns("float64", "(result f64) f64.const nan"), value("null"));
    assert_eq!(returns("float32", "(result f32) f32.const 0.5"), value("0.5"));
    assert_eq!(returns("char", "(result i32) i32.const 65"), value("\"A\""));
    assert_eq!(returns("$size", "(result i32) i32.const 0"), value("\"verySmall\""));
    assert_eq!(
        returns("$perms", "(result i32) i32.const 257"),
        value(r#"["canRead","iJ"]"#)
    );
    assert_eq!(returns("(result)", "(result i32) i32.const 0"), value("null"));
    let failure = Failure {
        json: Vec::new(),
        coded: None,
    };
    assert_eq!(
        returns("(result)", "(result i32) i32.const 1"),
        Outcome::Failed(failure)
    );
}

#[test]
fn a_function_without_a_result_gives_null() {
    let (mut store, func) = function("", "", r#"(func (export "f"))"#);
    assert_eq!(call(&mut store, func, &[]).unwrap(), value("null"));
}

#[test]
fn errors_are_told_from_values_and_their_code_is_found() {
    let types =
        r#"(type $error' (record (field "message" string) (field "code" s32))) (export $error "error" (type $error'))"#;
    let result = "(result u32 (error $error))";
    // case, message at 40, its length, code
    let memory = r"\01\00\00\00\28\00\00\00\02\00\00\00\60\ea\00\00\00\00\00\00\00\00\00\00no";
    let failure = Failure {
        json: br#"{"message":"no","code":60000}"#.to_vec(),
        coded: Some((60_000, "no".into())),
    };
    assert_eq!(at_16(types, result, memory).unwrap(), Outcome::Failed(failure));
    assert_eq!(at_16(types, result, r"\00\00\00\00\07").unwrap(), value("7"));
    let failure = Failure {
        json: br#""large""#.to_vec(),
        coded: None,
    };
    let result = "(result u32 (error $size))";
    assert_eq!(
        at_16(TYPES, result, r"\01\00\00\00\01").unwrap(),
        Outcome::Failed(failure)
    );
}

#[test]
fn what_lies_beyond_memory_or_is_no_value_is_refused() {
    for (result, memory) in [
        // A list and a string past the end, a list that is not aligned, one whose length overflows.
        ("(list u8)", r"\ff\ff\00\00\02\00\00\00"),
        ("string", r"\00\00\00\00\01\00\01\00"),
        ("(list u32)", r"\01\00\00\00\01\00\00\00"),
        ("(list u64)", r"\00\00\00\00\ff\ff\ff\ff"),
        // Bytes that are no UTF-8, cases that no type has, a surrogate.
        ("string", r"\18\00\00\00\01\00\00\00\ff"),
        ("(option u8)", r"\02"),
        ("$shape", r"\04"),
        ("(result u32)", r"\02"),
        ("(tuple $size u32)", r"\02"),
        ("(tuple char u32)", r"\00\d8\00\00"),
    ] {
        assert!(at_16(TYPES, result, memory).is_err(), "{result} {memory}");
    }
    for core in [
        "(result i32) i32.const 65533",
        "(result i32) i32.const 17",
        "(result i32) i32.const -4",
    ] {
        assert!(returned(TYPES, "(tuple u32 u32)", core, "").is_err(), "{core}");
    }
    assert!(returned(TYPES, "$size", "(result i32) i32.const 2", "").is_err());
}

#[test]
fn a_text_that_names_the_same_bytes_many_times_is_bounded() {
    // Items at 4096 that are all the whole memory below them.
    let core = r#"(data (i32.const 16) "\00\10\00\00\00\10\00\00")
        (func (export "f") (result i32)
            (local $at i32)
            (local.set $at (i32.const 4096))
            (loop $next
                (i32.store offset=4 (local.get $at) (i32.const 4096))
                (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 36864))))
            i32.const 16)"#;
    let (mut store, func) = function("", "(result (list (list u8)))", core);
    store.set_hostcall_fuel(1 << 20);
    assert!(call(&mut store, func, &[]).is_err(), "16 MiB and more");
}
