//! What modules import: the cloud, the transfers and the feed.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use stowage_cloud::Cloud;
use stowage_logic::wit::{progress, transfer as wit};
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
            file: file(request.file),
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
            file: file(request.file),
            subject: request.subject,
        };
        let staged = self
            .transfers
            .stage_upload(transaction, request, now_ms.cast_signed())
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
            }
        })
    }

    fn cloud_changed(&self) {
        self.cloud.wake();
    }

    fn subscribe(&self, key: &str, filter: progress::Filter) {
        let filter = transfer::Filter {
            direction: match filter.direction {
                wit::Direction::Upload => transfer::Direction::Upload,
                wit::Direction::Download => transfer::Direction::Download,
            },
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

fn file(file: wit::File) -> transfer::File {
    transfer::File {
        hash: file.hash,
        name: file.name,
        ext: file.ext,
        thumb: file.thumb,
        size: file.size,
        path: file.path,
        protected: file.protected,
    }
}

fn cloud_failure(error: stowage_cloud::Error) -> CloudFailure {
    use stowage_cloud::Error;
    let text = error.to_string();
    match error {
        Error::Missing { object } => CloudFailure::Missing(object),
        Error::Malformed { .. } | Error::NewerFormat { .. } | Error::Mismatch { .. } => CloudFailure::Malformed(text),
        _ => CloudFailure::Unreachable(text),
    }
}
