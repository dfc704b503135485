//! Programs of other projects that tests and benchmarks run: servers to read from, and programs to
//! compare with.
//!
//! `make test-tools` installs them. A test whose program is missing says so and ends. With
//! `STOWAGE_TEST_REQUIRE=1` it fails instead.

use std::net::TcpListener;
use std::path::PathBuf;

use crate::program::target_dir;

/// Directories of programs that only root has in its path.
const MORE_DIRECTORIES: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// The path of a program, if it is installed.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(MORE_DIRECTORIES.map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// The path of a program that a test needs. `None` if it is not installed: the test ends, and
/// stderr says what was left out.
///
/// # Panics
/// When it is not installed and `STOWAGE_TEST_REQUIRE` is `1`.
pub fn needed(name: &str, skipped: &str) -> Option<PathBuf> {
    let found = find(name);
    if found.is_none() {
        let required = std::env::var("STOWAGE_TEST_REQUIRE").is_ok_and(|value| value == "1");
        assert!(
            !required,
            "{name} is not installed, which {skipped} needs: run `make test-tools`"
        );
        eprintln!("SKIPPED: {skipped}, because {name} is not installed; `make test-tools` installs it");
    }
    found
}

/// The path of a program that `.ci/api-tools/install` puts into `target/tools`. `None` if it is not
/// there: the test ends, and stderr says what was left out.
///
/// # Panics
/// When it is not there and `STOWAGE_TEST_REQUIRE` is `1`.
pub fn needed_api_tool(path: &str, skipped: &str) -> Option<PathBuf> {
    let file = target_dir().join("tools").join(path);
    let found = file.exists().then_some(file);
    if found.is_none() {
        let required = std::env::var("STOWAGE_TEST_REQUIRE").is_ok_and(|value| value == "1");
        assert!(
            !required,
            "target/tools/{path} is missing, which {skipped} needs: run `make test-tools`"
        );
        eprintln!("SKIPPED: {skipped}, because target/tools/{path} is missing; `make test-tools` installs it");
    }
    found
}

/// A port of loopback that is free now.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket").port()
}
