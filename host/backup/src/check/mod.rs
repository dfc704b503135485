//! A check of all rows of one moment, and of the files that they name.
//!
//! `tables` says what each table means and what its rows must be. The other files check what
//! follows from one table for another.

mod cloud;
mod derived;
mod files;
mod findings;
mod tables;
mod tasks;

use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};
use stowage_storage::Store;

use crate::error::Error;
use crate::rows::{Moment as _, Rows};
use findings::Findings;
pub(crate) use findings::shown_key;

/// What a check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The tables, by name.
    pub tables: Vec<TableReport>,
    /// What is wrong, at most 1000.
    pub findings: Vec<Finding>,
    /// How much is wrong.
    pub findings_len: u64,
    /// What was not checked, or is no fault.
    pub notes: Vec<String>,
    /// Files that were looked at.
    pub files: u64,
}

/// A table that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// What it is for.
    pub meaning: String,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// The table and key, or the file.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings_len == 0
    }

    /// Adds something that is wrong.
    pub fn add(&mut self, subject: impl Into<String>, problem: impl Into<String>) {
        let mut findings = Findings::default();
        findings.add(subject.into(), problem.into());
        findings.append_to(self);
    }
}

/// How thoroughly files are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Files are there, and those of modules have the right bytes.
    Quick,
    /// Every file has the right bytes.
    Deep,
}

/// Checks all rows of a store at one moment, and the files of its data directory. Blocks.
///
/// # Errors
/// [`Error::Read`] if the database cannot be read, [`Error::File`] if a directory cannot be.
pub fn check(store: &Store, data: &Path, depth: Depth) -> Result<Report, Error> {
    let mut rows = Rows::of(store);
    let mut findings = Findings::default();
    let mut report = Report {
        tables: check_tables(&mut rows, &mut findings)?,
        ..Report::default()
    };
    derived::check(&mut rows, &report.tables, &mut findings, &mut report.notes)?;
    tasks::check(&mut rows, &mut findings)?;
    cloud::check(&mut rows, &mut findings)?;
    findings.append_to(&mut report);
    // A file may go a moment after the rows were read, when its task has ended.
    let mut first = Findings::default();
    report.files = files::check(&mut rows, data, depth, &mut first, &mut report.notes)?;
    if !first.is_empty() {
        let mut again = Findings::default();
        files::check(&mut Rows::of(store), data, depth, &mut again, &mut Vec::new())?;
        first.retain_those_of(&again);
    }
    first.append_to(&mut report);
    Ok(report)
}

/// Reads every row, and checks those whose form is known.
fn check_tables(rows: &mut Rows, findings: &mut Findings) -> Result<Vec<TableReport>, Error> {
    let mut reports = Vec::new();
    for name in rows.tables()? {
        let rule = tables::rule_of(&name);
        let mut report = TableReport {
            name: name.clone(),
            rows: 0,
            bytes: 0,
            meaning: rule.meaning.to_owned(),
        };
        rows.walk_table(&name, |row| {
            report.rows += 1;
            report.bytes += (row.key.len() + row.value.len()) as u64;
            if let Err(expected) = rule.form.check(row) {
                findings.add_row(&name, row.key, format!("expected {expected}"));
            }
            ControlFlow::<()>::Continue(())
        })?;
        reports.push(report);
    }
    Ok(reports)
}
