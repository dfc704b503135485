//! The checks of the machine: how many files may be open, and whether its clock is right.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit};

use super::subject::{DATABASE, ServerClue, Subject};
use super::verdict::Verdict;
use crate::serve::files_needed;

const FILES_ID: &str = "open-files";
const CLOCK_ID: &str = "clock";

/// No right clock shows an earlier time: this version was made after it. 2026-01-01.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);
/// Nor a later one: 2100-01-01.
const LATEST: Duration = Duration::from_secs(4_102_444_800);
/// A file's time may be ahead by this much: file systems round.
const TOLERANCE: Duration = Duration::from_secs(2);

/// Whether as many files may be open as the settings ask for.
pub(super) fn check_open_files(subject: &Subject) -> Verdict {
    // The server raises its limit to the maximum.
    open_files(getrlimit(Resource::Nofile).maximum, files_needed(&subject.settings))
}

fn open_files(allowed: Option<u64>, needed: usize) -> Verdict {
    match allowed {
        Some(allowed) if allowed < needed as u64 => Verdict::warning(
            FILES_ID,
            format!("at most {allowed} files may be open, the settings need {needed}: fewer connections are taken"),
            "raise the limit (`ulimit -Hn`, or LimitNOFILE= of the unit), or lower --max-connections",
        ),
        Some(allowed) => Verdict::ok(FILES_ID, format!("{allowed} may be open, {needed} are needed")),
        None => Verdict::ok(FILES_ID, "no limit"),
    }
}

/// Whether the clock is plausible, and not before what was written last.
pub(super) fn check_clock(subject: &Subject) -> Verdict {
    let database = subject.data.join(DATABASE);
    let files = [database.with_extension("wal"), database];
    let written = files.iter().filter_map(|file| fs::metadata(file).ok()?.modified().ok());
    let changed = match &subject.server {
        ServerClue::Running(_, Ok(list)) => list.modules.iter().map(|module| module.since).max(),
        _ => None,
    };
    let changed = changed.map(|ms| UNIX_EPOCH + Duration::from_millis(ms));
    clock(SystemTime::now(), written.chain(changed).max())
}

fn clock(now: SystemTime, newest: Option<SystemTime>) -> Verdict {
    let shown = |time: SystemTime| humantime::format_rfc3339_seconds(time).to_string();
    let set_it = "set the clock, for example with `timedatectl set-ntp true`";
    if now < UNIX_EPOCH + EARLIEST {
        let found = format!("it shows {}, before this version was made", shown(now));
        return Verdict::error(CLOCK_ID, found, set_it);
    }
    if now > UNIX_EPOCH + LATEST {
        return Verdict::error(CLOCK_ID, "it shows a time after the year 2099", set_it);
    }
    match newest {
        Some(newest) if newest > now + TOLERANCE => Verdict::error(
            CLOCK_ID,
            format!(
                "it shows {}, but the last commit was made at {}: it went back",
                shown(now),
                // Later years have another form.
                shown(newest.min(UNIX_EPOCH + LATEST))
            ),
            set_it,
        ),
        Some(_) => Verdict::ok(CLOCK_ID, format!("{}, after the last commit", shown(now))),
        None => Verdict::ok(CLOCK_ID, shown(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict::Outcome;
    use super::*;

    #[test]
    fn a_low_limit_of_open_files_is_told() {
        assert_eq!(open_files(Some(1024), 1280).outcome, Outcome::Warning);
        assert_eq!(open_files(Some(1280), 1280).outcome, Outcome::Ok);
        assert_eq!(open_files(None, 1280).outcome, Outcome::Ok);
    }

    #[test]
    fn a_clock_that_is_wrong_or_went_back_is_an_error() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let now = at(1_800_000_000);
        assert_eq!(clock(now, None).outcome, Outcome::Ok);
        assert_eq!(clock(now, Some(at(1_800_000_001))).outcome, Outcome::Ok);
        let back = clock(now, Some(at(1_800_000_100)));
        assert_eq!(back.outcome, Outcome::Error);
        assert!(back.found.contains("2027-01-15T08:01:40Z"), "{back:?}");
        assert_eq!(clock(at(0), None).outcome, Outcome::Error);
        assert_eq!(clock(at(5_000_000_000), None).outcome, Outcome::Error);
    }
}
