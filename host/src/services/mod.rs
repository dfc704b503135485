//! What modules import: the cloud, the transfers and the feed.

mod convert;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use stowage_cloud::Cloud;
use stowage_logic::wit::{files, progress, tasks, transfer as wit};
use stowage_logic::{Answer, CloudChange, CloudFailure, Effect, Question, RowHooks, ServiceError, SyncCounts};
use stowage_storage::Transaction;
use stowage_transfer as transfer;
use stowage_transfer::{Feed, Transfers};

use crate::hooks::RowModules;

/// The host's services. Each is a cheap handle.
#[derive(Clone)]
pub struct Services {
    /// The cloud space.
    pub cloud: Cloud,
    /// Uploads and downloads.
    pub transfers: Transfers,
    /// The progress feed.
    pub feed: Feed,
}

impl stowage_logic::Services for Services {
    fn change(&self, transaction: &mut Transaction, change: CloudChange) -> Result<Effect, ServiceError> {
        let change = match change {
            CloudChange::PutRow {
                collection,
                identity,
                fields,
            } => stowage_cloud::SpaceChange::PutRow {
                collection,
                identity,
                fields,
            },
            CloudChange::DeleteRow { collection, identity } => {
                stowage_cloud::SpaceChange::DeleteRow { collection, identity }
            }
            CloudChange::DeleteBlob { hash } => stowage_cloud::SpaceChange::DeleteBlob {
                hash: hash
                    .parse()
                    .map_err(|error| ServiceError::failed(format!("the hash of a blob: {error}")))?,
            },
        };
        self.cloud.stage(transaction, &change).map_err(ServiceError::failed)?;
        Ok(Effect::CloudChanged)
    }

    fn total_bytes(&self, transaction: &mut Transaction) -> Result<u64, ServiceError> {
        self.cloud.total_bytes(transaction).map_err(ServiceError::failed)
    }

    fn download(
        &self,
        transaction: &mut Transaction,
        request: wit::DownloadRequest,
        now_ms: u64,
    ) -> Result<Result<Effect, wit::DownloadRefusal>, ServiceError> {
        let request = transfer::DownloadRequest {
            task_id: request.task_id,
            platform: request.platform,
            file: convert::file(request.file),
            directory: request.directory,
            password: request.password.map(transfer::Password::from),
        };
        let staged = self
            .transfers
            .stage_download(transaction, request, now_ms.cast_signed())
            .map_err(ServiceError::failed)?;
        Ok(match staged {
            Ok(staged) => Ok(self.start(staged)),
            Err(transfer::DownloadRefusal::Directory(error)) => Err(wit::DownloadRefusal::Directory(error.to_string())),
            Err(transfer::DownloadRefusal::TaskId(error)) => Err(wit::DownloadRefusal::TaskId(error.to_string())),
        })
    }

    fn upload(
        &self,
        transaction: &mut Transaction,
        request: wit::UploadRequest,
        now_ms: u64,
    ) -> Result<Effect, ServiceError> {
        let request = transfer::UploadRequest {
            platform: request.platform,
            file: convert::file(request.file),
            subject: request.subject,
        };
        let staged = self
            .transfers
            .stage_upload(transaction, request, now_ms.cast_signed())
            .map_err(ServiceError::failed)?;
        Ok(self.start(staged))
    }

    fn upload_file(
        &self,
        transaction: &mut Transaction,
        request: files::UploadRequest,
        now_ms: u64,
    ) -> Result<Effect, ServiceError> {
        let upload = convert::file_upload(request);
        let staged = self
            .transfers
            .stage_file_upload(transaction, upload, now_ms.cast_signed())
            .map_err(ServiceError::failed)?
            .map_err(ServiceError::failed)?;
        Ok(self.start(staged))
    }

    fn change_task(
        &self,
        transaction: &mut Transaction,
        task_id: &str,
        change: tasks::TaskChange,
    ) -> Result<Option<Effect>, ServiceError> {
        let staged = self
            .transfers
            .stage_change(transaction, task_id, convert::change(change))
            .map_err(ServiceError::failed)?;
        Ok(staged.map(|staged| self.start(staged)))
    }

