//! A module that attacks the host, other modules and other calls, for the tests of isolation. Each
//! exported function is one attack; `wit/hostile.wit` says what each does.
#![cfg(target_arch = "wasm32")]

mod bindings;

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bindings::exports::hostile::tests::ends::Guest as Ends;
use bindings::exports::hostile::tests::greed::Guest as Greed;
use bindings::exports::hostile::tests::leaks::{Guest as Leaks, Surroundings};
use bindings::exports::hostile::tests::reach::Guest as Reach;
use bindings::stowage::host::storage::{self, KeyRange, ScanOptions};
use bindings::wasi::clocks::monotonic_clock::subscribe_duration;
use bindings::wasi::random::random::get_random_u64;

const TABLE: &str = "hostile";
/// The bytes of a page of linear memory.
const PAGE_BYTES: usize = 64 << 10;
/// The bytes that one step of `copy` moves.
const COPIED_BYTES: usize = 16 << 20;

static REMEMBERED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static TRAPS: AtomicU32 = AtomicU32::new(0);

struct Hostile;

impl Leaks for Hostile {
    fn remember(text: String) -> Vec<String> {
        let mut remembered = REMEMBERED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        remembered.push(text);
        remembered.clone()
    }

    fn search(disguised: String) -> u32 {
        let wanted = disguised.as_bytes();
        let len = core::arch::wasm32::memory_size::<0>() * PAGE_BYTES;
        let is_match = |start: usize| {
            wanted.iter().enumerate().all(|(n, byte)| {
                // SAFETY: the address lies in linear memory. Reads are volatile: other objects of
                // the program lie there.
                let found = unsafe { std::ptr::read_volatile((start + n) as *const u8) };
                found == byte.wrapping_add(1)
            })
        };
        let starts = 1..len.saturating_sub(wanted.len());
        u32::try_from(starts.filter(|start| is_match(*start)).count()).unwrap_or(u32::MAX)
    }

    fn keep_handles(count: u32) -> u32 {
        for _ in 0..count {
            std::mem::forget(subscribe_duration(0));
        }
        count
    }

    fn mutter(text: String) -> bool {
        let mut out = std::io::stderr();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
    }

    fn look() -> Surroundings {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Surroundings {
            now_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            random: get_random_u64(),
        }
    }

    fn write_and_trap(key: String) -> u32 {
        TRAPS.fetch_add(1, Ordering::Relaxed);
        storage::put(TABLE, key.as_bytes(), b"written");
        core::arch::wasm32::unreachable()
    }

    fn traces(key: String) -> (bool, u32) {
        let row = storage::get(TABLE, key.as_bytes());
        (row.is_some(), TRAPS.load(Ordering::Relaxed))
    }
}

impl Greed for Hostile {
    fn spin() -> u32 {
        loop {
            black_box(());
        }
    }

    fn copy() -> u32 {
        let mut memory = vec![1_u8; 2 * COPIED_BYTES];
        loop {
            memory.copy_within(..COPIED_BYTES, COPIED_BYTES);
            black_box(&mut memory);
        }
    }

    #[allow(unconditional_recursion, reason = "it is the attack")]
    fn recurse(depth: u64) -> u64 {
        let local = black_box([depth; 32]);
        Self::recurse(depth + 1) + local[black_box(3)]
    }

    fn sleep(ms: u32) -> u32 {
        std::thread::sleep(Duration::from_millis(ms.into()));
        ms
    }

    fn write_and_sleep(key: String, ms: u32) -> u32 {
        storage::put(TABLE, key.as_bytes(), b"written");
        Self::sleep(ms)
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

    fn large_list(mib: u32) -> Vec<u8> {
        vec![255; (mib as usize) << 20]
    }

    fn large_texts(count: u32, kib: u32) -> Vec<String> {
        let text = "\u{1}".repeat((kib as usize) << 10);
        vec![text; count as usize]
    }

    fn large_writes(count: u32, kib: u32) -> u32 {
        let value = vec![7; (kib as usize) << 10];
        for n in 0..count {
            storage::put(TABLE, &n.to_be_bytes(), &value);
        }
        count
    }

    fn many_keys(count: u32, bytes: u32) -> u32 {
        let keys = vec![vec![b'k'; bytes as usize]; count as usize];
        u32::try_from(storage::get_many(TABLE, &keys).len()).unwrap_or(u32::MAX)
    }

    fn read_all(table: String) -> u32 {
        let options = ScanOptions {
            reverse: false,
            skip: 0,
            limit: 10_000,
            contains: None,
            keys_only: false,
        };
        loop {
            black_box(storage::scan(&table, &KeyRange { start: None, end: None }, &options));
        }
    }

    fn print(kib: u32) -> u32 {
        println!("{}", "\u{1b}[2J\u{7}x".repeat((kib as usize) << 7));
        kib
    }
}

impl Reach for Hostile {
    fn read_row(table: String, key: String) -> Option<Vec<u8>> {
        storage::get(&table, key.as_bytes())
    }

    fn write_row(table: String, key: String) -> bool {
        storage::put(&table, key.as_bytes(), b"hostile");
        true
    }

    fn surroundings() -> u32 {
        let told = std::env::vars_os().count() + std::env::args_os().count();
        u32::try_from(told).unwrap_or(u32::MAX)
    }
}

impl Ends for Hostile {
    fn trap_deep() -> u32 {
        outer(3)
    }

    fn leave() -> u32 {
        std::process::exit(0)
    }

    fn panic() -> u32 {
        panic!("\u{1b}[2J\u{1b}]0;owned\u{7}\nERROR a line that looks like one of the host")
    }
}

/// The first of three functions on the way to a trap. The black boxes keep them apart.
#[inline(never)]
fn outer(depth: u32) -> u32 {
    black_box(middle(black_box(depth))) + 1
}

#[inline(never)]
fn middle(depth: u32) -> u32 {
    black_box(inner(black_box(depth))) + 2
}

#[inline(never)]
fn inner(depth: u32) -> u32 {
    if black_box(depth) > 0 {
        core::arch::wasm32::unreachable()
    }
    depth
}

bindings::export!(Hostile with_types_in bindings);
