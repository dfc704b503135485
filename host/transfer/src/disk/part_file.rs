//! The temporary file of a download.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::fs::{self, FallocateFlags};
use rustix::io::Errno;
use sha2::Sha256;

use super::copy::disk_full;
use super::hash::hash_prefix;

/// A temporary file of a download.
#[derive(Debug)]
pub(crate) struct PartFile {
    pub(crate) file: File,
    pub(crate) name: String,
}

impl PartFile {
    /// Reserves blocks for the whole file without changing its length, if the file system supports
    /// it.
    pub(crate) fn reserve(&self, size: u64) -> io::Result<()> {
        if size == 0 {
            return Ok(());
        }
        match fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, size) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(disk_full(error.into())),
        }
    }

    /// Writes bytes at an offset. No space, a used up quota and the limit of file sizes are all
    /// [`io::ErrorKind::StorageFull`].
    pub(crate) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset).map_err(disk_full)
    }

    /// Fills the buffer from an offset on.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    /// Syncs the content. Some file systems notice only here that there is no space.
    pub(crate) fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().map_err(disk_full)
    }

    /// Bytes that the file occupies on disk.
    pub(crate) fn occupied(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.blocks().saturating_mul(512))
    }

    /// A hasher with the first `len` bytes of the file.
    pub(crate) fn hash_prefix(&self, len: u64) -> io::Result<Sha256> {
        hash_prefix(&self.file, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_to_a_full_disk_says_so() {
        let part = PartFile {
            file: File::options().write(true).open("/dev/full").unwrap(),
            name: "x".into(),
        };
        let error = part.write_all_at(b"bytes", 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
