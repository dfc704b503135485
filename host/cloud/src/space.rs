//! A space: a prefix of an object store, laid out as the space's format says.

use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::exclusion::Exclusion;
use crate::{Error, connect};

/// The newest format of a space that is understood.
pub const FORMAT: u64 = 1;
pub(crate) const SPACE_JSON: &str = "space.json";
const SPACE_JSON_LIMIT_BYTES: u64 = 64 << 10;

/// How [`Space::open`] opens a space.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Make the space if there is none, with this many bytes as its size. An existing space keeps its own size.
    pub create: Option<u64>,
    /// Open it even while the store is out of reach: what is wrong shows when the space is used.
    pub unreachable_ok: bool,
}

/// A cloud space. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Space {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn ObjectStore>,
    name: String,
    identity: String,
    directory: Option<std::path::PathBuf>,
    exclusion: OnceCell<Exclusion>,
}

impl Space {
    /// Opens the space at a URL: `file:///directory`, `memory:///`, `s3://bucket/prefix`, `gs://…`, `az://…`, or
    /// `http(s)://…` for WebDAV. Credentials come from the environment, named as the store's own tools name them.
    ///
    /// Each `memory:///` is a space of its own, gone with its last clone.
    ///
    /// # Errors
    /// [`Error::Url`] for a URL that names no store; [`Error::Missing`] when there is no space and none is to be made;
    /// [`Error::Malformed`] or [`Error::NewerFormat`] when `space.json` is not ours to read; [`Error::Unreachable`].
    pub async fn open(url: &str, options: OpenOptions) -> Result<Space, Error> {
        let connection = connect::connect(url, options.create.is_some())?;
        let name = connect::without_credentials(url);
        let space = Self::new(connection.store, name, connection.directory);
        space.check(options).await?;
        Ok(space)
    }

    /// A space at the root of a store that the caller made.
    ///
    /// # Errors
    /// As [`Space::open`].
    pub async fn open_store(store: Arc<dyn ObjectStore>, options: OpenOptions) -> Result<Space, Error> {
        let name = store.to_string();
        let space = Self::new(store, name, None);
        space.check(options).await?;
        Ok(space)
    }

    fn new(store: Arc<dyn ObjectStore>, name: String, directory: Option<std::path::PathBuf>) -> Self {
        let identity = match name.as_str() {
            // Another one each time, whose versions count from one again.
            "memory:///" => format!("{name}{}", uuid::Uuid::new_v4()),
            _ => name.clone(),
        };
        Self {
            inner: Arc::new(Inner {
                store,
                name,
                identity,
                directory,
                exclusion: OnceCell::new(),
            }),
        }
    }

    async fn check(&self, options: OpenOptions) -> Result<(), Error> {
        let checked = match (self.total_bytes().await, options.create) {
            (Err(Error::Missing { .. }), Some(total_bytes)) => self.create(total_bytes).await,
            (Err(error), _) => Err(error),
            (Ok(_), _) => Ok(()),
        };
        match checked {
            Err(error @ Error::Unreachable { .. }) if options.unreachable_ok => {
                tracing::warn!(space = self.name(), %error, "the space is out of reach; going on without it");
                Ok(())
            }
            Err(error) => Err(error),
            Ok(()) => self.exclusion().await.map(drop).or_else(|error| match error {
                Error::Unreachable { .. } if options.unreachable_ok => Ok(()),
                error => Err(error),
            }),
        }
    }

