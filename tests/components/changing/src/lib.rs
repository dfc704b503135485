//! A module whose behaviour is in its bytes, for the tests of the deployer. A test changes single
//! bytes to make another version: `stowage_tests::changing` names what each byte means.
#![cfg(target_arch = "wasm32")]

mod bindings;

use std::time::Duration;

use bindings::exports::changing::tests::work::{Error, Guest as Work};
use bindings::exports::stowage::host::schema::{Guest as Schema, Step};
use bindings::exports::stowage::host::self_test::Guest as SelfTest;
use bindings::stowage::host::storage::{self, KeyRange, ScanOptions};

/// After the colon: the label, what `work` does, the version of the rows, how it migrates, what the
/// self-test does.
#[used]
static BEHAVIOUR: [u8; 26] = *b"behaviour-of-this-:ao01o..";

const NUMBERS: &str = "changing-numbers";
const ROWS: &str = "changing-rows";
const SUMS: &str = "changing-sums";
/// The rows that one step migrates.
const STEP: u32 = 10;
/// The bytes that one allocation of `hoard` takes.
const CHUNK_BYTES: usize = 1 << 20;
/// More lines than a call may log, printed in a short time.
const MANY_LINES: u32 = 2000;

/// Steps that take a few ticks of the engine's clock.
const MANY_STEPS: u64 = 20_000_000;

struct Changing;

fn behaviour(place: usize) -> char {
    // SAFETY: it is a live static of that type. The read is volatile, so that the compiler does not
    // assume the initial bytes.
    let bytes = unsafe { std::ptr::read_volatile(&raw const BEHAVIOUR) };
    char::from(bytes[19 + place])
}

fn version() -> u32 {
    behaviour(2).to_digit(10).unwrap_or(0)
}

fn error(code: i32, message: &str) -> Error {
    Error {
        code,
        message: message.into(),
    }
}

fn page(start: Option<Vec<u8>>, limit: u32) -> storage::Page {
    let options = ScanOptions {
        reverse: false,
        skip: 0,
        limit,
        contains: None,
        keys_only: false,
    };
    storage::scan(ROWS, &KeyRange { start, end: None }, &options)
}

/// Scans all rows for a text.
fn search(text: &str) -> storage::Page {
    let options = ScanOptions {
        reverse: false,
        skip: 0,
        limit: 10_000,
        contains: Some(text.into()),
        keys_only: true,
    };
    storage::scan(ROWS, &KeyRange { start: None, end: None }, &options)
}

/// Takes memory until there is no more.
fn hoard() -> Vec<Vec<u8>> {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut chunk = Vec::new();
        if chunk.try_reserve_exact(CHUNK_BYTES).is_err() {
            return hoard;
        }
        chunk.resize(CHUNK_BYTES, 1);
        hoard.push(chunk);
    }
}

fn print_lines(lines: impl Iterator<Item = u32>) {
    for line in lines {
        println!("line {line} of a module that floods the log");
        eprintln!();
    }
}

impl Work for Changing {
    fn label() -> String {
        behaviour(0).to_string()
    }

    fn work(key: String) -> Result<u64, Error> {
        match behaviour(1) {
            't' => core::arch::wasm32::unreachable(),
            'l' => loop {
                std::hint::black_box(());
            },
            'e' => return Err(error(777, "as its bytes say")),
            'm' => {
                std::hint::black_box(hoard());
                core::arch::wasm32::unreachable()
            }
            'g' => drop(std::hint::black_box(hoard())),
            'h' => std::thread::sleep(Duration::from_secs(3600)),
            's' => loop {
                std::hint::black_box(search("what no row contains"));
            },
            'c' => drop(std::hint::black_box(
                (0..MANY_STEPS).fold(0, |sum: u64, n| std::hint::black_box(sum ^ n)),
            )),
            'v' => print_lines(0..),
            'w' => print_lines(0..MANY_LINES),
            _ => {}
        }
        let held = storage::get(NUMBERS, key.as_bytes());
        let number = held.and_then(|v| v.try_into().ok()).map_or(0, u64::from_be_bytes) + 1;
        storage::put(NUMBERS, key.as_bytes(), &number.to_be_bytes());
        Ok(number)
    }

