//! Puts the built modules of `target/modules` (or `STOWAGE_MODULES`) into the binary.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const MODULES: [&str; 6] = [
    "favorites",
    "temp-files",
    "backups",
    "cloud-storage",
    "common",
    "transfers",
];

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    modules(&manifest, &out);
}

fn modules(manifest: &Path, out: &Path) {
    println!("cargo::rerun-if-env-changed=STOWAGE_MODULES");
    let dir = env::var_os("STOWAGE_MODULES").map_or_else(|| manifest.join("../target/modules"), PathBuf::from);
    let mut text = String::from("const BUILTIN: &[(&str, &[u8])] = &[\n");
    for name in MODULES {
        let file = dir.join(format!("{name}.wasm"));
        println!("cargo::rerun-if-changed={}", file.display());
        let Ok(file) = fs::canonicalize(&file) else {
            panic!("{} is missing: run `make modules` first", file.display());
        };
        writeln!(text, "    ({name:?}, include_bytes!({file:?})),").expect("writing to a string");
    }
    text.push_str("];\n");
    fs::write(out.join("builtin.rs"), text).expect("the build directory is writable");
}
