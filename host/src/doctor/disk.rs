//! The checks of the disk under the data directory: its room, its file system, how fast it syncs.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, statfs, statvfs};
use stowage_cli::ByteSize;

use super::subject::Subject;
use super::verdict::Verdict;

const ID: &str = "disk";
const FILE_SYSTEM_ID: &str = "file-system";
const SYNC_ID: &str = "sync";

/// Less room than this is an error: the log of the database alone takes 64 MiB.
const LEAST_FREE_BYTES: u64 = 256 << 20;
/// Less room than this, or than [`LITTLE_FREE_PERCENT`], is a warning.
const LITTLE_FREE_BYTES: u64 = 1 << 30;
const LITTLE_FREE_PERCENT: u64 = 5;

/// Writes that are measured.
const SYNCS: usize = 9;
/// A slower disk is a warning: each commit waits for one sync.
const SLOW_SYNC: Duration = Duration::from_millis(50);

/// How a file system keeps files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// On a disk of this machine.
    Local,
    /// On another machine, or behind a program.
    Remote,
    /// In memory.
    Memory,
}

/// Magic numbers of file systems (statfs(2)).
const FILE_SYSTEMS: [(u32, &str, Kind); 19] = [
    (0xEF53, "ext4", Kind::Local),
    (0x5846_5342, "xfs", Kind::Local),
    (0x9123_683E, "btrfs", Kind::Local),
    (0x2FC1_2FC1, "zfs", Kind::Local),
    (0xF2F5_2010, "f2fs", Kind::Local),
    (0xCA45_1A4E, "bcachefs", Kind::Local),
    (0x794C_7630, "overlayfs", Kind::Local),
    (0x0000_6969, "NFS", Kind::Remote),
    (0x0000_517B, "SMB", Kind::Remote),
    (0xFE53_4D42, "SMB", Kind::Remote),
    (0xFF53_4D42, "CIFS", Kind::Remote),
    (0x6573_5546, "FUSE", Kind::Remote),
    (0x0102_1997, "9p", Kind::Remote),
    (0x00C3_6400, "Ceph", Kind::Remote),
    (0x5346_414F, "AFS", Kind::Remote),
    (0x0116_1970, "GFS2", Kind::Remote),
    (0x7461_636F, "OCFS2", Kind::Remote),
    (0x0102_1994, "tmpfs", Kind::Memory),
    (0x8584_58F6, "ramfs", Kind::Memory),
];

/// Whether there is room.
pub(super) fn check(subject: &Subject) -> Verdict {
    let dir = subject.nearest_dir();
    let disk = match statvfs(dir) {
        Ok(disk) => disk,
        Err(error) => {
            let found = format!("the disk of {} cannot be asked: {error}", dir.display());
            return Verdict::error(ID, found, "check that it is mounted");
        }
    };
    let (free, total) = (
        disk.f_bavail.saturating_mul(disk.f_frsize),
        disk.f_blocks.saturating_mul(disk.f_frsize),
    );
    if disk.f_files > 0 && disk.f_favail == 0 {
        return Verdict::error(
            ID,
            format!("the disk of {} takes no more files: no inode is free", dir.display()),
            "remove files that nobody needs",
        );
    }
    room(free, total)
}

fn room(free: u64, total: u64) -> Verdict {
    let found = format!("{} of {} are free", ByteSize(free), ByteSize(total));
    let make_room = "make room, or move the data directory to another disk";
    if free < LEAST_FREE_BYTES {
        Verdict::error(ID, found, make_room)
    } else if free < LITTLE_FREE_BYTES || free < total / 100 * LITTLE_FREE_PERCENT {
        Verdict::warning(ID, found, make_room)
    } else {
        Verdict::ok(ID, found)
    }
}

/// Whether the file system keeps what it promises.
pub(super) fn check_file_system(subject: &Subject) -> Verdict {
    let dir = subject.nearest_dir();
    match statfs(dir) {
        // The number has 32 bits, and its type differs between architectures.
        Ok(found) => file_system(found.f_type as u32),
        Err(error) => Verdict::error(
            FILE_SYSTEM_ID,
            format!("the file system of {} cannot be asked: {error}", dir.display()),
            "check that it is mounted",
        ),
    }
}

