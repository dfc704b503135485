//! Descriptions of the API, made from components, whatever text they carry.

use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use stowage::builtin_modules;
use stowage_describe::{Role, asyncapi, markdown, openapi, schema, typescript};
use stowage_logic::codec::{Decoder, Shape, fold_name};
use stowage_logic::{Documentation, Generation, Logic};
use stowage_recording::NoServices;
use stowage_storage::Store;
use stowage_tests::document::{blocks, document};
use stowage_tests::examples::{self, feed_request};
use stowage_tests::random::Random;
use stowage_tests::tools::needed_api_tool;
use wasmtime::Engine;

use crate::random_types::Ty;
use crate::world::{COMPILING, config};

async fn generation(modules: Vec<(String, Vec<u8>)>) -> Generation {
    let _compiling = COMPILING.lock().await;
    let store = Store::in_memory(stowage_storage::Config::default());
    let logic = Logic::new(config(), store, Arc::new(NoServices)).unwrap();
    let mut loaded = Vec::new();
    for (name, bytes) in modules {
        loaded.push(Arc::new(logic.load(&name, bytes).await.unwrap()));
    }
    Generation::new(loaded)
}

fn described(generation: &Generation) -> Value {
    serde_json::from_str(&openapi(generation).to_string()).unwrap()
}

