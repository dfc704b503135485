//! The code of the built-in modules that is inside the program.

use std::fs;
use std::path::Path;

use serde_json::json;
use stowage::{builtin_code, builtin_modules};
use stowage_logic::{Config, Precompiled, Version, precompile};

use crate::world::{World, config};

/// Loads the first built-in module with this code, calls it, and returns how many modules were
/// compiled for that.
async fn compiled_with(precompiled: Vec<Precompiled>) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let config = Config {
        precompiled,
        cache: Some(cache.clone()),
        ..config()
    };
    let world = World::with(config, vec![builtin_modules().remove(0)], |_| {}).await;
    let folders = world
        .answer("/getImFavoriteFolders", &json!({"page": 1, "pageSize": 10}))
        .await;
    assert_eq!(folders["code"], 200, "{folders}");
    files(&cache)
}

fn files(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

/// This code for the first built-in module.
fn code(code: Vec<u8>) -> Vec<Precompiled> {
    let version = Version::of(&builtin_modules()[0].1);
    // SAFETY: no test gives code that wasmtime takes and that is not of this module.
    vec![unsafe { Precompiled::new(version, code.leak()) }]
}

#[test]
fn every_built_in_module_has_its_code_in_the_program() {
    assert_eq!(builtin_code().len(), builtin_modules().len(), "run `make modules`");
}

#[tokio::test]
async fn a_module_whose_code_is_in_the_program_is_not_compiled() {
    assert_eq!(compiled_with(builtin_code()).await, 0);
    assert_eq!(compiled_with(Vec::new()).await, 1);
}

#[tokio::test]
async fn code_that_does_not_fit_is_not_used() {
    assert_eq!(compiled_with(code(b"no code".to_vec())).await, 1);
    let (_, module) = builtin_modules().remove(0);
    let fitting = precompile(&module).unwrap();
    assert_eq!(compiled_with(code(fitting.clone())).await, 0);
    // The code names the target that it was made for.
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let other = ["s390x-unknown-linux-musl", "powerpc-unknown-linux-gnu"]
        .into_iter()
        .find(|other| other.len() == target.len())
        .expect("another target with a name of this length");
    let mut foreign = fitting;
    let at = foreign
        .windows(target.len())
        .position(|text| text == target.as_bytes())
        .expect("the target's name");
    foreign[at..at + other.len()].copy_from_slice(other.as_bytes());
    assert_eq!(compiled_with(code(foreign)).await, 1);
}
