//! The process, as Linux tells about it, under the names that all Prometheus clients use.

use std::fmt;
use std::fs;

use prometheus_client::registry::Unit;
use rustix::process::{Resource, getrlimit};

use super::families::Families;

/// What Linux tells about this process. What it does not tell is left out.
#[derive(Debug, Default, PartialEq)]
struct Process {
    cpu_seconds: Option<f64>,
    start_seconds: Option<f64>,
    threads: Option<u64>,
    resident_bytes: Option<u64>,
    virtual_bytes: Option<u64>,
    open_files: Option<u64>,
    max_files: Option<u64>,
}

/// Linux tells times of processes in hundredths of a second, whatever the kernel's own clock is.
const TICKS_A_SECOND: f64 = 100.0;

/// The fields of `/proc/self/stat` after the name, which ends with the last parenthesis: time on
/// processors, and the start after boot, both in ticks.
fn stat_fields(stat: &str) -> Option<(u64, u64)> {
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some((number(11)?.saturating_add(number(12)?), number(19)?))
}

/// A number in a text of lines `name: number`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
}

impl Process {
    fn read() -> Process {
        let stat = fs::read_to_string("/proc/self/stat").ok();
        let stat = stat.as_deref().and_then(stat_fields);
        let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
        let boot = field(&boot, "btime");
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib = |name| field(&status, name).map(|kib| kib << 10);
        Process {
            cpu_seconds: stat.map(|(cpu, _)| cpu as f64 / TICKS_A_SECOND),
            start_seconds: stat
                .zip(boot)
                .map(|((_, start), boot)| boot as f64 + start as f64 / TICKS_A_SECOND),
            threads: field(&status, "Threads"),
            virtual_bytes: kib("VmSize"),
            resident_bytes: kib("VmRSS"),
            // One of them is the directory itself.
            open_files: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|files| files.count().saturating_sub(1) as u64),
            max_files: getrlimit(Resource::Nofile).current,
        }
    }
}

pub(super) fn encode(families: &mut Families<'_>) -> fmt::Result {
    let process = Process::read();
    let one = |value: Option<u64>| value.map(|value| ([], value));
    let one_float = |value: Option<f64>| value.map(|value| ([], value));
    families.float_counter(
        "process_cpu",
        Some(&Unit::Seconds),
        "Time of processors that the process used",
        process.cpu_seconds,
    )?;
    families.gauge(
        "process_start_time",
        Some(&Unit::Seconds),
        "When the process started, in seconds since 1970",
        one_float(process.start_seconds),
    )?;
    families.gauge(
        "process_resident_memory",
        Some(&Unit::Bytes),
        "Memory of the process that is in RAM",
        one(process.resident_bytes),
    )?;
    families.gauge(
        "process_virtual_memory",
        Some(&Unit::Bytes),
        "Addresses that the process has reserved; most have no memory behind them",
        one(process.virtual_bytes),
    )?;
    families.gauge("process_threads", None, "Threads of the process", one(process.threads))?;
    families.gauge(
        "process_open_fds",
        None,
        "Files and sockets that the process has open",
        one(process.open_files),
    )?;
    families.gauge(
        "process_max_fds",
        None,
        "Most files and sockets that the process may have open",
        one(process.max_files),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_move_the_fields() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 12 34 0 0 20 0 5 0 678 1000 200 18446744073709551615";
        assert_eq!(stat_fields(stat), Some((46, 678)));
        assert_eq!(stat_fields("7 (short) S 1"), None);
        assert_eq!(stat_fields(""), None);
    }

    #[test]
    fn a_number_is_found_by_its_name() {
        let text = "VmSize:\t  12 kB\nThreads:\t7\nbtime 99\nVmRSS:\tx kB\n";
        let found = ["VmSize", "Threads", "btime", "VmRSS", "None"].map(|name| field(text, name));
        assert_eq!(found, [Some(12), Some(7), Some(99), None, None]);
    }

    #[test]
    fn linux_tells_about_this_process() {
        let process = Process::read();
        assert!(process.threads.is_some_and(|threads| threads >= 1), "{process:?}");
        assert!(
            process.resident_bytes.is_some_and(|bytes| bytes > 1 << 20),
            "{process:?}"
        );
        assert!(process.virtual_bytes >= process.resident_bytes, "{process:?}");
        assert!(
            process.open_files >= Some(3) && process.max_files > process.open_files,
            "{process:?}"
        );
        assert!(process.start_seconds.is_some_and(|at| at > 1.6e9), "{process:?}");
    }
}
