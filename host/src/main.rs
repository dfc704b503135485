//! The `stowage` program: parses its arguments and runs the command.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stowage::journal::Journal;
use stowage::serve;
use stowage::settings::Settings;
use stowage_cli::{ApiCommand, CallArgs, ConsoleArgs, ModuleCommand, RecordArgs, ReplayArgs, SpaceCommand, WatchArgs};
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// Calls make many small, short-lived allocations on several threads. jemalloc serves them quickly,
/// and returns the memory of a compilation to the system.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A local storage server for instant messaging, with hot-swappable logic.
#[derive(Parser)]
#[command(name = "stowage", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve {
        /// A TOML file with the settings below, named without their dashes
        #[arg(long, env = "STOWAGE_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Call one method of the running server
    Call(CallArgs),
    /// Show transfers as they go
    Watch(WatchArgs),
    /// Make, fill and check a cloud space
    #[command(subcommand)]
    Space(SpaceCommand),
    /// See, check and replace the modules of the running server
    #[command(subcommand)]
    Module(ModuleCommand),
    Console(ConsoleArgs),
    /// Describe the API: OpenAPI, AsyncAPI, TypeScript types, Markdown
    #[command(subcommand)]
    Api(ApiCommand),
    Record(RecordArgs),
    Replay(ReplayArgs),
    /// Compile the component on stdin to stdout, for the server
    #[command(hide = true)]
    Compile,
}

impl Command {
    /// The default of STOWAGE_LOG. Only the server logs its normal work; other commands print
    /// results.
    fn log_filter(&self) -> &'static str {
        match self {
            Command::Serve { .. } => "info",
            _ => "warn",
        }
    }
}

/// On one processor, how many tasks run between two polls for I/O. A long task takes up to 2 ms.
const EVENT_INTERVAL: u32 = 4;

fn runtime() -> std::io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if std::thread::available_parallelism().is_ok_and(|processors| processors.get() == 1) {
        builder.event_interval(EVENT_INTERVAL);
    }
    builder.enable_all().build()
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter =
        EnvFilter::try_from_env("STOWAGE_LOG").unwrap_or_else(|_| EnvFilter::new(arguments.command.log_filter()));
    let journal = Journal::default();
    let kept = matches!(arguments.command, Command::Serve { .. }).then(|| journal.layer());
    let printed = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_filter(filter);
    tracing_subscriber::registry().with(printed).with(kept).init();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("stowage: the runtime's threads cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Serve { config, settings } => {
                let file = config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
                serve::run(settings.over(file), journal)
                    .await
                    .map(|()| ExitCode::SUCCESS)
            }
            Command::Call(args) => args.run().await,
            Command::Watch(args) => args.run().await,
            Command::Space(command) => command.run().await,
            Command::Module(command) => command.run().await,
            Command::Console(args) => args.run().await,
            Command::Api(command) => command.run(stowage::builtin_modules()).await,
            Command::Record(args) => args.run().await,
            Command::Replay(args) => args.run().await,
            Command::Compile => stowage_logic::compile_stdin().map(|()| ExitCode::SUCCESS),
        }
    });
    // A thread that blocks in the file system must not keep the process alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("stowage: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_logs_its_normal_work() {
        for (arguments, filter) in [
            (&["stowage", "serve"][..], "info"),
            (&["stowage", "space", "verify"], "warn"),
            (&["stowage", "watch"], "warn"),
        ] {
            let parsed = Arguments::try_parse_from(arguments).expect("valid arguments");
            assert_eq!(parsed.command.log_filter(), filter, "{arguments:?}");
        }
    }
}
