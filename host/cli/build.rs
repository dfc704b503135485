//! Packs the sources from which `stowage module new` writes the crate of a module.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The files and directories that are packed, by their paths in the repository.
const SOURCES: [&str; 28] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "rust-toolchain.toml",
    "guest/backups/Cargo.toml",
    "guest/backups/src",
    "guest/cloud-storage/Cargo.toml",
    "guest/cloud-storage/src",
    "guest/common/Cargo.toml",
    "guest/common/src",
    "guest/favorites/Cargo.toml",
    "guest/favorites/src",
    "guest/sdk/Cargo.toml",
    "guest/sdk/src",
    "guest/temp-files/Cargo.toml",
    "guest/temp-files/src",
    "host/logic/Cargo.toml",
    "host/logic/src",
    "host/recording/Cargo.toml",
    "host/recording/src",
    "host/storage/Cargo.toml",
    "host/storage/src",
    "host/template",
    "tests/kit/Cargo.toml",
    "tests/kit/src",
    "wit/deps",
    "wit/worlds.wit",
    "rustfmt.toml",
];

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    sources(&manifest.join("../.."), &out);
}

/// Writes the sources as one zlib stream: of each file the path, the length (a line each) and the
/// text. The files are in the order of their paths. Only paths and texts of the file system are in
/// it, so that the build is reproducible.
fn sources(root: &Path, out: &Path) {
    let mut files = Vec::new();
    for path in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
        collect(root, Path::new(path), &mut files);
    }
    files.sort();
    let mut text = String::new();
    for path in files {
        let file = root.join(&path);
        let content = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let path = path.to_str().expect("our paths are ASCII");
        write!(text, "{path}\n{}\n{content}", content.len()).expect("writing to a string");
    }
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), 9);
    fs::write(out.join("sources.zlib"), packed).expect("the build directory is writable");
    fs::write(
        out.join("sources.rs"),
        format!("const TEXT_BYTES: usize = {};\n", text.len()),
    )
    .expect("the build directory is writable");
}

fn collect(root: &Path, path: &Path, files: &mut Vec<PathBuf>) {
    let place = root.join(path);
    if place.is_file() {
        files.push(path.to_owned());
        return;
    }
    let entries = fs::read_dir(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    for entry in entries {
        let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", place.display()));
        collect(root, &path.join(entry.file_name()), files);
    }
}
