//! The context inside the host.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::bindings::cloud::{self, CloudError, Field, SyncReport};
use crate::bindings::files::{self, FoundBlob, PrepareError, Prepared, Source};
use crate::bindings::progress::{self, Filter};
use crate::bindings::storage::{self, KeyRange, Page, ScanOptions};
use crate::bindings::tasks::{self, Limits, Task, TaskChange};
use crate::bindings::transfer::{self, DownloadRefusal, DownloadRequest, UploadRequest};
use crate::context::Context;

/// The imports of the component.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostContext;

impl Context for HostContext {
    fn get(&self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        storage::get(table, key)
    }

    fn get_many(&self, table: &str, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        storage::get_many(table, keys)
    }

    fn scan(&self, table: &str, range: &KeyRange, options: &ScanOptions) -> Page {
        storage::scan(table, range, options)
    }

    fn put(&self, table: &str, key: &[u8], value: &[u8]) {
        storage::put(table, key, value);
    }

    fn delete(&self, table: &str, key: &[u8]) {
        storage::delete(table, key);
    }

    fn add(&self, table: &str, key: &[u8], delta: i64) {
        storage::add(table, key, delta);
    }

    fn counter(&self, table: &str, key: &[u8]) -> i64 {
        storage::counter(table, key)
    }

    fn download(&self, request: &DownloadRequest) -> Result<(), DownloadRefusal> {
        transfer::download(request)
    }

    fn upload(&self, request: &UploadRequest) {
        transfer::upload(request);
    }

    fn sync(&self) -> Result<SyncReport, CloudError> {
        cloud::sync()
    }

    fn check_password(&self, hash: &str, password: Option<&str>) -> Result<bool, CloudError> {
        cloud::check_password(hash, password)
    }

    fn total_bytes(&self) -> u64 {
        cloud::total_bytes()
    }

    fn put_row(&self, collection: &str, identity: &str, fields: &[Field]) {
        cloud::put_row(collection, identity, fields);
    }

    fn delete_row(&self, collection: &str, identity: &str) {
        cloud::delete_row(collection, identity);
    }

    fn delete_blob(&self, hash: &str) {
        cloud::delete_blob(hash);
    }

    fn change_task(&self, task_id: &str, change: TaskChange) -> bool {
        tasks::change(task_id, change)
    }

    fn change_tasks(&self, filter: tasks::Filter, change: TaskChange) -> u64 {
        tasks::change_all(filter, change)
    }

    fn list_tasks(&self, filter: tasks::Filter, newest_first: bool, skip: u64, limit: u32) -> Vec<Task> {
        tasks::list(filter, newest_first, skip, limit)
    }

    fn limits(&self) -> Limits {
        tasks::get_limits()
    }

    fn set_limits(&self, limits: Limits) {
        tasks::set_limits(limits);
    }

    fn prepare(&self, source: &Source, password: Option<&str>) -> Result<Prepared, PrepareError> {
        files::prepare(source, password)
    }

    fn upload_file(&self, request: &files::UploadRequest) {
        files::upload(request);
    }

    fn find_blob(&self, hash: &str) -> Result<Option<FoundBlob>, CloudError> {
        files::find_blob(hash)
    }

    fn subscribe(&self, key: &str, filter: Filter) {
        progress::subscribe(key, filter);
    }

    fn now_ms(&self) -> i64 {
        // A time before the epoch or past the year 292 million counts as the epoch.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|elapsed| i64::try_from(elapsed.as_millis()).ok())
            .unwrap_or(0)
    }

    fn new_id(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}
