//! Copies a file of this machine into a temporary file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use rustix::fs;

use super::part_file::PartFile;

/// Bytes that the kernel copies at a time.
const COPY_BYTES: u64 = 8 << 20;
/// Bytes that are read and written at a time where the kernel cannot copy.
const READ_BYTES: usize = 1 << 20;

/// Why a file was not copied.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// The source cannot be read.
    Read(io::Error),
    /// The copy cannot be written.
    Write(io::Error),
}

/// An error of a write. No space, a used up quota and the limit of file sizes are all
/// [`io::ErrorKind::StorageFull`].
pub(super) fn disk_full(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => io::Error::new(io::ErrorKind::StorageFull, error),
        _ => error,
    }
}

/// Copies ranges of a file. Shares blocks with it if the file system can, which takes no time.
/// `wrote` is told each copied range and returns whether to go on. Ends early where the source
/// ends. Blocks.
pub(crate) fn copy(
    source: &File,
    part: &PartFile,
    size: u64,
    ranges: &[Range<u64>],
    mut wrote: impl FnMut(Range<u64>) -> bool,
) -> Result<(), CopyError> {
    if let [all] = ranges
        && *all == (0..size)
        && share_blocks(source, part, size)
    {
        wrote(0..size);
        return Ok(());
    }
    let mut in_kernel = true;
    let mut buffer = Vec::new();
    for range in ranges {
        let mut at = range.start;
        while at < range.end {
            let left = range.end - at;
            let in_kernel_copied = if in_kernel {
                copy_in_kernel(source, part, at, left.min(COPY_BYTES))?
            } else {
                None
            };
            let copied = match in_kernel_copied {
                Some(copied) => copied,
                None => {
                    in_kernel = false;
                    copy_by_reading(source, part, at, left, &mut buffer)?
                }
            };
            if copied == 0 {
                return Ok(());
            }
            if !wrote(at..at + copied) {
                return Ok(());
            }
            at += copied;
        }
    }
    Ok(())
}

/// Makes the file a copy that shares the blocks of its source. Few file systems can.
fn share_blocks(source: &File, part: &PartFile, size: u64) -> bool {
    fs::ioctl_ficlone(&part.file, source).is_ok() && part.file.metadata().is_ok_and(|metadata| metadata.len() >= size)
}

/// Copies without a buffer of ours. `None` if the kernel cannot copy between these files.
fn copy_in_kernel(source: &File, part: &PartFile, at: u64, len: u64) -> Result<Option<u64>, CopyError> {
    let (mut from, mut to) = (at, at);
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    match fs::copy_file_range(source, Some(&mut from), &part.file, Some(&mut to), len) {
        // Some file systems say so although there is more.
        Ok(0) => Ok(None),
        Ok(copied) => Ok(Some(copied as u64)),
        Err(error) => match disk_full(error.into()) {
            full if full.kind() == io::ErrorKind::StorageFull => Err(CopyError::Write(full)),
            // Reading and writing will tell what is wrong, if anything is.
            _ => Ok(None),
        },
    }
}

fn copy_by_reading(source: &File, part: &PartFile, at: u64, len: u64, buffer: &mut Vec<u8>) -> Result<u64, CopyError> {
    buffer.resize(READ_BYTES, 0);
    let most = usize::try_from(len).map_or(READ_BYTES, |len| len.min(READ_BYTES));
    let read = loop {
        match source.read_at(&mut buffer[..most], at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read.map_err(CopyError::Read)?,
        }
    };
    part.write_all_at(&buffer[..read], at).map_err(CopyError::Write)?;
    Ok(read as u64)
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn files(content: &[u8]) -> (File, PartFile) {
        let source = tempfile::tempfile().unwrap();
        source.write_all_at(content, 0).unwrap();
        let part = PartFile {
            file: tempfile::tempfile().unwrap(),
            name: "x".into(),
        };
        (source, part)
    }

    fn content(part: &PartFile) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(part.file.metadata().unwrap().len()).unwrap()];
        part.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    fn pattern(len: u32) -> Vec<u8> {
        (0..len).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    #[test]
    fn a_copy_has_the_same_bytes_and_only_the_missing_ones_are_copied() {
        let bytes = pattern(20_000_000);
        let (source, part) = files(&bytes);
        let mut copied = Vec::new();
        copy(&source, &part, 20_000_000, &[0..1000, 5000..20_000_000], |range| {
            copied.push(range);
            true
        })
        .unwrap();
        let found = content(&part);
        assert_eq!((&found[..1000], &found[5000..]), (&bytes[..1000], &bytes[5000..]));
        assert_eq!(found[1000..5000], [0; 4000]);
        assert!(copied.len() > 2, "it can be interrupted between pieces");
    }

    #[test]
    fn where_the_kernel_cannot_copy_it_is_read_and_written() {
        let bytes = pattern(3_000_000);
        let (source, part) = files(&bytes);
        let mut at = 0;
        let mut buffer = Vec::new();
        while at < 3_000_000 {
            at += copy_by_reading(&source, &part, at, 3_000_000 - at, &mut buffer).unwrap();
        }
        assert_eq!(content(&part), bytes);
        // A file that is open only for appending takes no copy by the kernel.
        let directory = tempfile::tempdir().unwrap();
        let file = File::options()
            .append(true)
            .create(true)
            .read(true)
            .open(directory.path().join("x"))
            .unwrap();
        let part = PartFile { file, name: "x".into() };
        copy(&source, &part, 3_000_000, from_ref(&(0..3_000_000)), |_| true).unwrap();
        assert_eq!(content(&part), bytes);
    }

    #[test]
    fn a_copy_ends_when_told_and_where_its_source_ends() {
        let (source, part) = files(&pattern(30_000_000));
        let mut pieces = 0;
        copy(&source, &part, 30_000_000, &[0..10, 10..30_000_000], |_| {
            pieces += 1;
            pieces < 2
        })
        .unwrap();
        assert_eq!(pieces, 2);
        let mut end = 0;
        copy(&source, &part, 40_000_000, from_ref(&(1..40_000_000)), |range| {
            end = range.end;
            true
        })
        .unwrap();
        assert_eq!(end, 30_000_000);
    }

    #[test]
    fn a_used_up_quota_and_the_limit_of_file_sizes_are_a_full_disk() {
        for errno in [
            rustix::io::Errno::DQUOT,
            rustix::io::Errno::FBIG,
            rustix::io::Errno::NOSPC,
        ] {
            assert_eq!(disk_full(errno.into()).kind(), io::ErrorKind::StorageFull);
        }
        assert_eq!(
            disk_full(rustix::io::Errno::IO.into()).kind(),
            io::Error::from(rustix::io::Errno::IO).kind()
        );
    }
}
