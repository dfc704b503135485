//! The findings of a check: a bounded list and a count.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Finding, Report};

/// The most findings that are described.
const MOST: usize = 1000;
/// The longest key that is shown whole.
const KEY_BYTES: usize = 200;

/// What is wrong.
#[derive(Debug, Default)]
pub(super) struct Findings {
    described: BTreeSet<Finding>,
    count: u64,
}

impl Findings {
    pub(super) fn add(&mut self, subject: String, problem: String) {
        self.count += 1;
        if self.described.len() < MOST {
            self.described.insert(Finding { subject, problem });
        }
    }

    /// Adds a finding about a row.
    pub(super) fn add_row(&mut self, table: &str, key: &[u8], problem: impl Into<String>) {
        // The text is made only if it is shown.
        match self.described.len() < MOST {
            true => self.add(format!("{table} {}", shown_key(key)), problem.into()),
            false => self.count += 1,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Keeps what `other` has found too.
    pub(super) fn retain_those_of(&mut self, other: &Findings) {
        self.described.retain(|finding| other.described.contains(finding));
        self.count = self.count.min(other.count).max(self.described.len() as u64);
        if self.described.is_empty() {
            self.count = 0;
        }
    }

    pub(super) fn append_to(self, report: &mut Report) {
        report.findings_len += self.count;
        let room = MOST.saturating_sub(report.findings.len());
        report.findings.extend(self.described.into_iter().take(room));
    }
}

/// A key for a person: text if it is, otherwise base64.
pub(crate) fn shown_key(key: &[u8]) -> String {
    let cut = &key[..key.len().min(KEY_BYTES)];
    let more = if key.len() > KEY_BYTES { "…" } else { "" };
    match std::str::from_utf8(cut) {
        Ok(text) if !text.chars().any(char::is_control) => format!("{text:?}{more}"),
        _ => format!("base64:{}{more}", STANDARD.encode(cut)),
    }
}
