//! The checks, in the order of the table.

use anyhow::bail;

use super::compiled_tests::Tests;
use super::long_checks;
use super::run::Native;

/// How a check is made.
#[derive(Clone, Copy)]
pub enum How {
    /// By this program.
    Native(Native),
    /// By tests of the repository.
    Tests(&'static [Tests]),
    /// Not at all, for this reason.
    Absent(&'static str),
}

/// A line of the table.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its name.
    pub id: &'static str,
    /// What is checked.
    pub title: &'static str,
    /// What must be measured.
    pub target: &'static str,
    /// How it is made.
    pub how: How,
    /// Whether the code that is checked is in this program, not in the server's.
    pub in_process: bool,
}

const fn native(id: &'static str, title: &'static str, target: &'static str, native: Native) -> Check {
    Check {
        id,
        title,
        target,
        how: How::Native(native),
        in_process: false,
    }
}

/// All checks.
pub const ALL: &[Check] = &[native(
    "R1",
    "`kill -9` at random moments while four writers change everything",
    "0 acknowledged lost, survivors are a prefix per writer, 0 ghosts",
    long_checks::kills,
)];

/// The checks with these ids, or all.
///
/// # Errors
/// An id is unknown.
pub fn chosen(only: &[String]) -> anyhow::Result<Vec<&'static Check>> {
    for id in only {
        if !ALL.iter().any(|check| check.id.eq_ignore_ascii_case(id)) {
            bail!("there is no check {id}: `torture --list` shows all");
        }
    }
    let is_chosen = |check: &&Check| only.is_empty() || only.iter().any(|id| check.id.eq_ignore_ascii_case(id));
    Ok(ALL.iter().filter(is_chosen).collect())
}

/// Prints all checks.
pub fn print() {
    for check in ALL {
        println!("{:<5} {}; target: {}", check.id, check.title, check.target);
    }
}
