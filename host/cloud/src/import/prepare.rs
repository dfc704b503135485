//! Reads a file once, to hash it, to encrypt it, and to learn what a row says about its content.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Error, Hash, Hasher, password};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// The largest text that is stored in its message.
const TEXT_LIMIT_BYTES: usize = 16 << 10;

/// A file that is ready to be stored.
pub(super) struct PreparedFile {
    /// The bytes to store. It is at its beginning.
    pub file: File,
    pub hash: Hash,
    pub len_bytes: u64,
    pub protected: bool,
    /// When the file was last changed, in milliseconds since the epoch.
    pub modified_ms: u64,
    /// Lines that are not empty, before encryption.
    pub lines: u64,
    /// The content of a short text, unless it is protected.
    pub text: Option<String>,
}

impl PreparedFile {
    pub(super) async fn of(path: &Path, password: Option<String>) -> Result<Self, Error> {
        let owned = path.to_path_buf();
        let prepared = tokio::task::spawn_blocking(move || prepare(&owned, password.as_deref()));
        let prepared = prepared.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        prepared.map_err(|error| Error::local(path.display(), error))
    }
}

fn prepare(path: &Path, password: Option<&str>) -> io::Result<PreparedFile> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("no longer a file"));
    }
    let modified = metadata.modified().unwrap_or_else(|_| SystemTime::now());
    let modified_ms = modified
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as u64);
    let mut content = ContentSummary::default();
    let mut writer = HashingWriter {
        file: None,
        hasher: Hasher::new(),
    };
    let reader = ContentReader {
        file: &mut file,
        content: &mut content,
    };
    match password {
        Some(password) => {
            writer.file = Some(tempfile::tempfile()?);
            password::seal(reader, &mut writer, password)?;
        }
        None => {
            io::copy(&mut BufReader::with_capacity(READ_BYTES, reader), &mut writer)?;
        }
    }
    let HashingWriter { file: sealed, hasher } = writer;
    let mut file = sealed.unwrap_or(file);
    file.seek(SeekFrom::Start(0))?;
    Ok(PreparedFile {
        file,
        len_bytes: hasher.len_bytes(),
        hash: hasher.finish(),
        protected: password.is_some(),
        modified_ms,
        lines: content.lines + u64::from(content.in_line),
        text: if password.is_none() { content.text() } else { None },
    })
}

/// Hashes the bytes to store. Keeps them in a file if they are encrypted.
struct HashingWriter {
    file: Option<File>,
    hasher: Hasher,
}

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = match &mut self.file {
            Some(file) => file.write(bytes)?,
            None => bytes.len(),
        };
        self.hasher.update(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a row says about the content of a file.
#[derive(Default)]
struct ContentSummary {
    head: Vec<u8>,
    len_bytes: u64,
    lines: u64,
    /// Whether the current line is not empty.
    in_line: bool,
}

impl ContentSummary {
    fn take(&mut self, bytes: &[u8]) {
        self.len_bytes += bytes.len() as u64;
        let room = TEXT_LIMIT_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        for &byte in bytes {
            if byte == b'\n' {
                self.lines += u64::from(self.in_line);
                self.in_line = false;
            } else if !byte.is_ascii_whitespace() {
                self.in_line = true;
            }
        }
    }

    fn text(self) -> Option<String> {
        if self.head.len() as u64 != self.len_bytes {
            return None;
        }
        String::from_utf8(self.head).ok()
    }
}

/// A file whose content is summarised as it is read.
struct ContentReader<'a> {
    file: &'a mut File,
    content: &'a mut ContentSummary,
}

impl Read for ContentReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read(buffer)?;
        self.content.take(&buffer[..len]);
        Ok(len)
    }
}
