//! `stowage space import`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use stowage_cloud::import;
use stowage_cloud::import::{ImportProgress, Kind, Plan, Report};

use super::place::{SpaceArgs, shown};
use crate::password::PasswordArgs;
use crate::size::ByteSize;
use crate::{API_ERROR, output};

/// Import local files into a space
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                        stowage space import --as storage ~/Documents\n  \
                        stowage space import --space s3://bucket/chat --as backups --folder backup_20250402 chat.zip")]
pub struct ImportArgs {
    /// Which space
    #[command(flatten)]
    pub space: SpaceArgs,
    /// The kind of the imported files
    #[arg(long = "as", value_enum, value_name = "KIND")]
    pub kind: ImportKind,
    /// The folder: its name for favourites and backups, the conversation for temp files; created if
    /// absent
    #[arg(long, value_name = "NAME")]
    pub folder: Option<String>,
    /// Protection by a password
    #[command(flatten)]
    pub password: PasswordArgs,
    /// Print the report as JSON, without progress bars
    #[arg(long)]
    pub json: bool,
    /// Files, and folders with their contents
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// The kind of imported files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImportKind {
    /// IM favourites
    Favorites,
    /// Temp files of a conversation
    TempFiles,
    /// Message backups
    Backups,
    /// Cloud storage files
    Storage,
    /// DAPP files
    Dapp,
}

impl ImportArgs {
    fn plan(&self, password: Option<String>) -> anyhow::Result<Plan> {
        let folder = self.folder.as_deref().map(folder_name).transpose()?;
        let kind = match (self.kind, folder) {
            (ImportKind::Favorites, folder) => Kind::Favorites {
                folder: folder.unwrap_or_default(),
            },
            (ImportKind::Backups, Some(folder)) => Kind::Backups { folder },
            (ImportKind::TempFiles, Some(conversation)) => Kind::TempFiles { conversation },
            (ImportKind::Backups, None) => {
                bail!("backups go to a folder: name it with --folder, for example backup_20250402")
            }
            (ImportKind::TempFiles, None) => bail!("temp files belong to a conversation: name it with --folder"),
            (ImportKind::Storage, None) => Kind::Storage,
            (ImportKind::Dapp, None) => Kind::Dapp,
            (ImportKind::Storage | ImportKind::Dapp, Some(_)) => {
                bail!("files of the cloud storage and of DAPPs have no folder: leave --folder out")
            }
        };
        Ok(Plan { kind, password })
    }

    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        // Check this before the password is asked for.
        let mut plan = self.plan(None)?;
        let (space, url) = self.space.open().await?;
        plan.password = self
            .password
            .clone()
            .read()
            .await?
            .map(|password| password.expose().to_owned());
        let mut bars = ImportBars::new(self.json);
        let imported = tokio::select! {
            imported = import(&space, &plan, &self.paths, &mut bars) => imported,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                bail!("interrupted: what was taken in until now stays; the same command again goes on");
            }
        };
        bars.close();
        let report = imported.with_context(|| format!("the import into {} stopped", shown(&url)))?;
        if self.json {
            let failures: Vec<_> = report
                .failures
                .iter()
                .map(|failure| json!({"path": failure.path.to_string_lossy(), "reason": failure.reason}))
                .collect();
            let text = json!({
                "files": report.files, "bytes": report.len_bytes, "present": report.present, "failures": failures,
            });
            output::line(&text.to_string())?;
        } else {
            for failure in &report.failures {
                eprintln!(
                    "left out: {}: {}",
                    output::printable(&failure.path.to_string_lossy()),
                    failure.reason
                );
            }
            output::line(&summary(&report))?;
            if report.files > 0 {
                output::line("a running server sees them after `stowage call 'initStorage$IMDataFromSdk'`")?;
            }
        }
        Ok(if report.failures.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(API_ERROR)
        })
    }
}

/// The longest name of a folder, in characters.
const FOLDER_NAME_LIMIT_CHARS: usize = 255;

