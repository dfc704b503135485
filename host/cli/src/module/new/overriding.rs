//! The crate of a module that overrides methods of the storage API.
//!
//! A component exports a whole interface or none, so the module has an interface with only these
//! functions. The host finds functions by package and name: the name of the interface is free. The
//! types are those of the built-in interface.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::folder::Files;
use super::method::Method;
use super::name::ModuleName;
use super::own::{add_both, filled};
use super::sources::Sources;
use super::vendor;

/// The methods of one interface, by name.
type Part<'a> = BTreeMap<&'a str, &'a Method>;

/// The longest line of the written code.
const LINE_CHARS: usize = 120;

/// The most parameters that clippy accepts.
const FEW_PARAMS: usize = 7;

/// The crate of a module that overrides these methods, at least one.
pub(super) fn files(sources: &Sources, name: &ModuleName, methods: &[Method]) -> Files {
    let mut parts: BTreeMap<&str, Part<'_>> = BTreeMap::new();
    for method in methods {
        parts.entry(&method.interface).or_default().insert(&method.name, method);
    }
    let modules: BTreeSet<&str> = methods.iter().map(|method| &*method.module).collect();
    let mut files = Files::default();
    add_both(sources, name, &mut files);
    for (path, text) in sources.under("host/template/method") {
        let text = text
            .replace("{{builtins}}", builtins(&modules).trim_end())
            .replace("{{methods}}", &wire_names(methods));
        files.add(path, filled(sources, name, &text));
    }
    for (path, text) in sources.under("wit/deps/storage-api") {
        files.add(&format!("wit/deps/storage-api/{path}"), text);
    }
    files.add("wit/world.wit", world(name, &parts));
    for (interface, part) in &parts {
        files.add(
            &format!("wit/deps/storage-api/{interface}-override.wit"),
            wit(interface, part),
        );
        files.add(&format!("src/{}.rs", snake(interface)), functions(part));
    }
    files.add("src/bindings.rs", bindings(name, &parts));
    files.add("src/lib.rs", exports(&wire_names(methods), &parts));
    files.add("tests/methods.rs", tests(name, &parts));
    files.add("wasmtime-tests/tests.rs", wasmtime_tests(name, methods));
    let builtins: Vec<_> = modules.iter().map(|module| format!("guest/{module}")).collect();
    let builtins: Vec<_> = builtins.iter().map(String::as_str).collect();
    vendor::add(sources, &[vendor::KIT, &["guest/sdk"], &builtins].concat(), &mut files);
    files
}

fn snake(kebab: &str) -> String {
    kebab.replace('-', "_")
}

/// The name of the built-in crate in Rust.
fn builtin(part: &Part<'_>) -> String {
    let module = part.values().next().map_or("", |method| &*method.module);
    format!("stowage_{}", snake(module))
}

/// The types of the interface that the methods use.
fn types<'a>(part: &Part<'a>) -> BTreeSet<&'a str> {
    part.values()
        .flat_map(|method| method.types.iter().map(String::as_str))
        .collect()
}

fn wire_names(methods: &[Method]) -> String {
    let names: Vec<_> = methods
        .iter()
        .map(|method| format!("`{}`", method.wire_name()))
        .collect();
    names.join(", ")
}

fn builtins(modules: &BTreeSet<&str>) -> String {
    let mut text = String::new();
    for module in modules {
        line(
            &mut text,
            &format!(
                "stowage-{module} = {{ path = \"{}/guest/{module}\", default-features = false }}",
                vendor::DIR
            ),
        );
    }
    text
}

fn world(name: &ModuleName, parts: &BTreeMap<&str, Part<'_>>) -> String {
    let mut text = format!(
        "/// Serves methods of the storage API in place of the built-in modules.\npackage local:{name}@0.1.0;\n\n\
         /// The module.\nworld module {{\n"
    );
    for import in ["storage", "transfer", "cloud", "progress"] {
        line(&mut text, &format!("    import stowage:host/{import}@1.0.0;"));
    }
    for interface in parts.keys() {
        line(
            &mut text,
            &format!("    export stowage:storage-api/{interface}-override@1.0.0;"),
        );
    }
    text + "}\n"
}

