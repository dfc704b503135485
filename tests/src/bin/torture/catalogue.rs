//! The checks, in the order of the table.

use anyhow::bail;

use super::compiled_tests::Tests;
use super::long_checks;
use super::power_loss;
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

const fn tests(id: &'static str, title: &'static str, target: &'static str, tests: &'static [Tests]) -> Check {
    Check {
        id,
        title,
        target,
        how: How::Tests(tests),
        in_process: false,
    }
}

const fn absent(id: &'static str, title: &'static str, target: &'static str, reason: &'static str) -> Check {
    Check {
        id,
        title,
        target,
        how: How::Absent(reason),
        in_process: false,
    }
}

const fn e2e(filters: &'static [&'static str]) -> Tests {
    Tests {
        program: "e2e",
        filters,
    }
}

const fn component(filters: &'static [&'static str]) -> Tests {
    Tests {
        program: "component",
        filters,
    }
}

const fn unit(program: &'static str, filters: &'static [&'static str]) -> Tests {
    Tests { program, filters }
}

const ONE_ENGINE: &str = "there is one engine, in the process of the server: nothing between them can fail";

/// All checks.
pub const ALL: &[Check] = &[
    native(
        "R1",
        "`kill -9` at random moments while four writers change everything, also during starts and swaps",
        "0 acknowledged lost, survivors are a prefix, 0 ghosts",
        long_checks::kills,
    ),
    Check {
        id: "R2",
        title: "power loss under database and log, on a simulated disk, also while recovering",
        target: "0 acknowledged lost, 0 failed opens",
        how: How::Native(power_loss::seeds),
        in_process: true,
    },
    tests(
        "R3",
        "a disk error at every call of each kind",
        "no panic, an error, then it heals without a restart",
        &[unit("stowage_storage", &["faults::errors"])],
    ),
    native(
        "R4",
        "the disk is full during writes, flush, download, upload and compaction, then has room",
        "a code, reads go on, writes go on within 5 s of room without a restart",
        long_checks::disk_full,
    ),
    native(
        "R5",
        "start after `kill -9` with a database of 1 GiB",
        "first answer within 2 s",
        long_checks::reopen,
    ),
    native(
        "R6",
        "one flipped bit in a page, the log, a blob, a module or compiled code",
        "the right answer or an error, never other bytes, no panic",
        long_checks::bit_flips,
    ),
    tests(
        "R6b",
        "one flipped bit in compiled code",
        "never run",
        &[component(&["compiled::"])],
    ),
    native(
        "R7",
        "size of the database after 100,000 changes and deletions",
        "at most 4 times the live data, at most 1.6 times when compacted",
        long_checks::churn,
    ),
    tests(
        "R8",
        "backup under load, restored elsewhere",
        "equal to one point in time",
        &[e2e(&["db::"])],
    ),
    native(
        "R9",
        "counters and rows, rows and blobs, outbox and space, tasks and files, after kills",
        "0 dangling, 0 left over",
        long_checks::references,
    ),
    native(
        "R10",
        "a second server on the same data",
        "refused within 1 s, the first one goes on",
        long_checks::second_host,
    ),
    native(
        "R11",
        "group commit: 64 writers beside 1",
        "at least 8 times the writes",
        long_checks::group_commit,
    ),
    tests(
        "R13",
        "the protocol of the store as a model, all states",
        "every property holds, every mutant is found",
        &[unit("stowage_storage", &["model::", "faults::conformance"])],
    ),
    tests(
        "R14",
        "the threads of the store under many schedules",
        "every property holds, every mutant is found",
        &[unit("stowage_storage", &["faults::schedules"])],
    ),
    tests(
        "R15",
        "each crash point of docs/storage.md",
        "a test for each, every image recovers",
        &[unit("stowage_storage", &["faults::crash_points"])],
    ),
    tests(
        "S1",
        "traps of a module, beside others",
        "0 other calls fail, memory grows by at most 4 MiB",
        &[e2e(&["isolation::"])],
    ),
    tests(
        "S2",
        "loops without end, in a call and in a start function",
        "ended by their limit",
        &[e2e(&["isolation::"]), component(&["hostile::"])],
    ),
    tests(
        "S3",
        "a call that waits in the host",
        "ended at its deadline, nothing written, nothing locked",
        &[component(&["isolation::"])],
    ),
    tests(
        "S4",
        "a module that takes all it can get",
        "at most 32 MiB besides its own memory; an error, not a crash",
        &[e2e(&["isolation::"])],
    ),
    tests(
        "S5",
        "1,000 swaps under load",
        "0 calls fail, 0 answers of mixed versions, memory grows by at most 5 %",
        &[e2e(&["hot_swap::a_thousand"])],
    ),
    tests(
        "S6",
        "bad modules: unsigned, another key, extra imports, damaged, too large, slow to compile",
        "refused, the old one serves",
        &[component(&["signed::", "hostile::", "refused::"])],
    ),
    tests(
        "S7",
        "a module looks for data of other calls in its memory",
        "0 bytes",
        &[component(&["isolation::"])],
    ),
    tests(
        "H1",
        "hosts on all kinds of routes",
        "as the table says",
        &[e2e(&["hosts::"])],
    ),
    tests(
        "H2",
        "origins on all kinds of routes",
        "0 changes",
        &[e2e(&["hosts::"])],
    ),
    tests(
        "H3",
        "no token or a wrong one, on every route",
        "401, in constant time",
        &[e2e(&["tokens::"])],
    ),
    tests(
        "H4",
        "malformed requests",
        "0 panics, 0 statuses of 5xx without a code, memory flat",
        &[e2e(&["malformed::"])],
    ),
    tests(
        "H5",
        "slow connections of every kind",
        "closed, the others go on",
        &[e2e(&["slow_clients::"])],
    ),
    tests(
        "H6",
        "heads, bodies, JSON and frames that are too large",
        "413, 431, 400 or a close; memory grows by at most 4 MiB",
        &[e2e(&["slow_clients::"])],
    ),
    tests(
        "H7",
        "a client that stops reading the feed",
        "at most 512 KiB each, the others go on",
        &[e2e(&["feed::a_client_that_stops_reading"])],
    ),
    tests(
        "H8",
        "a websocket that connects again",
        "no change goes unnoticed",
        &[e2e(&["feed::the_first_frame", "feed::a_connection_gets"])],
    ),
    tests(
        "H9",
        "hostile names of files and paths",
        "0 files outside of the roots",
        &[e2e(&["hostile_names::"])],
    ),
    tests(
        "H10",
        "many wrong passwords",
        "few at once, then a pause; others go on",
        &[e2e(&["guesses::"])],
    ),
    tests(
        "D1",
        "one suite on every backend: memory, redb",
        "the same results",
        &[unit("conformance", &[])],
    ),
    tests(
        "D2",
        "write skew, lost updates, phantoms, sums",
        "0 anomalies",
        &[unit("serializable", &[])],
    ),
    absent(
        "D3",
        "conflicts and commits of unknown outcome with a remote engine",
        "0 counted twice",
        ONE_ENGINE,
    ),
    absent("D4", "a remote database is killed", "recovery within 5 s", ONE_ENGINE),
    tests(
        "D5",
        "the space goes away during downloads: resets, stalls, errors, changed bytes",
        "resumed, the hash is right, or a clear code",
        &[e2e(&["faults::", "space_away::"])],
    ),
    native(
        "D6",
        "a clock that jumps a day forth and back",
        "timers go on, order by sequence",
        long_checks::clock,
    ),
    native(
        "D7",
        "stop under load",
        "within 10 s, 0 acknowledged lost, nothing to repair",
        long_checks::stop,
    ),
    tests(
        "F1",
        "random inputs of every parser",
        "0 findings",
        &[component(&["fuzz::"])],
    ),
    tests(
        "F2",
        "the kept inputs of the fuzzers",
        "0 findings",
        &[component(&["fuzz::"])],
    ),
    tests(
        "F3",
        "arguments and results beside the generic values of wasmtime",
        "the same bytes, 0 panics",
        &[unit("stowage_logic", &["differential_tests::"])],
    ),
    native(
        "SOAK",
        "all methods, swaps, failing transfers, two writers of a space, slow readers, a hostile module",
        "0 calls lost, memory, files and handles flat",
        long_checks::soak,
    ),
];

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
