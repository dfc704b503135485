//! The objects of a space: reads and writes by name, in any object store.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetResult, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode,
};

use crate::Error;
use crate::layout::SPACE_JSON;

/// An object store, seen from the prefix of a space. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn ObjectStore>,
    name: String,
    directory: Option<PathBuf>,
}

impl Objects {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, name: String, directory: Option<PathBuf>) -> Self {
        Self {
            inner: Arc::new(Inner { store, name, directory }),
        }
    }

    /// The object store.
    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.inner.store
    }

    /// The URL without credentials, for logs.
    pub(crate) fn name(&self) -> &str {
        &self.inner.name
    }

    /// The directory of the space, if it is one on this machine.
    pub(crate) fn directory(&self) -> Option<&FilePath> {
        self.inner.directory.as_deref()
    }

    /// Reads a whole object of at most `limit_bytes`.
    pub(crate) async fn read(&self, object: &str, limit_bytes: u64) -> Result<(Bytes, ObjectMeta), Error> {
        let got = self.get(object, GetOptions::default()).await?;
        if got.meta.size > limit_bytes {
            return Err(Error::malformed(object, format!("more than {limit_bytes} bytes")));
        }
        let meta = got.meta.clone();
        let bytes = match got.payload {
            // The reader of the object store takes 8 KiB a step.
            GetResultPayload::File(file, _) => read_file(object, file, limit_bytes).await?,
            GetResultPayload::Stream(_) => got.bytes().await.map_err(|error| Error::from_store(object, error))?,
        };
        if bytes.len() as u64 != meta.size {
            return Err(Error::unreachable(object, "the answer ended early"));
        }
        Ok((bytes, meta))
    }

    pub(crate) async fn get(&self, object: &str, options: GetOptions) -> Result<GetResult, Error> {
        let path = Path::parse(object).map_err(|error| Error::malformed(object, error))?;
        self.store()
            .get_opts(&path, options)
            .await
            .map_err(|error| Error::from_store(object, error))
    }

    pub(crate) async fn put(
        &self,
        object: &str,
        bytes: Bytes,
        mode: PutMode,
    ) -> object_store::Result<object_store::PutResult> {
        self.store()
            .put_opts(&Path::parse(object)?, bytes.into(), mode.into())
            .await
    }

    /// Checks that the directory of a space still holds it. If its disk is unmounted, writes to the
    /// empty mount point would be lost.
    pub(crate) fn check_in_place(&self) -> Result<(), Error> {
        match self.directory() {
            Some(directory) if !directory.join(SPACE_JSON).is_file() => Err(Error::unreachable(
                SPACE_JSON,
                "the directory holds no space any more; check that its disk is mounted",
            )),
            _ => Ok(()),
        }
    }

    /// Removes an object. An object that does not exist is no error.
    pub(crate) async fn delete(&self, object: &str) -> Result<(), Error> {
        let path = Path::parse(object).map_err(|error| Error::malformed(object, error))?;
        match self.store().delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::from_store(object, error)),
        }
    }

    /// The objects and folders directly in a folder. A folder that does not exist is empty.
    pub(crate) async fn list(&self, folder: &str) -> Result<object_store::ListResult, Error> {
        let path = Path::parse(folder).map_err(|error| Error::malformed(folder, error))?;
        match self.store().list_with_delimiter(Some(&path)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(object_store::ListResult {
                common_prefixes: Vec::new(),
                objects: Vec::new(),
                extensions: Default::default(),
            }),
            listed => listed.map_err(|error| Error::from_store(folder, error)),
        }
    }

    /// Creates an object unless it exists. Returns whether it did. `None` if the store cannot do
    /// this.
    pub(crate) async fn create(&self, object: &str, bytes: Bytes) -> Result<Option<bool>, Error> {
        match self.put(object, bytes.clone(), PutMode::Create).await {
            Ok(_) => return Ok(Some(true)),
            Err(StoreError::AlreadyExists { .. }) => return Ok(Some(false)),
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => {}
            Err(error) => return Err(Error::from_store(object, error)),
        }
        // WebDAV has no conditional put, but a copy that never replaces an object.
        let staged = format!("{object}-{}", uuid::Uuid::new_v4());
        let put = self.put(&staged, bytes, PutMode::Overwrite).await;
        put.map_err(|error| Error::from_store(&staged, error))?;
        let copied = self.copy(&staged, object).await;
        self.delete(&staged).await?;
        copied
    }

    /// Copies an object unless the target exists. Returns whether it did. `None` if the store
    /// cannot do this.
    pub(crate) async fn copy(&self, from: &str, to: &str) -> Result<Option<bool>, Error> {
        let parse = |object: &str| Path::parse(object).map_err(|error| Error::malformed(object, error));
        match self.store().copy_if_not_exists(&parse(from)?, &parse(to)?).await {
            Ok(()) => Ok(Some(true)),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(Some(false)),
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => Ok(None),
            Err(error) => Err(Error::from_store(from, error)),
        }
    }
}

async fn read_file(object: &str, file: std::fs::File, limit_bytes: u64) -> Result<Bytes, Error> {
    let read = tokio::task::spawn_blocking(move || {
        use std::io::Read as _;
        let mut bytes = Vec::new();
        file.take(limit_bytes + 1).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(Bytes::from(bytes))
    });
    read.await
        .map_err(|error| Error::unreachable(object, error))?
        .map_err(|error| Error::unreachable(object, error))
}
