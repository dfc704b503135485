//! Checks that are tests of the repository: runs a compiled test program with a filter, and reads
//! what the tests printed for the table.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::results::Finding;

/// Tests of one program.
#[derive(Clone, Copy, Debug)]
pub struct Tests {
    /// The program: `e2e`, `component`, or the name of a crate for its unit tests.
    pub program: &'static str,
    /// Parts of the names of the tests. An empty one is all tests.
    pub filters: &'static [&'static str],
}

/// What a test prints before a line for the table: `scorecard: ID text`.
const MARK: &str = "scorecard: ";

/// The newest compiled program of these tests.
pub fn program(name: &str) -> Option<PathBuf> {
    let deps = stowage_tests::program::target_dir().join("release/deps");
    let prefix = format!("{name}-");
    let entries = fs::read_dir(deps).ok()?;
    let programs = entries.flatten().filter(|entry| {
        let file = entry.file_name();
        let rest = file.to_str().and_then(|file| file.strip_prefix(&prefix));
        rest.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    programs
        .max_by_key(|entry| entry.metadata().and_then(|data| data.modified()).ok())
        .map(|entry| entry.path())
}

/// Runs tests, and collects what they printed for this check.
pub fn run(id: &str, all: &[Tests]) -> Finding {
    let (mut passed, mut lines, mut skipped) = (0, Vec::new(), Vec::new());
    for tests in all {
        let Some(program) = program(tests.program) else {
            return Finding::failed(format!(
                "the tests {} are not compiled: run `make torture`, which compiles them",
                tests.program
            ));
        };
        let mut command = Command::new(&program);
        command.args(tests.filters).args(["--nocapture", "--test-threads=1"]);
        // As cargo does: a test finds its files from the directory of its crate.
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.stdin(Stdio::null());
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => return Finding::failed(format!("{}: {error}", program.display())),
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            let failed: Vec<&str> = text
                .lines()
                .filter(|line| line.ends_with("FAILED"))
                .map(|line| line.trim_start_matches("test "))
                .collect();
            eprintln!("{text}{errors}");
            return Finding::failed(format!("{}: {}: {}", tests.program, output.status, failed.join(", ")));
        }
        let count = passed_tests(&text);
        if count == 0 {
            return Finding::failed(format!("{}: no test has a name with {:?}", tests.program, tests.filters));
        }
        passed += count;
        skipped.extend(errors.lines().filter(|line| line.contains("SKIPPED")).map(str::to_owned));
        lines.extend(scorecard_lines(id, &text));
    }
    if !skipped.is_empty() {
        return Finding::skipped(skipped.join("; "));
    }
    if lines.is_empty() {
        lines.push(format!("{passed} tests passed"));
    }
    Finding::passed(lines.join("; "))
}

/// What tests printed for a check. The name of a test may stand before it on the line.
fn scorecard_lines(id: &str, text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.split_once(MARK)?.1.split_once(' '))
        .filter(|(of, _)| *of == id)
        .map(|(_, measured)| measured.trim().to_owned())
        .collect()
}

/// How many tests passed, by the last lines of the program.
fn passed_tests(text: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.strip_prefix("test result: ok. "))
        .filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_prints_for_the_table_is_found() {
        let text = "test gate::slow ... scorecard: H5 500 closed\nok\nscorecard: H55 other\nscorecard: H5 0 left\n\
                    test result: ok. 3 passed; 0 failed\n";
        assert_eq!(scorecard_lines("H5", text), ["500 closed", "0 left"]);
        assert_eq!(passed_tests(text), 3);
        assert_eq!(passed_tests("test result: FAILED. 3 passed; 1 failed"), 0);
    }
}
