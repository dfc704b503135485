//! The checks of the data directory: who may use it, and the token in it.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::process::geteuid;
use stowage_cli::data_dir::ADMIN_TOKEN_FILE;

use super::subject::Subject;
use super::verdict::Verdict;
use crate::admin::AdminToken;

const ID: &str = "data-directory";
const TOKEN_ID: &str = "admin-token";

/// The folders of the server in the data directory.
const FOLDERS: [&str; 4] = ["downloads", "temp", "modules", "cache"];

/// Whether the directory is there, is this user's, can be written, and cannot be read by others.
pub(super) fn check(subject: &Subject) -> Verdict {
    let dir = &subject.data;
    let shown = dir.display();
    let metadata = match fs::metadata(dir) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return missing(subject),
        Err(error) => {
            return Verdict::error(
                ID,
                format!("{shown} cannot be looked at: {error}"),
                "check who owns the directories above it, or name another with --data DIR",
            );
        }
    };
    if let Some(fault) = unusable(dir, &metadata) {
        return fault;
    }
    for folder in FOLDERS {
        let path = dir.join(folder);
        match fs::metadata(&path) {
            Ok(metadata) => {
                if let Some(fault) = unusable(&path, &metadata) {
                    return fault;
                }
            }
            // The server makes it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let found = format!("{} cannot be looked at: {error}", path.display());
                return Verdict::error(ID, found, "check who owns it");
            }
        }
    }
    match metadata.mode() & 0o077 {
        0 => Verdict::ok(ID, format!("{shown}, for this user only")),
        others if others & 0o022 != 0 => Verdict::error(
            ID,
            format!("others may write into {shown} (mode {:03o})", metadata.mode() & 0o777),
            format!("chmod 700 {shown}"),
        ),
        _ => Verdict::warning(
            ID,
            format!("others may read {shown} (mode {:03o})", metadata.mode() & 0o777),
            format!("chmod 700 {shown}"),
        ),
    }
}

fn missing(subject: &Subject) -> Verdict {
    let (shown, above) = (subject.data.display(), subject.nearest_dir());
    let is_dir = above.is_dir();
    match access(above, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) if is_dir => Verdict::ok(ID, format!("{shown} is not there yet; the first start makes it")),
        _ => Verdict::error(
            ID,
            format!("{shown} is not there, and cannot be made in {}", above.display()),
            "name a directory that this user may write with --data DIR",
        ),
    }
}

/// Why this user's server cannot keep files in a directory.
fn unusable(dir: &Path, metadata: &Metadata) -> Option<Verdict> {
    let shown = dir.display();
    if !metadata.is_dir() {
        return Some(Verdict::error(
            ID,
            format!("{shown} is not a directory"),
            "move it away, or name another directory with --data DIR",
        ));
    }
    let (owner, user) = (metadata.uid(), geteuid().as_raw());
    if owner != user {
        return Some(Verdict::error(
            ID,
            format!("{shown} belongs to user {owner}, and this is user {user}"),
            "run the server and its commands as the owner, or name another directory with --data DIR",
        ));
    }
    if access(dir, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Some(Verdict::error(
            ID,
            format!("{shown} cannot be written (mode {:03o})", metadata.mode() & 0o777),
            format!("chmod 700 {shown}, and check that its disk is not mounted read-only"),
        ));
    }
    None
}

/// Whether the token of the admin API is one, and is a secret.
pub(super) fn check_token(subject: &Subject) -> Verdict {
    let path = subject.data.join(ADMIN_TOKEN_FILE);
    let shown = path.display();
    // A link is not followed: the server does not trust one.
    let metadata = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Verdict::ok(TOKEN_ID, "none yet; the first start makes it");
        }
        Err(error) => return Verdict::error(TOKEN_ID, format!("{shown}: {error}"), "check who owns the directory"),
    };
    let renew = format!("remove {shown} and restart the server, which makes a new one");
    let is_ours = metadata.uid() == geteuid().as_raw();
    if !metadata.is_file() || !is_ours {
        return Verdict::error(TOKEN_ID, format!("{shown} is not a file of this user"), renew);
    }
    if metadata.mode() & 0o077 != 0 {
        let mode = metadata.mode() & 0o777;
        return Verdict::error(
            TOKEN_ID,
            format!("others may read {shown} (mode {mode:03o}), and change the modules of the server with it"),
            renew,
        );
    }
    match fs::read_to_string(&path) {
        Ok(text) if AdminToken::parse(&text).is_some() => Verdict::ok(TOKEN_ID, "for this user only"),
        Ok(_) => Verdict::error(TOKEN_ID, format!("{shown} does not hold a token"), renew),
        Err(error) => Verdict::error(TOKEN_ID, format!("{shown} cannot be read: {error}"), renew),
    }
}
