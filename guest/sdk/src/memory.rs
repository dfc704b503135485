//! The context of unit tests: storage in memory, scripted answers, recorded effects.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::bindings::cloud::{CloudError, Field, SyncReport};
use crate::bindings::files::{self, FoundBlob, PrepareError, Prepared, Source};
use crate::bindings::progress::Filter;
use crate::bindings::storage::{Entry, KeyRange, Page, ScanOptions};
use crate::bindings::tasks::{self, Limits, Task, TaskChange};
use crate::bindings::transfer::{DownloadRefusal, DownloadRequest, UploadRequest};
use crate::context::Context;
use crate::key::MAX_KEY_BYTES;

const MAX_VALUE_BYTES: usize = 8 << 20;
const MAX_GET_MANY: usize = 10_000;
const MAX_SCAN: u32 = 10_000;
const MAX_PAGE_BYTES: usize = 4 << 20;

/// An effect that a call asked for.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the parameters of the functions of `Context`")]
pub enum Effect {
    /// `transfer.download`.
    Download(DownloadRequest),
    /// `transfer.upload`.
    Upload(UploadRequest),
    /// `files.upload`.
    UploadFile(files::UploadRequest),
    /// `tasks.change`.
    ChangeTask { task_id: String, change: TaskChange },
    /// `tasks.change-all`.
    ChangeTasks { filter: tasks::Filter, change: TaskChange },
    /// `tasks.set-limits`.
    SetLimits(Limits),
    /// `cloud.put-row`.
    PutRow {
        collection: String,
        identity: String,
        fields: Vec<Field>,
    },
    /// `cloud.delete-row`.
    DeleteRow { collection: String, identity: String },
    /// `cloud.delete-blob`.
    DeleteBlob(String),
    /// `progress.subscribe`.
    Subscribe { key: String, filter: Filter },
}

#[derive(Debug, Clone, PartialEq)]
enum Stored {
    Value(Vec<u8>),
    Counter(i64),
}

type Tables = BTreeMap<String, BTreeMap<Vec<u8>, Stored>>;

/// A context in memory. It panics where the host would trap: a key or value too large, a bad table
/// name, a counter used as a value. One [`call`](Self::call) is one transaction, as in the host.
#[derive(Debug)]
pub struct MemoryContext {
    tables: RefCell<Tables>,
    effects: RefCell<Vec<Effect>>,
    host_calls: Cell<u64>,
    entries_read: Cell<u64>,
    ids: Cell<u128>,
    now_ms: Cell<i64>,
    total_bytes: Cell<u64>,
    sync: RefCell<Result<SyncReport, CloudError>>,
    passwords: RefCell<BTreeMap<String, Result<String, CloudError>>>,
    download: RefCell<Result<(), DownloadRefusal>>,
    tasks: RefCell<Vec<Task>>,
    limits: Cell<Limits>,
    prepared: RefCell<BTreeMap<String, Result<Prepared, PrepareError>>>,
    blobs: RefCell<BTreeMap<String, FoundBlob>>,
}

/// No limit.
const NO_LIMITS: Limits = Limits {
    download_bytes_per_second: 0,
    upload_bytes_per_second: 0,
    max_downloads: 0,
    max_uploads: 0,
};

impl Default for MemoryContext {
    fn default() -> Self {
        Self {
            tables: RefCell::default(),
            effects: RefCell::default(),
            host_calls: Cell::default(),
            entries_read: Cell::default(),
            ids: Cell::default(),
            now_ms: Cell::new(1_744_104_587_216),
            total_bytes: Cell::new(10 << 30),
            sync: RefCell::new(Ok(SyncReport {
                segments: 0,
                upserts: 0,
                removals: 0,
                skipped: 0,
            })),
            passwords: RefCell::default(),
            download: RefCell::new(Ok(())),
            tasks: RefCell::default(),
            limits: Cell::new(NO_LIMITS),
            prepared: RefCell::default(),
            blobs: RefCell::default(),
        }
    }
}