/// The interface with only the methods.
fn wit(interface: &str, part: &Part<'_>) -> String {
    let shared: BTreeSet<&str> = part
        .values()
        .flat_map(|method| method.shared_types.iter().map(String::as_str))
        .collect();
    let mut text = format!(
        "package stowage:storage-api@1.0.0;\n\n\
         /// The methods of `{interface}` that this module overrides. The host finds functions\n\
         /// by package and name: the name of the interface is free. Parameters and results\n\
         /// must stay as clients know them.\n\
         interface {interface}-override {{\n"
    );
    if !shared.is_empty() {
        line(&mut text, &format!("    use types.{{{}}};", joined(&shared)));
    }
    if !types(part).is_empty() {
        line(&mut text, &format!("    use {interface}.{{{}}};", joined(&types(part))));
    }
    for method in part.values() {
        line(&mut text, "");
        for doc in &method.docs {
            line(&mut text, &format!("    /// {doc}"));
        }
        line(&mut text, &format!("    {}", method.declaration));
    }
    text + "}\n"
}

fn bindings(name: &ModuleName, parts: &BTreeMap<&str, Part<'_>>) -> String {
    let mut text = format!(
        "//! The world `module`, generated from `wit/`. The imports are those of the SDK, the types of\n\
         //! the methods those of the built-in modules.\n\n\
         wit_bindgen::generate!({{\n    path: \"wit\",\n    world: \"local:{name}/module\",\n    with: {{\n"
    );
    for import in ["storage", "transfer", "cloud", "progress"] {
        line(
            &mut text,
            &format!("        \"stowage:host/{import}@1.0.0\": stowage_sdk::bindings::{import},"),
        );
    }
    line(
        &mut text,
        "        \"stowage:storage-api/types@1.0.0\": stowage_sdk::bindings::types,",
    );
    for (interface, part) in parts.iter().filter(|(_, part)| !types(part).is_empty()) {
        line(
            &mut text,
            &format!(
                "        \"stowage:storage-api/{interface}@1.0.0\": {}::bindings::api,",
                builtin(part)
            ),
        );
    }
    text + "    },\n    additional_derives: [PartialEq],\n    generate_all,\n});\n"
}

/// The methods as plain functions, for the author to edit.
fn functions(part: &Part<'_>) -> String {
    let builtin = builtin(part);
    let has_order = part
        .values()
        .any(|method| method.shared_types.iter().any(|ty| ty == "order"));
    let order = if has_order { ", Order" } else { "" };
    let mut text = format!(
        "//! The methods that override those of `{builtin}`. Each function calls the built-in one until\n\
         //! you change it. The source of that is in `vendor/stowage/guest`.\n\n\
         use {builtin} as builtin;\n"
    );
    if !types(part).is_empty() {
        line(&mut text, &format!("pub use {builtin}::bindings::api;"));
    }
    line(&mut text, &format!("use stowage_sdk::{{Context, Error{order}}};"));
    for method in part.values() {
        line(&mut text, "");
        for doc in &method.docs {
            line(&mut text, &format!("/// {doc}"));
        }
        text.push_str(&function("pub ", method));
    }
    text
}

/// A method as a function that takes a context.
fn function(visibility: &str, method: &Method) -> String {
    let mut params = vec!["ctx: &dyn Context".to_owned()];
    params.extend(method.params.iter().map(|(name, ty)| format!("{name}: {ty}")));
    let mut text = String::new();
    if params.len() > FEW_PARAMS {
        line(
            &mut text,
            "#[allow(clippy::too_many_arguments, reason = \"they are the method's\")]",
        );
    }
    text.push_str(&head("", visibility, &method.rust_name(), &params, &method.returns));
    for code in method
        .body
        .replace("&HostContext", "ctx")
        .replace("crate::", "builtin::")
        .lines()
    {
        line(&mut text, &format!("    {code}"));
    }
    text + "}\n"
}

/// The head of a function, on one line if it fits.
fn head(indent: &str, visibility: &str, name: &str, params: &[String], returns: &str) -> String {
    let one = format!("{indent}{visibility}fn {name}({}) -> {returns} {{\n", params.join(", "));
    if one.len() <= LINE_CHARS {
        return one;
    }
    let mut text = format!("{indent}{visibility}fn {name}(\n");
    for param in params {
        line(&mut text, &format!("{indent}    {param},"));
    }
    text + indent + &format!(") -> {returns} {{\n")
}

