//! The scripted cloud and transfers of a test.

use std::collections::{BTreeMap, VecDeque};

use futures_util::future::BoxFuture;
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use stowage_logic::wit::files::{self, FoundBlob, PrepareError, Prepared, Source};
use stowage_logic::wit::progress::Filter;
use stowage_logic::wit::tasks::{self, Limits, Task};
use stowage_logic::wit::transfer::{DownloadRefusal, DownloadRequest, UploadRequest};
use stowage_logic::{
    Answer, CloudChange, CloudFailure, Effect, Question, RowHooks, ServiceError, Services, SyncCounts,
};
use stowage_storage::Transaction;

use crate::collection;

/// The size of the space until a test sets another: 10 GiB.
const TOTAL_BYTES: u64 = 10 << 30;

/// The limits of the tasks until a module sets others.
const NO_LIMITS: Limits = Limits {
    download_bytes_per_second: 0,
    upload_bytes_per_second: 0,
    max_downloads: 0,
    max_uploads: 0,
};

/// The script that the cloud and the transfers follow.
///
/// An empty script: a sync finds nothing new, every blob and every file is missing, every transfer
/// is accepted, there is no task and no limit, and the space has 10 GiB.
#[derive(Debug, Default)]
pub struct Script(Mutex<Scripted>);

#[derive(Debug, Default)]
struct Scripted {
    sync: Option<Result<SyncCounts, CloudFailure>>,
    rows: VecDeque<(String, Vec<Value>)>,
    passwords: BTreeMap<String, Result<String, CloudFailure>>,
    total_bytes: Option<u64>,
    refusals: VecDeque<DownloadRefusal>,
    broken: Option<String>,
    subscriptions: Vec<String>,
    tasks: Vec<Task>,
    limits: Option<Limits>,
    blobs: BTreeMap<String, FoundBlob>,
    prepared: BTreeMap<String, Result<Prepared, PrepareError>>,
}

impl Script {
    /// Sets the answer of every later sync.
    pub fn sync(&self, answer: Result<SyncCounts, CloudFailure>) -> &Script {
        self.0.lock().sync = Some(answer);
        self
    }

    /// Adds rows of a collection to the next sync, which hands them to the module that keeps the
    /// collection. Unless [`Script::sync`] has set an answer, the answer of the sync counts them.
    pub fn sync_brings(&self, collection: &str, rows: impl IntoIterator<Item = Value>) -> &Script {
        self.0
            .lock()
            .rows
            .push_back((collection.to_owned(), rows.into_iter().collect()));
        self
    }

    /// Adds a protected blob, by its hash, that this password opens.
    pub fn password(&self, hash: &str, password: &str) -> &Script {
        self.0.lock().passwords.insert(hash.to_owned(), Ok(password.to_owned()));
        self
    }

    /// Makes the check of this blob's password fail.
    pub fn password_fails(&self, hash: &str, failure: CloudFailure) -> &Script {
        self.0.lock().passwords.insert(hash.to_owned(), Err(failure));
        self
    }

    /// Sets the size of the space, in bytes.
    pub fn total_bytes(&self, bytes: u64) -> &Script {
        self.0.lock().total_bytes = Some(bytes);
        self
    }

    /// Refuses the next download. Several refusals are used in their order.
    pub fn refuse_download(&self, refusal: DownloadRefusal) -> &Script {
        self.0.lock().refusals.push_back(refusal);
        self
    }

    /// Makes every later request to the cloud and the transfers end its call, as when storage
    /// fails. `None` repairs them.
    pub fn break_services(&self, reason: Option<&str>) -> &Script {
        self.0.lock().broken = reason.map(str::to_owned);
        self
    }

    /// The keys of the feed that calls have subscribed, in their order.
    pub fn subscriptions(&self) -> Vec<String> {
        self.0.lock().subscriptions.clone()
    }

    /// Adds a task of the transfers. A module can list and change it; the script does not follow
    /// the changes, which are in [`take_requests`](crate::Kit::take_requests).
    pub fn task(&self, task: Task) -> &Script {
        self.0.lock().tasks.push(task);
        self
    }

    /// Adds a blob of the space, by its hash, and its size in bytes.
    pub fn blob(&self, hash: &str, size: u64) -> &Script {
        let found = FoundBlob { size, in_space: true };
        self.0.lock().blobs.insert(hash.to_owned(), found);
        self
    }

    /// Sets what becomes of a file, by its path, or of a blob, by its hash, when a module prepares
    /// it for an upload.
    pub fn prepares(&self, path_or_hash: &str, prepared: Result<Prepared, PrepareError>) -> &Script {
        self.0.lock().prepared.insert(path_or_hash.to_owned(), prepared);
        self
    }