impl MemoryContext {
    /// An empty storage, a space of 10 GiB, and a clock that stands still at 2025-04-08.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a call as one transaction. After an error, its writes and effects are dropped.
    ///
    /// # Errors
    /// The errors of `call`.
    pub fn call<T, E>(&self, call: impl FnOnce(&dyn Context) -> Result<T, E>) -> Result<T, E> {
        let tables = self.tables.borrow().clone();
        let effects = self.effects.borrow().len();
        let result = call(self);
        if result.is_err() {
            *self.tables.borrow_mut() = tables;
            self.effects.borrow_mut().truncate(effects);
        }
        result
    }

    /// Sets the clock, in milliseconds since the epoch.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.now_ms.set(now_ms);
    }

    /// Sets the size of the space.
    pub fn set_total_bytes(&self, bytes: u64) {
        self.total_bytes.set(bytes);
    }

    /// Sets the answer of a sync.
    pub fn set_sync(&self, answer: Result<SyncReport, CloudError>) {
        *self.sync.borrow_mut() = answer;
    }

    /// Sets the password of a protected blob, or the error of a check. Without this, the blob is
    /// missing.
    pub fn set_password(&self, hash: &str, password: Result<&str, CloudError>) {
        self.passwords
            .borrow_mut()
            .insert(hash.to_owned(), password.map(str::to_owned));
    }

    /// Sets the answer of a download.
    pub fn set_download(&self, answer: Result<(), DownloadRefusal>) {
        *self.download.borrow_mut() = answer;
    }

    /// Adds a task. It can be listed and changed; the changes are effects, and the task stays as it
    /// is.
    pub fn add_task(&self, task: Task) {
        self.tasks.borrow_mut().push(task);
    }

    /// Sets what becomes of a file, by its path, or of a blob, by its hash, when it is prepared.
    /// Without this, it is missing.
    pub fn set_prepared(&self, path_or_hash: &str, prepared: Result<Prepared, PrepareError>) {
        self.prepared.borrow_mut().insert(path_or_hash.to_owned(), prepared);
    }

    /// Adds a blob, in the space or on this machine only.
    pub fn add_blob(&self, hash: &str, size: u64, in_space: bool) {
        let found = FoundBlob { size, in_space };
        self.blobs.borrow_mut().insert(hash.to_owned(), found);
    }

    /// The effects since the last call of this function.
    pub fn take_effects(&self) -> Vec<Effect> {
        self.effects.take()
    }

    /// The number of host calls, and of entries that scans returned, since the last call of this
    /// function.
    pub fn take_costs(&self) -> (u64, u64) {
        (self.host_calls.take(), self.entries_read.take())
    }

    /// All stored keys and values as text. Two contexts with equal dumps have the same contents. A
    /// counter at 0 is left out, because it equals an absent one.
    pub fn dump(&self) -> Vec<String> {
        let tables = self.tables.borrow();
        let rows = tables
            .iter()
            .flat_map(|(table, rows)| rows.iter().map(move |(key, value)| (table, key, value)));
        rows.filter(|(_, _, value)| **value != Stored::Counter(0))
            .map(|(table, key, value)| match value {
                Stored::Counter(count) => format!("{table} {} = {count}", key.escape_ascii()),
                Stored::Value(value) => format!("{table} {} = {}", key.escape_ascii(), value.escape_ascii()),
            })
            .collect()
    }

    /// The keys of a table, in order.
    pub fn keys(&self, table: &str) -> Vec<Vec<u8>> {
        self.tables
            .borrow()
            .get(table)
            .map(|rows| rows.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.tables.borrow().values().all(BTreeMap::is_empty)
    }

    fn record_effect(&self, effect: Effect) {
        self.count_host_call();
        self.effects.borrow_mut().push(effect);
    }

    fn count_host_call(&self) {
        self.host_calls.set(self.host_calls.get() + 1);
    }

    fn check_key(&self, table: &str, key: &[u8]) {
        self.count_host_call();
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(
            (1..=64).contains(&table.len()) && table.bytes().all(is_name),
            "trap: table {table:?}"
        );
        assert!(
            (1..=MAX_KEY_BYTES).contains(&key.len()),
            "trap: a key of {} bytes in {table}",
            key.len()
        );
    }

    fn read(&self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        match self.tables.borrow().get(table)?.get(key)? {
            Stored::Value(value) => Some(value.clone()),
            Stored::Counter(_) => panic!("trap: {table} {} is a counter", key.escape_ascii()),
        }
    }
}

