//! Puts the built modules of `target/modules` (or `STOWAGE_MODULES`) into the binary.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const MODULES: [&str; 5] = ["favorites", "temp-files", "backups", "cloud-storage", "common"];

fn main() {
    println!("cargo::rerun-if-env-changed=STOWAGE_MODULES");
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let dir = env::var_os("STOWAGE_MODULES").map_or_else(|| manifest.join("../target/modules"), PathBuf::from);
    let mut out = String::from("const BUILTIN: &[(&str, &[u8])] = &[\n");
    for name in MODULES {
        let file = dir.join(format!("{name}.wasm"));
        println!("cargo::rerun-if-changed={}", file.display());
        let Ok(file) = fs::canonicalize(&file) else {
            panic!("{} is missing: run `make modules` first", file.display());
        };
        writeln!(out, "    ({name:?}, include_bytes!({file:?})),").expect("writing to a string");
    }
    out.push_str("];\n");
    let target = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("builtin.rs");
    fs::write(target, out).expect("the build directory is writable");
}
