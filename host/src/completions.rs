//! `stowage completions`: the script that makes a shell complete the words of a command.
//!
//! The script asks this program for each completion. So it never gets old, and it knows the methods
//! and modules that serve now.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use crate::arguments::Arguments;

/// The variable that asks this program for completions. The scripts set it.
const VARIABLE: &str = "STOWAGE_COMPLETE";

/// Print the script that makes a shell complete commands, methods and modules
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stowage completions bash > ~/.local/share/bash-completion/completions/stowage\n  \
                        stowage completions zsh > ~/.zfunc/_stowage\n  \
                        stowage completions fish > ~/.config/fish/completions/stowage.fish"
)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

impl Shell {
    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Shell::Bash => &Bash,
            Shell::Zsh => &Zsh,
            Shell::Fish => &Fish,
            Shell::Elvish => &Elvish,
            Shell::Powershell => &Powershell,
        }
    }
}

impl CompletionsArgs {
    /// Prints the script.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        self.shell
            .completer()
            .write_registration(VARIABLE, "stowage", "stowage", "stowage", &mut script)
            .and_then(|()| std::io::stdout().write_all(&script))
            .context("the script cannot be written to stdout")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// If a shell asks for completions, prints them and ends the process.
///
/// It changes the environment. Call it before a thread is started.
pub fn answer() {
    CompleteEnv::with_factory(Arguments::command).var(VARIABLE).complete();
}