/// A component with functions `get-NAME` of its interfaces. Each returns a record `item` of one
/// field.
fn items(interfaces: &[(&str, &str)]) -> Vec<u8> {
    let mut text = String::from("(component");
    for (interface, field) in interfaces {
        write!(
            text,
            r#"(component ${interface}'
                (core module $m (func (export "f") (result i32) i32.const 7))
                (core instance $i (instantiate $m))
                (type $item' (record (field "{field}" u32)))
                (export $item "item" (type $item'))
                (func (export "get-{interface}") (result $item) (canon lift (core func $i "f"))))
            (instance ${interface} (instantiate ${interface}'))
            (export "local:shelf/{interface}@1.0.0" (instance ${interface}))"#
        )
        .unwrap();
    }
    wat::parse_str(text + ")").unwrap()
}

/// The component with a text in its section for WIT.
fn with_wit(component: &[u8], text: &str) -> Vec<u8> {
    const NAME: &[u8] = b"stowage:wit";
    let mut content = vec![NAME.len() as u8];
    content.extend(NAME);
    content.extend(text.as_bytes());
    let mut bytes = component.to_vec();
    bytes.push(0);
    let mut len = content.len();
    while len >= 0x80 {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend(content);
    bytes
}

fn module(bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    vec![("shelf".to_owned(), bytes)]
}

#[tokio::test]
async fn the_comments_have_every_documented_example() {
    let description = described(&generation(builtin_modules()).await);
    let example = |operation: &Value, part: &str| {
        let content = match part {
            "request" => &operation["requestBody"]["content"],
            _ => &operation["responses"]["200"]["content"],
        };
        content["application/json"]["examples"]["example1"]["value"].clone()
    };
    let mut compared = 0;
    for documented in examples::all() {
        let operation = &description["paths"][format!("/{}", documented.method())]["post"];
        let mut request = documented.request.clone();
        let mut answer = documented.answer.clone();
        if documented.name == "getAllDownloadOrUploadFileProgress" {
            // The documented request lacks the key that its text requires.
            request = feed_request("mine");
            answer = json!({"code": 200, "message": null, "data": null});
        }
        request
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !name.starts_with("__SERVER_ROUTE"));
        assert_eq!(example(operation, "request"), request, "{}", documented.name);
        assert_eq!(example(operation, "answer"), answer, "{}", documented.name);
        compared += 1;
    }
    let text = document("docs/transfer-api.md");
    let found: Vec<_> = blocks(&text)
        .into_iter()
        .filter(|block| block.language == "json")
        .collect();
    for pair in found.chunks(2) {
        let operation = &description["paths"][format!("/transferApi/{}", pair[0].heading)]["post"];
        for (part, block) in ["request", "answer"].into_iter().zip(pair) {
            let expected: Value = serde_json::from_str(&block.text).unwrap();
            assert_eq!(example(operation, part), expected, "{}", block.heading);
        }
        compared += 1;
    }
    let paths = description["paths"].as_object().unwrap().values();
    let methods = paths
        .filter(|path| !path["post"]["x-stowage-function"].is_null())
        .count();
    assert_eq!(compared, methods, "an example a method");
}

#[tokio::test]
async fn every_method_tells_where_it_is_and_what_may_go_wrong() {
    let generation = generation(builtin_modules()).await;
    let description = described(&generation);
    for route in generation.methods() {
        let export = route.export();
        let paths = description["paths"].as_object().unwrap();
        let path = paths.iter().find(|(_, path)| {
            path["post"]["x-stowage-function"] == format!("{}/{}", export.interface.package, export.path())
        });
        let (path, item) = path.unwrap_or_else(|| panic!("{}", export.path()));
        let method = path.rsplit('/').next().unwrap();
        assert_eq!(fold_name(method), fold_name(&export.function));
        let operation = &item["post"];
        assert_eq!(operation["x-stowage-version"], format!("{:#}", route.module().version));
        let codes: Vec<_> = operation["x-stowage-errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["code"].clone())
            .collect();
        let answer = &operation["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"];
        assert_eq!(answer[0]["properties"]["code"]["const"], 200);
        assert_eq!(answer[1]["properties"]["code"]["enum"], json!(codes));
        assert!(codes.contains(&json!(500)) && codes.contains(&json!(600)), "{path}");
        for (name, schema) in operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
            .as_object()
            .unwrap()
        {
            assert!(schema != &json!({}), "{path}: {name}");
        }
    }
    assert!(description["paths"]["/initStorage$IMDataFromSdk"].is_object());
    let page = &description["paths"]["/getImFavoriteList"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        ["properties"]["pageSize"];
    assert_eq!((&page["minimum"], &page["maximum"]), (&json!(1), &json!(1000)));
    assert_eq!(
        description["paths"]["/renameImFavoriteFolder"]["post"]["x-stowage-errors"][2],
        json!({"code": 60000, "meaning": "no such folder"})
    );
}

#[tokio::test]
async fn types_of_one_name_get_names_of_their_own_unless_they_are_alike() {
    let bytes = items(&[("one", "a"), ("three", "a"), ("two", "b")]);
    let description = described(&generation(module(bytes)).await);
    let data = |name: &str| {
        let operation = &description["paths"][format!("/shelf/get{name}")]["post"];
        operation["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"][0]["properties"]["data"]["$ref"]
            .clone()
    };
    assert_eq!(data("One"), "#/components/schemas/Item");
    assert_eq!(data("Three"), "#/components/schemas/Item");
    assert_eq!(data("Two"), "#/components/schemas/TwoItem");
    let two = &description["components"]["schemas"]["TwoItem"];
    assert_eq!(two["required"], json!(["b"]));
    assert_eq!(
        description["paths"]["/shelf/getOne"]["post"]["operationId"],
        "shelf_getOne"
    );
}

#[tokio::test]
async fn a_module_is_described_by_its_types_whatever_its_text_says() {
    let plain = items(&[("one", "a")]);
    let expected = described(&generation(module(plain.clone())).await);
    let operation = &expected["paths"]["/shelf/getOne"]["post"];
    assert_eq!(operation["summary"], "shelf_getOne");
    let interface = |body: &str| format!("package local:shelf@1.0.0;\ninterface one {{ {body} }}\n");
    let long = interface(&"/// x\n".repeat(300_000));
    for text in [
        "no WIT at all",
        "package",
        "package local:shelf@1.0.0;",
        "package local:shelf@1.0.0;\npackage local:shelf@2.0.0;\ninterface one {",
        &interface(&format!("type a = {}u8{};", "list<".repeat(50_000), ">".repeat(50_000))),
        &interface(&format!("record item {{ a: {} }}", "tuple<".repeat(90))),
        &interface("use nowhere.{item}; get-one: func() -> item;"),
        &interface("type item = item; get-one: func() -> item;"),
        &"package a:b { ".repeat(20_000),
        &"/*".repeat(40_000),
        &"interface a { use a.{a}; }".repeat(3_000),
        &long,
    ] {
        let bytes = with_wit(&plain, text);
        let mut described = described(&generation(module(bytes)).await);
        let shown = text.get(..60).unwrap_or(text);
        let operation = &mut described["paths"]["/shelf/getOne"]["post"];
        operation["x-stowage-version"] = expected["paths"]["/shelf/getOne"]["post"]["x-stowage-version"].clone();
        assert_eq!(described, expected, "{shown}");
    }
}

#[tokio::test]
async fn a_text_that_lies_about_types_adds_only_words() {
    let plain = items(&[("one", "a")]);
    let text = "package local:shelf@1.0.0;
        /// A shelf.
        interface one {
            /// Not what it is.
            record item { b: string, c: list<u8> }
            /// The item. Errors come never.
            /// Errors: 70001 it is `not-here`.
            /// Wire name: `deleteEverything`
            get-one: func(page: u32) -> list<item>;
        }";
    let described = described(&generation(module(with_wit(&plain, text))).await);
    let operation = &described["paths"]["/shelf/getOne"]["post"];
    assert_eq!(operation["summary"], "The item");
    assert_eq!(
        operation["x-stowage-errors"][2],
        json!({"code": 70001, "meaning": "it is `notHere`"})
    );
    let item = &described["components"]["schemas"]["Item"];
    assert_eq!(
        item["properties"],
        json!({"a": {"type": "integer", "minimum": 0, "maximum": u32::MAX}})
    );
    assert_eq!(item.get("description"), None);
}

#[test]
fn a_damaged_text_is_read_or_left_out() {
    let text = concat!(
        include_str!("../../../wit/deps/storage-api/types.wit"),
        include_str!("../../../wit/deps/storage-api/im-favorites.wit"),
        include_str!("../../../wit/deps/transfer-api/favorites.wit"),
    );
    let whole = Documentation::read(text);
    let favorites = stowage_logic::InterfaceName {
        package: "stowage:transfer-api".into(),
        interface: "favorites".into(),
    };
    let result = whole.function(&favorites, "add-im-favorite").unwrap().result().unwrap();
    let row = result.parts()[0].ty.unwrap().declaration().unwrap();
    assert_eq!(
        (row.name, row.interface.interface.as_str()),
        ("favorite", "im-favorites")
    );
    let mut random = Random::from_environment();
    for _ in 0..500 {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            let len = random.below(40) as usize;
            let end = bytes.len().min(at + len);
            match random.below(3) {
                0 => drop(bytes.drain(at..end)),
                1 => bytes.truncate(at),
                _ => {
                    let copy = bytes[at..end].to_vec();
                    let to = random.below(bytes.len() as u64) as usize;
                    bytes.splice(to..to, copy);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        let damaged = String::from_utf8_lossy(&bytes).into_owned();
        let read = Documentation::read(&damaged);
        if let Some(function) = read.function(&favorites, "add-im-favorite") {
            assert!(text.contains("Adds a favourite") && function.comment().len() <= damaged.len());
        }
    }
}

#[tokio::test]
async fn without_modules_the_host_itself_is_described() {
    let nothing = Generation::default();
    let described = described(&nothing);
    let paths: Vec<_> = described["paths"].as_object().unwrap().keys().collect();
    assert!(
        paths.contains(&&"/files".to_owned()) && paths.contains(&&"/openapi.json".to_owned()),
        "{paths:?}"
    );
    let feed: Value = serde_json::from_str(&asyncapi(&nothing).to_string()).unwrap();
    let row = &feed["components"]["schemas"]["TaskRow"]["required"];
    let served: Value = serde_json::from_str(&asyncapi(&generation(builtin_modules()).await).to_string()).unwrap();
    let sorted = |fields: &Value| {
        let mut fields: Vec<_> = fields.as_array().unwrap().iter().map(ToString::to_string).collect();
        fields.sort();
        fields
    };
    assert_eq!(
        sorted(row),
        sorted(&served["components"]["schemas"]["TaskRow"]["required"])
    );
    assert!(served["operations"]["subscribe"].is_object());
    assert!(feed["operations"]["subscribe"].is_null());
}

#[tokio::test]
async fn the_reference_in_docs_is_what_the_modules_say() {
    let generation = generation(builtin_modules()).await;
    let made = markdown(&openapi(&generation), &asyncapi(&generation));
    assert!(
        made.trim_end() == document("docs/api.md").trim_end(),
        "docs/api.md is stale: run `make api-docs`"
    );
    assert!(typescript(&openapi(&generation)).contains("getImFavoriteList: {"));
}

/// Random types and values, checked by the validator of others.
#[test]
fn a_schema_allows_what_the_codec_writes_and_nothing_that_it_refuses() {
    let python = needed_api_tool("venv/bin/python", "the check of schemas");
    let engine = Engine::default();
    let mut random = Random::from_environment();
    let mut lines = String::new();
    let mut refused = 0;
    for _ in 0..250 {
        let ty = Ty::random(&mut random, 3);
        let compiled = ty.compiled(&engine);
        let decoder = Decoder::new(Shape::new(&compiled).unwrap());
        let [request, answer] = [Role::Request, Role::Answer]
            .map(|role| serde_json::from_str::<Value>(&schema(&compiled, role).to_string()).unwrap());
        for _ in 0..4 {
            let written = stowage_logic::codec::json(&ty.value(&mut random));
            writeln!(lines, "{}", json!([answer, written, true])).unwrap();
            let takes = |value: &Value| {
                let object = json!({"x": value});
                decoder.decode_member(object.as_object().unwrap(), "x").is_ok()
            };
            writeln!(lines, "{}", json!([request, written, takes(&written)])).unwrap();
            let changed = changed(&written, &mut random);
            if !takes(&changed) {
                refused += 1;
                writeln!(lines, "{}", json!([request, changed, false])).unwrap();
            }
        }
    }
    assert!(refused > 200, "{refused}");
    let Some(python) = python else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cases");
    std::fs::write(&file, lines).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/api-tools/schema_cases.py");
    let output = Command::new(python).arg(script).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The value with one of its parts replaced by something else.
fn changed(value: &Value, random: &mut Random) -> Value {
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!("x"),
        json!(""),
        json!([]),
        json!({}),
        json!(300),
        json!(u64::MAX),
        json!([null]),
        json!({"ok": 1}),
        json!({"nA": "x"}),
        json!("nZ"),
    ];
    let other = others[random.below(others.len() as u64) as usize].clone();
    let len = match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    };
    if len == 0 || random.below(3) == 0 {
        return other;
    }
    let at = random.below(len as u64) as usize;
    let mut copy = value.clone();
    match &mut copy {
        Value::Array(items) => items[at] = changed(&items[at], random),
        Value::Object(members) => {
            let name = members.keys().nth(at).unwrap().clone();
            let new = changed(&members[&name], random);
            members.insert(name, new);
        }
        _ => {}
    }
    copy
}
