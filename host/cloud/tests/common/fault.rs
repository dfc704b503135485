//! A store that fails on demand and counts.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

#[derive(Debug, Default)]
pub struct Faults {
    /// Every request fails.
    pub down: AtomicBool,
    /// Puts of lists are carried out, but answered with an error.
    pub lose_answers: AtomicBool,
    /// No conditional puts.
    pub no_update: AtomicBool,
    /// Only a copy can create without replacing.
    pub no_create: AtomicBool,
    /// Requests made while it was down.
    pub refused: AtomicU32,
    /// Objects put, in order.
    pub puts: Mutex<Vec<String>>,
    /// Objects got.
    pub gets: Mutex<Vec<String>>,
    /// Parts put, in order.
    pub parts: Mutex<Vec<usize>>,
}

#[derive(Debug, Clone, Default)]
pub struct FaultStore {
    pub inner: Arc<InMemory>,
    pub faults: Arc<Faults>,
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultStore")
    }
}

impl FaultStore {
    pub fn set_down(&self, down: bool) {
        self.faults.down.store(down, Ordering::SeqCst);
    }

    pub fn puts(&self) -> Vec<String> {
        self.faults
            .puts
            .lock()
            .unwrap()
            .iter()
            .filter(|object| !object.contains("/."))
            .cloned()
            .collect()
    }

    fn check(&self) -> Result<()> {
        if self.faults.down.load(Ordering::SeqCst) {
            self.faults.refused.fetch_add(1, Ordering::SeqCst);
            return Err(broken());
        }
        Ok(())
    }
}

fn broken() -> Error {
    Error::Generic {
        store: "fault",
        source: "the network is down".into(),
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.check()?;
        let refused = match &opts.mode {
            PutMode::Update(_) => self.faults.no_update.load(Ordering::SeqCst),
            PutMode::Create => self.faults.no_create.load(Ordering::SeqCst),
            PutMode::Overwrite => false,
        };
        if refused {
            return Err(Error::NotImplemented {
                operation: "put".into(),
                implementer: "fault".into(),
            });
        }
        let put = self.inner.put_opts(location, payload, opts).await?;
        self.faults.puts.lock().unwrap().push(location.to_string());
        if location.as_ref().starts_with("lists/") && self.faults.lose_answers.load(Ordering::SeqCst) {
            return Err(broken());
        }
        Ok(put)
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.check()?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check()?;
        self.faults.gets.lock().unwrap().push(location.to_string());
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.check() {
            Ok(()) => self.inner.delete_stream(locations),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check()?;
        self.inner.copy_opts(from, to, options).await
    }
}

/// Like a real store, it says of an upload that it forgot that it is not there.
fn forgotten(error: Error) -> Error {
    match error {
        Error::Generic { source, .. } => Error::NotFound {
            path: "an upload".into(),
            source,
        },
        error => error,
    }
}

#[async_trait]
impl MultipartStore for FaultStore {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.check()?;
        self.inner.create_multipart(path).await
    }

    async fn put_part(&self, path: &Path, id: &MultipartId, part: usize, data: PutPayload) -> Result<PartId> {
        self.check()?;
        let put = self.inner.put_part(path, id, part, data).await.map_err(forgotten)?;
        self.faults.parts.lock().unwrap().push(part);
        Ok(put)
    }

    async fn complete_multipart(&self, path: &Path, id: &MultipartId, parts: Vec<PartId>) -> Result<PutResult> {
        self.check()?;
        self.inner.complete_multipart(path, id, parts).await.map_err(forgotten)
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.check()?;
        self.inner.abort_multipart(path, id).await.map_err(forgotten)
    }
}
