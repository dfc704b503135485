//! The host's capabilities as one trait.

use crate::bindings::cloud::{CloudError, Field, SyncReport};
use crate::bindings::files::{self, FoundBlob, PrepareError, Prepared, Source};
use crate::bindings::progress::Filter;
use crate::bindings::storage::{KeyRange, Page, ScanOptions};
use crate::bindings::tasks::{self, Limits, Task, TaskChange};
use crate::bindings::transfer::{DownloadRefusal, DownloadRequest, UploadRequest};

/// The capabilities of a call: storage, transfers, the cloud, the feed, time and randomness.
///
/// The functions mirror the interfaces of `stowage:host`. Their WIT documents what each does, its
/// limits, and when an effect starts. A call that exceeds a limit of storage traps inside the host.
/// [`MemoryContext`](crate::MemoryContext) panics instead, so that a test shows it.
pub trait Context {
    /// The value of a key, or absent.
    fn get(&self, table: &str, key: &[u8]) -> Option<Vec<u8>>;
    /// The values of at most 10000 keys, in their order.
    fn get_many(&self, table: &str, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>>;
    /// Entries of a range.
    fn scan(&self, table: &str, range: &KeyRange, options: &ScanOptions) -> Page;
    /// Sets a key.
    fn put(&self, table: &str, key: &[u8], value: &[u8]);
    /// Removes a key, if it exists.
    fn delete(&self, table: &str, key: &[u8]);
    /// Adds to a counter.
    fn add(&self, table: &str, key: &[u8], delta: i64);
    /// A counter's value, 0 at first.
    fn counter(&self, table: &str, key: &[u8]) -> i64;

    /// Begins, resumes or restarts a download once the call has succeeded.
    ///
    /// # Errors
    /// The directory is not allowed, or the task belongs to another file.
    fn download(&self, request: &DownloadRequest) -> Result<(), DownloadRefusal>;
    /// Begins an upload once the call has succeeded.
    fn upload(&self, request: &UploadRequest);

    /// Syncs the local rows with the space. Call it first: the call runs again with the answer.
    ///
    /// # Errors
    /// The space cannot be reached, or is malformed.
    fn sync(&self) -> Result<SyncReport, CloudError>;
    /// Whether a password opens a protected blob. Call it early: the call runs again with the
    /// answer.
    ///
    /// # Errors
    /// The space cannot be reached, or the blob is missing.
    fn check_password(&self, hash: &str, password: Option<&str>) -> Result<bool, CloudError>;
    /// The size of the space in bytes.
    fn total_bytes(&self) -> u64;
    /// Sets fields of a row of the space, once the call has succeeded.
    fn put_row(&self, collection: &str, identity: &str, fields: &[Field]);
    /// Removes a row of the space, once the call has succeeded.
    fn delete_row(&self, collection: &str, identity: &str);
    /// Removes a blob that no row names, once the call has succeeded.
    fn delete_blob(&self, hash: &str);

    /// Changes a task once the call has succeeded. False if there is no such task.
    fn change_task(&self, task_id: &str, change: TaskChange) -> bool;
    /// Changes the unfinished tasks that match once the call has succeeded. Returns how many it
    /// concerns.
    fn change_tasks(&self, filter: tasks::Filter, change: TaskChange) -> u64;
    /// How tasks stand. Call it first: the call runs again with the answer.
    fn list_tasks(&self, filter: tasks::Filter, newest_first: bool, skip: u64, limit: u32) -> Vec<Task>;
    /// The limits of the tasks.
    fn limits(&self) -> Limits;
    /// Sets the limits of the tasks once the call has succeeded.
    fn set_limits(&self, limits: Limits);

    /// Makes a file ready to be uploaded. Call it early: the call runs again with the answer.
    ///
    /// # Errors
    /// The path is not allowed, nothing is there, the password is wrong, or it failed.
    fn prepare(&self, source: &Source, password: Option<&str>) -> Result<Prepared, PrepareError>;
    /// Begins the upload of a prepared file once the call has succeeded.
    fn upload_file(&self, request: &files::UploadRequest);
    /// Where a blob is, and its size. Call it early: the call runs again with the answer.
    ///
    /// # Errors
    /// The space cannot be reached.
    fn find_blob(&self, hash: &str) -> Result<Option<FoundBlob>, CloudError>;

    /// Subscribes `key` to the tasks that match, once the call has succeeded.
    fn subscribe(&self, key: &str, filter: Filter);

    /// Milliseconds since the epoch. The clock stands still during a call.
    fn now_ms(&self) -> i64;
    /// A new UUID v4 from the call's seed.
    fn new_id(&self) -> String;
}
