//! Whether this machine has enough memory for a large allocation.

use std::io;

/// Fails if `needed_bytes` of memory are not free. If the system does not tell how much is free, it
/// only tries to reserve them.
pub(crate) fn check_available(needed_bytes: u64) -> io::Result<()> {
    if let Some(free_bytes) = free_bytes()
        && needed_bytes > free_bytes
    {
        return Err(io::Error::new(
            io::ErrorKind::OutOfMemory,
            format!(
                "it takes {} MiB of memory to open, {} MiB are free",
                needed_bytes >> 20,
                free_bytes >> 20
            ),
        ));
    }
    let mut reserved: Vec<u8> = Vec::new();
    let len = usize::try_from(needed_bytes).unwrap_or(usize::MAX);
    reserved
        .try_reserve_exact(len)
        .map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))
}

/// The memory that Linux can give without swapping, within the limit of the container.
fn free_bytes() -> Option<u64> {
    let available = std::fs::read_to_string("/proc/meminfo").ok()?;
    let available = available.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let available: u64 = available.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit: Option<u64> = limit.and_then(|limit| limit.trim().parse().ok());
    Some((available << 10).min(limit.unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_memory_than_there_is_is_refused() {
        assert!(check_available(1 << 20).is_ok());
        let error = check_available(1 << 60).expect_err("no machine has this much");
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    }
}
