//! The objects of a space: reads and writes by name, in any object store.

use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetResult, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode,
};

use crate::Error;
use crate::connect::Connection;
use crate::description::{Description, Identity};
use crate::health::HealthReport;
use crate::layout::SPACE_JSON;

/// The longest `space.json`.
pub(crate) const SPACE_JSON_LIMIT_BYTES: u64 = 64 << 10;

/// An object store, seen from the prefix of a space. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    name: String,
    identity: Identity,
    health: HealthReport,
}

impl Objects {
    pub(crate) fn new(connection: Connection, name: String) -> Self {
        Self {
            inner: Arc::new(Inner {
                connection,
                name,
                identity: Identity::default(),
                health: HealthReport::default(),
            }),
        }
    }

    /// The object store.
    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.inner.connection.store
    }

    /// The object store, if an upload in parts can be continued there.
    pub(crate) fn multipart(&self) -> Option<&Arc<dyn MultipartStore>> {
        self.inner.connection.multipart.as_ref()
    }

    /// The URL without credentials, for logs.
    pub(crate) fn name(&self) -> &str {
        &self.inner.name
    }

    /// The directory of the space, if it is one on this machine.
    pub(crate) fn directory(&self) -> Option<&FilePath> {
        self.inner.connection.directory.as_deref()
    }

    /// Which space this is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    /// Whether the space can be reached.
    pub(crate) fn health(&self) -> &HealthReport {
        &self.inner.health
    }

    /// Fails if a space with this `id` is not the one that was here.
    pub(crate) fn admit(&self, id: Option<&str>) -> Result<(), Error> {
        self.identity()
            .admits(id)
            .then_some(())
            .ok_or_else(|| self.other_space())
    }

    /// From now on, only the space with this `id` is admitted. Fails if another one was seen.
    pub(crate) fn expect(&self, id: &str) -> Result<(), Error> {
        self.identity()
            .expect(id)
            .then_some(())
            .ok_or_else(|| self.other_space())
    }

    fn other_space(&self) -> Error {
        Error::OtherSpace {
            url: self.name().to_owned(),
            expected: self.identity().id().unwrap_or_default(),
        }
    }

    /// Reports how a request ended to the health of the space.
    fn noted<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        self.health().note(result.as_ref().err());
        result
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

    /// Checks that an object of a directory is a file. A link could lead out of the directory, and
    /// a pipe would block.
    pub(crate) async fn check_is_file(&self, object: &str) -> Result<(), Error> {
        let Some(directory) = self.directory() else {
            return Ok(());
        };
        match tokio::fs::symlink_metadata(directory.join(object)).await {
            Ok(metadata) if !metadata.is_file() => Err(Error::malformed(object, "expected a regular file")),
            _ => Ok(()),
        }
    }

    pub(crate) async fn get(&self, object: &str, options: GetOptions) -> Result<GetResult, Error> {
        let path = Path::parse(object).map_err(|error| Error::malformed(object, error))?;
        self.check_is_file(object).await?;
        let got = self.store().get_opts(&path, options).await;
        self.noted(match got {
            // In a directory, the disk may be gone and not only the object.
            Err(StoreError::NotFound { .. }) if object != SPACE_JSON => {
                let missing = Error::Missing {
                    object: object.to_owned(),
                };
                self.check_in_place().and(Err(missing))
            }
            got => got.map_err(|error| Error::from_store(object, error)),
        })
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
    /// empty mount point would be lost. If another disk is there, they would go into another space.
    pub(crate) fn check_in_place(&self) -> Result<(), Error> {
        let checked = match self.directory() {
            Some(directory) => self.check_directory(directory),
            None if self.identity().is_other() => Err(self.other_space()),
            None => Ok(()),
        };
        if let Err(error) = &checked {
            self.health().note_outage(error);
        }
        checked
    }

    fn check_directory(&self, directory: &FilePath) -> Result<(), Error> {
        let text = read_short(&directory.join(SPACE_JSON)).map_err(|error| {
            let reason = format!("the directory holds no space now ({error}); check that its disk is mounted");
            Error::unreachable(SPACE_JSON, reason)
        })?;
        match Description::parse(&text) {
            Ok(description) => self.admit(description.id.as_deref()),
            Err(error) => Err(Error::unreachable(SPACE_JSON, error.to_string())),
        }
    }

    /// Removes an object. An object that does not exist is no error.
    pub(crate) async fn delete(&self, object: &str) -> Result<(), Error> {
        let path = Path::parse(object).map_err(|error| Error::malformed(object, error))?;
        let deleted = self.store().delete(&path).await;
        self.noted(match deleted {
            Ok(()) => Ok(()),
            Err(StoreError::NotFound { .. }) => self.check_in_place(),
            Err(error) => Err(Error::from_store(object, error)),
        })
    }

    /// The objects and folders directly in a folder. A folder that does not exist is empty.
    pub(crate) async fn list(&self, folder: &str) -> Result<object_store::ListResult, Error> {
        let path = Path::parse(folder).map_err(|error| Error::malformed(folder, error))?;
        let listed = match self.store().list_with_delimiter(Some(&path)).await {
            Err(StoreError::NotFound { .. }) => Ok(object_store::ListResult {
                common_prefixes: Vec::new(),
                objects: Vec::new(),
                extensions: Default::default(),
            }),
            listed => listed.map_err(|error| Error::from_store(folder, error)),
        };
        // An empty mount point has an empty list.
        self.noted(listed.and_then(|listed| self.check_in_place().map(|()| listed)))
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

fn read_short(path: &FilePath) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut text = Vec::new();
    std::fs::File::open(path)?
        .take(SPACE_JSON_LIMIT_BYTES)
        .read_to_end(&mut text)?;
    Ok(text)
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
