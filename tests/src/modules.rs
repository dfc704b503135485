//! The built modules, and other versions of them to swap with.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::program::target_dir;

/// The version of a module's bytes.
pub fn version(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file of a built module.
pub fn module_file(name: &str) -> PathBuf {
    let dir = match name {
        "probe" | "changing" | "hostile" => "modules-test",
        _ => "modules",
    };
    target_dir().join(dir).join(format!("{name}.wasm"))
}

/// The bytes of a built module.
///
/// # Panics
/// When the module is not built.
pub fn module(name: &str) -> Vec<u8> {
    let file = module_file(name);
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}; run `make modules` first", file.display()))
}

/// A module like `changing` that also imports the interface of a file system, as the text of a
/// component.
pub const WITH_FILES: &str = r#"(component
    (import "wasi:filesystem/preopens@0.2.6" (instance (export "get-directories" (func))))
    (core module $m (func (export "f") (result i32) i32.const 7))
    (core instance $i (instantiate $m))
    (func $f (result u32) (canon lift (core func $i "f")))
    (instance $work (export "label" (func $f)))
    (export "changing:tests/work@1.0.0" (instance $work)))"#;

/// Another version of a module, which does the same. A custom section with this text is at its end.
///
/// # Panics
/// When the text is longer than 100 bytes.
pub fn variant(bytes: &[u8], text: &str) -> Vec<u8> {
    const NAME: &[u8] = b"variant";
    let len = u8::try_from(1 + NAME.len() + text.len()).expect("a short text");
    assert!(len < 0x80, "its length is one byte");
    let mut variant = bytes.to_vec();
    variant.extend([0, len, NAME.len() as u8]);
    variant.extend(NAME);
    variant.extend(text.as_bytes());
    variant
}

/// Writes a module into a directory in one step: under another name, then renamed.
///
/// # Panics
/// When the directory cannot be written.
pub fn put(dir: &Path, name: &str, bytes: &[u8]) {
    let temporary = dir.join(format!("{name}.wasm.tmp"));
    fs::write(&temporary, bytes).expect("a writable directory");
    fs::rename(&temporary, dir.join(format!("{name}.wasm"))).expect("a writable directory");
}
