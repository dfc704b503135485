//! `stowage module verify`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueHint};
use serde::Serialize;
use stowage_deploy::signature::{KeyDir, SignatureError, signers};
use stowage_logic::{MAX_MODULE_BYTES, Version};

use super::file::read_at_most;
use super::show;
use crate::API_ERROR;
use crate::output::printable;

/// Tell which keys signed a module
///
/// A server with these keys would take it. Exit status: 0 if one of the keys signed it, 1 if none
/// did, 2 if a file cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage module verify notes.wasm --keys ./keys")]
pub struct VerifyArgs {
    /// The module
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath)]
    pub module: PathBuf,
    /// The directory of public keys, NAME.pub
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub keys: PathBuf,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// What was found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    version: String,
    /// The keys that signed it.
    signed_by: Vec<String>,
    /// Why it does not count as signed.
    reason: Option<String>,
}

impl VerifyArgs {
    /// Verifies the module and prints who signed it.
    ///
    /// # Errors
    /// A file cannot be read, or holds no key.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let keys = KeyDir::open(&self.keys)?.read()?;
        let module = read_at_most(&self.module, MAX_MODULE_BYTES)?;
        let (signed_by, reason) = match signers(&module, &keys) {
            Ok(signers) => (signers, None),
            Err(SignatureError::Keys(error)) => return Err(error.into()),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let report = Report {
            version: format!("{:#}", Version::of(&module)),
            signed_by,
            reason,
        };
        let file = printable(&self.module.display().to_string());
        show::print(&report, self.json, |report| match &report.reason {
            Some(reason) => format!("{file}: {}", printable(reason)),
            None => format!("{file}: signed by {}", printable(&report.signed_by.join(", "))),
        })?;
        Ok(match report.reason {
            Some(_) => ExitCode::from(API_ERROR),
            None => ExitCode::SUCCESS,
        })
    }
}
