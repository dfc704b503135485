//! The check of the cloud space: reachable, a space, safe for several writers, its clock.

use std::time::Duration;

use stowage_cli::ByteSize;
use stowage_cli::data_dir::SPACE_DIR;
use stowage_cli::space::{directory_url, space_url};
use stowage_cloud::{ClockDifference, Condition, Conditions, Error, OpenOptions, Space, Trial, WriterExclusion};
use tokio::time::timeout;

use super::subject::Subject;
use super::verdict::{Verdict, because};
use crate::serve::explain_space_error;

const ID: &str = "space";

/// How long the store may take for everything. Its requests are retried for 20 s each.
const LIMIT: Duration = Duration::from_secs(60);
/// A larger difference confuses stores: S3 refuses requests that are 15 minutes old.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// Opens the space and tries it. It writes objects `lists/.probe-UUID` and removes them.
pub(super) async fn check(subject: &Subject) -> Verdict {
    let url = match &subject.settings.space {
        Some(space) => space_url(space),
        None => directory_url(&subject.data.join(SPACE_DIR)),
    };
    let url = match url {
        Ok(url) => url,
        Err(error) => return Verdict::error(ID, format!("{error:#}"), "name the space with --space URL"),
    };
    if url.to_ascii_lowercase().starts_with("memory:") {
        return Verdict::skipped(ID, "a space in memory lives and ends with its server");
    }
    if subject.settings.space.is_none() && !subject.data.join(SPACE_DIR).exists() {
        return Verdict::ok(ID, "none yet; the first start makes one in the data directory");
    }
    match timeout(LIMIT, try_space(&url)).await {
        Ok(Ok((space, trial))) => judged(space.name(), &trial),
        Ok(Err(error)) => failed(error, &url),
        Err(_) => Verdict::error(
            ID,
            format!("the store has not answered for {} s", LIMIT.as_secs()),
            "check the network and the address; the server works on with what it has, and catches up later",
        ),
    }
}

async fn try_space(url: &str) -> Result<(Space, Trial), Error> {
    let space = Space::open(url, OpenOptions::default()).await?;
    let trial = space.trial().await?;
    Ok((space, trial))
}

fn failed(error: Error, url: &str) -> Verdict {
    let action = match &error {
        Error::Unreachable { .. } => "check the network, the address and that its disk is mounted",
        Error::Refused { .. } => "check the credentials in the environment, and their rights to read and write",
        Error::Busy { .. } => "run this again later",
        Error::Full { .. } => "make room there",
        Error::Url { .. } => "write file:///DIR, s3://BUCKET/PREFIX, gs://…, az://… or https://…",
        Error::Missing { .. } | Error::Malformed { .. } | Error::NewerFormat { .. } => {
            // The explanation ends with what to do.
            let explained = format!("{:#}", explain_space_error(error, url));
            let (found, action) = explained
                .split_once("; ")
                .unwrap_or((&explained, "see the space's documentation"));
            return Verdict::error(ID, found, action);
        }
        _ => "see what the error says",
    };
    Verdict::error(ID, because(&error), action)
}

fn judged(name: &str, trial: &Trial) -> Verdict {
    let size = ByteSize(trial.total_bytes);
    let exclusion = match trial.exclusion {
        WriterExclusion::ConditionalPuts => "conditional puts are honoured",
        WriterExclusion::FileLock => "writers take a file lock",
        WriterExclusion::LockObject => "writers take a lock object",
        WriterExclusion::None => "writers cannot exclude each other",
    };
    let ms = trial.round_trip.as_secs_f64() * 1e3;
    let off = clock(trial.clock).map_or_else(String::new, |off| format!("; its clock is {off}"));
    let found = format!("{size} at {name}, answers in {ms:.1} ms; {exclusion}");
    if trial.conditions.is_some_and(|conditions| !conditions.is_writable) {
        return Verdict::warning(
            ID,
            format!("{name} does not let this host write: it can only read"),
            "give its credentials the right to write and to delete, if changes are to be published",
        );
    }
    if trial.exclusion == WriterExclusion::None {
        return Verdict::error(
            ID,
            format!(
                "{found}{}: two hosts that change it at once lose changes{off}",
                ignored(trial.conditions)
            ),
            "let only one host use it, or choose a store with conditional puts",
        );
    }
    if !off.is_empty() {
        return Verdict::warning(
            ID,
            found + &off,
            "set the clock of this machine or of the store: stores refuse requests whose time is wrong",
        );
    }
    match trial.exclusion {
        WriterExclusion::LockObject => Verdict::warning(
            ID,
            format!("{found}{}", ignored(trial.conditions)),
            "it works, and changes take longer; if the store has conditional puts, turn them on",
        ),
        _ => Verdict::ok(ID, found),
    }
}

