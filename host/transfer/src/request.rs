//! Requests of a logic module, and the reasons to refuse them.

use std::fmt;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::disk::DirectoryError;

/// The file of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Base58 of the SHA-256 of the stored bytes.
    pub hash: String,
    /// The name for people. A download uses it on disk, made safe for the file system.
    pub name: String,
    /// The extension with its dot, or empty.
    pub ext: String,
    /// The thumbnail's address, or empty.
    pub thumb: String,
    /// The stored size in bytes.
    pub size: u64,
    /// The folder identifiers that lead to the file, or empty.
    pub path: String,
    /// Whether a password protects it.
    pub protected: bool,
}

/// A password. It is never logged and never written to disk.
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

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A file to download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadRequest {
    /// The task to resume or restart. If unknown, the identifier of the new task. If absent, a new
    /// UUID.
    pub task_id: Option<String>,
    /// 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP.
    pub platform: u8,
    /// The file.
    pub file: File,
    /// The directory of the file. If absent, the directory of the platform.
    pub directory: Option<String>,
    /// Needed for a protected file.
    pub password: Option<Password>,
}

/// Why a download was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DownloadRefusal {
    /// The host may not write to the directory.
    #[error("the directory cannot take a download: {0}")]
    Directory(#[source] DirectoryError),
    /// The task identifier is malformed, or belongs to another transfer.
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
    /// It belongs to a download.
    #[error("it belongs to a download")]
    Download,
    /// It belongs to a transfer of another file.
    #[error("it belongs to another file")]
    OtherFile,
    /// It belongs to a transfer of another platform.
    #[error("it belongs to another platform")]
    OtherPlatform,
    /// It belongs to a download to another directory.
    #[error("its download goes to {directory}")]
    OtherDirectory {
        /// The directory of the known task.
        directory: String,
    },
}

/// A file to upload to the cloud space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRequest {
    /// The platform that gets the file: 2 IM favourites, 3 cloud storage.
    pub platform: u8,
    /// The file. Its bytes are in the space or among the local temp files.
    pub file: File,
    /// Data of the module. It gets them back when the upload is finished.
    pub subject: String,
}

/// A prepared file to upload to the cloud space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileUpload {
    /// The identifier of the new task.
    pub task_id: String,
    /// The platform that gets the file, 0…4.
    pub platform: u8,
    /// The file. Its `hash`, `size` and `protected` are those of the [`Prepared`](crate::Prepared)
    /// file.
    pub file: File,
    /// The [`Prepared::id`](crate::Prepared::id) of the file.
    pub prepared: String,
    /// Data of the module. It gets them back when the upload is finished.
    pub subject: String,
}

/// Why an upload of a prepared file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileUploadRefusal {
    /// The task identifier is malformed, or belongs to another transfer.
    #[error("the task identifier cannot be used: {0}")]
    TaskId(#[source] TaskIdError),
    /// The hash of the file, or what was prepared, is malformed.
    #[error("expected the hash and the identifier of a prepared file; prepare the file first")]
    Prepared,
}

/// Why an upload cannot continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The space is full.
    #[error("the space is full")]
    NoSpace,
    /// The source of the upload no longer exists.
    #[error("the source of the upload no longer exists")]
    Gone,
}

/// The module could not be asked. The upload is retried later.
#[derive(Debug, thiserror::Error)]
#[error("the module that keeps uploads cannot be asked")]
pub struct HookError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The module that keeps uploaded files. Each function runs in a transaction of its own.
pub trait UploadHook: Send + Sync {
    /// Asks, before the first byte is sent, whether there is room.
    fn admit<'a>(&'a self, request: &'a UploadRequest) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>>;

    /// Tells that the blob is durable in the space. The module writes the rows that name the blob.
    /// It may be called twice for one upload.
    fn finished<'a>(&'a self, request: &'a UploadRequest) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>>;

    /// [`UploadHook::admit`] for an upload of a prepared file.
    fn admit_file<'a>(&'a self, upload: &'a FileUpload) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>>;

    /// [`UploadHook::finished`] for an upload of a prepared file.
    fn finished_file<'a>(&'a self, upload: &'a FileUpload) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>>;
}
