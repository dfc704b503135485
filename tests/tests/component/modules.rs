//! The built-in modules: imports, sizes, documentation.

use std::collections::BTreeSet;

use stowage::builtin_modules;
use wasmparser::{Parser, Payload};

use crate::kits::builtin;

/// The largest a module may be, in bytes.
const MOST_BYTES: usize = 400 << 10;

/// The interfaces that a component imports in its outermost import sections.
fn imports(bytes: &[u8]) -> BTreeSet<String> {
    let mut depth = 0;
    let mut names = BTreeSet::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                names.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
            }
            _ => {}
        }
    }
    names
}

#[test]
fn modules_import_only_what_modules_may() {
    for (name, bytes) in builtin_modules() {
        let imports = imports(&bytes);
        assert!(
            imports.iter().any(|i| i.starts_with("stowage:host/")),
            "{name}: {imports:?}"
        );
        for import in &imports {
            let package = import.split('/').next().unwrap();
            let allowed = [
                "stowage:host",
                "stowage:storage-api",
                "wasi:cli",
                "wasi:clocks",
                "wasi:io",
                "wasi:random",
            ];
            assert!(allowed.contains(&package), "{name} imports {import}");
        }
    }
}

#[test]
fn modules_are_small() {
    let sizes: Vec<_> = builtin_modules()
        .into_iter()
        .map(|(name, bytes)| (name, bytes.len()))
        .collect();
    assert_eq!(sizes.len(), 5);
    let large: Vec<_> = sizes.iter().filter(|(_, len)| *len >= MOST_BYTES).collect();
    assert!(large.is_empty(), "not under {MOST_BYTES} bytes: {large:?}");
}

#[tokio::test]
async fn the_wit_in_a_module_documents_every_method() {
    let kit = builtin().await;
    let mut methods = 0;
    for module in kit.logic().generation().modules() {
        for export in &module.exports {
            if export.interface.wire_module() != "storage-api" {
                continue;
            }
            methods += 1;
            let declared = format!("    {}: func(", export.function);
            let lines: Vec<_> = module.wit.lines().collect();
            let at = lines
                .iter()
                .position(|line| line.starts_with(&declared))
                .unwrap_or_else(|| panic!("{} does not declare {}", module.name, export.function));
            assert!(
                lines[at - 1].trim_start().starts_with("/// "),
                "{} is undocumented",
                export.function
            );
            assert!(
                module
                    .wit
                    .contains(&format!("interface {} {{", export.interface.interface))
            );
        }
        assert!(
            module.wit.contains("package stowage:storage-api@1.0.0;"),
            "{}",
            module.name
        );
    }
    assert_eq!(methods, 18);
}

#[tokio::test]
async fn the_documented_methods_are_the_served_ones() {
    let kit = builtin().await;
    let generation = kit.logic().generation();
    for example in stowage_tests::examples::all() {
        assert!(
            generation.method(Some("storageApi"), example.method()).is_some(),
            "{}",
            example.method()
        );
        assert!(
            generation.method(None, example.method()).is_some(),
            "{}",
            example.method()
        );
    }
    assert_eq!(generation.methods().count(), 18);
    for collection in [
        "favorite-folders",
        "favorites",
        "temp-folders",
        "temp-files",
        "backup-folders",
        "backups",
        "storage-folders",
        "storage-files",
        "dapp-files",
    ] {
        assert!(generation.collection(collection).is_some(), "{collection}");
    }
}