impl Context for MemoryContext {
    fn get(&self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.check_key(table, key);
        self.read(table, key)
    }

    fn get_many(&self, table: &str, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        assert!(keys.len() <= MAX_GET_MANY, "trap: {} keys", keys.len());
        let values = keys.iter().map(|key| {
            assert!(
                (1..=MAX_KEY_BYTES).contains(&key.len()),
                "trap: a key of {} bytes",
                key.len()
            );
            self.read(table, key)
        });
        self.count_host_call();
        values.collect()
    }

    fn scan(&self, table: &str, range: &KeyRange, options: &ScanOptions) -> Page {
        for bound in [&range.start, &range.end].into_iter().flatten() {
            // The start after the longest key is one zero byte longer than it.
            assert!(
                (1..=MAX_KEY_BYTES + 1).contains(&bound.len()),
                "trap: a bound of {} bytes",
                bound.len()
            );
        }
        self.count_host_call();
        let tables = self.tables.borrow();
        let empty = BTreeMap::new();
        let rows = tables.get(table).unwrap_or(&empty);
        let start = range.start.clone().map_or(Bound::Unbounded, Bound::Included);
        let end = range.end.clone().map_or(Bound::Unbounded, Bound::Excluded);
        if matches!((&range.start, &range.end), (Some(start), Some(end)) if start >= end) {
            return Page {
                entries: Vec::new(),
                cursor: None,
            };
        }
        let inside = rows.range((start, end));
        let inside: &mut dyn Iterator<Item = _> = if options.reverse {
            &mut inside.rev()
        } else {
            &mut { inside }
        };
        let needle = options.contains.as_deref().unwrap_or_default();
        let mut page = Page {
            entries: Vec::new(),
            cursor: None,
        };
        let (mut skipped, mut bytes) = (0, 0);
        if options.limit == 0 {
            return page;
        }
        for (key, value) in inside {
            let Stored::Value(value) = value else {
                panic!("trap: a scan over counters in {table}")
            };
            if !needle.is_empty() && !value.windows(needle.len()).any(|part| part == needle) {
                continue;
            }
            if skipped < options.skip {
                skipped += 1;
                continue;
            }
            let value = if options.keys_only { Vec::new() } else { value.clone() };
            bytes += key.len() + value.len();
            page.entries.push(Entry {
                key: key.clone(),
                value,
            });
            if page.entries.len() == options.limit.min(MAX_SCAN) as usize || bytes >= MAX_PAGE_BYTES {
                page.cursor = Some(key.clone());
                break;
            }
        }
        self.entries_read
            .set(self.entries_read.get() + page.entries.len() as u64);
        page
    }

    fn put(&self, table: &str, key: &[u8], value: &[u8]) {
        self.check_key(table, key);
        assert!(value.len() <= MAX_VALUE_BYTES, "trap: a value of {} bytes", value.len());
        self.tables
            .borrow_mut()
            .entry(table.to_owned())
            .or_default()
            .insert(key.to_vec(), Stored::Value(value.to_vec()));
    }

    fn delete(&self, table: &str, key: &[u8]) {
        self.check_key(table, key);
        if let Some(rows) = self.tables.borrow_mut().get_mut(table) {
            rows.remove(key);
        }
    }

    fn add(&self, table: &str, key: &[u8], delta: i64) {
        self.check_key(table, key);
        let mut tables = self.tables.borrow_mut();
        let rows = tables.entry(table.to_owned()).or_default();
        match rows.entry(key.to_vec()).or_insert(Stored::Counter(0)) {
            Stored::Counter(count) => *count = count.wrapping_add(delta),
            Stored::Value(_) => panic!("trap: {table} {} is a value", key.escape_ascii()),
        }
    }

    fn counter(&self, table: &str, key: &[u8]) -> i64 {
        self.check_key(table, key);
        match self.tables.borrow().get(table).and_then(|rows| rows.get(key)) {
            None => 0,
            Some(Stored::Counter(count)) => *count,
            Some(Stored::Value(_)) => panic!("trap: {table} {} is a value", key.escape_ascii()),
        }
    }