/// What the store does with conditions that do not hold.
fn ignored(conditions: Option<Conditions>) -> String {
    let Some(conditions) = conditions else {
        return String::new();
    };
    let told = |name: &str, condition| match condition {
        Condition::Ignored => Some(format!("{name} is ignored")),
        Condition::Unsupported => Some(format!("{name} is not supported")),
        Condition::Honoured | Condition::Untried => None,
    };
    let told = [
        told("put-if-absent", conditions.if_absent),
        told("put-if-unchanged", conditions.if_unchanged),
    ];
    let told: Vec<_> = told.into_iter().flatten().collect();
    match told.is_empty() {
        true => String::new(),
        false => format!(" ({})", told.join(", ")),
    }
}

fn clock(difference: Option<ClockDifference>) -> Option<String> {
    match difference {
        Some(ClockDifference::Ahead(by)) if by > CLOCK_TOLERANCE => Some(format!("{} s ahead", by.as_secs())),
        Some(ClockDifference::Behind(by)) if by > CLOCK_TOLERANCE => Some(format!("{} s behind", by.as_secs())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict::Outcome;
    use super::*;

    const GOOD: Trial = Trial {
        total_bytes: 10 << 30,
        round_trip: Duration::from_millis(12),
        exclusion: WriterExclusion::ConditionalPuts,
        conditions: Some(Conditions {
            if_absent: Condition::Honoured,
            if_unchanged: Condition::Honoured,
            is_writable: true,
        }),
        clock: Some(ClockDifference::None),
    };

    fn with_conditions(exclusion: WriterExclusion, if_absent: Condition, if_unchanged: Condition) -> Verdict {
        let conditions = Some(Conditions {
            if_absent,
            if_unchanged,
            is_writable: true,
        });
        judged(
            "s3://b/",
            &Trial {
                exclusion,
                conditions,
                ..GOOD
            },
        )
    }

    #[test]
    fn a_store_that_ignores_conditions_is_told_by_what_it_ignores() {
        assert_eq!(
            judged("s3://b/", &GOOD),
            Verdict::ok(
                ID,
                "10 GB at s3://b/, answers in 12.0 ms; conditional puts are honoured"
            )
        );
        let lock = with_conditions(WriterExclusion::LockObject, Condition::Honoured, Condition::Ignored);
        assert_eq!(lock.outcome, Outcome::Warning);
        assert!(lock.found.contains("put-if-unchanged is ignored"), "{lock:?}");
        let none = with_conditions(WriterExclusion::None, Condition::Ignored, Condition::Untried);
        assert_eq!(none.outcome, Outcome::Error);
        assert!(none.found.contains("put-if-absent is ignored"), "{none:?}");
    }

    #[test]
    fn a_store_whose_clock_is_off_or_that_takes_no_writes_is_a_warning() {
        let off = Trial {
            clock: Some(ClockDifference::Behind(Duration::from_secs(900))),
            ..GOOD
        };
        let verdict = judged("s3://b/", &off);
        assert_eq!(verdict.outcome, Outcome::Warning);
        assert!(verdict.found.ends_with("its clock is 900 s behind"), "{verdict:?}");
        let mut read_only = GOOD;
        read_only.conditions = GOOD.conditions.map(|conditions| Conditions {
            is_writable: false,
            ..conditions
        });
        assert_eq!(judged("s3://b/", &read_only).outcome, Outcome::Warning);
    }
}
