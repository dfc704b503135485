//! The command line: all commands, and what runs them.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, Parser, Subcommand};
use stowage_cli::{ApiCommand, CallArgs, ConsoleArgs, ModuleCommand, RecordArgs, ReplayArgs, SpaceCommand, WatchArgs};

use crate::completions::CompletionsArgs;
use crate::db::DbCommand;
use crate::doctor::DoctorArgs;
use crate::journal::Journal;
use crate::man::ManArgs;
use crate::serve;
use crate::settings::Settings;
use crate::telemetry::{self, Exports};

/// A local storage server for instant messaging, with hot-swappable logic
#[derive(Debug, Parser)]
#[command(
    name = "stowage",
    version,
    about,
    max_term_width = 100,
    after_help = "Examples:\n  stowage serve --demo\n  stowage call getStorageSpaceInfo\n  stowage doctor"
)]
pub struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// The arguments of this process. If they are wrong, it says so and ends the process.
    pub fn of_process() -> Arguments {
        let words: Vec<_> = std::env::args_os().collect();
        let is_set = |name: &OsStr| std::env::var_os(name).is_some();
        Arguments::try_parse_from(&words).unwrap_or_else(|error| with_variable(error, &words, is_set).exit())
    }
}

/// The error, with the variable that a wrong value comes from: else it blames a flag that nobody
/// gave.
fn with_variable(mut error: clap::Error, words: &[OsString], is_set: impl Fn(&OsStr) -> bool) -> clap::Error {
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let flag = shown.split_whitespace().next().unwrap_or_default().to_owned();
    let is_given = words.iter().filter_map(|word| word.to_str()).any(|word| {
        let rest = word.strip_prefix(&flag);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    let root = Arguments::command();
    let arguments = root.get_subcommands().flat_map(clap::Command::get_arguments);
    let variable = arguments
        .filter(|argument| {
            argument
                .get_long()
                .is_some_and(|long| flag.strip_prefix("--") == Some(long))
        })
        .find_map(clap::Arg::get_env)
        .filter(|name| !is_given && is_set(name));
    if let Some(name) = variable {
        let tip = format!("the value comes from the variable {}", name.to_string_lossy());
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// The commands.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "the text of some commands is that of their arguments")]
pub enum Command {
    /// Run the server
    #[command(
        after_help = "Examples:\n  stowage serve --demo\n  stowage serve --listen 127.0.0.1:9000 --data ./data\n  \
                            stowage serve --config stowage.toml"
    )]
    Serve {
        /// A TOML file with the settings below, named without their dashes
        #[arg(long, env = "STOWAGE_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        /// The settings
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Call one method of the running server
    Call(CallArgs),
    /// Show transfers as they go
    Watch(WatchArgs),
    /// Make, fill and check a cloud space
    #[command(
        subcommand,
        after_help = "Examples:\n  stowage space init ./space\n  stowage space verify"
    )]
    Space(SpaceCommand),
    /// See, check and replace the modules of the running server
    #[command(
        subcommand,
        after_help = "Examples:\n  stowage module list\n  stowage module swap favorites.wasm"
    )]
    Module(ModuleCommand),
    /// Back up, restore and check the database
    #[command(
        subcommand,
        after_help = "Examples:\n  stowage db backup /mnt/backups --keep 30\n  stowage db check"
    )]
    Db(DbCommand),
    Console(ConsoleArgs),
    /// Describe the API: OpenAPI, AsyncAPI, TypeScript types, Markdown
    #[command(
        subcommand,
        after_help = "Examples:\n  stowage api openapi > openapi.json\n  stowage api typescript --module notes.wasm > notes.ts"
    )]
    Api(ApiCommand),
    Record(RecordArgs),
    Replay(ReplayArgs),
    Doctor(DoctorArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    /// Compile the component on stdin to stdout, for the server
    #[command(hide = true)]
    Compile,
}

