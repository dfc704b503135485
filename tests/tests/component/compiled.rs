//! Compiled modules on disk: what was changed is noticed, compiled again, and never run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use stowage_logic::Config;

use crate::world::{World, config};

/// Bits that are changed, one after the other.
const CHANGES: usize = 200;

/// A component with one function, which compiles quickly.
const MODULE: &str = r#"(component
    (core module $m (func (export "f") (result i32) i32.const 7))
    (core instance $i (instantiate $m))
    (func $f (result u32) (canon lift (core func $i "f")))
    (instance $work (export "seven" (func $f)))
    (export "compiled:tests/work@1.0.0" (instance $work)))"#;

/// Loads the module with this cache, and calls it.
async fn seven(cache: &Path) {
    let config = Config {
        cache: Some(cache.to_owned()),
        concurrency: 1,
        ..config()
    };
    let module = wat::parse_str(MODULE).unwrap();
    let world = World::with(config, vec![("compiled".into(), module)], |_| {}).await;
    let answer = world.answer("/tests/seven", &json!({})).await;
    assert_eq!(answer, json!({"code": 200, "message": null, "data": 7}));
}

/// The only file of the cache.
fn file(cache: &Path) -> PathBuf {
    let mut entries = fs::read_dir(cache).unwrap();
    let file = entries.next().expect("a file").unwrap().path();
    assert!(entries.next().is_none());
    file
}

#[tokio::test]
async fn compiled_code_with_a_changed_bit_is_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    seven(&cache).await;
    let file = file(&cache);
    let whole = fs::read(&file).unwrap();
    for n in 0..CHANGES {
        let mut damaged = whole.clone();
        // From the first byte to the last, and another bit each time.
        let at = n * (whole.len() - 1) / (CHANGES - 1);
        damaged[at] ^= 1 << (n % 8);
        fs::write(&file, &damaged).unwrap();
        seven(&cache).await;
        assert_eq!(fs::read(&file).unwrap(), whole, "byte {at} is as it was written");
    }
    for shorter in [&b""[..], &whole[..20], &whole[..whole.len() - 1]] {
        fs::write(&file, shorter).unwrap();
        seven(&cache).await;
        assert_eq!(fs::read(&file).unwrap(), whole);
    }
    println!("scorecard: R6b {CHANGES} changed bits of compiled code, all of them noticed, none run");
}

/// The digest of a cache file has no key: whoever can write to the file can write a digest too.
#[tokio::test]
async fn compiled_code_that_others_can_write_to_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    seven(&cache).await;
    let file = file(&cache);
    let whole = fs::read(&file).unwrap();
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        seven(&cache).await;
        // It was compiled again, into a new file.
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600,
            "{mode:o}"
        );
    }
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    seven(&cache).await;
    assert!(fs::symlink_metadata(&file).unwrap().is_file(), "the link is replaced");
    assert_eq!(fs::read(&file).unwrap(), whole);
}