/// Checks the name of a folder by the rules of the API, so that a client could have created it.
fn folder_name(name: &str) -> anyhow::Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > FOLDER_NAME_LIMIT_CHARS || name.chars().any(char::is_control) {
        bail!("--folder takes a name of 1 to {FOLDER_NAME_LIMIT_CHARS} characters without control characters");
    }
    Ok(name.to_owned())
}

/// `imported 3 files, 12 MB (1 was there already); 2 left out`
fn summary(report: &Report) -> String {
    let files = match report.files {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let present = match report.present {
        0 => String::new(),
        count => format!(" ({count} of them there already)"),
    };
    let left_out = match report.failures.len() {
        0 => String::new(),
        count => format!("; {count} left out"),
    };
    format!("imported {files}, {}{present}{left_out}", ByteSize(report.len_bytes))
}

/// A progress bar for the current file.
struct ImportBars {
    bar: ProgressBar,
    quiet: bool,
}

impl ImportBars {
    fn new(quiet: bool) -> Self {
        Self {
            bar: ProgressBar::hidden(),
            quiet,
        }
    }

    fn close(&self) {
        self.bar.finish_and_clear();
    }
}

impl ImportProgress for ImportBars {
    fn file_started(&mut self, name: &str, len_bytes: u64) {
        if self.quiet {
            return;
        }
        // On stderr. The library hides it if that is no terminal.
        self.bar = ProgressBar::with_draw_target(Some(len_bytes), ProgressDrawTarget::stderr()).with_style(
            ProgressStyle::with_template("{prefix:30!} {bar:24.cyan/blue} {binary_bytes:>11} {percent:>3}%  {eta}")
                .expect("a constant template that a test parses"),
        );
        self.bar.set_prefix(output::printable(name));
    }

    fn bytes(&mut self, count: u64) {
        self.bar.inc(count);
    }

    fn file_done(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::tests::import_args;
    use stowage_cloud::import::Failure;

    #[test]
    fn a_folder_is_for_those_kinds_that_have_one() {
        let kind = |arguments: &[&str]| import_args(arguments).plan(None).map(|plan| plan.kind).ok();
        assert_eq!(
            kind(&["--as", "favorites", "a"]),
            Some(Kind::Favorites { folder: String::new() })
        );
        let backups = Kind::Backups { folder: "b".to_owned() };
        assert_eq!(kind(&["--as", "backups", "--folder", "b", "a"]), Some(backups));
        assert_eq!(kind(&["--as", "dapp", "a"]), Some(Kind::Dapp));
        assert_eq!(kind(&["--as", "backups", "a"]), None);
        assert_eq!(kind(&["--as", "temp-files", "a"]), None);
        assert_eq!(kind(&["--as", "storage", "--folder", "b", "a"]), None);
    }

    #[test]
    fn a_folder_has_a_name_that_a_client_could_give_it() {
        let folder = |name: &str| import_args(&["--as", "backups", "--folder", name, "a"]).plan(None);
        let named = |name: &str| Kind::Backups {
            folder: name.to_owned(),
        };
        let longest = "图".repeat(255);
        assert_eq!(folder(" 图片\t").expect("a name").kind, named("图片"));
        assert_eq!(folder(&longest).expect("a name").kind, named(&longest));
        for name in ["", "  ", "\u{3000}", "a\0b", "a\nb", "a\u{85}b", &"x".repeat(256)] {
            let error = folder(name).err().expect("no name").to_string();
            assert!(error.contains("1 to 255 characters"), "{name:?}: {error}");
        }
    }

    #[test]
    fn the_bar_has_a_template_that_works() {
        let mut bars = ImportBars::new(false);
        bars.file_started("照片.jpg", 100);
        bars.bytes(100);
        bars.file_done();
        assert_eq!(bars.bar.position(), 100);
    }

    #[test]
    fn the_summary_counts() {
        let failure = Failure {
            path: "x".into(),
            reason: "y".to_owned(),
        };
        let report = Report {
            files: 1,
            len_bytes: 1536,
            present: 1,
            failures: vec![failure],
        };
        assert_eq!(
            summary(&report),
            "imported 1 file, 1.5 KB (1 of them there already); 1 left out"
        );
    }
}