/// The crate's root: the exports.
fn exports(wire_names: &str, parts: &BTreeMap<&str, Part<'_>>) -> String {
    let mut text = format!(
        "//! Serves {wire_names} in place of the built-in modules.\n//!\n\
         //! The exports below are thin. The logic is in plain functions that take a `Context`:\n\
         //! the host in the component, memory in unit tests.\n\npub mod bindings;\n"
    );
    for interface in parts.keys() {
        line(&mut text, &format!("pub mod {};", snake(interface)));
    }
    let has_order = parts
        .values()
        .flat_map(BTreeMap::values)
        .any(|method| method.shared_types.iter().any(|ty| ty == "order"));
    let order = if has_order { ", Order" } else { "" };
    let _ = write!(
        text,
        "\n#[cfg(target_arch = \"wasm32\")]\nmod module {{\n    //! The exports.\n\n    use stowage_sdk::{{Error, HostContext{order}}};\n\n"
    );
    for interface in parts.keys() {
        line(&mut text, &format!("    use crate::{};", snake(interface)));
    }
    line(&mut text, "\n    struct Module;");
    for (interface, part) in parts {
        let file = snake(interface);
        let _ = writeln!(
            text,
            "\n    impl crate::bindings::exports::stowage::storage_api::{file}_override::Guest for Module {{"
        );
        for (nth, method) in part.values().enumerate() {
            if nth > 0 {
                line(&mut text, "");
            }
            let typed = |ty: &str| ty.replace("api::", &format!("{file}::api::"));
            let params: Vec<_> = method
                .params
                .iter()
                .map(|(name, ty)| format!("{name}: {}", typed(ty)))
                .collect();
            text.push_str(&head(
                "        ",
                "",
                &method.rust_name(),
                &params,
                &typed(&method.returns),
            ));
            let mut arguments = vec!["&HostContext"];
            arguments.extend(method.params.iter().map(|(name, _)| &**name));
            let call = format!("{file}::{}({})", method.rust_name(), arguments.join(", "));
            line(&mut text, &format!("            {call}"));
            line(&mut text, "        }");
        }
        line(&mut text, "    }");
    }
    text.push_str("\n    crate::bindings::export!(Module with_types_in crate::bindings);\n}\n");
    text + &embedded(parts)
}

/// The WIT text that the module carries: of its interfaces, and of those whose types they use.
fn embedded(parts: &BTreeMap<&str, Part<'_>>) -> String {
    let shared = ["package", "types"].map(str::to_owned);
    let of_parts = parts
        .keys()
        .flat_map(|interface| [(*interface).to_owned(), format!("{interface}-override")]);
    let files = shared.into_iter().chain(of_parts);
    let files: Vec<_> = files.map(|file| format!("    \"storage-api/{file}.wit\",\n")).collect();
    format!(
        "\nstowage_sdk::embed_wit!(\n    in \"wit/deps\";\n{}\n);\n",
        files.concat().trim_end()
    )
}

/// Tests that compare each method with the built-in one on a context in memory.
fn tests(name: &ModuleName, parts: &BTreeMap<&str, Part<'_>>) -> String {
    let crate_name = name.snake();
    let mut text = String::from(
        "//! The methods on a context in memory. Each answers and writes the same as the built-in one.\n\
         //! Change a test with its method.\n\n\
         use stowage_sdk::MemoryContext;\n",
    );
    for (interface, part) in parts {
        let file = snake(interface);
        for method in part.values() {
            let arguments: Vec<_> = method
                .params
                .iter()
                .map(|(name, ty)| {
                    let value = example(name, ty);
                    format!("{value}, ")
                })
                .collect();
            let arguments = arguments.concat();
            let arguments = arguments.trim_end_matches(", ");
            let function = method.rust_name();
            let ctx = |ctx: &str| match arguments {
                "" => ctx.to_owned(),
                _ => format!("{ctx}, {arguments}"),
            };
            let _ = write!(
                text,
                "\n#[test]\nfn {function}_does_as_the_built_in_method_does() {{\n    \
                 let (ours, theirs) = (MemoryContext::new(), MemoryContext::new());\n    \
                 let answer = ours.call(|ctx| {crate_name}::{file}::{function}({}));\n    \
                 let expected = theirs.call(|ctx| built_in::{function}({}));\n    \
                 assert_eq!(answer, expected);\n    \
                 assert_eq!(ours.dump(), theirs.dump());\n    \
                 assert_eq!(ours.take_effects(), theirs.take_effects());\n}}\n",
                ctx("ctx"),
                ctx("ctx"),
            );
        }
    }
    line(&mut text, "\n/// The built-in methods.\nmod built_in {");
    let all = || parts.values().flat_map(BTreeMap::values);
    let has_order = all().any(|method| method.shared_types.iter().any(|ty| ty == "order"));
    let order = if has_order { ", Order" } else { "" };
    line(&mut text, &format!("    use stowage_sdk::{{Context, Error{order}}};"));
    for part in parts.values() {
        let builtin = builtin(part);
        for method in part.values() {
            line(&mut text, "");
            let function = function("pub ", method)
                .replace("api::", &format!("{builtin}::bindings::api::"))
                .replace("builtin::", &format!("{builtin}::"));
            for code in function.lines() {
                line(&mut text, &format!("    {code}"));
            }
        }
    }
    text + "}\n"
}

