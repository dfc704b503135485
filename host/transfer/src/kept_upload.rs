//! What a task keeps of its upload, so that it continues after a pause or a crash.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use stowage_cloud::{PartUpload, SinkError, UploadState};

use crate::engine::Engine;

/// The upload of one attempt at a task.
pub(crate) struct KeptUpload<'a> {
    engine: &'a Engine,
    id: u64,
    size: u64,
    sent_bytes: AtomicU64,
    has_grown: AtomicBool,
}

impl<'a> KeptUpload<'a> {
    /// The upload of a task whose file has so many bytes.
    pub(crate) fn new(engine: &'a Engine, id: u64, size: u64) -> KeptUpload<'a> {
        let kept = KeptUpload {
            engine,
            id,
            size,
            sent_bytes: AtomicU64::new(0),
            has_grown: AtomicBool::new(false),
        };
        kept.progressed(kept.kept_bytes());
        kept
    }

    /// Bytes that are sent or about to be.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Whether the space got more of the file than earlier attempts had sent.
    pub(crate) fn has_grown(&self) -> bool {
        self.has_grown.load(Ordering::Relaxed)
    }

    fn kept_bytes(&self) -> u64 {
        self.load().map_or(0, |upload| upload.sent_bytes(self.size))
    }
}

impl UploadState for KeptUpload<'_> {
    fn load(&self) -> Option<PartUpload> {
        self.engine.tasks().get(self.id)?.0.part_upload.clone()
    }

    fn save<'a>(&'a self, upload: Option<&'a PartUpload>) -> BoxFuture<'a, Result<(), SinkError>> {
        async move {
            let sent_bytes = upload.map_or(0, |upload| upload.sent_bytes(self.size));
            let grows = sent_bytes > self.kept_bytes();
            let persisted = self.engine.persist(self.id, |task| task.part_upload = upload.cloned());
            persisted.await?;
            self.has_grown.fetch_or(grows, Ordering::Relaxed);
            Ok(())
        }
        .boxed()
    }

    fn before_send(&self, len_bytes: u64) -> BoxFuture<'_, ()> {
        self.engine.throttle(self.id, len_bytes).boxed()
    }

    fn progressed(&self, sent_bytes: u64) {
        self.sent_bytes.store(sent_bytes, Ordering::Relaxed);
    }
}
