//! The check of the server that runs on the data directory, or that left its traces there.

use stowage_cli::ServerFile;
use stowage_cli::data_dir::SERVER_FILE;
use stowage_deploy::api::ModuleList;

use super::procfs;
use super::subject::{DATABASE, ServerClue, Subject};
use super::verdict::Verdict;

const ID: &str = "server";

/// Compares `server.json` with who has the database open, and with what the server answers.
pub(super) fn check(subject: &Subject) -> Verdict {
    let path = subject.data.join(SERVER_FILE);
    let shown = path.display();
    match &subject.server {
        ServerClue::None => Verdict::ok(ID, "no server runs on the data directory"),
        ServerClue::Unannounced => Verdict::warning(
            ID,
            format!("{} has the database open, but there is no {shown}", holder(subject)),
            "if a server starts or ends just now, run this again in a moment; if not, stop that process",
        ),
        ServerClue::Unreadable(reason) => Verdict::error(
            ID,
            format!("{shown} is not what a server writes: {reason}"),
            match subject.is_open() {
                true => "restart the server, which writes the file anew".to_owned(),
                false => format!("remove {shown}: no server runs"),
            },
        ),
        ServerClue::Stale(file) => Verdict::warning(
            ID,
            format!("{shown} is stale: {}, and nobody has the database open", past(file.pid)),
            format!("start the server, which replaces the file, or remove {shown}"),
        ),
        ServerClue::Running(file, answer) => running(subject, file, answer),
    }
}

/// What became of the process of a stale file.
fn past(pid: u32) -> String {
    match procfs::exists(pid) {
        Some(true) => format!("its process number is now that of {}", procfs::described(pid)),
        Some(false) => format!("its process {pid} is gone"),
        None => format!("it names process {pid}"),
    }
}

fn holder(subject: &Subject) -> String {
    let holder = procfs::lock_holder(&subject.data.join(DATABASE));
    holder.map_or_else(|| "another process".to_owned(), procfs::described)
}

fn running(subject: &Subject, file: &ServerFile, answer: &Result<ModuleList, String>) -> Verdict {
    let (pid, address) = (file.pid, &file.address);
    let list = match answer {
        Ok(list) => list,
        Err(reason) => {
            return Verdict::error(
                ID,
                format!(
                    "{} has the database open, but gives no answer: {reason}",
                    holder(subject)
                ),
                format!(
                    "see the server's log; if it hangs, stop {} and start it again",
                    procfs::described(pid)
                ),
            );
        }
    };
    let (generation, modules) = (list.generation, list.modules.len());
    let found = format!("process {pid} answers at {address}: generation {generation}, {modules} modules");
    match procfs::runs_this_program(pid) {
        Some(false) => Verdict::warning(
            ID,
            format!(
                "{found}; it runs another file than this program, which is {}",
                env!("CARGO_PKG_VERSION")
            ),
            "after an update, restart the server",
        ),
        Some(true) | None => Verdict::ok(ID, found),
    }
}
