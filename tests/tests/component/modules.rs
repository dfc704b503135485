//! The built-in modules: imports, sizes, documentation.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stowage::builtin_modules;
use wasmparser::{Parser, Payload};

use crate::kits::builtin;

/// The largest a module may be, in bytes.
const MOST_BYTES: usize = 1100 << 10;

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
    assert_eq!(sizes.len(), 6);
    let large: Vec<_> = sizes.iter().filter(|(_, len)| *len >= MOST_BYTES).collect();
    assert!(large.is_empty(), "not under {MOST_BYTES} bytes: {large:?}");
}

#[tokio::test]
async fn the_wit_in_a_module_documents_every_method() {
    let kit = builtin().await;
    let mut methods = 0;
    for module in kit.logic().generation().modules() {
        for export in &module.exports {
            if !["storage-api", "transfer-api"].contains(&export.interface.wire_module()) {
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
    assert_eq!(methods, 18 + 30);
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
    assert_eq!(generation.methods().count(), 18 + 30);
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

#[tokio::test]
async fn a_number_has_one_message_whatever_is_wrong_with_it() {
    let kit = builtin().await;
    let page = json!({"page": 1, "pageSize": 10});
    let favorites = json!({"favId": "1", "type": 0, "page": 1, "pageSize": 10});
    let temp_files = json!({"unique": "c", "type": 0, "page": 1, "pageSize": 10});
    let progress = json!({"key": "k", "type": 0, "platform": 0});
    // What the module itself refuses, then what its type cannot hold.
    for (method, params, number, refused) in [
        ("getImFavoriteList", &favorites, "type", 5),
        ("getImFavoriteList", &favorites, "page", 0),
        ("getImFavoriteList", &favorites, "pageSize", 1001),
        ("getImFavoriteFolders", &page, "page", 0),
        ("getImFavoriteFolders", &page, "pageSize", 0),
        ("getLocalTempFileList", &temp_files, "type", 5),
        ("getLocalTempFileList", &temp_files, "page", 0),
        ("getLocalTempFileList", &temp_files, "pageSize", 0),
        ("getLocalTempFolderList", &page, "page", 0),
        ("getLocalTempFolderList", &page, "pageSize", 0),
        ("getImBackupsFolderList", &page, "page", 0),
        ("getImBackupsFolderList", &page, "pageSize", 0),
        ("getImBackupsFileList", &json!({"parent": "p"}), "page", 0),
        ("getImBackupsFileList", &json!({"parent": "p"}), "pageSize", 0),
        ("downloadStorageFileTask", &json!({"hash": "h"}), "platform", 5),
        ("getAllDownloadOrUploadFileProgress", &progress, "type", 2),
        ("getAllDownloadOrUploadFileProgress", &progress, "platform", 5),
        ("getAllDownloadOrUploadFileProgress", &progress, "status", 6),
    ] {
        let answer = async |value: Value| {
            let mut params = params.clone();
            params[number] = value;
            kit.json(method, params).await
        };
        let first = answer(json!(refused)).await;
        assert_eq!(first["code"], 600, "{method} {number}: {first}");
        let message = first["message"].as_str().unwrap();
        let start = format!("{number}: expected a whole number from ");
        assert!(message.starts_with(&start), "{method}: {message}");
        for value in [json!(-2), json!(1_u64 << 40), json!(1.5), json!("x"), json!([])] {
            assert_eq!(answer(value.clone()).await, first, "{method} {number} {value}");
        }
    }
}
