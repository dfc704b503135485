//! The outbox and the mirror of the space against the indexes of them.

use stowage_cloud::audit::{
    BLOBS, MIRROR, OUTBOX, PLACES, WANTED, implied_by_change, implied_by_mirror, mirror_of_blob, mirror_of_place,
    number_of_wanted,
};

use super::findings::Findings;
use crate::error::Error;
use crate::rows::Rows;

/// Checks that what follows from changes and mirrored rows is there, and nothing else.
pub(super) fn check(rows: &mut Rows, findings: &mut Findings) -> Result<(), Error> {
    let no_row = "no row of the mirror names it";
    follow(rows, findings, OUTBOX, |key, value| {
        let implied = implied_by_change(key, value)?;
        let wrong_key = (implied.key != key).then_some("its key is not that of the change");
        Some((
            wrong_key,
            implied.wanted.map(|wanted| (WANTED, wanted)).into_iter().collect(),
        ))
    })?;
    follow(rows, findings, MIRROR, |key, value| {
        let implied = implied_by_mirror(key, value)?;
        let blob = implied.blob.map(|key| (BLOBS, key));
        let place = implied.place.map(|key| (PLACES, key));
        Some((None, blob.into_iter().chain(place).collect()))
    })?;
    // And back: each entry of an index has its row.
    back(rows, findings, WANTED, "no pending change names it", |rows, key| {
        let Some(number) = number_of_wanted(key) else {
            return Ok(false);
        };
        let Some((key_of_change, value)) = rows.first_from(OUTBOX, &number.to_be_bytes())? else {
            return Ok(false);
        };
        let implied = implied_by_change(&key_of_change, &value);
        Ok(implied.is_some_and(|implied| implied.wanted.as_deref() == Some(key)))
    })?;
    back(rows, findings, BLOBS, no_row, |rows, key| {
        let Some(row) = mirror_of_blob(key) else {
            return Ok(false);
        };
        let value = rows.get(MIRROR, row)?;
        let implied = value.and_then(|value| implied_by_mirror(row, &value));
        Ok(implied.is_some_and(|implied| implied.blob.as_deref() == Some(key)))
    })?;
    back(rows, findings, PLACES, no_row, |rows, key| match mirror_of_place(key) {
        Some(row) => Ok(rows.get(MIRROR, &row)?.is_some()),
        None => Ok(false),
    })
}

/// What a row implies: what is wrong with it, and the keys that must exist.
type Following = (Option<&'static str>, Vec<(&'static str, Vec<u8>)>);

/// Checks that the keys exist that follow from the rows of a table. Rows that cannot be decoded are
/// findings already.
fn follow(
    rows: &mut Rows,
    findings: &mut Findings,
    table: &'static str,
    implied: impl Fn(&[u8], &[u8]) -> Option<Following>,
) -> Result<(), Error> {
    let mut after = None;
    while let Some(page) = rows.page(table, after.as_deref())? {
        for (key, value) in &page {
            let Some((problem, wanted)) = implied(key, value) else {
                continue;
            };
            if let Some(problem) = problem {
                findings.add_row(table, key, problem);
            }
            for (other, other_key) in wanted {
                if rows.get(other, &other_key)?.is_none() {
                    findings.add_row(table, key, format!("its entry in {other} is missing"));
                }
            }
        }
        after = page.into_iter().next_back().map(|(key, _)| key);
    }
    Ok(())
}

/// Checks that each entry of an index has its row.
fn back(
    rows: &mut Rows,
    findings: &mut Findings,
    table: &'static str,
    problem: &str,
    has_row: impl Fn(&mut Rows, &[u8]) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut after = None;
    while let Some(page) = rows.page(table, after.as_deref())? {
        for (key, _) in &page {
            if !has_row(rows, key)? {
                findings.add_row(table, key, problem);
            }
        }
        after = page.into_iter().next_back().map(|(key, _)| key);
    }
    Ok(())
}
