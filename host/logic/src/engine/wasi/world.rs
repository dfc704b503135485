//! The outside world as a call sees it: its time, its random numbers, its output.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng, TryRng};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};

use super::module_log::{ModuleLog, Stream};
use super::output::GuestOutput;
use crate::api::call_id::CallId;
use crate::api::moment::Moment;
use crate::engine::rate_limit::RateLimit;
use crate::engine::version::Version;

/// The outside world as a call sees it. The store shares it with the WASI context that reads it.
#[derive(Debug)]
pub(crate) struct World {
    /// Milliseconds since the epoch.
    now_ms: AtomicU64,
    /// Whether the call has used the clock or random numbers.
    used: AtomicBool,
    random: Mutex<Seeded>,
    pub(crate) log: Arc<ModuleLog>,
}

/// The random numbers of a seed. Most calls need none, so the generator is made on first use.
#[derive(Debug)]
struct Seeded {
    seed: [u8; 32],
    generator: Option<ChaCha12Rng>,
}

impl Seeded {
    fn new(seed: [u8; 32]) -> Seeded {
        Seeded { seed, generator: None }
    }

    fn generator(&mut self) -> &mut ChaCha12Rng {
        self.generator.get_or_insert_with(|| ChaCha12Rng::from_seed(self.seed))
    }
}

impl World {
    pub(crate) fn new(module: Arc<str>, version: Version, print_limit: Arc<RateLimit>) -> Arc<World> {
        Arc::new(World {
            now_ms: AtomicU64::new(0),
            used: AtomicBool::new(false),
            random: Mutex::new(Seeded::new([0; 32])),
            log: Arc::new(ModuleLog::new(module, version, print_limit)),
        })
    }

    /// Sets the world for a call.
    pub(crate) fn arm(&self, call_id: CallId, moment: &Moment, log_bytes: usize) {
        self.now_ms.store(moment.now_ms, Ordering::Relaxed);
        self.used.store(false, Ordering::Relaxed);
        *self.random.lock() = Seeded::new(moment.seed);
        self.log.arm(call_id, log_bytes);
    }

    /// Whether the call has used the clock or random numbers, or printed.
    pub(crate) fn was_used(&self) -> bool {
        self.used.load(Ordering::Relaxed) || self.log.was_used()
    }

    fn now_ms(&self) -> u64 {
        self.used.store(true, Ordering::Relaxed);
        self.now_ms.load(Ordering::Relaxed)
    }

    /// A WASI context that sees this world.
    pub(crate) fn context(self: &Arc<Self>) -> WasiCtx {
        let mut builder = WasiCtx::builder();
        builder
            .wall_clock(Clock(Arc::clone(self)))
            .monotonic_clock(Clock(Arc::clone(self)))
            .secure_random(Random(Arc::clone(self)))
            .insecure_random(Random(Arc::clone(self)))
            // The seed of hash maps, once an instance. A constant keeps their order the same in
            // every run of a call.
            .insecure_random_seed(0)
            .max_random_size(1 << 20)
            .stdout(GuestOutput::new(&self.log, Stream::Stdout))
            .stderr(GuestOutput::new(&self.log, Stream::Stderr))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        builder.build()
    }
}

struct Clock(Arc<World>);

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now_ms())
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.0.now_ms().saturating_mul(1_000_000)
    }
}

struct Random(Arc<World>);

impl Random {
    fn with<T>(&self, draw: impl FnOnce(&mut ChaCha12Rng) -> T) -> T {
        self.0.used.store(true, Ordering::Relaxed);
        draw(self.0.random.lock().generator())
    }
}

impl TryRng for Random {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.with(Rng::next_u32))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.with(Rng::next_u64))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        self.with(|generator| generator.fill_bytes(dst));
        Ok(())
    }
}
