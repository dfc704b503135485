//! Random choices of a test that can be made again: the seed is printed and read from
//! `STOWAGE_SEED`.

use std::time::{SystemTime, UNIX_EPOCH};

/// A xorshift generator.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Seeded by `STOWAGE_SEED`, or else by the clock. Prints the seed, which a failed test shows.
    ///
    /// # Panics
    /// When `STOWAGE_SEED` is set and is no positive number.
    pub fn from_environment() -> Random {
        let seed = seed();
        assert_ne!(seed, 0, "xorshift never leaves 0");
        Random(seed)
    }

    /// Seeded by a number. Every number gives other choices.
    pub fn seeded(seed: u64) -> Random {
        // Near seeds would begin alike.
        let mixed = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Random((mixed ^ (mixed >> 31)) | 1)
    }

    /// A number less than `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The seed of `STOWAGE_SEED`, or else of the clock. Prints it.
///
/// # Panics
/// When `STOWAGE_SEED` is set and is no number.
pub fn seed() -> u64 {
    let seed = match std::env::var("STOWAGE_SEED") {
        Ok(seed) => seed.parse().expect("STOWAGE_SEED is a number"),
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            u64::from(now.expect("a clock after 1970").subsec_nanos()) | 1
        }
    };
    println!("STOWAGE_SEED={seed}");
    seed
}
