//! Writes a file in the staging directory, hashes it and keeps the disk's free minimum.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use stowage_cloud::{Hash, Hasher};

use super::staging::Staging;

/// Bytes after which the free space is checked again.
const CHECK_BYTES: u64 = 1 << 20;

/// Writes a file in the staging directory.
pub(super) struct FileWriter {
    staging: Arc<Staging>,
    file: File,
    hasher: Hasher,
    /// Bytes for which there is room.
    room: u64,
}

impl FileWriter {
    /// Continues a file whose bytes so far are in `hasher`. There is room for `reserved` more
    /// bytes.
    pub(super) fn new(staging: Arc<Staging>, file: File, hasher: Hasher, reserved: u64) -> FileWriter {
        FileWriter {
            staging,
            file,
            hasher,
            room: reserved,
        }
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Bytes of the file.
    pub(super) fn len_bytes(&self) -> u64 {
        self.hasher.len_bytes()
    }

    pub(super) fn into_hasher(self) -> Hasher {
        self.hasher
    }

    /// Syncs the file. Returns its hash and its size.
    pub(super) fn finish(self) -> io::Result<(Hash, u64)> {
        self.sync()?;
        let size = self.hasher.len_bytes();
        Ok((self.hasher.finish(), size))
    }
}

impl Write for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len_bytes = bytes.len() as u64;
        if self.room < len_bytes {
            let more = CHECK_BYTES.max(len_bytes);
            self.staging.check_room(more)?;
            self.room = more;
        }
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.room -= len_bytes;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