    fn change_tasks(
        &self,
        transaction: &mut Transaction,
        filter: tasks::Filter,
        change: tasks::TaskChange,
    ) -> Result<(u64, Effect), ServiceError> {
        let filter = transfer::TaskFilter {
            status: None,
            ..convert::filter(filter)
        };
        let staged = self
            .transfers
            .stage_change_all(transaction, &filter, convert::change(change))
            .map_err(ServiceError::failed)?;
        let count = staged.len() as u64;
        let transfers = self.transfers.clone();
        let release = move || staged.into_iter().for_each(|staged| transfers.release(staged));
        Ok((count, Effect::Start(Box::new(release))))
    }

    fn limits(&self, transaction: &mut Transaction) -> Result<tasks::Limits, ServiceError> {
        let limits = self.transfers.limits(transaction).map_err(ServiceError::failed)?;
        Ok(tasks::Limits {
            download_bytes_per_second: limits.download_bytes_per_second,
            upload_bytes_per_second: limits.upload_bytes_per_second,
            max_downloads: limits.max_downloads,
            max_uploads: limits.max_uploads,
        })
    }

    fn set_limits(&self, transaction: &mut Transaction, limits: tasks::Limits) -> Result<Effect, ServiceError> {
        let limits = transfer::Limits {
            download_bytes_per_second: limits.download_bytes_per_second,
            upload_bytes_per_second: limits.upload_bytes_per_second,
            max_downloads: limits.max_downloads,
            max_uploads: limits.max_uploads,
        };
        let staged = self
            .transfers
            .stage_limits(transaction, limits)
            .map_err(ServiceError::failed)?;
        Ok(self.start(staged))
    }

    fn answer<'a>(&'a self, hooks: &'a dyn RowHooks, question: &'a Question) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            match question {
                Question::Sync => Answer::Sync(
                    self.cloud
                        .sync(&RowModules(hooks))
                        .await
                        .map(|report| SyncCounts {
                            segments: report.segments,
                            upserts: report.upserts,
                            removals: report.removals,
                            skipped: report.skipped,
                        })
                        .map_err(cloud_failure),
                ),
                Question::Password { hash, password } => Answer::Password(match hash.parse() {
                    Ok(hash) => self
                        .cloud
                        .check_password(&hash, password.as_deref())
                        .await
                        .map_err(cloud_failure),
                    Err(_) => Err(CloudFailure::Missing(format!("blob {hash}"))),
                }),
                Question::Tasks {
                    filter,
                    newest_first,
                    skip,
                    limit,
                } => {
                    let filter = convert::filter(*filter);
                    let skip = usize::try_from(*skip).unwrap_or(usize::MAX);
                    let rows = self.transfers.list(&filter, *newest_first, skip, *limit as usize);
                    Answer::Tasks(rows.into_iter().map(convert::task).collect())
                }
                Question::Prepare { source, password } => {
                    let source = convert::source(source.clone());
                    let password = password.clone().map(transfer::Password::from);
                    let prepared = self.transfers.prepare(source, password).await;
                    Answer::Prepare(prepared.map(convert::prepared).map_err(convert::prepare_error))
                }
                Question::FindBlob { hash } => {
                    let found = self.transfers.find_blob(hash).await;
                    let found = found.map(|found| {
                        found.map(|transfer::FoundBlob { size, in_space }| files::FoundBlob { size, in_space })
                    });
                    Answer::FindBlob(found.map_err(cloud_failure))
                }
            }
        })
    }

    fn cloud_changed(&self) {
        self.cloud.wake();
    }

    fn subscribe(&self, key: &str, filter: progress::Filter) {
        let filter = transfer::Filter {
            direction: convert::direction(filter.direction),
            platform: filter.platform,
            status: filter.status,
        };
        if let Err(error) = self.feed.subscribe(key, filter) {
            tracing::warn!(%error, "a subscription to the feed was refused");
        }
    }
}

impl Services {
    fn start(&self, staged: transfer::Staged) -> Effect {
        let transfers = self.transfers.clone();
        Effect::Start(Box::new(move || transfers.release(staged)))
    }

    /// The services for [`Logic::new`].
    pub fn shared(&self) -> Arc<dyn stowage_logic::Services> {
        Arc::new(self.clone())
    }
}

fn cloud_failure(error: stowage_cloud::Error) -> CloudFailure {
    use stowage_cloud::Error;
    let text = error.to_string();
    match error {
        Error::Missing { object } => CloudFailure::Missing(object),
        Error::Malformed { .. }
        | Error::NewerFormat { .. }
        | Error::Mismatch { .. }
        | Error::TooMuchWork { .. }
        | Error::TooManyAttempts { .. } => CloudFailure::Malformed(text),
        _ => CloudFailure::Unreachable(text),
    }
}
