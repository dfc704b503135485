//! Indexes and counters against the rows that they follow from.
//!
//! What the rows imply is collected, and compared with what is stored. A large database is checked
//! slice by slice, so that a slice fits into memory. A slice is made by the hash of the key.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::ControlFlow;

use sha2::{Digest as _, Sha256};
use stowage_sdk::audit::{Audited, DERIVED_TABLES, DerivedTable, SCHEMA, collections};

use super::TableReport;
use super::findings::Findings;
use crate::error::Error;
use crate::rows::{Moment as _, Rows};

/// Rows whose index entries and counters are in memory at once.
const ROWS_OF_SLICE: u64 = 200_000;

/// What a row of a derived table must hold.
enum Expected {
    /// A value with this digest.
    Value([u8; 16]),
    Counter(i64),
}

/// Rows that must be in derived tables: the number of the table and the key.
type Implied = HashMap<(usize, Box<[u8]>), Expected>;

/// What is checked.
struct Scope {
    collections: Vec<&'static dyn Audited>,
    tables: Vec<(usize, DerivedTable)>,
    /// Other collections use the counters of blobs too.
    is_shared: bool,
}

/// Checks all derived tables whose collections have a version that this program knows.
pub(super) fn check(
    rows: &mut Rows,
    tables: &[TableReport],
    findings: &mut Findings,
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    let scope = Scope::of(rows, notes)?;
    let is_in_scope = |name: &str| scope.collections.iter().any(|collection| collection.table() == name);
    let count: u64 = tables
        .iter()
        .filter(|table| is_in_scope(&table.name))
        .map(|table| table.rows)
        .sum();
    let slices = count.div_ceil(ROWS_OF_SLICE).max(1);
    for slice in 0..slices {
        let is_in_slice = |key: &[u8]| slice_of(key, slices) == slice;
        let mut implied = collect(rows, &scope, &is_in_slice, slice == 0, findings)?;
        compare(rows, &scope, &is_in_slice, &mut implied, findings)?;
        for ((table, key), expected) in implied {
            let what = match expected {
                // A counter that was never added to is absent.
                Expected::Counter(0) => continue,
                Expected::Counter(number) => format!("the counter is missing: the rows add up to {number}"),
                Expected::Value(_) => "the entry of a row is missing".to_owned(),
            };
            findings.add_row(DERIVED_TABLES[table].name, &key, what);
        }
    }
    Ok(())
}

impl Scope {
    fn of(rows: &mut Rows, notes: &mut Vec<String>) -> Result<Scope, Error> {
        let mut versions: HashMap<String, u64> = HashMap::new();
        rows.walk_table(SCHEMA, |row| {
            if let (Ok(name), Ok(version)) = (std::str::from_utf8(row.key), rmp_serde::from_slice(row.value)) {
                versions.insert(name.to_owned(), version);
            }
            ControlFlow::<()>::Continue(())
        })?;
        let all = collections();
        let is_shared = versions
            .keys()
            .any(|name| all.iter().all(|collection| collection.table() != name));
        if is_shared {
            notes.push("other modules count blobs too: counters of blobs may be higher than the known rows".to_owned());
        }
        let mut kept: Vec<&'static dyn Audited> = Vec::new();
        for collection in all {
            match versions.get(collection.table()) {
                Some(found) if *found != collection.version() => notes.push(format!(
                    "{} has rows of version {found}, and this program knows version {}: what follows from them is not checked",
                    collection.table(),
                    collection.version()
                )),
                _ => kept.push(collection),
            }
        }
        let is_kept = |name: &&str| kept.iter().any(|collection| collection.table() == *name);
        let tables = DERIVED_TABLES
            .into_iter()
            .enumerate()
            .filter(|(_, table)| table.of.iter().all(is_kept));
        Ok(Scope {
            tables: tables.collect(),
            collections: kept,
            is_shared,
        })
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.tables
            .iter()
            .find(|(_, table)| table.name == name)
            .map(|(n, _)| *n)
    }
}

fn slice_of(key: &[u8], slices: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish() % slices
}

fn half_digest(value: &[u8]) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(value).into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

/// What all rows imply in a slice. Rows that cannot be decoded are findings, once.
fn collect(
    rows: &mut Rows,
    scope: &Scope,
    is_in_slice: &dyn Fn(&[u8]) -> bool,
    is_first: bool,
    findings: &mut Findings,
) -> Result<Implied, Error> {
    let mut implied = Implied::new();
    for collection in &scope.collections {
        rows.walk_table(collection.table(), |row| {
            let Some(of_row) = collection.implied(row.key, row.value) else {
                if is_first {
                    let problem = "it cannot be decoded, or its identity is not its key; lists leave it out";
                    findings.add_row(collection.table(), row.key, problem);
                }
                return ControlFlow::<()>::Continue(());
            };
            for (table, key, value) in of_row.entries {
                if let Some(table) = scope.number(table)
                    && is_in_slice(&key)
                {
                    implied.insert((table, key.into()), Expected::Value(half_digest(&value)));
                }
            }
            for (table, key, amount) in of_row.counters {
                if let Some(table) = scope.number(table)
                    && is_in_slice(&key)
                    && let Expected::Counter(sum) = implied.entry((table, key.into())).or_insert(Expected::Counter(0))
                {
                    *sum = sum.wrapping_add(amount);
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(implied)
}

/// Compares what is stored in a slice, and takes it out of what is implied.
fn compare(
    rows: &mut Rows,
    scope: &Scope,
    is_in_slice: &dyn Fn(&[u8]) -> bool,
    implied: &mut Implied,
    findings: &mut Findings,
) -> Result<(), Error> {
    for (number, table) in &scope.tables {
        // Of the counters of blobs and totals, other modules may add to keys of their own.
        let may_be_higher = scope.is_shared && matches!(table.name, "blobs" | "totals");
        rows.walk_table(table.name, |row| {
            if !is_in_slice(row.key) {
                return ControlFlow::<()>::Continue(());
            }
            let problem = match (implied.remove(&(*number, row.key.into())), row.counter()) {
                (Some(Expected::Value(digest)), None) => {
                    (half_digest(row.value) != digest).then(|| "the entry's text is not that of its row".to_owned())
                }
                (Some(Expected::Counter(sum)), Some(found)) => {
                    let is_right = found == sum || may_be_higher && found > sum;
                    (!is_right).then(|| format!("the counter is {found}, and the rows add up to {sum}"))
                }
                (None, Some(found)) => {
                    (found != 0 && !may_be_higher).then(|| format!("the counter is {found}, and no row adds to it"))
                }
                (None, None) => Some("no row has this entry".to_owned()),
                // The form of the row is a finding already.
                (Some(_), _) => None,
            };
            if let Some(problem) = problem {
                findings.add_row(table.name, row.key, problem);
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}
