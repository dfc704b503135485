//! The `stowage` program: parses its arguments and runs the command.

use std::io::Write as _;
use std::process::ExitCode;

use rustix::process::Signal;
use stowage::journal::Journal;
use stowage::{Arguments, completions, telemetry};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// Calls make many small, short-lived allocations on several threads. jemalloc serves them quickly,
/// and returns the memory of a compilation to the system.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// On one processor, how many tasks run between two polls for I/O. A long task takes up to 2 ms.
const EVENT_INTERVAL: u32 = 4;

fn runtime() -> std::io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if std::thread::available_parallelism().is_ok_and(|processors| processors.get() == 1) {
        builder.event_interval(EVENT_INTERVAL);
    }
    builder.enable_all().build()
}

/// Says why the program ends. There may be nobody who reads it.
fn tell(reason: &str) {
    let _ = writeln!(std::io::stderr(), "stowage: {reason}");
}

fn main() -> ExitCode {
    completions::answer();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("the runtime's threads cannot be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let result = run(Arguments::of_process(), &runtime);
    // A thread that blocks in the file system must not keep the process alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    match result {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

/// A write past the longest file that the user may have (`ulimit -f`) fails with an error. Without
/// a handler, its signal would end the process.
fn handle_long_files(runtime: &Runtime) {
    let _entered = runtime.enter();
    // The handler stays when the stream is dropped.
    drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw())));
}

fn run(arguments: Arguments, runtime: &Runtime) -> anyhow::Result<ExitCode> {
    handle_long_files(runtime);
    let command = arguments.command.with_settings_file()?;
    let journal = Journal::default();
    let telemetry = telemetry::start(command.telemetry(), &journal, runtime.handle())?;
    let result = runtime.block_on(command.run(journal, telemetry.exports()));
    telemetry.stop();
    result
}
