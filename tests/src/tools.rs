//! Programs of other projects that tests and benchmarks run: servers to read from, and programs to
//! compare with.
//!
//! `make test-tools` installs them. A test whose program is missing says so and ends. With
//! `STOWAGE_TEST_REQUIRE=1` it fails instead.

use std::net::TcpListener;
use std::path::PathBuf;

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

/// A port of loopback that is free now.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket").port()
}
