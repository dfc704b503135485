//! Stores a blob from a file. In a store that takes parts, this continues after a crash.
//!
//! After each part, the caller keeps what was sent ([`UploadState`]). A later attempt reads and
//! hashes the whole file again, and sends the parts that are missing. The object appears after the
//! last part, and only if the hash of the file is right.

use std::io::Seek as _;
use std::sync::Arc;

use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use tokio::fs::File;
use tokio::io::AsyncSeekExt as _;
use tokio::task::{JoinError, JoinSet};

use crate::blob::{BlobSource, PART_BYTES, PARTS_AT_ONCE, part_bytes, path};
use crate::redaction::redacted;
use crate::store_failure::is_rejected;
use crate::upload_state::{PartUpload, UploadState};
use crate::{Error, Hash, Put, Space, native_copy};

/// Why an attempt failed.
enum Failure {
    /// What was sent so far is of no use: the store forgot it, or the file was changed.
    Useless(Error),
    /// What was sent so far counts.
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Mismatch { .. } => Failure::Useless(error),
            error => Failure::Other(error),
        }
    }
}

impl Space {
    /// Stores a blob: the `size` bytes of a file, whose SHA-256 is `hash`. If the file has other
    /// bytes, nothing is stored. After success the blob is durable. A blob that is there already is
    /// not sent again. After an error or a crash, a call with the same state continues.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the file has other bytes, [`Error::Local`] if it cannot be read,
    /// [`Error::Storage`] if the state cannot be kept, [`Error::TooLarge`], [`Error::Unreachable`].
    pub async fn put_file(
        &self,
        mut file: std::fs::File,
        hash: &Hash,
        size: u64,
        state: &dyn UploadState,
    ) -> Result<Put, Error> {
        self.check_in_place().await?;
        file.rewind().map_err(|error| Error::local(path(hash), error))?;
        if self.head_blob(hash).await?.is_some_and(|info| info.size == size) {
            self.end_upload(hash, state).await?;
            state.progressed(size);
            return Ok(Put::Present);
        }
        if let Some(directory) = self.directory() {
            let put = native_copy::run(self, directory, file, hash, size, state).await;
            return put.map(|()| Put::Stored);
        }
        let file = File::from_std(file);
        match self.objects().multipart() {
            Some(multipart) if size > PART_BYTES => self.put_parts(multipart, file, hash, size, state).await?,
            _ => {
                self.put_source(BlobSource::new(file, hash, size, Some(state))).await?;
                // If the file was larger before, there is one.
                self.end_upload(hash, state).await?;
            }
        }
        Ok(Put::Stored)
    }

    /// Ends an upload that [`Space::put_file`] began and that nobody will continue. The store drops
    /// the parts that it has. If it cannot be reached, it drops them by its own rules.
    pub async fn abort_upload(&self, hash: &Hash, upload: &PartUpload) {
        let object = path(hash);
        if let (Some(multipart), Ok(location)) = (self.objects().multipart(), Path::parse(&object))
            && let Err(error) = multipart.abort_multipart(&location, upload.upload_id()).await
        {
            let error = redacted(&error.to_string());
            tracing::debug!(object, error, "parts of an upload stay in the store");
        }
    }

    async fn end_upload(&self, hash: &Hash, state: &dyn UploadState) -> Result<(), Error> {
        let Some(upload) = state.load() else { return Ok(()) };
        self.abort_upload(hash, &upload).await;
        save(state, None).await
    }

    async fn put_parts(
        &self,
        multipart: &Arc<dyn MultipartStore>,
        mut file: File,
        hash: &Hash,
        size: u64,
        state: &dyn UploadState,
    ) -> Result<(), Error> {
        let object = path(hash);
        let target = Target {
            location: Path::parse(&object).map_err(|error| Error::malformed(&object, error))?,
            object,
            multipart: Arc::clone(multipart),
            state,
        };
        let mut begun = state.load();
        if begun.as_ref().is_some_and(|upload| !upload.fits(size)) {
            self.end_upload(hash, state).await?;
            begun = None;
        }
        loop {
            file.rewind()
                .await
                .map_err(|error| Error::local(&target.object, error))?;
            let source = BlobSource::new(&mut file, hash, size, Some(state));
            let continues = begun.is_some();
            match target.send(source, begun.take()).await {
                Ok(()) => return save(state, None).await,
                Err(Failure::Other(error)) => return Err(error),
                Err(Failure::Useless(error)) => {
                    self.end_upload(hash, state).await?;
                    if !continues || matches!(error, Error::Mismatch { .. }) {
                        return Err(error);
                    }
                    tracing::info!(object = target.object, %error, "an upload starts again");
                }
            }
        }
    }
}