    async fn create(&self, total_bytes: u64) -> Result<(), Error> {
        let text = serde_json::json!({ "format": FORMAT, "totalBytes": total_bytes }).to_string();
        match self.put(SPACE_JSON, Bytes::from(text + "\n"), PutMode::Create).await {
            Ok(_) => Ok(()),
            // Another host made it in the meantime, and its size counts.
            Err(object_store::Error::AlreadyExists { .. }) => self.total_bytes().await.map(drop),
            Err(object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }) => {
                let text = serde_json::json!({ "format": FORMAT, "totalBytes": total_bytes }).to_string();
                let put = self.put(SPACE_JSON, Bytes::from(text + "\n"), PutMode::Overwrite).await;
                put.map(drop).map_err(|error| Error::from_store(SPACE_JSON, error))
            }
            Err(error) => Err(Error::from_store(SPACE_JSON, error)),
        }
    }

    /// The space's URL without credentials, for logs.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// What tells this space from others, in the local database.
    pub(crate) fn identity(&self) -> &str {
        &self.inner.identity
    }

    /// The space's directory, where it is one on this machine.
    pub fn directory(&self) -> Option<&FilePath> {
        self.inner.directory.as_deref()
    }

    /// The space's size in bytes, read from `space.json`.
    ///
    /// # Errors
    /// [`Error::Missing`] without a `space.json`, [`Error::Malformed`] or [`Error::NewerFormat`] when it is not one of
    /// format 1, [`Error::Unreachable`].
    pub async fn total_bytes(&self) -> Result<u64, Error> {
        let (text, _) = self.read(SPACE_JSON, SPACE_JSON_LIMIT_BYTES).await?;
        let json: Value = serde_json::from_slice(&text).map_err(|error| Error::malformed(SPACE_JSON, error))?;
        match json.get("format").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => return Err(Error::NewerFormat { found }),
            _ => return Err(Error::malformed(SPACE_JSON, "expected \"format\": 1")),
        }
        json.get("totalBytes")
            .and_then(Value::as_u64)
            .ok_or_else(|| Error::malformed(SPACE_JSON, "expected \"totalBytes\", a whole number of bytes"))
    }

    /// How writers of this space keep out of each other's way; found out on first use.
    pub(crate) async fn exclusion(&self) -> Result<&Exclusion, Error> {
        self.inner.exclusion.get_or_try_init(|| Exclusion::probe(self)).await
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.inner.store
    }

    /// Reads a whole object of at most `limit_bytes`.
    pub(crate) async fn read(&self, object: &str, limit_bytes: u64) -> Result<(Bytes, ObjectMeta), Error> {
        let got = self.get(object, GetOptions::default()).await?;
        if got.meta.size > limit_bytes {
            return Err(Error::malformed(object, format!("more than {limit_bytes} bytes")));
        }
        let meta = got.meta.clone();
        let bytes = match got.payload {
            // The store's own reader takes 8 KiB a step.
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

    /// Whether a space that is a directory is still there: the disk it is on may be gone, and what is put in its place would be lost.
    pub(crate) fn in_place(&self) -> Result<(), Error> {
        match self.directory() {
            Some(directory) if !directory.join(SPACE_JSON).is_file() => Err(Error::unreachable(
                SPACE_JSON,
                "the directory holds no space any more; is its disk mounted?",
            )),
            _ => Ok(()),
        }
    }

    /// Removes an object; one that is not there is no error.
    pub(crate) async fn delete(&self, object: &str) -> Result<(), Error> {
        let path = Path::parse(object).map_err(|error| Error::malformed(object, error))?;
        match self.store().delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::from_store(object, error)),
        }
    }

    /// The objects and the folders directly in a folder. A folder that is not there is empty.
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

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    async fn open_with(space_json: Option<&str>, options: OpenOptions) -> Result<Space, Error> {
        let store = Arc::new(InMemory::new());
        if let Some(text) = space_json {
            store
                .put(&Path::from(SPACE_JSON), text.to_owned().into())
                .await
                .expect("memory takes it");
        }
        Space::open_store(store, options).await
    }

    #[tokio::test]
    async fn a_space_is_made_only_when_asked_and_keeps_its_size() {
        assert!(matches!(
            open_with(None, OpenOptions::default()).await,
            Err(Error::Missing { .. })
        ));
        let create = OpenOptions {
            create: Some(7),
            ..OpenOptions::default()
        };
        let space = open_with(None, create).await.expect("made");
        assert_eq!(space.total_bytes().await.expect("readable"), 7);
        let space = open_with(Some(r#"{"format":1,"totalBytes":10737418240}"#), create)
            .await
            .expect("opened");
        assert_eq!(space.total_bytes().await.expect("readable"), 10_737_418_240);
    }

    #[tokio::test]
    async fn a_truncated_or_wrong_space_json_is_malformed() {
        for text in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"format":1}"#,
            r#"{"format":1,"totalBytes":-1}"#,
            r#"{"format":"1","totalBytes":1}"#,
            r#"{"format":0,"totalBytes":1}"#,
            r#"{"format":1,"totalBytes":1.5}"#,
        ] {
            let opened = open_with(
                Some(text),
                OpenOptions {
                    create: Some(1),
                    unreachable_ok: true,
                },
            )
            .await;
            assert!(matches!(opened, Err(Error::Malformed { .. })), "{text}");
        }
    }

    #[tokio::test]
    async fn a_newer_format_is_refused_by_its_number() {
        let opened = open_with(Some(r#"{"format":2,"totalBytes":1}"#), OpenOptions::default()).await;
        assert!(matches!(opened, Err(Error::NewerFormat { found: 2 })));
    }
}