    fn working(&self) -> Result<MutexGuard<'_, Scripted>, ServiceError> {
        let lines = self.0.lock();
        match &lines.broken {
            Some(reason) => Err(ServiceError::Unavailable(reason.clone())),
            None => Ok(lines),
        }
    }

    async fn answer_sync(&self, hooks: &dyn RowHooks) -> Result<SyncCounts, CloudFailure> {
        let rows: Vec<_> = self.0.lock().rows.drain(..).collect();
        let mut counts = SyncCounts::default();
        for (collection, rows) in rows {
            collection::apply(hooks, &collection, &rows, &[])
                .await
                .map_err(|error| CloudFailure::Malformed(error.to_string()))?;
            counts.segments += 1;
            counts.upserts += u32::try_from(rows.len()).unwrap_or(u32::MAX);
        }
        self.0.lock().sync.clone().unwrap_or(Ok(counts))
    }

    fn answer_password(&self, hash: &str, password: Option<&str>) -> Result<bool, CloudFailure> {
        match self.0.lock().passwords.get(hash) {
            Some(Ok(right)) => Ok(password == Some(right)),
            Some(Err(failure)) => Err(failure.clone()),
            None => Err(CloudFailure::Missing(format!("blob {hash}"))),
        }
    }
}

impl Scripted {
    fn matching(&self, filter: tasks::Filter) -> impl DoubleEndedIterator<Item = &Task> {
        self.tasks.iter().filter(move |task| {
            filter.direction.is_none_or(|direction| direction == task.direction)
                && filter.platform.is_none_or(|platform| platform == task.platform)
                && filter.status.is_none_or(|status| status == task.status)
        })
    }

    fn list(&self, filter: tasks::Filter, newest_first: bool, skip: u64, limit: u32) -> Vec<Task> {
        let mut found: Vec<Task> = self.matching(filter).cloned().collect();
        if newest_first {
            found.reverse();
        }
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        found.into_iter().skip(skip).take(limit as usize).collect()
    }

    fn prepare(&self, source: &Source) -> Result<Prepared, PrepareError> {
        let name = match source {
            Source::Path(path) => path,
            Source::Blob(blob) => &blob.hash,
        };
        self.prepared.get(name).cloned().unwrap_or(Err(PrepareError::Missing))
    }
}

impl Services for Script {
    fn change(&self, _: &mut Transaction, _: CloudChange) -> Result<Effect, ServiceError> {
        self.working().map(|_| Effect::CloudChanged)
    }

    fn total_bytes(&self, _: &mut Transaction) -> Result<u64, ServiceError> {
        self.working().map(|lines| lines.total_bytes.unwrap_or(TOTAL_BYTES))
    }

    fn download(
        &self,
        _: &mut Transaction,
        _: DownloadRequest,
        _: u64,
    ) -> Result<Result<Effect, DownloadRefusal>, ServiceError> {
        let refusal = self.working()?.refusals.pop_front();
        Ok(match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(Effect::Start(Box::new(|| {}))),
        })
    }

    fn upload(&self, _: &mut Transaction, _: UploadRequest, _: u64) -> Result<Effect, ServiceError> {
        self.working().map(|_| Effect::Start(Box::new(|| {})))
    }

    fn upload_file(&self, _: &mut Transaction, _: files::UploadRequest, _: u64) -> Result<Effect, ServiceError> {
        self.working().map(|_| Effect::Start(Box::new(|| {})))
    }

    fn change_task(
        &self,
        _: &mut Transaction,
        task_id: &str,
        _: tasks::TaskChange,
    ) -> Result<Option<Effect>, ServiceError> {
        let known = self.working()?.tasks.iter().any(|task| task.task_id == task_id);
        Ok(known.then(|| Effect::Start(Box::new(|| {}))))
    }

    fn change_tasks(
        &self,
        _: &mut Transaction,
        filter: tasks::Filter,
        _: tasks::TaskChange,
    ) -> Result<(u64, Effect), ServiceError> {
        let any_status = tasks::Filter { status: None, ..filter };
        let count = self.working()?.matching(any_status).count() as u64;
        Ok((count, Effect::Start(Box::new(|| {}))))
    }

    fn limits(&self, _: &mut Transaction) -> Result<Limits, ServiceError> {
        Ok(self.working()?.limits.unwrap_or(NO_LIMITS))
    }

    fn set_limits(&self, _: &mut Transaction, limits: Limits) -> Result<Effect, ServiceError> {
        self.working()?.limits = Some(limits);
        Ok(Effect::Start(Box::new(|| {})))
    }

    fn answer<'a>(&'a self, hooks: &'a dyn RowHooks, question: &'a Question) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            match question {
                Question::Sync => Answer::Sync(self.answer_sync(hooks).await),
                Question::Password { hash, password } => {
                    Answer::Password(self.answer_password(hash, password.as_deref()))
                }
                Question::Tasks {
                    filter,
                    newest_first,
                    skip,
                    limit,
                } => Answer::Tasks(self.0.lock().list(*filter, *newest_first, *skip, *limit)),
                Question::Prepare { source, .. } => Answer::Prepare(self.0.lock().prepare(source)),
                Question::FindBlob { hash } => Answer::FindBlob(Ok(self.0.lock().blobs.get(hash).copied())),
            }
        })
    }

    fn cloud_changed(&self) {}

    fn subscribe(&self, key: &str, _: Filter) {
        self.0.lock().subscriptions.push(key.to_owned());
    }
}