impl Command {
    /// The default of STOWAGE_LOG. Only the server logs its normal work; other commands print
    /// results. What a diagnosis finds is in its result.
    pub fn log_filter(&self) -> &'static str {
        match self {
            Command::Serve { .. } => "info",
            Command::Doctor(_) => "off",
            _ => "warn",
        }
    }

    /// The command with the settings of its file, so that nothing else has to read the file.
    ///
    /// # Errors
    /// Names the file, and what is wrong with it.
    pub fn with_settings_file(self) -> anyhow::Result<Command> {
        match self {
            Command::Serve {
                config: Some(file),
                settings,
            } => Ok(Command::Serve {
                config: None,
                settings: Box::new(settings.over(Settings::read(&file)?)),
            }),
            other => Ok(other),
        }
    }

    /// How the command logs, and where its traces go.
    pub fn telemetry(&self) -> telemetry::Options {
        let mut options = telemetry::Options::new(self.log_filter());
        if let Command::Serve { settings, .. } = self {
            options.serves = true;
            options.format = settings.log_format.unwrap_or_default();
            options.endpoint.clone_from(&settings.otlp_endpoint);
        }
        options
    }

    /// Runs the command. The server keeps its log in `journal`, and `exports` counts what it sends.
    ///
    /// # Errors
    /// Usage, an unreadable file, no server: the program exits with 2.
    pub async fn run(self, journal: Journal, exports: Exports) -> anyhow::Result<ExitCode> {
        match self.with_settings_file()? {
            Command::Serve { settings, .. } => serve::run(*settings, journal, exports)
                .await
                .map(|()| ExitCode::SUCCESS),
            Command::Call(args) => args.run().await,
            Command::Watch(args) => args.run().await,
            Command::Space(command) => command.run().await,
            Command::Module(command) => command.run().await,
            Command::Db(command) => command.run().await,
            Command::Console(args) => args.run().await,
            Command::Api(command) => command.run(crate::builtin_modules()).await,
            Command::Record(args) => args.run().await,
            Command::Replay(args) => args.run().await,
            Command::Doctor(args) => args.run().await,
            Command::Completions(args) => args.run(),
            Command::Man(args) => args.run(),
            Command::Compile => stowage_logic::compile_stdin().map(|()| ExitCode::SUCCESS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each command of the tree that a person sees, with the words that lead to it.
    fn commands() -> Vec<(String, clap::Command)> {
        fn walk(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
            found.push((path.to_owned(), command.clone()));
            for child in command
                .get_subcommands()
                .filter(|child| !child.is_hide_set() && child.get_name() != "help")
            {
                walk(child, &format!("{path} {}", child.get_name()), found);
            }
        }
        let mut root = Arguments::command();
        root.build();
        let mut found = Vec::new();
        walk(&root, "stowage", &mut found);
        found
    }

    /// The lines under `Examples:` of a command's help.
    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        lines.map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_wrong_value_of_a_variable_names_the_variable() {
        let parsed = ["stowage", "serve", "--max-calls", "many"];
        let told = |words: &[&str], is_set: bool| {
            let error = Arguments::try_parse_from(parsed).expect_err("no number");
            let words: Vec<_> = words.iter().map(OsString::from).collect();
            with_variable(error, &words, |name| is_set && name == "STOWAGE_MAX_CALLS").to_string()
        };
        let said = told(&["stowage", "serve"], true);
        assert!(
            said.contains("--max-calls") && said.contains("STOWAGE_MAX_CALLS"),
            "{said}"
        );
        for (words, is_set) in [
            (&parsed[..], true),
            (&["stowage", "serve", "--max-calls=many"][..], true),
            (&["stowage", "serve"][..], false),
        ] {
            let said = told(words, is_set);
            assert!(!said.contains("STOWAGE_MAX_CALLS"), "{said}");
        }
    }

    #[test]
    fn only_the_server_logs_its_normal_work() {
        for (arguments, filter) in [
            (&["stowage", "serve"][..], "info"),
            (&["stowage", "space", "verify"], "warn"),
            (&["stowage", "watch"], "warn"),
            (&["stowage", "doctor"], "off"),
        ] {
            let parsed = Arguments::try_parse_from(arguments).expect("valid arguments");
            assert_eq!(parsed.command.log_filter(), filter, "{arguments:?}");
        }
    }

    #[test]
    fn the_help_of_each_command_has_examples_that_are_valid_and_of_this_command() {
        for (path, command) in commands() {
            let examples = examples(&command);
            assert!(!examples.is_empty(), "`{path} --help` has no example");
            for example in examples {
                let words = shlex::split(&example).unwrap_or_else(|| panic!("{example}: not closed"));
                let words: Vec<_> = words.into_iter().take_while(|word| word != ">").collect();
                Arguments::try_parse_from(&words).unwrap_or_else(|error| panic!("{example}: {error}"));
                assert!(
                    example.starts_with(&path),
                    "{path} shows an example of another command: {example}"
                );
            }
        }
    }

    #[test]
    fn help_fits_a_page_of_100_columns() {
        for (path, command) in commands() {
            let help = command.clone().term_width(100).render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() <= 100, "{path}: {line}");
            }
        }
    }

    /// Commands without `--json`, and why.
    const WITHOUT_JSON: [(&str, &str); 9] = [
        ("stowage serve", "it prints no result; its log is on stderr"),
        ("stowage module dev", "it shows a compiler's output to a person"),
        ("stowage api openapi", "its output is JSON"),
        ("stowage api asyncapi", "its output is JSON"),
        ("stowage api typescript", "its output is TypeScript"),
        ("stowage api markdown", "its output is Markdown"),
        ("stowage db dump", "its output is JSON"),
        ("stowage completions", "its output is a script for a shell"),
        ("stowage man", "its output is a manual page"),
    ];

    #[test]
    fn each_command_that_prints_a_result_prints_it_as_json_too() {
        let leaves = || commands().into_iter().filter(|(_, command)| !command.has_subcommands());
        for (path, command) in leaves() {
            let has_json = command.get_arguments().any(|arg| arg.get_long() == Some("json"));
            let is_listed = WITHOUT_JSON.iter().any(|(listed, _)| *listed == path);
            assert!(
                has_json != is_listed,
                "{path}: --json is {has_json}, listed is {is_listed}"
            );
        }
        for (listed, _) in WITHOUT_JSON {
            assert!(leaves().any(|(path, _)| path == listed), "{listed} is no command");
        }
    }
}
