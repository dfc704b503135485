//! The password of files. It is never an argument: arguments are visible to every process.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use console::Term;

/// The environment variable that holds the password.
const VARIABLE: &str = "STOWAGE_FILE_PASSWORD";

/// The longest password, in bytes.
const MAX_PASSWORD_BYTES: u64 = 1024;

/// The source of the password: the file, or the environment, or the terminal.
#[derive(Debug, Clone, Default, Args)]
pub struct PasswordArgs {
    /// Protect the files with the password in STOWAGE_FILE_PASSWORD, or else with one from the
    /// terminal
    #[arg(long, conflicts_with = "password_file")]
    pub password: bool,
    /// Protect the files with the password in the first line of a file
    #[arg(long, value_name = "F")]
    pub password_file: Option<PathBuf>,
}

/// A password that is never shown.
pub struct Password(String);

impl Password {
    /// The password itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn new(text: String) -> anyhow::Result<Self> {
        match text.len() as u64 {
            0 => bail!("the password is empty"),
            len if len > MAX_PASSWORD_BYTES => bail!("the password is longer than {MAX_PASSWORD_BYTES} bytes"),
            _ => Ok(Self(text)),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl PasswordArgs {
    /// The password, or `None` if the files are not to be protected. It may ask on the terminal.
    ///
    /// # Errors
    /// The file cannot be read, the password is empty or too long, or there is no terminal to ask
    /// on.
    pub async fn read(self) -> anyhow::Result<Option<Password>> {
        tokio::task::spawn_blocking(move || self.read_from(std::env::var(VARIABLE).ok(), ask)).await?
    }

    fn read_from(
        &self,
        variable: Option<String>,
        ask: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<Option<Password>> {
        let text = match (&self.password_file, variable) {
            (Some(path), _) => first_line(path)?,
            // An empty variable counts as unset: shells unset a variable for one command in this
            // way.
            (None, Some(text)) if !text.is_empty() => {
                if !self.password {
                    eprintln!("the files are protected with the password in {VARIABLE}");
                }
                text
            }
            (None, _) if self.password => ask()?,
            (None, _) => return Ok(None),
        };
        Password::new(text).map(Some)
    }
}

fn first_line(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_PASSWORD_BYTES + 3).read_to_string(&mut text))
        .with_context(|| format!("the password file {} cannot be read", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn ask() -> anyhow::Result<String> {
    let terminal = Term::stderr();
    if !terminal.is_term() {
        bail!("there is no terminal to ask for the password on: use --password-file F or set {VARIABLE}");
    }
    terminal.write_str("Password for the files: ")?;
    let first = terminal.read_secure_line()?;
    terminal.write_str("The same again: ")?;
    if first != terminal.read_secure_line()? {
        bail!("the two passwords differ; nothing was imported");
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never() -> anyhow::Result<String> {
        panic!("nobody is to be asked")
    }

    fn text(found: anyhow::Result<Option<Password>>) -> Option<String> {
        found.expect("readable").map(|password| password.expose().to_owned())
    }

    #[test]
    fn without_any_source_files_stay_unprotected() {
        assert_eq!(text(PasswordArgs::default().read_from(None, never)), None);
        assert_eq!(
            text(PasswordArgs::default().read_from(Some(String::new()), never)),
            None
        );
    }

    #[test]
    fn the_file_comes_before_the_environment_and_that_before_the_terminal() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "from file\r\nnot this\n").expect("writable");
        let from_file = PasswordArgs {
            password: false,
            password_file: Some(file.path().to_owned()),
        };
        assert_eq!(
            text(from_file.read_from(Some("env".to_owned()), never)).as_deref(),
            Some("from file")
        );
        let asked = PasswordArgs {
            password: true,
            password_file: None,
        };
        assert_eq!(
            text(asked.read_from(Some("env".to_owned()), never)).as_deref(),
            Some("env")
        );
        assert_eq!(
            text(asked.read_from(None, || Ok("typed".to_owned()))).as_deref(),
            Some("typed")
        );
    }

    #[test]
    fn an_empty_or_endless_password_is_refused() {
        let asked = PasswordArgs {
            password: true,
            password_file: None,
        };
        assert!(asked.read_from(None, || Ok(String::new())).is_err());
        assert!(asked.read_from(None, || Ok("x".repeat(1025))).is_err());
        let missing = PasswordArgs {
            password: false,
            password_file: Some("/nonexistent/f".into()),
        };
        assert!(missing.read_from(None, never).is_err());
    }

    #[test]
    fn a_password_never_shows() {
        assert_eq!(format!("{:?}", Password("stowage".to_owned())), "Password(…)");
    }
}
