//! The reports of checks.

use stowage_logic::{LoadError, Version};

use crate::api::{CheckReport, CheckStep};
use crate::error::DeployError;
use crate::signature::SignatureError;
use crate::trust::Trusted;

/// Most lines of a step; the others are counted.
const MAX_LINES: usize = 200;

/// A step that `--force` cannot override if it failed.
pub(super) fn step(name: &str, passed: bool, mut lines: Vec<String>) -> CheckStep {
    if lines.len() > MAX_LINES {
        let left_out = lines.len() - MAX_LINES;
        lines.truncate(MAX_LINES);
        lines.push(format!("and {left_out} lines more"));
    }
    CheckStep {
        name: name.into(),
        passed,
        forceable: false,
        lines,
    }
}

/// A step that `--force` overrides if it failed.
pub(super) fn forceable_step(name: &str, passed: bool, lines: Vec<String>) -> CheckStep {
    CheckStep {
        forceable: true,
        ..step(name, passed, lines)
    }
}

/// The step of a module whose imports are all allowed.
pub(super) fn imports_allowed() -> CheckStep {
    step("imports", true, vec!["all of them allowed".into()])
}

/// The report of a module with these steps.
pub(super) fn report(name: &str, version: Version, steps: Vec<CheckStep>) -> CheckReport {
    CheckReport {
        name: name.into(),
        version: format!("{version:#}"),
        passed: steps.iter().all(|s| s.passed),
        steps,
    }
}

/// The step of a module that is signed by these keys; none if modules need no signature.
pub(crate) fn signed(trusted: &Trusted) -> Option<CheckStep> {
    let line = match trusted {
        Trusted::Unasked => return None,
        Trusted::BuiltIn => "a built-in module of this program".to_owned(),
        Trusted::Signed(keys) => format!("signed by {}", keys.join(", ")),
    };
    Some(step("signature", true, vec![line]))
}

/// The report of a module that is not signed by a key of this server.
pub(crate) fn unsigned(name: &str, version: Version, error: &SignatureError) -> CheckReport {
    report(name, version, vec![step("signature", false, vec![error.to_string()])])
}

/// The report of a module that could not be loaded.
pub(crate) fn unloadable(name: &str, version: Version, trusted: &Trusted, error: &LoadError) -> CheckReport {
    let compiled = step("compile", true, vec!["a component".into()]);
    let failed = |name: &str| step(name, false, vec![error.to_string()]);
    let steps = match error {
        LoadError::Compile { .. } => vec![failed("compile")],
        LoadError::Import { .. } | LoadError::Link { .. } => vec![compiled, failed("imports")],
        LoadError::Type { .. } | LoadError::AmbiguousName { .. } | LoadError::NoExports { .. } => {
            vec![compiled, imports_allowed(), failed("exports")]
        }
    };
    report(name, version, signed(trusted).into_iter().chain(steps).collect())
}

/// The report of a check that did not begin.
pub(crate) fn not_begun(name: &str, version: Version, error: &DeployError) -> CheckReport {
    report(name, version, vec![step("compile", false, vec![error.to_string()])])
}
