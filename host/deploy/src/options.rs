//! The parameters of swaps and canaries.

use std::time::Duration;

use stowage_logic::{MAX_MODULE_BYTES, Thresholds};

use super::error::DeployError;

/// The default length of a probation.
pub const PROBATION: Duration = Duration::from_secs(60);
/// Longer probations are cut to this, because a probation keeps the previous version in memory.
const MAX_PROBATION: Duration = Duration::from_secs(24 * 60 * 60);
/// Most modules of one swap.
const MAX_SOURCES: usize = 64;
/// Most bytes of a module's name.
const MAX_NAME_BYTES: usize = 64;

/// What [`Source::from`] says of the modules inside the binary. Only those that a start brings are
/// built-in, whatever a client says.
pub const BUILT_IN: &str = "built-in";
/// What [`Source::from`] says of bytes that a client sent.
const UPLOAD: &str = "upload";

/// A module that is to be checked or to go live.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name: 1 to 64 of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`, the first a letter or digit.
    pub name: String,
    /// The component.
    pub bytes: Vec<u8>,
    /// Where the bytes came from: `upload`, a file's path, or `built-in`.
    pub from: String,
}

/// How modules go live.
#[derive(Clone, Debug)]
pub struct SwapOptions {
    /// Overrides failed steps of the check that are marked as forceable.
    pub force: bool,
    /// Who asked, as the history shows it: `command`, `watch`.
    pub by: &'static str,
    /// How long the new versions are on probation: 60 s by default, at most a day; zero for no
    /// probation.
    pub probation: Option<Duration>,
    /// Thresholds above which the swap is rolled back.
    pub thresholds: Thresholds,
}

impl Default for SwapOptions {
    fn default() -> Self {
        SwapOptions {
            force: false,
            by: "command",
            probation: None,
            thresholds: Thresholds::default(),
        }
    }
}

impl SwapOptions {
    /// How long the probation lasts; none for no probation.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        let lasts = self.probation.unwrap_or(PROBATION).min(MAX_PROBATION);
        (!lasts.is_zero()).then_some(lasts)
    }
}

/// Which calls a canary answers, and when it is aborted.
#[derive(Clone, Debug)]
pub struct CanaryOptions {
    /// Percent of the calls, more than 0, at most 100.
    pub percent: f64,
    /// The methods it answers; empty means all it has.
    pub methods: Vec<String>,
    /// Thresholds above which it is aborted.
    pub thresholds: Thresholds,
    /// Overrides failed steps of the check that are marked as forceable.
    pub force: bool,
}

impl Default for CanaryOptions {
    fn default() -> Self {
        CanaryOptions {
            percent: 5.0,
            methods: Vec::new(),
            thresholds: Thresholds::default(),
            force: false,
        }
    }
}

impl Source {
    /// The source, without a claim to be built-in.
    pub(crate) fn of_a_client(mut self) -> Source {
        if self.from == BUILT_IN {
            self.from = UPLOAD.to_owned();
        }
        self
    }

    /// Checks the name and the size.
    ///
    /// # Errors
    /// When the name is not usable as a file name, or the module is too large.
    pub fn validate(&self) -> Result<(), DeployError> {
        let letters = |c: char| c.is_ascii_alphanumeric();
        let fits = self.name.len() <= MAX_NAME_BYTES
            && self.name.starts_with(letters)
            && self.name.chars().all(|c| letters(c) || "-_.".contains(c));
        if !fits {
            return Err(DeployError::BadInput {
                field: "name".into(),
                expected: format!(
                    "1 to {MAX_NAME_BYTES} letters, digits, '-', '_' and '.', the first a letter or digit; found {:?}",
                    self.name.chars().take(MAX_NAME_BYTES).collect::<String>()
                ),
            });
        }
        if self.bytes.len() > MAX_MODULE_BYTES {
            return Err(DeployError::BadInput {
                field: self.name.clone(),
                expected: format!("a module of at most {} MiB", MAX_MODULE_BYTES >> 20),
            });
        }
        Ok(())
    }
}

/// # Errors
/// When there are no sources, too many, two of the same name, or an invalid one.
pub(crate) fn validate(sources: &[Source]) -> Result<(), DeployError> {
    if sources.is_empty() || sources.len() > MAX_SOURCES {
        return Err(DeployError::BadInput {
            field: "modules".into(),
            expected: format!("1 to {MAX_SOURCES} modules, found {}", sources.len()),
        });
    }
    for (i, source) in sources.iter().enumerate() {
        source.validate()?;
        if sources[..i].iter().any(|other| other.name == source.name) {
            return Err(DeployError::BadInput {
                field: source.name.clone(),
                expected: "each module once in a swap".into(),
            });
        }
    }
    Ok(())
}

/// # Errors
/// When the percentage is not above 0 and at most 100.
pub(crate) fn validate_percent(percent: f64) -> Result<(), DeployError> {
    if percent > 0.0 && percent <= 100.0 {
        return Ok(());
    }
    Err(DeployError::BadInput {
        field: "percent".into(),
        expected: format!("more than 0, at most 100, found {percent}"),
    })
}

/// # Errors
/// When a threshold could never be exceeded, or always is.
pub(crate) fn validate_thresholds(thresholds: &Thresholds) -> Result<(), DeployError> {
    let Thresholds {
        faults,
        errors_percent,
        errors,
    } = *thresholds;
    if faults > 0 && errors > 0 && (0.0..=100.0).contains(&errors_percent) {
        return Ok(());
    }
    Err(DeployError::BadInput {
        field: "thresholds".into(),
        expected: "at least 1 fault, at least 1 error, 0 to 100 percent of errors".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Source {
        Source {
            name: name.into(),
            bytes: Vec::new(),
            from: "upload".into(),
        }
    }

    #[test]
    fn names_that_are_not_file_names_are_refused() {
        for name in ["favorites", "im-favorites", "a.b_c", "9"] {
            assert!(named(name).validate().is_ok(), "{name}");
        }
        for name in ["", ".", "..", "a/b", "-a", "é", "a b", &"a".repeat(65)] {
            assert!(named(name).validate().is_err(), "{name}");
        }
    }

    #[test]
    fn a_swap_takes_each_module_once() {
        assert!(validate(&[named("a"), named("b")]).is_ok());
        assert!(validate(&[named("a"), named("a")]).is_err());
        assert!(validate(&[]).is_err());
    }

    #[test]
    fn meaningless_percentages_and_thresholds_are_refused() {
        for percent in [0.0, -1.0, 100.1, f64::NAN] {
            assert!(validate_percent(percent).is_err(), "{percent}");
        }
        assert!(validate_percent(100.0).is_ok());
        assert!(validate_thresholds(&Thresholds::default()).is_ok());
        let never = Thresholds {
            faults: 0,
            ..Thresholds::default()
        };
        assert!(validate_thresholds(&never).is_err());
    }
}
