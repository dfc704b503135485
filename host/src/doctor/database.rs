//! The check of the database file: its format, and how it was closed.

use stowage_storage::{FileState, OpenError};

use super::subject::{DATABASE, Subject};
use super::verdict::{Verdict, because};

const ID: &str = "database";

/// Tells what the file says of itself. One that a server has open was checked by that server.
pub(super) fn check(subject: &Subject) -> Verdict {
    let path = subject.data.join(DATABASE);
    let shown = path.display();
    let has_log = std::fs::metadata(path.with_extension("wal")).is_ok_and(|log| log.len() > 0);
    let state = match &subject.database {
        None | Some(Ok(FileState::Empty)) if has_log => {
            return Verdict::error(
                ID,
                format!("{shown} is missing or empty, but the log beside it holds commits"),
                "put the database back beside its log, or restore a backup",
            );
        }
        None => return Verdict::ok(ID, "none yet; the first start makes it"),
        Some(Ok(state)) => state,
        Some(Err(OpenError::InUse { .. })) => {
            return Verdict::ok(ID, format!("{shown} is open in a process, which checked it"));
        }
        Some(Err(error @ OpenError::FormatTooNew { .. })) => {
            return Verdict::error(
                ID,
                error.to_string(),
                "run the version of this program that wrote it, or a newer one",
            );
        }
        Some(Err(error @ OpenError::NotAStore { .. })) => {
            return Verdict::error(
                ID,
                error.to_string(),
                format!("if it was a database, restore {shown} and the .wal file beside it from a copy"),
            );
        }
        Some(Err(error)) => {
            let action = "check who owns the file, and the disk; if it is damaged, restore it from a copy";
            return Verdict::error(ID, because(error), action);
        }
    };
    match state {
        FileState::Empty => Verdict::ok(ID, format!("{shown} is empty; the next start fills it")),
        FileState::Closed {
            format,
            waiting_batches: 0,
        } => Verdict::ok(ID, format!("format {format}, closed in order")),
        FileState::Closed {
            format,
            waiting_batches,
        } => Verdict::ok(
            ID,
            format!("format {format}; the next start takes {waiting_batches} batches over from its log"),
        ),
        FileState::NotClosed if !has_log => Verdict::warning(
            ID,
            format!("{shown} was not closed, and its log is missing or empty"),
            "if somebody removed the log, the last commits are lost: put it back, or restore a backup",
        ),
        FileState::NotClosed => Verdict::warning(
            ID,
            format!("{shown} was not closed: the server was killed, or the machine stopped"),
            "start the server; it repairs the database, and nothing that was committed is lost",
        ),
    }
}
