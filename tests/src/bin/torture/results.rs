//! The file of results: one line of JSON a check, and lines with the progress of long ones.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::{Value, json};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The target is met.
    Passed,
    /// It is not.
    Failed,
    /// It cannot run here.
    Skipped,
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How it ended.
    pub verdict: Verdict,
    /// What was measured, or why it failed or was skipped.
    pub measured: String,
}

impl Finding {
    /// The target is met.
    pub fn passed(measured: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Passed,
            measured: measured.into(),
        }
    }

    /// The target is not met.
    pub fn failed(measured: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Failed,
            measured: measured.into(),
        }
    }

    /// It cannot run here.
    pub fn skipped(reason: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Skipped,
            measured: reason.into(),
        }
    }

    /// Passed if the condition holds.
    pub fn when(holds: bool, measured: impl Into<String>) -> Finding {
        if holds {
            Finding::passed(measured)
        } else {
            Finding::failed(measured)
        }
    }
}

/// The file.
#[derive(Clone, Debug)]
pub struct Results {
    file: PathBuf,
}

impl Results {
    /// The results in a directory, which is created.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn in_dir(dir: &Path) -> anyhow::Result<Results> {
        fs::create_dir_all(dir).with_context(|| format!("the directory {}", dir.display()))?;
        Ok(Results {
            file: dir.join("results.jsonl"),
        })
    }

    /// All lines, oldest first. A line that was cut off by an interruption is left out.
    pub fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The last result of a check, of whatever build.
    pub fn last(&self, id: &str) -> Option<Value> {
        let is_result = |line: &Value| line["id"] == id && line["progress"].is_null();
        self.lines().into_iter().rev().find(is_result)
    }

    /// Whether a check passed with this build and form.
    pub fn has_passed(&self, id: &str, build: &str, form: &str) -> bool {
        let last = self.last(id);
        last.is_some_and(|line| line["build"] == build && line["form"] == form && line["passed"] == true)
    }

    /// The progress of a check that was interrupted with this build, form and seed.
    pub fn progress(&self, id: &str, build: &str, form: &str, seed: u64) -> Option<Value> {
        let last = self.lines().into_iter().rev().find(|line| line["id"] == id)?;
        let same = last["build"] == build && last["form"] == form && last["seed"] == seed;
        (same && !last["progress"].is_null()).then(|| last["progress"].clone())
    }

    /// Keeps the progress of a check.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_progress(&self, id: &str, build: &str, form: &str, seed: u64, progress: &Value) -> anyhow::Result<()> {
        self.append(&json!({"id": id, "progress": progress, "build": build, "form": form, "seed": seed}))
    }

    /// Keeps a result, and returns its line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, result: &Value) -> anyhow::Result<String> {
        self.append(result)?;
        Ok(result.to_string())
    }

    fn append(&self, line: &Value) -> anyhow::Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file)
            .with_context(|| format!("the results in {}", self.file.display()))?;
        // One write, so that an interruption leaves a whole line or a part that is left out.
        file.write_all(format!("{line}\n").as_bytes())
            .with_context(|| format!("the results in {}", self.file.display()))
    }
}

/// Today, as `2026-12-01`.
pub fn today() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date(now.as_secs() / 86_400)
}

/// The date of a day since 1970, in the Gregorian calendar.
fn date(days: u64) -> String {
    // Eras of 400 years that begin in March, so that the day of a leap year is the last one.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_788), "2026-12-01");
    }

    #[test]
    fn a_result_ends_the_progress_before_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let results = Results::in_dir(dir.path()).expect("a writable directory");
        let progress = json!({"done": 7});
        results
            .keep_progress("R1", "b", "long", 1, &progress)
            .expect("writable");
        assert_eq!(results.progress("R1", "b", "long", 1), Some(progress));
        assert_eq!(results.progress("R1", "other", "long", 1), None);
        assert!(!results.has_passed("R1", "b", "long"));
        let result = json!({"id": "R1", "passed": true, "build": "b", "form": "long", "seed": 1});
        results.keep(&result).expect("writable");
        assert_eq!(results.progress("R1", "b", "long", 1), None);
        assert!(results.has_passed("R1", "b", "long"));
    }
}
