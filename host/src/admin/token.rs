//! The admin API's token: 32 random bytes in a file of the data directory that only the server's
//! user can read.

use std::fmt;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Bytes of a token. The file has them as hex digits, and a line break.
const LEN: usize = 32;

/// Why the token could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// The file cannot be read or written.
    #[error("{path}: the admin token cannot be read or written", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system has no random bytes.
    #[error("the system has no random bytes for the admin token")]
    Random(#[source] rand::rngs::SysError),
}

/// The token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AdminToken(String);

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

impl AdminToken {
    /// Reads the token of a file, so that scripts which know it still work after a restart. If the
    /// file is missing, or others could have read or written it, makes a new token and a new file.
    ///
    /// # Errors
    /// When the file cannot be read or written, or the system has no random bytes.
    pub(crate) fn open(path: &Path) -> Result<AdminToken, TokenError> {
        let failed = |source| TokenError::File {
            path: path.to_owned(),
            source,
        };
        match read(path) {
            Ok(Some(token)) => return Ok(token),
            Ok(None) => {}
            Err(error) => return Err(failed(error)),
        }
        let token = AdminToken::random()?;
        write(path, &token).map_err(failed)?;
        Ok(token)
    }

    fn random() -> Result<AdminToken, TokenError> {
        use rand::TryRng as _;
        let mut bytes = [0; LEN];
        rand::rngs::SysRng
            .try_fill_bytes(&mut bytes)
            .map_err(TokenError::Random)?;
        Ok(AdminToken(bytes.iter().map(|b| format!("{b:02x}")).collect()))
    }

    /// The token in the text of its file. None if the text is no token.
    pub(crate) fn parse(text: &str) -> Option<AdminToken> {
        let text = text.trim_end();
        let valid = text.len() == 2 * LEN && text.bytes().all(|b| b.is_ascii_hexdigit());
        valid.then(|| AdminToken(text.to_owned()))
    }

    /// The token's hash. The time of comparing hashes reveals nothing about the token.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

/// The token of a file. None if the file is missing, belongs to another user, is readable by
/// others, or holds no token.
fn read(path: &Path) -> io::Result<Option<AdminToken>> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.union(rustix::fs::OFlags::NONBLOCK);
    let opened = fs::OpenOptions::new()
        .read(true)
        .custom_flags(nofollow.bits().cast_signed())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A symbolic link is not trusted.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if !metadata.is_file() || !ours || metadata.mode() & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "others could read the admin token; a new one is made");
        return Ok(None);
    }
    let mut text = String::new();
    match file.take(4 * LEN as u64).read_to_string(&mut text) {
        Ok(_) => Ok(AdminToken::parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the file in one step, and never writes into a file that somebody else has created.
fn write(path: &Path, token: &AdminToken) -> io::Result<()> {
    let temporary = path.with_extension(format!("token.{}.tmp", std::process::id()));
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(format!("{}\n", token.0).as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").mode() & 0o777
    }

    #[test]
    fn a_token_is_made_once_and_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("admin.token");
        let first = AdminToken::open(&path).expect("made");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_to_string(&path).expect("text"), format!("{}\n", first.0));
        assert_eq!(AdminToken::open(&path).expect("kept"), first);
        assert_eq!(
            fs::read_dir(dir.path()).expect("readable").count(),
            1,
            "nothing is left over"
        );
        assert!(!format!("{first:?}").contains(&first.0));
        let other = AdminToken::open(&dir.path().join("other")).expect("made");
        assert_ne!(other, first);
    }

    #[test]
    fn a_file_that_is_no_private_token_is_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("admin.token");
        for content in [&b""[..], b"\n", b"short", &[b'g'; 64], &[b'a'; 65], &[0xff; 64]] {
            fs::write(&path, content).expect("writable");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
            let token = AdminToken::open(&path).expect("made");
            assert_eq!(AdminToken::open(&path).expect("kept"), token, "{content:?}");
        }
        let known = AdminToken::open(&path).expect("kept");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
        assert_ne!(AdminToken::open(&path).expect("made"), known, "others may have read it");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_link_is_replaced_and_what_it_points_at_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, target) = (dir.path().join("admin.token"), dir.path().join("target"));
        fs::write(&target, [b'a'; 64]).expect("writable");
        fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).expect("ours");
        std::os::unix::fs::symlink(&target, &path).expect("a link");
        let token = AdminToken::open(&path).expect("made");
        assert_ne!(token.0, "a".repeat(64));
        assert!(fs::symlink_metadata(&path).expect("there").is_file());
        assert_eq!(fs::read(&target).expect("there"), [b'a'; 64]);
    }
}