    fn download(&self, request: &DownloadRequest) -> Result<(), DownloadRefusal> {
        self.download.borrow().clone()?;
        self.record_effect(Effect::Download(request.clone()));
        Ok(())
    }

    fn upload(&self, request: &UploadRequest) {
        self.record_effect(Effect::Upload(request.clone()));
    }

    fn sync(&self) -> Result<SyncReport, CloudError> {
        self.sync.borrow().clone()
    }

    fn check_password(&self, hash: &str, password: Option<&str>) -> Result<bool, CloudError> {
        match self.passwords.borrow().get(hash) {
            Some(Ok(right)) => Ok(password == Some(right)),
            Some(Err(error)) => Err(error.clone()),
            None => Err(CloudError::Missing(hash.to_owned())),
        }
    }

    fn total_bytes(&self) -> u64 {
        self.total_bytes.get()
    }

    fn put_row(&self, collection: &str, identity: &str, fields: &[Field]) {
        let (collection, identity) = (collection.to_owned(), identity.to_owned());
        self.record_effect(Effect::PutRow {
            collection,
            identity,
            fields: fields.to_vec(),
        });
    }

    fn delete_row(&self, collection: &str, identity: &str) {
        self.record_effect(Effect::DeleteRow {
            collection: collection.to_owned(),
            identity: identity.to_owned(),
        });
    }

    fn delete_blob(&self, hash: &str) {
        self.record_effect(Effect::DeleteBlob(hash.to_owned()));
    }

    fn change_task(&self, task_id: &str, change: TaskChange) -> bool {
        let known = self.tasks.borrow().iter().any(|task| task.task_id == task_id);
        if known {
            self.record_effect(Effect::ChangeTask {
                task_id: task_id.to_owned(),
                change,
            });
        }
        known
    }

    fn change_tasks(&self, filter: tasks::Filter, change: TaskChange) -> u64 {
        self.record_effect(Effect::ChangeTasks { filter, change });
        let any_status = tasks::Filter { status: None, ..filter };
        self.tasks
            .borrow()
            .iter()
            .filter(|task| matches(&any_status, task))
            .count() as u64
    }

    fn list_tasks(&self, filter: tasks::Filter, newest_first: bool, skip: u64, limit: u32) -> Vec<Task> {
        self.count_host_call();
        let tasks = self.tasks.borrow();
        let mut found: Vec<&Task> = tasks.iter().filter(|task| matches(&filter, task)).collect();
        if newest_first {
            found.reverse();
        }
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        found.into_iter().skip(skip).take(limit as usize).cloned().collect()
    }

    fn limits(&self) -> Limits {
        self.count_host_call();
        self.limits.get()
    }

    fn set_limits(&self, limits: Limits) {
        self.limits.set(limits);
        self.record_effect(Effect::SetLimits(limits));
    }

    fn prepare(&self, source: &Source, _: Option<&str>) -> Result<Prepared, PrepareError> {
        self.count_host_call();
        let name = match source {
            Source::Path(path) => path,
            Source::Blob(blob) => &blob.hash,
        };
        self.prepared
            .borrow()
            .get(name)
            .cloned()
            .unwrap_or(Err(PrepareError::Missing))
    }

    fn upload_file(&self, request: &files::UploadRequest) {
        self.record_effect(Effect::UploadFile(request.clone()));
    }

    fn find_blob(&self, hash: &str) -> Result<Option<FoundBlob>, CloudError> {
        self.count_host_call();
        Ok(self.blobs.borrow().get(hash).copied())
    }

    fn subscribe(&self, key: &str, filter: Filter) {
        self.record_effect(Effect::Subscribe {
            key: key.to_owned(),
            filter,
        });
    }

    fn now_ms(&self) -> i64 {
        self.now_ms.get()
    }

    fn new_id(&self) -> String {
        let id = self.ids.get() + 1;
        self.ids.set(id);
        uuid::Builder::from_random_bytes(id.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C834).to_be_bytes())
            .into_uuid()
            .to_string()
    }
}

fn matches(filter: &tasks::Filter, task: &Task) -> bool {
    filter.direction.is_none_or(|direction| direction == task.direction)
        && filter.platform.is_none_or(|platform| platform == task.platform)
        && filter.status.is_none_or(|status| status == task.status)
}
