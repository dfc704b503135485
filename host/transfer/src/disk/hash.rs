//! The SHA-256 of a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

/// Bytes read at a time.
const READ_BYTES: usize = 256 << 10;

/// A hasher with the first `len` bytes of the file.
pub(super) fn hash_prefix(file: &File, len: u64) -> io::Result<Sha256> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut offset = 0;
    while offset < len {
        let most = usize::try_from(len - offset).map_or(buffer.len(), |n| n.min(buffer.len()));
        let read = file.read_at(&mut buffer[..most], offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&buffer[..read]);
        offset += read as u64;
    }
    Ok(hasher)
}
