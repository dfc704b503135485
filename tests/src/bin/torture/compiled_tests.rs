//! Checks that are tests of the repository: runs a compiled test program with a filter, and reads
//! what the tests printed for the table.

use std::collections::BTreeMap;
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

/// What a run of tests printed, or how it failed.
type Outcome = Result<Output, String>;

/// The output of tests that passed.
#[derive(Clone, Debug)]
struct Output {
    text: String,
    errors: String,
}

/// Runs of tests. Tests that show several lines of the table run once.
#[derive(Debug, Default)]
pub struct Runs(BTreeMap<(&'static str, &'static [&'static str]), Outcome>);

impl Runs {
    /// Runs the tests of a check, and collects what they printed for it.
    pub fn check(&mut self, id: &str, all: &[Tests]) -> Finding {
        let (mut passed, mut lines, mut skipped) = (0, Vec::new(), Vec::new());
        for tests in all {
            let run = self.0.entry((tests.program, tests.filters));
            let output = match run.or_insert_with(|| output(tests)) {
                Ok(output) => output,
                Err(reason) => return Finding::failed(reason.clone()),
            };
            passed += passed_tests(&output.text);
            let left_out = output.errors.lines().filter(|line| line.contains("SKIPPED"));
            skipped.extend(left_out.map(str::to_owned));
            lines.extend(scorecard_lines(id, &output.text));
        }
        if !skipped.is_empty() {
            return Finding::skipped(skipped.join("; "));
        }
        if lines.is_empty() {
            lines.push(format!("{passed} tests passed"));
        }
        Finding::passed(lines.join("; "))
    }
}

fn output(tests: &Tests) -> Outcome {
    let Some(program) = program(tests.program) else {
        let name = tests.program;
        return Err(format!(
            "the tests {name} are not compiled: run `make torture`, which compiles them"
        ));
    };
    let mut command = Command::new(&program);
    command.args(tests.filters).args(["--nocapture", "--test-threads=1"]);
    // As cargo does: a test finds its files from the directory of its crate.
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    let ended = command
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    if !ended.status.success() {
        let failed: Vec<&str> = text
            .lines()
            .filter(|line| line.ends_with("FAILED"))
            .map(|line| line.trim_start_matches("test "))
            .collect();
        eprintln!("{text}{errors}");
        return Err(format!("{}: {}: {}", tests.program, ended.status, failed.join(", ")));
    }
    if passed_tests(&text) == 0 {
        return Err(format!(
            "{}: no test has a name with {:?}",
            tests.program, tests.filters
        ));
    }
    Ok(Output { text, errors })
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