/// Tests that call each method of the component in wasmtime.
fn wasmtime_tests(name: &ModuleName, methods: &[Method]) -> String {
    let mut text = format!(
        "//! Tests of the component in wasmtime, as the server runs it, over storage in memory.\n//!\n\
         //! `make test` builds it first and sets `WASM` to its path.\n#![cfg(test)]\n\n\
         use serde_json::json;\nuse stowage_kit::Kit;\n\n\
         /// The component, with a known time and known random numbers.\n\
         async fn kit() -> Kit {{\n    \
         let file = std::env::var(\"WASM\").unwrap_or_else(|_| {{\n        \
         concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../target/wasm32-wasip2/release/{}.wasm\").to_owned()\n    }});\n    \
         let kit = Kit::load(file).await.expect(\"a component: `make build`\");\n    \
         kit.set_now(1_700_000_000_000).vary_seed([7; 32]);\n    kit\n}}\n",
        name.snake(),
    );
    for method in methods {
        let params: Vec<_> = method
            .wit_params()
            .filter_map(|(name, ty)| example_json(&name, ty))
            .collect();
        let (wire, function) = (method.wire_name(), method.rust_name());
        let _ = write!(
            text,
            "\n#[tokio::test]\nasync fn {function}_answers() {{\n    \
             let kit = kit().await;\n    \
             let answer = kit.json(\"{wire}\", json!({{{}}})).await;\n    \
             // 300: no module serves the method. 500: the call failed.\n    \
             assert!(answer[\"code\"] != 300 && answer[\"code\"] != 500, \"{{answer}} {{:?}}\", kit.failure());\n}}\n",
            params.join(", "),
        );
    }
    text
}

/// An example of a parameter as JSON. `None` if it may be absent.
fn example_json(name: &str, ty: &str) -> Option<String> {
    let value = match ty {
        "string" => "\"1\"",
        "list<string>" => "[\"1\"]",
        "bool" => "true",
        "u32" if name == "pageSize" => "10",
        "u32" => "1",
        _ => return None,
    };
    Some(format!("\"{name}\": {value}"))
}

/// An example value of a parameter.
fn example(name: &str, ty: &str) -> String {
    match ty {
        "String" => "\"1\".to_owned()".to_owned(),
        "Vec<String>" => "vec![\"1\".to_owned()]".to_owned(),
        "bool" => "true".to_owned(),
        "u32" if name == "page_size" => "10".to_owned(),
        "u32" => "1".to_owned(),
        _ => "None".to_owned(),
    }
}

fn joined(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_of(methods: &[&str]) -> Files {
        let sources = Sources::unpack();
        let methods: Vec<_> = methods
            .iter()
            .map(|name| Method::find(&sources, name).expect("a method"))
            .collect();
        files(&sources, &ModuleName::new("mine").expect("a name"), &methods)
    }

    #[test]
    fn the_interface_holds_the_method_and_nothing_else() {
        let files = crate_of(&["createImFavoriteFolder"]);
        let wit = files.text("wit/deps/storage-api/im-favorites-override.wit");
        assert_eq!(wit.matches(": func(").count(), 1, "{wit}");
        assert!(wit.contains("create-im-favorite-folder: func(name: string) -> result<bool, error>;"));
        assert!(wit.contains("use types.{error};") && !wit.contains("use im-favorites"));
        let rust = files.text("src/im_favorites.rs");
        assert!(rust.contains("    builtin::create(ctx, &name)\n"), "{rust}");
        assert!(files.text("Cargo.toml").contains("stowage-favorites = {"));
        // Vendored files are copied unchanged.
        for path in files.paths().filter(|path| !path.starts_with("vendor/")) {
            assert!(!files.text(path).contains("{{"), "{path}");
        }
    }

    #[test]
    fn methods_of_several_interfaces_are_parts_of_their_own() {
        let files = crate_of(&["getImFavoriteList", "renameImFavoriteFolder", "searchLocalTempFile"]);
        let wit = files.text("wit/deps/storage-api/im-favorites-override.wit");
        assert_eq!(wit.matches(": func(").count(), 2);
        assert!(wit.contains("use im-favorites.{favorite};"));
        assert!(
            files
                .text("wit/world.wit")
                .contains("export stowage:storage-api/temp-files-override@1.0.0;")
        );
        assert!(
            files
                .text("src/lib.rs")
                .contains("Result<Vec<im_favorites::api::Favorite>, Error>")
        );
    }
}
