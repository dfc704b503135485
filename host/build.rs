//! Puts into the binary: the built modules of `target/modules` (or `STOWAGE_MODULES`), their code
//! of `target/code`, and the built console of `target/console` (or `STOWAGE_CONSOLE`), compressed.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

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
    console(&manifest, &out);
}

fn modules(manifest: &Path, out: &Path) {
    println!("cargo::rerun-if-env-changed=STOWAGE_MODULES");
    let dir = env::var_os("STOWAGE_MODULES").map_or_else(|| manifest.join("../target/modules"), PathBuf::from);
    let mut text = String::from("const BUILTIN: &[BuiltinModule] = &[\n");
    for name in MODULES {
        let file = dir.join(format!("{name}.wasm"));
        println!("cargo::rerun-if-changed={}", file.display());
        let Ok(file) = fs::canonicalize(&file) else {
            panic!("{} is missing: run `make modules` first", file.display());
        };
        let digest: [u8; 32] = Sha256::digest(fs::read(&file).expect("the file is readable")).into();
        let code = match code(manifest, digest) {
            Some(code) => format!("Some(include_bytes!({code:?}))"),
            None => {
                println!(
                    "cargo::warning=the code of {name} is missing, so its first start compiles it; run `make modules`"
                );
                "None".to_owned()
            }
        };
        writeln!(
            text,
            "    BuiltinModule {{ name: {name:?}, bytes: include_bytes!({file:?}), \
             version: Version::from_sha256({digest:?}), code: {code} }},"
        )
        .expect("writing to a string");
    }
    text.push_str("];\n");
    fs::write(out.join("builtin.rs"), text).expect("the build directory is writable");
}

/// Without a built console the list is empty, and the server says so.
fn console(manifest: &Path, out: &Path) {
    println!("cargo::rerun-if-env-changed=STOWAGE_CONSOLE");
    let dir = env::var_os("STOWAGE_CONSOLE").map_or_else(|| manifest.join("../target/console"), PathBuf::from);
    // Cargo would run this again at every build if the directory were not there.
    fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let dir = fs::canonicalize(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    println!("cargo::rerun-if-changed={}", dir.display());
    let copies = out.join("console");
    let _ = fs::remove_dir_all(&copies);
    fs::create_dir_all(&copies).expect("the build directory is writable");
    let mut text = String::from("const CONSOLE: &[Asset] = &[\n");
    for (index, path) in files_below(&dir).iter().enumerate() {
        let name = path.strip_prefix(&dir).expect("below the directory").to_str();
        let name = name.unwrap_or_else(|| panic!("{}: the file name is not UTF-8", path.display()));
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        // A copy: the file of the console may be built anew while the host is compiled.
        let kept = |extension: &str, made: &[u8]| {
            let file = copies.join(format!("{index}.{extension}"));
            fs::write(&file, made).expect("the build directory is writable");
            format!("include_bytes!({file:?})")
        };
        let smaller = |extension: &str, made: Vec<u8>| match made.len() < bytes.len() {
            true => format!("Some({})", kept(extension, &made)),
            false => "None".to_owned(),
        };
        writeln!(
            text,
            "    Asset {{ path: {name:?}, content_type: {:?}, hash: \"{:016x}\", identity: {}, \
             brotli: {}, gzip: {} }},",
            content_type(path),
            hasher.finish(),
            kept("plain", &bytes),
            smaller("br", brotli(&bytes)),
            smaller("gz", gzip(&bytes)),
        )
        .expect("writing to a string");
    }
    text.push_str("];\n");
    fs::write(out.join("console.rs"), text).expect("the build directory is writable");
}

/// All files below a directory, sorted.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("a readable directory").path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("webmanifest") => "application/manifest+json",
        _ => panic!(
            "{}: add the content type of this extension to host/build.rs",
            path.display()
        ),
    }
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 11, 22);
    writer.write_all(bytes).expect("writing to memory");
    writer.into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes).expect("writing to memory");
    writer.finish().expect("writing to memory")
}

/// The file with the code of a module, if there is one for the target. `stowage-precompile` makes
/// code for the architecture that it runs on.
fn code(manifest: &Path, digest: [u8; 32]) -> Option<PathBuf> {
    let mut name = String::new();
    for byte in digest {
        write!(name, "{byte:02x}").expect("writing to a string");
    }
    let file = manifest.join(format!("../target/code/{name}.cwasm"));
    println!("cargo::rerun-if-changed={}", file.display());
    let is_native = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == env::consts::ARCH);
    fs::canonicalize(file).ok().filter(|_| is_native)
}