    fn fill(rows: u32) -> u32 {
        for n in 0..rows {
            storage::put(
                ROWS,
                format!("{n:06}").as_bytes(),
                format!("{} {n}", version()).as_bytes(),
            );
        }
        storage::add(SUMS, b"rows", rows.into());
        rows
    }

    fn rows() -> Vec<String> {
        let mut rows: Vec<String> = page(None, 10_000)
            .entries
            .into_iter()
            .map(|entry| String::from_utf8_lossy(&entry.value).into_owned())
            .collect();
        rows.push(storage::counter(SUMS, b"rows").to_string());
        rows
    }

    fn rows_page(page: u32, size: u32) -> Vec<String> {
        let planted = u32::from(behaviour(1) == 'p' && page > 1);
        let options = ScanOptions {
            reverse: false,
            skip: page.saturating_sub(1) * size + planted,
            limit: size,
            contains: None,
            keys_only: false,
        };
        let range = KeyRange { start: None, end: None };
        storage::scan(ROWS, &range, &options)
            .entries
            .into_iter()
            .map(|entry| String::from_utf8_lossy(&entry.value).into_owned())
            .collect()
    }

    fn percent(part: u32, whole: u32) -> String {
        let exact = f64::from(part) * 10_000.0 / f64::from(whole.max(1));
        let hundredths = if behaviour(1) == 'r' {
            exact.floor()
        } else {
            exact.round()
        };
        format!("{:.2}", hundredths / 100.0)
    }

    fn look() -> Result<bool, Error> {
        let expected = format!("{} ", version());
        match page(None, 10_000)
            .entries
            .iter()
            .all(|e| e.value.starts_with(expected.as_bytes()))
        {
            true => Ok(true),
            false => Err(error(778, "a row of another version")),
        }
    }
}

impl SelfTest for Changing {
    fn run() -> Result<(), String> {
        match behaviour(4) {
            'f' => Err("it does not work".into()),
            'd' => Changing::look().map(drop).map_err(|e| e.message),
            'l' => loop {
                std::hint::black_box(());
            },
            'h' => {
                std::thread::sleep(Duration::from_secs(3600));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Schema for Changing {
    fn version() -> u32 {
        version()
    }

    fn migrate(old: u32, cursor: Option<Vec<u8>>) -> Result<Step, String> {
        let how = behaviour(3);
        if how == 's' {
            return Ok(Step {
                cursor: Some(b"000000".to_vec()),
                rows: 0,
                total: None,
            });
        }
        let limit = if how == '1' || how == 'x' { 10_000 } else { STEP };
        let page = page(cursor.clone(), limit);
        for entry in &page.entries {
            let text = String::from_utf8_lossy(&entry.value).into_owned();
            let Some(rest) = text.strip_prefix(&format!("{old} ")) else {
                return Err(format!("a row that is not of version {old}: {text}"));
            };
            storage::put(ROWS, &entry.key, format!("{} {rest}", version()).as_bytes());
            storage::add(SUMS, b"rows", 1);
        }
        let done: u32 = cursor
            .as_deref()
            .and_then(|c| std::str::from_utf8(c.get(..6)?).ok()?.parse().ok())
            .unwrap_or(0);
        match how {
            'x' => return Err("it cannot".into()),
            'f' if done >= 19 => return Err("it cannot go on".into()),
            't' if done >= 19 => core::arch::wasm32::unreachable(),
            _ => {}
        }
        Ok(Step {
            rows: page.entries.len() as u64,
            total: Some(u64::from(STEP) * 10),
            cursor: page.cursor.map(|mut last| {
                last.push(0);
                last
            }),
        })
    }
}

bindings::export!(Changing with_types_in bindings);
