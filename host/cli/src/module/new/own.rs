//! The crate of a module with an interface of its own: the filled template.

use super::folder::Files;
use super::name::ModuleName;
use super::sources::Sources;
use super::vendor;

/// The crate of a module with an interface of its own.
pub(super) fn files(sources: &Sources, name: &ModuleName) -> Files {
    let mut files = Files::default();
    add_both(sources, name, &mut files);
    for (path, text) in sources.under("host/template/own") {
        files.add(path, filled(sources, name, text));
    }
    for file in ["package.wit", "types.wit"] {
        files.add(
            &format!("wit/deps/storage-api/{file}"),
            sources.text(&format!("wit/deps/storage-api/{file}")),
        );
    }
    vendor::add(sources, &[vendor::KIT, &["guest/sdk"]].concat(), &mut files);
    files
}

/// Adds the files of every crate.
pub(super) fn add_both(sources: &Sources, name: &ModuleName, files: &mut Files) {
    for (path, text) in sources.under("host/template/both") {
        // A file named `.gitignore` in the template would apply to this repository.
        let path = if path == "gitignore" { ".gitignore" } else { path };
        files.add(path, filled(sources, name, text));
    }
    for (path, text) in sources.under("wit/deps/host") {
        files.add(&format!("wit/deps/host/{path}"), text);
    }
    files.add("rustfmt.toml", sources.text("rustfmt.toml"));
    // The versions that the built-in modules are built with. Cargo removes what this crate does not
    // use.
    for lock in ["Cargo.lock", "wasmtime-tests/Cargo.lock"] {
        files.add(lock, sources.text("Cargo.lock"));
    }
    let toolchain = sources.text("rust-toolchain.toml").trim_end();
    files.add(
        "rust-toolchain.toml",
        format!("{toolchain}\ntargets = [\"wasm32-wasip2\"]\n"),
    );
}

/// Fills in the placeholders of a template.
pub(super) fn filled(sources: &Sources, name: &ModuleName, text: &str) -> String {
    text.replace("{{name}}", &name.to_string())
        .replace("{{snake}}", &name.snake())
        .replace("{{wire}}", &stowage_logic::codec::camel_case(&name.to_string()))
        .replace("{{rust-version}}", &vendor::rust_version(sources))
        .replace("{{wit-bindgen}}", &vendor::dependency(sources, "wit-bindgen"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_open_and_the_name_is_everywhere() {
        let name = ModuleName::new("pin-board").expect("a name");
        let files = files(&Sources::unpack(), &name);
        // Vendored files are copied unchanged.
        for path in files.paths().filter(|path| !path.starts_with("vendor/")) {
            assert!(!files.text(path).contains("{{"), "{path}");
        }
        assert!(files.text("wit/world.wit").contains("package local:pin-board@"));
        assert!(files.text("src/notes.rs").contains("\"pin-board-notes\""));
        assert!(
            files.text("Cargo.toml").contains("wit-bindgen = {"),
            "{}",
            files.text("Cargo.toml")
        );
        assert_eq!(files.text(".gitignore"), "target/\n");
    }
}