fn file_system(magic: u32) -> Verdict {
    match FILE_SYSTEMS.iter().find(|(known, ..)| *known == magic) {
        Some((_, name, Kind::Local)) => Verdict::ok(FILE_SYSTEM_ID, *name),
        Some((_, name, Kind::Remote)) => Verdict::warning(
            FILE_SYSTEM_ID,
            format!("{name}: locks and syncs may not hold there"),
            "put the data directory on a disk of this machine; a cloud space can be anywhere",
        ),
        Some((_, name, Kind::Memory)) => Verdict::warning(
            FILE_SYSTEM_ID,
            format!("{name}: all data is lost when the machine stops"),
            "put the data directory on a disk",
        ),
        None => Verdict::ok(
            FILE_SYSTEM_ID,
            format!("a kind that this program does not know ({magic:#x})"),
        ),
    }
}

/// How long a write takes to be durable. The file has no name and is gone afterwards.
pub(super) fn check_sync(subject: &Subject) -> Verdict {
    if !subject.data.is_dir() {
        return Verdict::skipped(SYNC_ID, "there is no data directory yet");
    }
    match measure(&subject.data) {
        Ok(Some(times)) => speed(times),
        Ok(None) => Verdict::skipped(SYNC_ID, "this file system has no files without a name"),
        Err(error) => Verdict::error(
            SYNC_ID,
            format!("a write to {} did not become durable: {error}", subject.data.display()),
            "check the disk and the system's log (dmesg)",
        ),
    }
}

/// The times of [`SYNCS`] small writes. `None` if the file system has no files without a name.
fn measure(dir: &Path) -> std::io::Result<Option<[Duration; SYNCS]>> {
    let flags = OFlags::TMPFILE.bits().cast_signed();
    let opened = OpenOptions::new().write(true).mode(0o600).custom_flags(flags).open(dir);
    let mut file = match opened {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::Unsupported | std::io::ErrorKind::IsADirectory | std::io::ErrorKind::NotFound
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut times = [Duration::ZERO; SYNCS];
    for time in &mut times {
        file.write_all(&[0; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        *time = begun.elapsed();
    }
    Ok(Some(times))
}

fn speed(mut times: [Duration; SYNCS]) -> Verdict {
    times.sort_unstable();
    let (median, longest) = (times[SYNCS / 2], times[SYNCS - 1]);
    let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    let found = format!("fdatasync takes {}, at most {}", ms(median), ms(longest));
    match median > SLOW_SYNC {
        true => Verdict::warning(
            SYNC_ID,
            format!("{found}; each commit waits for one"),
            "use a faster disk, or look for what else writes to it",
        ),
        false => Verdict::ok(SYNC_ID, found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict::Outcome;
    use super::*;

    #[test]
    fn little_room_is_a_warning_and_almost_none_an_error() {
        let outcome = |free: u64, total: u64| room(free, total).outcome;
        assert_eq!(outcome(100 << 30, 1000 << 30), Outcome::Ok);
        assert_eq!(outcome(40 << 30, 1000 << 30), Outcome::Warning, "4 percent");
        assert_eq!(outcome(1 << 29, 1 << 31), Outcome::Warning);
        assert_eq!(outcome(200 << 20, 1 << 30), Outcome::Error);
        assert_eq!(outcome(0, 0), Outcome::Error);
    }

    #[test]
    fn file_systems_that_keep_less_than_a_disk_are_told() {
        assert_eq!(file_system(0xEF53).outcome, Outcome::Ok);
        assert_eq!(file_system(1).outcome, Outcome::Ok, "unknown is not bad");
        for (magic, name) in [(0x6969, "NFS"), (0xFF53_4D42, "CIFS"), (0x0102_1994, "tmpfs")] {
            let verdict = file_system(magic);
            assert_eq!(verdict.outcome, Outcome::Warning);
            assert!(verdict.found.starts_with(name), "{verdict:?}");
        }
    }

    #[test]
    fn a_slow_disk_is_told_by_its_median() {
        let ms = Duration::from_millis;
        let mut times = [ms(1); SYNCS];
        times[0] = ms(900);
        let verdict = speed(times);
        assert_eq!(verdict.outcome, Outcome::Ok, "one slow sync is chance");
        assert_eq!(verdict.found, "fdatasync takes 1.00 ms, at most 900.00 ms");
        assert_eq!(speed([ms(80); SYNCS]).outcome, Outcome::Warning);
    }

    #[test]
    fn the_measured_file_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        measure(dir.path()).expect("writable");
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0);
    }
}