/// The object that is sent in parts.
struct Target<'a> {
    location: Path,
    object: String,
    multipart: Arc<dyn MultipartStore>,
    state: &'a dyn UploadState,
}

/// A part that is being sent: its number, the hash up to its end, and what the store said.
type Sent = (u64, Hash, object_store::Result<PartId>);

impl Target<'_> {
    /// Sends the parts that are missing, and completes the object.
    async fn send(&self, mut source: BlobSource<'_, &mut File>, begun: Option<PartUpload>) -> Result<(), Failure> {
        let size = source.size();
        let mut upload = match begun {
            Some(upload) => upload,
            None => self.begin(size).await?,
        };
        source.begin_at(upload.sent_bytes(size));
        // Dropped with this future, it stops what is under way.
        let mut under_way: JoinSet<Sent> = JoinSet::new();
        for number in 0.. {
            while let Some(sent) = under_way.try_join_next() {
                self.keep(sent, &mut upload).await?;
            }
            let to_send = !upload.has_number(number);
            let part = source.next(&self.object, upload.part_bytes(), to_send).await?;
            if part.is_empty() || source.is_too_long() {
                break;
            }
            let up_to_its_end = source.hash_so_far();
            if !to_send {
                let same = upload.check(number, &up_to_its_end);
                same.map_err(|error| Failure::Useless(Error::unreachable(&self.object, error)))?;
                continue;
            }
            let (multipart, location) = (Arc::clone(&self.multipart), self.location.clone());
            let (id, index) = (
                upload.upload_id().clone(),
                usize::try_from(number).unwrap_or(usize::MAX),
            );
            under_way.spawn(async move {
                let sent = multipart.put_part(&location, &id, index, part.into()).await;
                (number, up_to_its_end, sent)
            });
            if under_way.len() >= PARTS_AT_ONCE
                && let Some(sent) = under_way.join_next().await
            {
                self.keep(sent, &mut upload).await?;
            }
        }
        source.verify(&self.object).await?;
        while let Some(sent) = under_way.join_next().await {
            self.keep(sent, &mut upload).await?;
        }
        let parts = upload.content_ids().map(|content_id| PartId {
            content_id: content_id.clone(),
        });
        let completed = self
            .multipart
            .complete_multipart(&self.location, upload.upload_id(), parts.collect());
        completed.await.map(drop).map_err(|error| self.failure(error))
    }

    async fn begin(&self, size: u64) -> Result<PartUpload, Error> {
        let id = self.multipart.create_multipart(&self.location).await;
        let id = id.map_err(|error| Error::unreachable(&self.object, error))?;
        let upload = PartUpload::new(id, part_bytes(size));
        save(self.state, Some(&upload)).await?;
        Ok(upload)
    }

    /// Keeps that a part was sent.
    async fn keep(&self, sent: Result<Sent, JoinError>, upload: &mut PartUpload) -> Result<(), Failure> {
        let (number, up_to_its_end, sent) = sent.map_err(|error| Error::unreachable(&self.object, error))?;
        let part = sent.map_err(|error| self.failure(error))?;
        upload.add(number, part.content_id, &up_to_its_end);
        save(self.state, Some(upload)).await?;
        Ok(())
    }

    fn failure(&self, error: object_store::Error) -> Failure {
        let is_useless = matches!(error, object_store::Error::NotFound { .. }) || is_rejected(&error);
        let error = Error::unreachable(&self.object, error);
        match is_useless {
            true => Failure::Useless(error),
            false => Failure::Other(error),
        }
    }
}

async fn save(state: &dyn UploadState, upload: Option<&PartUpload>) -> Result<(), Error> {
    state.save(upload).await.map_err(|source| Error::Storage {
        source: Arc::from(source),
    })
}
