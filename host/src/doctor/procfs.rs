//! What Linux tells of other processes under /proc. Where there is no /proc, nothing is known.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The state of a socket that listens, in /proc/net/tcp.
const LISTENING: &str = "0A";

/// Whether there is a process with this number. `None` if it is not known.
pub(super) fn exists(pid: u32) -> Option<bool> {
    Path::new("/proc/self").exists().then(|| process(pid).exists())
}

fn process(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

/// The name of a process, and its number.
pub(super) fn described(pid: u32) -> String {
    match fs::read_to_string(process(pid).join("comm")) {
        Ok(name) => format!("process {pid} ({})", name.trim()),
        Err(_) => format!("process {pid}"),
    }
}

/// Whether a process runs the same file as this one. A file that was replaced on disk is another
/// one. `None` if it is not known.
pub(super) fn runs_this_program(pid: u32) -> Option<bool> {
    let program = |pid: &str| fs::metadata(format!("/proc/{pid}/exe")).ok();
    let (theirs, ours) = (program(&pid.to_string())?, program("self")?);
    Some((theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino()))
}

/// The process that holds a lock on a whole file.
pub(super) fn lock_holder(file: &Path) -> Option<u32> {
    let metadata = fs::metadata(file).ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    let device = format!("{major:02x}:{minor:02x}:{}", metadata.ino());
    holder_in(&locks, &device)
}

/// A line is `1: FLOCK  ADVISORY  WRITE 1234 08:01:131122 0 EOF`.
fn holder_in(locks: &str, device: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, on, ..] = words[..] else {
            return None;
        };
        (on == device).then(|| pid.parse().ok()).flatten()
    })
}

/// The process that listens on an address, as far as this user may see it.
pub(super) fn listener(address: SocketAddr) -> Option<u32> {
    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_sockets(&table, address.port()))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir("/proc").ok()?;
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| holds_one_of(*pid, &sockets))
}

fn holds_one_of(pid: u32, sockets: &[String]) -> bool {
    let Ok(files) = fs::read_dir(process(pid).join("fd")) else {
        return false;
    };
    files
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .any(|target| {
            target
                .to_str()
                .is_some_and(|name| sockets.iter().any(|socket| socket == name))
        })
}

/// The inodes of the sockets that listen on a port. A line has the local address as the second
/// word, the state as the fourth and the inode as the tenth.
fn listening_sockets(table: &str, port: u16) -> Vec<String> {
    let end = format!(":{port:04X}");
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|words| words.len() > 9 && words[1].ends_with(&end) && words[3] == LISTENING)
        .map(|words| words[9].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_by_the_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 08:01:55 0 EOF\n2: FLOCK  ADVISORY  WRITE 1234 08:01:55 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 99 08:01:56 0 EOF\n";
        assert_eq!(holder_in(locks, "08:01:55"), Some(1234));
        assert_eq!(holder_in(locks, "08:01:56"), None, "it waits and holds nothing");
        let file = tempfile::NamedTempFile::new().expect("a file");
        assert_eq!(lock_holder(file.path()), None);
    }

    #[test]
    fn this_process_is_found_by_its_port_and_its_program() {
        let listener_here = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener_here.local_addr().expect("bound");
        let pid = std::process::id();
        assert_eq!(listener(address), Some(pid));
        assert_eq!((runs_this_program(pid), exists(pid)), (Some(true), Some(true)));
        assert!(described(pid).starts_with(&format!("process {pid} (")));
    }
}
