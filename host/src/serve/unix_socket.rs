//! The unix socket of a server: only its user may connect, and one that a dead server left is
//! replaced.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::fs::{Mode, fchmod};
use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixSocket};

/// The longest path that a socket can have, in bytes.
const MAX_PATH_BYTES: usize = 107;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// The bits of a directory's mode that let others put files into it and remove them.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Only the owner of a file may remove it from a directory that has this bit.
const STICKY: u32 = 0o1000;

/// What is at the path of a socket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// A socket where nobody listens.
    Stale,
    /// A socket where a server listens.
    Live,
}

/// The file of a socket. Dropping it removes the file, if it is still this one.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Listens at a path.
pub(super) fn bind(path: &Path) -> anyhow::Result<(UnixListener, SocketFile)> {
    check(path)?;
    match look(path)? {
        Found::Nothing | Found::Stale => {}
        Found::Live => anyhow::bail!("another server listens there; stop it, or choose another path"),
    }
    // A name of its own first: the socket appears at its path when it can be used, and replaces a
    // stale one in one step.
    let temporary = temporary(path);
    let shown = temporary.display();
    match look(&temporary).with_context(|| format!("{shown} is in the way"))? {
        Found::Nothing => {}
        Found::Stale => fs::remove_file(&temporary).with_context(|| format!("{shown} is left over"))?,
        Found::Live => anyhow::bail!("{shown} is in the way: another server listens there; choose another path"),
    }
    let socket = made(&temporary).with_context(|| format!("the socket {shown} cannot be made"))?;
    // From here on the file is this one, so that it may be removed.
    let bound = (|| {
        let listener = socket.listen(BACKLOG).context("the socket cannot listen")?;
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&temporary, private).context("the mode of the socket")?;
        let file = fs::symlink_metadata(&temporary).context("the new socket")?;
        fs::rename(&temporary, path).context("the new socket cannot be renamed")?;
        let file = SocketFile {
            path: path.to_owned(),
            device: file.dev(),
            inode: file.ino(),
        };
        Ok((listener, file))
    })();
    if bound.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    bound
}

/// A socket with a file where none was.
fn made(path: &Path) -> anyhow::Result<UnixSocket> {
    let socket = UnixSocket::new_stream().context("a unix socket")?;
    // On Linux the file gets the mode that the socket has when it is bound: nobody else can connect
    // before the mode of the file is set.
    fchmod(&socket, Mode::RUSR | Mode::WUSR).context("the mode of the socket")?;
    socket.bind(path)?;
    Ok(socket)
}

/// A name beside a socket, no longer than its own.
fn temporary(path: &Path) -> PathBuf {
    let own = path.file_name().map_or(0, |name| name.as_bytes().len());
    let mut name = format!(".{}", std::process::id());
    name.truncate(own.max(2));
    path.with_file_name(name)
}

/// Checks that a socket can be made at a path, and that nobody else can replace it there.
///
/// # Errors
/// Says what is wrong with the path.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    let bytes = path.as_os_str().as_bytes();
    anyhow::ensure!(
        bytes.len() <= MAX_PATH_BYTES && !bytes.contains(&0),
        "expected a path of at most {MAX_PATH_BYTES} bytes, found {}; choose a shorter one, for example in /run",
        bytes.len()
    );
    anyhow::ensure!(
        path.file_name().is_some(),
        "expected a path that ends with the name of the socket"
    );
    let directory = path.parent().unwrap_or(Path::new("/"));
    let shown = directory.display();
    let found = fs::metadata(directory).with_context(|| format!("the directory {shown}; make it first"))?;
    anyhow::ensure!(found.is_dir(), "{shown} is no directory");
    let own = geteuid().as_raw();
    anyhow::ensure!(
        [own, 0].contains(&found.uid()),
        "the directory {shown} belongs to user {}, who could replace the socket; choose one of your own",
        found.uid()
    );
    let mode = found.mode();
    anyhow::ensure!(
        mode & WRITABLE_BY_OTHERS == 0 || mode & STICKY != 0,
        "other users may write into {shown} and could replace the socket; remove that right with `chmod go-w {shown}`"
    );
    Ok(())
}

/// What is at a path.
///
/// # Errors
/// It is no socket, or it cannot be looked at.
pub(crate) fn look(path: &Path) -> anyhow::Result<Found> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error).context("it cannot be looked at"),
    };
    anyhow::ensure!(
        found.file_type().is_socket(),
        "there is a file that is no socket; remove it, or choose another path"
    );
    match UnixStream::connect(path) {
        Ok(_) => Ok(Found::Live),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(Found::Stale),
        // Its server ended just now.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
        Err(error) => Err(error).context("there is a socket that cannot be connected to; remove it"),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = |found: fs::Metadata| (found.dev(), found.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(is_ours)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "the unix socket could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> String {
        format!("{:#}", bind(path).expect_err("refused"))
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    }

    #[tokio::test]
    async fn only_the_user_may_connect_and_the_file_goes_with_the_server() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("stowage.sock");
        let (listener, file) = bind(&path).expect("bound");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        UnixStream::connect(&path).expect("it listens");
        assert_eq!(
            fs::read_dir(dir.path()).expect("readable").count(),
            1,
            "nothing is left over"
        );
        drop((listener, file));
        assert_eq!(look(&path).expect("looked"), Found::Nothing);
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        assert_eq!(look(&path).expect("looked"), Found::Stale);
        let first = bind(&path).expect("the stale one is replaced");
        assert_eq!(look(&path).expect("looked"), Found::Live);
        assert!(refused(&path).contains("another server"), "{}", refused(&path));
        // A file that another server has put there since is not removed.
        fs::remove_file(&path).expect("removed");
        let second = bind(&path).expect("bound");
        drop(first);
        assert_eq!(look(&path).expect("looked"), Found::Live);
        drop(second);
        assert_eq!(look(&path).expect("looked"), Found::Nothing);
    }

    #[tokio::test]
    async fn a_file_with_the_temporary_name_is_not_touched() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("stowage.sock");
        let temporary = temporary(&path);
        fs::write(&temporary, "x").expect("writable");
        let said = refused(&path);
        assert!(
            said.contains(&format!("{} is in the way", temporary.display())) && said.contains("choose another path"),
            "{said}"
        );
        assert_eq!(fs::read(&temporary).expect("there"), b"x");
        fs::remove_file(&temporary).expect("removed");
        let live = std::os::unix::net::UnixListener::bind(&temporary).expect("bound");
        assert!(refused(&path).contains("is in the way"), "{}", refused(&path));
        assert_eq!(look(&temporary).expect("looked"), Found::Live);
        // One that is left over is replaced.
        drop(live);
        drop(bind(&path).expect("bound"));
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 0);
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_used_says_why() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, "x").expect("writable");
        assert!(refused(&file).contains("no socket"));
        assert_eq!(fs::read(&file).expect("there"), b"x", "it is not touched");
        let long = dir.path().join("x".repeat(MAX_PATH_BYTES));
        assert!(refused(&long).contains("at most 107 bytes"), "{}", refused(&long));
        assert!(refused(&dir.path().join("nothing/s")).contains("make it first"));
        assert!(refused(&file.join("s")).contains("directory"));
        set_mode(dir.path(), 0o777);
        let open = refused(&dir.path().join("s"));
        assert!(open.contains("could replace the socket"), "{open}");
        set_mode(dir.path(), 0o1777);
        bind(&dir.path().join("s")).expect("others cannot remove it there");
    }
}
