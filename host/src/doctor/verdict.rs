//! What a check found.

use console::Style;
use serde::Serialize;
use stowage_cli::output::printable;

/// How good or bad it is. The later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// There was nothing to check.
    Skipped,
    Ok,
    /// The server works, but something may go wrong later, or is not as safe as it could be.
    Warning,
    /// The server does not start, does not work, or loses something.
    Error,
}

/// What a check found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Verdict {
    /// Names the check. Scripts know it.
    pub(super) id: &'static str,
    pub(super) outcome: Outcome,
    /// One line.
    pub(super) found: String,
    /// What to do, on one line. Warnings and errors have it.
    pub(super) action: Option<String>,
}

impl Verdict {
    pub(super) fn ok(id: &'static str, found: impl Into<String>) -> Self {
        Verdict::new(id, Outcome::Ok, found.into(), None)
    }

    pub(super) fn skipped(id: &'static str, found: impl Into<String>) -> Self {
        Verdict::new(id, Outcome::Skipped, found.into(), None)
    }

    pub(super) fn warning(id: &'static str, found: impl Into<String>, action: impl Into<String>) -> Self {
        Verdict::new(id, Outcome::Warning, found.into(), Some(action.into()))
    }

    pub(super) fn error(id: &'static str, found: impl Into<String>, action: impl Into<String>) -> Self {
        Verdict::new(id, Outcome::Error, found.into(), Some(action.into()))
    }

    /// Names of files and answers of others are in the texts: they must not steer a terminal.
    fn new(id: &'static str, outcome: Outcome, found: String, action: Option<String>) -> Self {
        Verdict {
            id,
            outcome,
            found: one_line(&found),
            action: action.as_deref().map(one_line),
        }
    }

    /// The lines for a person.
    pub(super) fn text(&self) -> String {
        let (mark, style) = match self.outcome {
            Outcome::Skipped => ("-", Style::new().dim()),
            Outcome::Ok => ("ok", Style::new().green()),
            Outcome::Warning => ("warning", Style::new().yellow()),
            Outcome::Error => ("ERROR", Style::new().red().bold()),
        };
        // The style is applied after the padding: its codes have no width.
        let mark = style.apply_to(format!("{mark:<8}"));
        let line = format!("{mark} {:<17} {}", self.id, self.found);
        match &self.action {
            Some(action) => format!("{line}\n{:27}→ {action}", ""),
            None => line,
        }
    }
}

fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    printable(&lines.join("; "))
}

/// An error with its causes, on one line. Causes that repeat their effect are left out.
pub(super) fn because(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

/// All verdicts, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Diagnosis {
    pub(super) checks: Vec<Verdict>,
    pub(super) outcome: Outcome,
}

impl Diagnosis {
    pub(super) fn of(checks: Vec<Verdict>) -> Self {
        let worst = checks.iter().map(|verdict| verdict.outcome).max();
        Diagnosis {
            outcome: worst.map_or(Outcome::Ok, |worst| worst.max(Outcome::Ok)),
            checks,
        }
    }

    /// The last line for a person.
    pub(super) fn summary(&self) -> String {
        let count = |outcome, one: &str, many: &str| match self
            .checks
            .iter()
            .filter(|verdict| verdict.outcome == outcome)
            .count()
        {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        };
        let parts: Vec<_> = [
            count(Outcome::Error, "error", "errors"),
            count(Outcome::Warning, "warning", "warnings"),
        ]
        .into_iter()
        .flatten()
        .collect();
        match parts.is_empty() {
            true => "no problem was found".to_owned(),
            false => parts.join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_is_that_of_the_diagnosis() {
        let ok = || Verdict::ok("a", "good");
        let warning = || Verdict::warning("b", "so so", "look");
        let error = || Verdict::error("c", "bad", "mend it");
        let skipped = || Verdict::skipped("d", "nothing there");
        for (checks, outcome, summary) in [
            (vec![], Outcome::Ok, "no problem was found"),
            (vec![skipped()], Outcome::Ok, "no problem was found"),
            (vec![ok(), warning()], Outcome::Warning, "1 warning"),
            (vec![error(), warning(), error()], Outcome::Error, "2 errors, 1 warning"),
        ] {
            let diagnosis = Diagnosis::of(checks);
            assert_eq!((diagnosis.outcome, diagnosis.summary().as_str()), (outcome, summary));
        }
        let json = serde_json::to_value(Diagnosis::of(vec![warning()])).expect("JSON");
        assert_eq!(
            json,
            serde_json::json!({"checks": [{"id": "b", "outcome": "warning", "found": "so so", "action": "look"}], "outcome": "warning"})
        );
    }

    #[test]
    fn a_verdict_is_one_line_that_cannot_steer_a_terminal() {
        let verdict = Verdict::error("a", "a\n  \n b\u{1b}[2J", "do\r\nit");
        assert_eq!(
            (verdict.found.as_str(), verdict.action.as_deref()),
            ("a; b?[2J", Some("do; it"))
        );
    }
}
