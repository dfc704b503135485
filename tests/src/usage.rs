//! What a process uses: memory, open files and processor time, read from `/proc`.

use std::fs;
use std::time::Duration;

/// Kernel ticks a second. Linux reports processor times in this unit on every machine.
const TICKS_A_SECOND: u64 = 100;

/// The resident memory of a process, in bytes.
///
/// # Panics
/// When there is no such process.
pub fn resident_bytes(pid: u32) -> u64 {
    status_bytes(pid, "VmRSS:")
}

/// The most resident memory of a process since its start or the last [`forget_peak`], in bytes.
///
/// # Panics
/// When there is no such process.
pub fn peak_bytes(pid: u32) -> u64 {
    status_bytes(pid, "VmHWM:")
}

/// Sets the peak of a process to what it uses now.
///
/// # Panics
/// When there is no such process, or it is not ours.
pub fn forget_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the process is ours");
}

/// The processor time that a process has used, in the kernel and outside.
///
/// # Panics
/// When there is no such process.
pub fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The name of the program is in parentheses and may contain any characters.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().expect("a number of ticks"))
        .sum();
    Duration::from_millis(ticks * 1000 / TICKS_A_SECOND)
}

/// How many files a process has open.
///
/// # Panics
/// When there is no such process, or it is not ours.
pub fn open_files(pid: u32) -> usize {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is ours");
    files.count()
}

/// Lets this process open as many files as the system allows: tests of many connections need it.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    // If it cannot be raised, a test that needs more says so.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}

fn status_bytes(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let kib: Option<u64> = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|value| value.split_whitespace().next())
        .and_then(|kib| kib.parse().ok());
    kib.unwrap_or_else(|| panic!("{field} of process {pid}")) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_used_and_given_back_is_in_the_peak() {
        let pid = std::process::id();
        forget_peak(pid);
        let before = peak_bytes(pid);
        let pages = std::hint::black_box(vec![1u8; 64 << 20]);
        drop(pages);
        assert!(peak_bytes(pid) >= before + (48 << 20));
        assert!(resident_bytes(pid) < peak_bytes(pid));
    }
}
