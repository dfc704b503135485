//! Copies of this repository's crates in the crate of a new module: a workspace under
//! `vendor/stowage`.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::folder::Files;
use super::sources::Sources;

/// The directory of the copies.
pub(super) const DIR: &str = "vendor/stowage";

/// The test kit and its dependencies.
pub(super) const KIT: &[&str] = &["host/logic", "host/recording", "host/storage", "tests/kit"];

const HEADER: &str = "# A copy that `stowage module new` made. Edit your own crate instead.\n\n";

/// Adds crates of the repository, by their directories, and the WIT that they need.
pub(super) fn add(sources: &Sources, crates: &[&str], files: &mut Files) {
    let mut needed = BTreeSet::new();
    for dir in crates {
        for (path, text) in sources.under(dir) {
            let text = match path {
                "Cargo.toml" => manifest(text, &mut needed),
                _ => text.to_owned(),
            };
            files.add(&format!("{DIR}/{dir}/{path}"), text);
        }
    }
    for (path, text) in sources.under("wit") {
        files.add(&format!("{DIR}/wit/{path}"), text);
    }
    files.add(&format!("{DIR}/LICENSE"), sources.text("LICENSE"));
    files.add(
        &format!("{DIR}/Cargo.toml"),
        workspace(sources.text("Cargo.toml"), crates, &needed),
    );
}

/// The entry of a dependency in the workspace, for another manifest.
pub(super) fn dependency(sources: &Sources, name: &str) -> String {
    let root = table(sources.text("Cargo.toml"));
    root["workspace"]["dependencies"][name].to_string()
}

/// The oldest Rust that the crates build with.
pub(super) fn rust_version(sources: &Sources) -> String {
    let root = table(sources.text("Cargo.toml"));
    let version = root["workspace"]["package"]["rust-version"].as_str();
    version.expect("the workspace names its Rust").to_owned()
}

/// The manifest of a crate without dev-dependencies and lints. Adds its dependencies to `needed`.
fn manifest(text: &str, needed: &mut BTreeSet<String>) -> String {
    let mut manifest = table(text);
    manifest.remove("lints");
    manifest.remove("dev-dependencies");
    if let Some(Value::Table(lib)) = manifest.get_mut("lib") {
        // Only the repository builds a component from it.
        lib.remove("crate-type");
    }
    if let Some(Value::Table(dependencies)) = manifest.get("dependencies") {
        needed.extend(dependencies.keys().cloned());
    }
    format!("{HEADER}{manifest}")
}

/// The manifest of the workspace with these members and the dependencies that they need.
fn workspace(text: &str, members: &[&str], needed: &BTreeSet<String>) -> String {
    let mut root = table(text);
    root.retain(|section, _| section == "workspace");
    if let Some(Value::Table(workspace)) = root.get_mut("workspace") {
        workspace.remove("default-members");
        workspace.remove("lints");
        workspace.insert("members".to_owned(), members.to_vec().into());
        if let Some(Value::Table(dependencies)) = workspace.get_mut("dependencies") {
            dependencies.retain(|name, _| needed.contains(name));
        }
    }
    format!("{HEADER}{root}")
}

fn table(text: &str) -> Table {
    text.parse().expect("cargo has read the manifest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_holds_what_its_members_need_and_no_more() {
        let mut files = Files::default();
        add(&Sources::unpack(), &["guest/sdk", "guest/favorites"], &mut files);
        let root = table(files.text("vendor/stowage/Cargo.toml"));
        let members = root["workspace"]["members"].as_array().expect("a list");
        assert_eq!(members.len(), 2);
        let dependencies = root["workspace"]["dependencies"].as_table().expect("a table");
        assert!(dependencies.contains_key("wit-bindgen") && dependencies.contains_key("stowage-sdk"));
        assert!(!dependencies.contains_key("wasmtime"));
        assert!(!root.contains_key("profile"));
        let favorites = table(files.text("vendor/stowage/guest/favorites/Cargo.toml"));
        assert!(favorites["lib"].get("crate-type").is_none());
        assert!(
            !favorites.contains_key("lints"),
            "the vendored workspace has none to inherit"
        );
        assert!(!files.text("vendor/stowage/guest/sdk/src/lib.rs").is_empty());
        assert!(!files.text("vendor/stowage/wit/worlds.wit").is_empty());
    }
}
