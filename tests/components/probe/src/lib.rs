//! A module that misbehaves on request, for the tests of the host. It does what no module should
//! do: keep state between calls, trap, loop, take all memory.
#![cfg(target_arch = "wasm32")]

mod bindings;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bindings::exports::probe::tests::probe::{Error, Everything, Guest, Surroundings};
use bindings::stowage::host::storage;

const TABLE: &str = "probe";

static CALLS: AtomicU32 = AtomicU32::new(0);

struct Probe;

impl Guest for Probe {
    fn count_calls() -> u32 {
        CALLS.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn trap() -> u32 {
        CALLS.fetch_add(1000, Ordering::Relaxed);
        core::arch::wasm32::unreachable()
    }

    fn spin() -> u32 {
        loop {
            std::hint::black_box(());
        }
    }

    fn hoard() -> u32 {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        loop {
            let mut mib = Vec::new();
            if mib.try_reserve_exact(1 << 20).is_err() {
                return u32::try_from(hoard.len()).unwrap_or(u32::MAX);
            }
            mib.resize(1 << 20, 1);
            hoard.push(mib);
        }
    }

    fn burst() -> u32 {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        loop {
            hoard.push(vec![1; 1 << 20]);
        }
    }

    fn write_and_fail(key: String) -> Result<bool, Error> {
        storage::put(TABLE, key.as_bytes(), &1u64.to_be_bytes());
        Err(Error {
            code: 60_000,
            message: "as asked".into(),
        })
    }

    fn write_and_trap(key: String) -> Result<bool, Error> {
        storage::put(TABLE, key.as_bytes(), &1u64.to_be_bytes());
        core::arch::wasm32::unreachable()
    }

    fn print(text: String) -> bool {
        println!("{text}");
        eprintln!("{text} on stderr");
        true
    }

    fn mutter(text: String) -> bool {
        eprint!("{text}");
        true
    }

    fn look_around() -> Surroundings {
        let began = Instant::now();
        let first_ms = now_ms();
        let mut work = 0u64;
        for i in 0..20_000_000u64 {
            work = std::hint::black_box(work ^ i);
        }
        Surroundings {
            first_ms,
            second_ms: now_ms(),
            random: format!("{:016x}{:016x}", random(), random()),
            monotonic_moved: began.elapsed() > Duration::ZERO,
        }
    }

    fn increment(key: String) -> u64 {
        let next = Self::read(key.clone()) + 1;
        storage::put(TABLE, key.as_bytes(), &next.to_be_bytes());
        next
    }

    fn read(key: String) -> u64 {
        storage::get(TABLE, key.as_bytes())
            .and_then(|value| value.try_into().ok())
            .map_or(0, u64::from_be_bytes)
    }

    fn read_late(ms: u32, key: String) -> u64 {
        Self::sleep(ms);
        Self::read(key)
    }

    fn echo(everything: Everything) -> Everything {
        everything
    }

    fn sleep(ms: u32) -> u32 {
        std::thread::sleep(Duration::from_millis(ms.into()));
        ms
    }

    fn environment() -> u32 {
        u32::try_from(std::env::vars_os().count() + std::env::args_os().count()).unwrap_or(u32::MAX)
    }
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|elapsed| u64::try_from(elapsed.as_millis()).ok())
        .unwrap_or(0)
}

/// A random number from the standard library alone.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

bindings::export!(Probe with_types_in bindings);
