//! A space: a prefix of an object store, laid out as the space's format says.

use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use object_store::{ObjectStore, PutMode};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::exclusion::Exclusion;
use crate::layout::{FORMAT, SPACE_JSON};
use crate::objects::Objects;
use crate::{Error, connect};

const SPACE_JSON_LIMIT_BYTES: u64 = 64 << 10;

/// How [`Space::open`] opens a space.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Make the space if there is none, with this many bytes as its size. An existing space keeps
    /// its own size.
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
    objects: Objects,
    id: String,
    exclusion: OnceCell<Exclusion>,
}

impl Space {
    /// Opens the space at a URL: `file:///directory`, `memory:///`, `s3://bucket/prefix`, `gs://…`,
    /// `az://…`, or `http(s)://…` for WebDAV. Credentials come from the environment, named as the
    /// store's own tools name them.
    ///
    /// Each `memory:///` is a space of its own, gone with its last clone.
    ///
    /// # Errors
    /// [`Error::Url`] for a URL that names no store; [`Error::Missing`] when there is no space and
    /// none is to be made; [`Error::Malformed`] or [`Error::NewerFormat`] when `space.json` is not
    /// ours to read; [`Error::Unreachable`].
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
        let id = match name.as_str() {
            // Another one each time, whose versions count from one again.
            "memory:///" => format!("{name}{}", uuid::Uuid::new_v4()),
            _ => name.clone(),
        };
        Self {
            inner: Arc::new(Inner {
                objects: Objects::new(store, name, directory),
                id,
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
        match self
            .objects()
            .put(SPACE_JSON, Bytes::from(text + "\n"), PutMode::Create)
            .await
        {
            Ok(_) => Ok(()),
            // Another host made it in the meantime, and its size counts.
            Err(object_store::Error::AlreadyExists { .. }) => self.total_bytes().await.map(drop),
            Err(object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }) => {
                let text = serde_json::json!({ "format": FORMAT, "totalBytes": total_bytes }).to_string();
                let put = self
                    .objects()
                    .put(SPACE_JSON, Bytes::from(text + "\n"), PutMode::Overwrite)
                    .await;
                put.map(drop).map_err(|error| Error::from_store(SPACE_JSON, error))
            }
            Err(error) => Err(Error::from_store(SPACE_JSON, error)),
        }
    }

    /// The space's URL without credentials, for logs.
    pub fn name(&self) -> &str {
        self.objects().name()
    }

    /// What tells this space from others, in the local database.
    pub(crate) fn id(&self) -> &str {
        &self.inner.id
    }

    /// The space's directory, where it is one on this machine.
    pub fn directory(&self) -> Option<&FilePath> {
        self.objects().directory()
    }

    /// The space's size in bytes, read from `space.json`.
    ///
    /// # Errors
    /// [`Error::Missing`] without a `space.json`, [`Error::Malformed`] or [`Error::NewerFormat`]
    /// when it is not one of format 1, [`Error::Unreachable`].
    pub async fn total_bytes(&self) -> Result<u64, Error> {
        let (text, _) = self.objects().read(SPACE_JSON, SPACE_JSON_LIMIT_BYTES).await?;
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
        self.inner
            .exclusion
            .get_or_try_init(|| Exclusion::probe(self.objects()))
            .await
    }

    /// The objects of the space.
    pub(crate) fn objects(&self) -> &Objects {
        &self.inner.objects
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;
    use object_store::path::Path;

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
