//! `stowage module keygen`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueHint};
use serde::Serialize;
use stowage_deploy::signature::SigningKey;

use super::show;
use crate::output::printable;

/// Make a key that signs modules: NAME.key, which is private, and NAME.pub for the servers
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage module keygen release\n  stowage module keygen release --to ./keys")]
pub struct KeygenArgs {
    /// The name of the key, which the history shows
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The directory for both files [default: the current one]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub to: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// The files of a new key.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    private: PathBuf,
    public: PathBuf,
}

impl KeygenArgs {
    /// Makes the key and prints where it is.
    ///
    /// # Errors
    /// A file of that name exists, or cannot be written.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let dir = self.to.unwrap_or_else(|| PathBuf::from("."));
        let files = SigningKey::create(&dir, &self.name)?;
        let made = Made {
            private: files.private,
            public: files.public,
        };
        show::print(&made, self.json, |made| {
            format!(
                "made {} (keep it secret) and {} (copy it into the directory of --module-keys)",
                printable(&made.private.display().to_string()),
                printable(&made.public.display().to_string()),
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
