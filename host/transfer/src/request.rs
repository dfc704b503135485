//! What a logic module asks for, and why it may be refused.

use std::fmt;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::disk::DirectoryError;

/// What is known of the file of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Base58 of the SHA-256 of the stored bytes.
    pub hash: String,
    /// What a person calls it; also the name on disk of a download, made safe for the file system.
    pub name: String,
    /// The extension with its dot, or empty.
    pub ext: String,
    /// The thumbnail's address, or empty.
    pub thumb: String,
    /// Bytes stored.
    pub size: u64,
    /// The folder identifiers that lead to the file, or empty.
    pub path: String,
    /// Whether a password protects it.
    pub protected: bool,
}

/// A password, which never shows in a log and is never written to disk.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Password {
        Password(text)
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Password {
        Password(text.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A file to bring here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadRequest {
    /// The task to resume or restart; unknown, the new task's identifier; absent, a new UUID.
    pub task_id: Option<String>,
    /// 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP.
    pub platform: u8,
    /// The file.
    pub file: File,
    /// Where to put it; absent, the platform's folder.
    pub directory: Option<String>,
    /// Needed for a protected file.
    pub password: Option<Password>,
}

/// Why a download was not accepted. The texts are for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DownloadRefusal {
    /// The directory is none this host may write to.
    #[error("the directory cannot take a download: {0}")]
    Directory(#[source] DirectoryError),
    /// The task identifier is malformed, or that of a transfer of another file, platform or direction.
    #[error("the task identifier cannot be used: {0}")]
    TaskId(#[source] TaskIdError),
}

/// Why a task identifier cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskIdError {
    /// It is empty or too long.
    #[error("expected 1 to 128 characters")]
    Length,
    /// It has control characters.
    #[error("expected no control characters")]
    ControlCharacter,
    /// It belongs to an upload.
    #[error("it belongs to an upload")]
    Upload,
    /// It belongs to a download of another file.
    #[error("it belongs to another file")]
    OtherFile,
    /// It belongs to a download of another platform.
    #[error("it belongs to another platform")]
    OtherPlatform,
    /// It belongs to a download to another directory.
    #[error("its download goes to {directory}")]
    OtherDirectory {
        /// The directory of the known task.
        directory: String,
    },
}

/// A file to take to the cloud space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRequest {
    /// 2 IM favourites or 3 cloud storage: whose file it becomes.
    pub platform: u8,
    /// The file; its bytes are looked for in the space and among the local temp files.
    pub file: File,
    /// Anything the module wants to see again when the upload is finished.
    pub subject: String,
}

/// Why an upload cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The space has no room for it.
    #[error("the space has no room")]
    NoSpace,
    /// What it was made from is no longer there.
    #[error("what it was made from is gone")]
    Gone,
}

/// A module could not be asked: the upload is tried again later.
#[derive(Debug, thiserror::Error)]
#[error("the module that keeps uploads cannot be asked")]
pub struct HookError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The module that keeps uploaded files. Each function is a transaction of its own.
pub trait UploadHook: Send + Sync {
    /// Asked before the first byte moves: is there room?
    fn admit<'a>(&'a self, request: &'a UploadRequest) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>>;

    /// Told once the blob is durable in the space: it writes the rows that name the blob. It may be told twice of one upload.
    fn finished<'a>(&'a self, request: &'a UploadRequest) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>>;
}
