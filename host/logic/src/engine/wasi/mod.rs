//! WASI without authority: a clock that stands still during a call, random numbers from the call's seed, and output that goes to the log.
//! No files, sockets, environment or arguments.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng, TryRng};
use wasmtime::component::Linker;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};
use wasmtime_wasi::p2::bindings::{cli, random};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::call::retry::CallId;
use crate::engine::instance::State;
use crate::engine::limits::LINE_BYTES;
use crate::engine::rate_limit::{Allowance, Verdict};

/// Packages a module may import from besides `stowage:host`.
pub(crate) const ALLOWED_PACKAGES: [&str; 4] = ["wasi:cli", "wasi:clocks", "wasi:io", "wasi:random"];

/// Adds what [`ALLOWED_PACKAGES`] holds.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    random::insecure::add_to_linker::<State, WasiRandom>(linker, |s| s.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(linker, |s| s.ctx().ctx.random())?;
    cli::exit::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::environment::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    Ok(())
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// What the outside world is during a call, shared between the store and the WASI context that reads it.
#[derive(Debug)]
pub(crate) struct World {
    /// Milliseconds since the epoch.
    now_ms: AtomicU64,
    /// Whether the call has looked at the clock or at randomness, or printed.
    touched: AtomicBool,
    /// Whether what the call prints from now on is left out.
    spent: AtomicBool,
    random: Mutex<Seeded>,
    log: Mutex<Log>,
    /// The lines that have begun on stdout and stderr.
    lines: [Line; 2],
}

/// A line that has begun. Every handle on the stream appends to the same line.
type Line = Arc<Mutex<Vec<u8>>>;

const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// Random numbers of a seed; most calls need none, so the generator is made when one does.
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

#[derive(Debug)]
struct Log {
    call_id: CallId,
    module: Arc<str>,
    budget_bytes: usize,
    /// What all instances of the module may print.
    allowance: Arc<Allowance>,
}

impl Log {
    /// Whether the module may print so much more now. Tells of what it may not.
    fn allows(&self, bytes: usize) -> bool {
        match self.allowance.ask(bytes as u64, Instant::now()) {
            Verdict::Granted { left_out } => {
                if left_out > 0 {
                    tracing::warn!(target: "stowage::module", module = %self.module, left_out, "lines of its calls were left out");
                }
                true
            }
            Verdict::FirstLeftOut => {
                tracing::warn!(target: "stowage::module", call_id = %self.call_id, module = %self.module, "its calls print more than is logged in a second, the rest is left out");
                false
            }
            Verdict::LeftOut => false,
        }
    }
}

impl World {
    pub(crate) fn new(module: Arc<str>, allowance: Arc<Allowance>) -> Arc<World> {
        Arc::new(World {
            now_ms: AtomicU64::new(0),
            touched: AtomicBool::new(false),
            spent: AtomicBool::new(false),
            random: Mutex::new(Seeded::new([0; 32])),
            log: Mutex::new(Log {
                call_id: CallId::default(),
                module,
                budget_bytes: 0,
                allowance,
            }),
            lines: Default::default(),
        })
    }

    /// Sets the world for a call.
    pub(crate) fn arm(&self, call_id: CallId, now_ms: u64, seed: [u8; 32], log_bytes: usize) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
        self.touched.store(false, Ordering::Relaxed);
        self.spent.store(false, Ordering::Relaxed);
        *self.random.lock().unwrap_or_else(PoisonError::into_inner) = Seeded::new(seed);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.call_id = call_id;
        log.budget_bytes = log_bytes;
    }

    /// Whether the call depends on more than its parameters and the store, or has left anything in the log.
    pub(crate) fn is_touched(&self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }

    fn now_ms(&self) -> u64 {
        self.touched.store(true, Ordering::Relaxed);
        self.now_ms.load(Ordering::Relaxed)
    }

    /// Logs the lines that were begun: they belong to the call that ends.
    pub(crate) fn finish(&self) {
        for (stream, line) in STREAMS.into_iter().zip(&self.lines) {
            let line = std::mem::take(&mut *line.lock().unwrap_or_else(PoisonError::into_inner));
            if !line.is_empty() {
                self.print(stream, &line);
            }
        }
    }

    /// A WASI context that sees this world.
    pub(crate) fn context(self: &Arc<Self>) -> WasiCtx {
        let mut builder = WasiCtx::builder();
        builder
            .wall_clock(Clock(Arc::clone(self)))
            .monotonic_clock(Clock(Arc::clone(self)))
            .secure_random(Random(Arc::clone(self)))
            .insecure_random(Random(Arc::clone(self)))
            // Seeds hash maps, once an instance: a constant keeps their order the same in every run of a call.
            .insecure_random_seed(0)
            .max_random_size(1 << 20)
            .stdout(Output::new(self, 0))
            .stderr(Output::new(self, 1))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        builder.build()
    }

    fn print(&self, stream: &'static str, line: &[u8]) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.budget_bytes == 0 {
            return;
        }
        let cost = line.len() + LINE_BYTES;
        let left = log.budget_bytes.checked_sub(cost);
        log.budget_bytes = left.unwrap_or(0);
        self.spent.store(log.budget_bytes == 0, Ordering::Relaxed);
        if !log.allows(cost) {
            return;
        }
        if left.is_none() {
            tracing::warn!(target: "stowage::module", call_id = %log.call_id, module = %log.module, "more output than a call may log, the rest is left out");
            return;
        }
        // Control characters stay out of a terminal that shows the log.
        let text: String = String::from_utf8_lossy(line)
            .chars()
            .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
            .collect();
        tracing::info!(target: "stowage::module", call_id = %log.call_id, module = %log.module, stream, "{text}");
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
        self.0.touched.store(true, Ordering::Relaxed);
        draw(self.0.random.lock().unwrap_or_else(PoisonError::into_inner).generator())
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

/// A guest's stdout or stderr: whole lines go to the log with the call's identifier.
#[derive(Clone)]
struct Output {
    world: Arc<World>,
    stream: &'static str,
    line: Line,
}

/// A longer line is logged in parts.
const PART_BYTES: usize = 4096;

impl Output {
    fn new(world: &Arc<World>, stream: usize) -> Output {
        Output {
            world: Arc::clone(world),
            stream: STREAMS[stream],
            line: Arc::clone(&world.lines[stream]),
        }
    }

    fn append(&self, bytes: &[u8]) {
        self.world.touched.store(true, Ordering::Relaxed);
        if self.world.spent.load(Ordering::Relaxed) {
            return;
        }
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for &byte in bytes {
            if byte != b'\n' {
                line.push(byte);
            }
            if byte == b'\n' || line.len() >= PART_BYTES {
                self.world.print(self.stream, &line);
                line.clear();
            }
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this one, and nothing of it is linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.append(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}
