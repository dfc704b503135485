//! Writes the plain content of a protected file to disk.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};
use stowage_cloud::OpenSealedError;
use tokio_util::sync::CancellationToken;

use crate::task::Opened;

/// The longest header, in bytes.
const HEADER_BYTES: u64 = 64 << 10;

const BUFFER_BYTES: usize = 256 << 10;

/// Why a protected file was not decrypted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecryptError {
    /// The password is wrong.
    #[error("the password is wrong")]
    Password,
    /// The file does not begin with a complete `age` header.
    #[error("expected a file that begins with an age header")]
    NoHeader,
    /// The file cannot be opened with any password.
    #[error("the protected file cannot be opened")]
    NotDecryptable(#[source] OpenSealedError),
    /// The content was damaged or cut off.
    #[error("the protected file is damaged")]
    Damaged(#[source] io::Error),
    /// The host shuts down.
    #[error("interrupted")]
    Stopped,
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<OpenSealedError> for DecryptError {
    fn from(error: OpenSealedError) -> DecryptError {
        match error {
            OpenSealedError::WrongPassword => DecryptError::Password,
            OpenSealedError::Io(error) => DecryptError::Io(error),
            other => DecryptError::NotDecryptable(other),
        }
    }
}

/// A reader of a protected file from its beginning. The header must end within [`HEADER_BYTES`],
/// because the parser reads all of it into memory.
pub(crate) fn reader(sealed: &File) -> Result<BufReader<File>, DecryptError> {
    let mut file = sealed.try_clone()?;
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    (&file).take(HEADER_BYTES).read_to_end(&mut head)?;
    let ends = head.windows(5).any(|window| window == b"\n--- ");
    if !head.starts_with(b"age-encryption.org/v1\n") || !ends {
        return Err(DecryptError::NoHeader);
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(BufReader::with_capacity(BUFFER_BYTES, file))
}

/// Writes the plain content to an empty file and syncs it. Blocks. Checks `stop` before each piece.
pub(crate) fn copy(mut content: impl Read, mut plain: &File, stop: &CancellationToken) -> Result<Opened, DecryptError> {
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        if stop.is_cancelled() {
            return Err(DecryptError::Stopped);
        }
        let read = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => continue,
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    return Err(DecryptError::Damaged(error));
                }
                _ => return Err(error.into()),
            },
        };
        plain.write_all(&buffer[..read])?;
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
    plain.sync_data()?;
    let sha256 = hasher.finalize().into();
    Ok(Opened { size, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_header_that_ends_soon_is_not_opened() {
        let endless = [b"age-encryption.org/v1\n".to_vec(), vec![b'x'; 1 << 20]].concat();
        for bytes in [&b""[..], b"plain text", &endless] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(bytes).unwrap();
            assert!(matches!(reader(&file), Err(DecryptError::NoHeader)));
        }
    }
}
