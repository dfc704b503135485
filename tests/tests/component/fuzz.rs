//! The fuzz targets: with the inputs of their corpora, and with inputs that are like them.
//!
//! `make fuzz` runs the same targets for longer, with coverage: docs/fuzzing.md. An input that it
//! finds goes to the corpus, and is tested here from then on. `STOWAGE_FUZZ_CASES` is the number of
//! inputs that are made for each target.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Inputs that are made for each target.
const CASES: u32 = 4000;
/// Changes of one input.
const MOST_CHANGES: usize = 6;

/// A target: its name, and what takes an input.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 15] = [
    ("api_request", stowage_logic::fuzz::api_request),
    ("directory", stowage_transfer::fuzz::directory),
    ("file_name", stowage_transfer::fuzz::file_name),
    ("file_request", stowage::fuzz::file_request),
    ("http_connection", stowage::fuzz::http_connection),
    ("json_bridge", stowage_logic::fuzz::json_bridge),
    ("module_bytes", stowage_logic::fuzz::module_bytes),
    ("recording", stowage_recording::fuzz::recording),
    ("segment", stowage_cloud::fuzz::segment),
    ("settings", stowage::fuzz::settings),
    ("space_files", stowage_cloud::fuzz::space_files),
    ("stored_rows", stowage_storage::fuzz::stored_rows),
    ("stored_tasks", stowage_transfer::fuzz::stored_tasks),
    ("wal", stowage_storage::fuzz::wal),
    ("websocket", stowage::fuzz::websocket),
];

/// What parsers look for, and numbers at the ends of their types.
const WORDS: [&[u8]; 48] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[[[[[[[[[[[[[[[",
    b":",
    b",",
    b"=",
    b"-",
    b"%",
    b"%00",
    b"%2e%2e%2f",
    b"..",
    b"../",
    b"..\\",
    b"/",
    b"//",
    b":$DATA",
    b"CON",
    b"\xc0\xae",
    b"\xed\xa0\x80",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"null",
    b"true",
    b"-0",
    b"1e308",
    b"1e309",
    b"0.1",
    b"9007199254740993",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"4294967296",
    b"\xff\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n",
    b"interface i { f: func(); }",
];

/// A change of an input.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Overwrite(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Cut(Index),
    /// Puts a part of another input of the corpus there.
    Splice(Index, Index, Index),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let word = select(&WORDS[..]).prop_map(<[u8]>::to_vec);
    let bytes = prop_oneof![2 => word, 1 => vec(any::<u8>(), 1..9)];
    let at = any::<Index>;
    let change = prop_oneof![
        3 => (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        3 => (at(), bytes.clone()).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        3 => (at(), bytes).prop_map(|(at, bytes)| Change::Overwrite(at, bytes)),
        2 => (at(), 1..40_usize).prop_map(|(at, len)| Change::Remove(at, len)),
        1 => (at(), 1..40_usize, 1..60_usize).prop_map(|(at, len, times)| Change::Repeat(at, len, times)),
        1 => at().prop_map(Change::Cut),
        1 => (at(), at(), at()).prop_map(|(at, other, from)| Change::Splice(at, other, from)),
    ];
    vec(change, 0..=MOST_CHANGES)
}

impl Change {
    fn apply(&self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let place = |at: &Index| at.index(input.len() + 1);
        match self {
            Change::Flip(at, bit) => {
                let at = place(at);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Change::Insert(at, bytes) => {
                let at = place(at);
                input.splice(at..at, bytes.iter().copied());
            }
            Change::Overwrite(at, bytes) => {
                let at = place(at);
                let end = (at + bytes.len()).min(input.len());
                input.splice(at..end, bytes.iter().copied());
            }
            Change::Remove(at, len) => {
                let at = place(at);
                let end = (at + len).min(input.len());
                input.drain(at..end);
            }
            Change::Repeat(at, len, times) => {
                let at = place(at);
                let end = (at + len).min(input.len());
                let part = input[at..end].repeat(*times);
                input.splice(at..at, part);
            }
            Change::Cut(at) => {
                let at = place(at);
                input.truncate(at);
            }
            Change::Splice(at, other, from) => {
                let at = place(at);
                let other = other.get(corpus);
                input.truncate(at);
                input.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
    }
}

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The names of what is in a directory.
fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The inputs of a target: what was kept, in the order of their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = fuzz_dir().join("corpus").join(target);
    let inputs: Vec<_> = names(&dir)
        .into_iter()
        .map(|name| (name.clone(), fs::read(dir.join(name)).unwrap()))
        .collect();
    assert!(!inputs.is_empty(), "{}: expected inputs", dir.display());
    inputs
}

#[test]
fn every_target_is_one_of_cargo_fuzz_and_has_a_corpus() {
    let here: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut there = BTreeSet::new();
    for package in ["engine", "formats"] {
        let files = names(&fuzz_dir().join(package).join("fuzz_targets"));
        there.extend(files.iter().map(|file| file.trim_end_matches(".rs").to_owned()));
    }
    assert_eq!(here, there);
    assert_eq!(here, names(&fuzz_dir().join("corpus")));
}

#[test]
fn every_input_of_a_corpus_is_taken() {
    let mut inputs = 0;
    for (target, run) in TARGETS {
        for (name, input) in corpus(target) {
            // Shown if the test fails.
            println!("{target}/{name}");
            run(&input);
            inputs += 1;
        }
    }
    println!(
        "scorecard: F2 {inputs} kept inputs of {} targets, 0 findings",
        TARGETS.len()
    );
}

#[test]
fn inputs_like_those_of_a_corpus_are_taken() {
    let cases = std::env::var("STOWAGE_FUZZ_CASES").map_or(CASES, |cases| cases.parse().expect("a number of inputs"));
    let config = || Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    };
    let mut findings = Vec::new();
    for (target, run) in TARGETS {
        let corpus: Vec<_> = corpus(target).into_iter().map(|(_, input)| input).collect();
        let started = std::time::Instant::now();
        let taken = TestRunner::new(config()).run(&(any::<Index>(), changes()), |(seed, changes)| {
            let mut input = seed.get(&corpus).clone();
            for change in &changes {
                change.apply(&mut input, &corpus);
            }
            match std::panic::catch_unwind(|| run(&input)) {
                Ok(()) => Ok(()),
                Err(_) => {
                    let text = input.escape_ascii().to_string();
                    Err(TestCaseError::fail(format!("{target} does not take b\"{text}\"")))
                }
            }
        });
        println!("{target}: {cases} inputs in {:?}", started.elapsed());
        findings.extend(taken.err().map(|error| error.to_string()));
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    let all = u64::from(cases) * TARGETS.len() as u64;
    println!(
        "scorecard: F1 {all} made inputs of {} targets, 0 findings",
        TARGETS.len()
    );
}
