//! What a change is asked with.

use std::time::Duration;

use stowage_logic::{MAX_MODULE_BYTES, Thresholds};

use super::error::DeployError;

/// How long a version is watched after it went live, unless the swap says otherwise.
pub const PROBATION: Duration = Duration::from_secs(60);
/// A longer probation is cut: it keeps the version before in memory.
const LONGEST_PROBATION: Duration = Duration::from_secs(24 * 60 * 60);
/// Modules of one swap.
const MOST_AT_ONCE: usize = 64;
/// Bytes of a module's name.
const LONGEST_NAME: usize = 64;

/// A module to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// What people call it: 1 to 64 of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`, the first a letter or digit.
    pub name: String,
    /// The component.
    pub bytes: Vec<u8>,
    /// Where the bytes came from: `upload`, a file's path, or `built-in`.
    pub from: String,
}

/// How modules are put in place of the live ones.
#[derive(Clone, Debug)]
pub struct SwapOptions {
    /// Goes on where a step of the check failed that may be forced.
    pub force: bool,
    /// Who asked: `command`, `watch`.
    pub by: &'static str,
    /// How long the new versions are watched: 60 s unless given, at most a day; zero for not at all.
    pub probation: Option<Duration>,
    /// When they are too bad and the swap is undone.
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
    /// How long the probation lasts; none for none.
    pub(super) fn lasts(&self) -> Option<Duration> {
        let lasts = self.probation.unwrap_or(PROBATION).min(LONGEST_PROBATION);
        (!lasts.is_zero()).then_some(lasts)
    }
}

/// Which calls a canary answers, and when it is too bad.
#[derive(Clone, Debug)]
pub struct CanaryOptions {
    /// Percent of the calls, more than 0, at most 100.
    pub percent: f64,
    /// The methods; empty means all it has.
    pub methods: Vec<String>,
    /// When it is too bad and is aborted.
    pub thresholds: Thresholds,
    /// Goes on where a step of the check failed that may be forced.
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
    /// # Errors
    /// When the name cannot be a file's, or the module is too large.
    pub(super) fn validate(&self) -> Result<(), DeployError> {
        let letters = |c: char| c.is_ascii_alphanumeric();
        let fits = self.name.len() <= LONGEST_NAME
            && self.name.starts_with(letters)
            && self.name.chars().all(|c| letters(c) || "-_.".contains(c));
        if !fits {
            return Err(DeployError::BadInput {
                field: "name".into(),
                expected: format!(
                    "1 to {LONGEST_NAME} letters, digits, '-', '_' and '.', the first a letter or digit; found {:?}",
                    self.name.chars().take(LONGEST_NAME).collect::<String>()
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
/// When there are no sources, too many, or one that cannot be taken.
pub(super) fn validate(sources: &[Source]) -> Result<(), DeployError> {
    if sources.is_empty() || sources.len() > MOST_AT_ONCE {
        return Err(DeployError::BadInput {
            field: "modules".into(),
            expected: format!("1 to {MOST_AT_ONCE} modules, found {}", sources.len()),
        });
    }
    for (i, source) in sources.iter().enumerate() {
        source.validate()?;
        if sources[..i].iter().any(|other| other.name == source.name) {
            return Err(DeployError::BadInput {
                field: source.name.clone(),
                expected: "a module's name once in a swap".into(),
            });
        }
    }
    Ok(())
}

/// # Errors
/// When a share of the calls is none.
pub(super) fn validate_percent(percent: f64) -> Result<(), DeployError> {
    if percent > 0.0 && percent <= 100.0 {
        return Ok(());
    }
    Err(DeployError::BadInput {
        field: "percent".into(),
        expected: format!("more than 0, at most 100, found {percent}"),
    })
}

/// # Errors
/// When a threshold could never be reached, or always is.
pub(super) fn validate_thresholds(thresholds: &Thresholds) -> Result<(), DeployError> {
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
    fn names_that_are_no_file_names_are_refused() {
        for name in ["favorites", "im-favorites", "a.b_c", "9"] {
            assert!(named(name).validate().is_ok(), "{name}");
        }
        for name in ["", ".", "..", "a/b", "-a", "é", "a b", &"a".repeat(65)] {
            assert!(named(name).validate().is_err(), "{name}");
        }
    }

    #[test]
    fn a_swap_names_each_module_once() {
        assert!(validate(&[named("a"), named("b")]).is_ok());
        assert!(validate(&[named("a"), named("a")]).is_err());
        assert!(validate(&[]).is_err());
    }

    #[test]
    fn shares_and_thresholds_that_mean_nothing_are_refused() {
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
