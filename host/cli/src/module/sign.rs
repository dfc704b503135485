//! `stowage module sign`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use serde::Serialize;
use stowage_deploy::signature::SigningKey;
use stowage_logic::{MAX_MODULE_BYTES, Version};

use super::file::read_at_most;
use super::show;
use crate::output::printable;

/// Sign a module
///
/// Signatures of other keys over the same bytes stay. The signed module is another version, because
/// its bytes are others.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                        stowage module sign notes.wasm --key release.key\n  \
                        stowage module sign notes.wasm --key release.key --to signed/notes.wasm")]
pub struct SignArgs {
    /// The component
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath)]
    pub module: PathBuf,
    /// The private key, from `stowage module keygen`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key: PathBuf,
    /// The file for the signed module [default: MODULE itself]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub to: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// A signed module.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: PathBuf,
    version: String,
    size: u64,
    /// Whether this key had signed it before.
    unchanged: bool,
}

impl SignArgs {
    /// Signs the module and prints its version.
    ///
    /// # Errors
    /// A file cannot be read or written, or is no key or no component.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (key, is_shared) = SigningKey::read(&self.key)?;
        if is_shared {
            eprintln!(
                "warning: others can use the private key {path}; `chmod 600 {path}` keeps it to you",
                path = printable(&self.key.display().to_string())
            );
        }
        let module = read_at_most(&self.module, MAX_MODULE_BYTES)?;
        let signed = key.sign(&module).with_context(|| self.module.display().to_string())?;
        let file = self.to.unwrap_or(self.module);
        write(&file, &signed.bytes).with_context(|| format!("{} cannot be written", file.display()))?;
        let report = Report {
            file,
            version: format!("{:#}", Version::of(&signed.bytes)),
            size: signed.bytes.len() as u64,
            unchanged: signed.unchanged,
        };
        show::print(&report, self.json, |report| {
            format!(
                "{}{}: version {}",
                if report.unchanged {
                    "signed by this key before "
                } else {
                    "signed "
                },
                printable(&report.file.display().to_string()),
                show::version(&report.version),
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes a file in one step: whoever reads it meanwhile sees all of it or what was there before.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::File::create(&temporary)
        .and_then(|mut out| out.write_all(bytes).and_then(|()| out.sync_all()))
        .and_then(|()| fs::rename(&temporary, file));
    if written.is_err() {
        // The error that is returned says what went wrong.
        let _ = fs::remove_file(&temporary);
    }
    written
}
