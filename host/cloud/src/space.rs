//! A space: a prefix of an object store.

use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use object_store::multipart::MultipartStore;
use object_store::{ObjectStore, PutMode};
use tokio::sync::{OnceCell, watch};

use crate::connect::Connection;
use crate::description::Description;
use crate::exclusion::Exclusion;
use crate::layout::SPACE_JSON;
use crate::objects::{Objects, SPACE_JSON_LIMIT_BYTES};
use crate::{Error, Health, connect};

/// How [`Space::open`] opens a space.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// If there is no space, make one with this size in bytes. An existing space keeps its size.
    pub create: Option<u64>,
    /// Open it even if the store cannot be reached. Then its use fails.
    pub unreachable_ok: bool,
}

/// A cloud space. Cheap to clone: all clones share one state.
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
    /// `az://…`, or `http(s)://…` for WebDAV. Credentials come from environment variables, with the
    /// names that the tools of the store use.
    ///
    /// Each `memory:///` is a space of its own. It ends with its last clone.
    ///
    /// # Errors
    /// [`Error::Url`] for a URL that names no store, [`Error::Missing`] if there is no space and
    /// none should be made, [`Error::Malformed`] or [`Error::NewerFormat`] if `space.json` cannot
    /// be read, [`Error::Unreachable`].
    pub async fn open(url: &str, options: OpenOptions) -> Result<Space, Error> {
        let connection = connect::connect(url, options.create.is_some())?;
        let name = connect::without_credentials(url);
        let space = Self::new(connection, name);
        space.check(options).await?;
        Ok(space)
    }

    /// Opens a space that was used before ([`Cloud::knows`](crate::Cloud::knows)). If it is not
    /// there now, its use fails until it is back. Nothing is made in its place.
    ///
    /// # Errors
    /// Those of [`Space::open`], except [`Error::Missing`] and [`Error::Unreachable`].
    pub async fn open_known(url: &str) -> Result<Space, Error> {
        let connection = connect::connect(url, false)?;
        let name = connect::without_credentials(url);
        let space = Self::new(connection, name);
        match space.description().await {
            Err(error) if error.is_outage() => Ok(space),
            Err(error) => Err(error),
            Ok(_) => match space.exclusion().await {
                Err(error) if !error.is_outage() => Err(error),
                _ => Ok(space),
            },
        }
    }

    /// Opens the space at the root of a store.
    ///
    /// # Errors
    /// Those of [`Space::open`].
    pub async fn open_store(store: Arc<dyn ObjectStore>, options: OpenOptions) -> Result<Space, Error> {
        let name = store.to_string();
        let connection = Connection {
            store,
            multipart: None,
            directory: None,
        };
        let space = Self::new(connection, name);
        space.check(options).await?;
        Ok(space)
    }

    /// Opens the space at the root of a store in which an upload in parts can be continued.
    ///
    /// # Errors
    /// Those of [`Space::open`].
    pub async fn open_multipart_store<S>(store: Arc<S>, options: OpenOptions) -> Result<Space, Error>
    where
        S: ObjectStore + MultipartStore,
    {
        let name = store.to_string();
        let space = Self::new(Connection::of(store), name);
        space.check(options).await?;
        Ok(space)
    }

    fn new(connection: Connection, name: String) -> Self {
        let id = match name.as_str() {
            // Each one is another space. Their versions are the same numbers.
            "memory:///" => format!("{name}{}", uuid::Uuid::new_v4()),
            _ => name.clone(),
        };
        Self {
            inner: Arc::new(Inner {
                objects: Objects::new(connection, name),
                id,
                exclusion: OnceCell::new(),
            }),
        }
    }

    async fn check(&self, options: OpenOptions) -> Result<(), Error> {
        let checked = match (self.read_description().await, options.create) {
            (Err(Error::Missing { .. }), Some(total_bytes)) => self.create(total_bytes).await,
            (checked, _) => checked.map(drop),
        };
        match checked {
            Err(error) if options.unreachable_ok && error.is_outage() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => match self.exclusion().await {
                Err(error) if !(options.unreachable_ok && error.is_outage()) => Err(error),
                _ => Ok(()),
            },
        }
    }

    async fn create(&self, total_bytes: u64) -> Result<(), Error> {
        let text = Bytes::from(Description::of_new_space(total_bytes));
        let put = |mode| self.objects().put(SPACE_JSON, text.clone(), mode);
        let put = match put(PutMode::Create).await {
            // Another host made it meanwhile, and its size counts.
            Err(object_store::Error::AlreadyExists { .. }) => return self.read_description().await.map(drop),
            Err(object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }) => {
                put(PutMode::Overwrite).await
            }
            put => put,
        };
        put.map_err(|error| Error::from_store(SPACE_JSON, error))?;
        self.read_description().await.map(drop)
    }

    async fn read_description(&self) -> Result<Description, Error> {
        let (text, _) = self.objects().read(SPACE_JSON, SPACE_JSON_LIMIT_BYTES).await?;
        let description = Description::parse(&text)?;
        self.objects().admit(description.id.as_deref())?;
        Ok(description)
    }

    /// What `space.json` says, of a space that should be there. The result is reported to the
    /// health of the space.
    ///
    /// # Errors
    /// [`Error::Unreachable`], also if there is no space; [`Error::OtherSpace`];
    /// [`Error::Malformed`] or [`Error::NewerFormat`] if `space.json` is not of format 1.
    pub(crate) async fn description(&self) -> Result<Description, Error> {
        let read = self.read_description().await.map_err(|error| match error {
            Error::Missing { object } => {
                Error::unreachable(object, "there is no space now; check that its disk or bucket is there")
            }
            error => error,
        });
        if let Err(error) = &read {
            self.objects().health().note_outage(error);
        }
        read
    }

    /// Checks before a write that the space is there and is the right one.
    pub(crate) async fn check_in_place(&self) -> Result<(), Error> {
        if self.directory().is_some() || self.objects().identity().is_known() {
            return self.objects().check_in_place();
        }
        self.description().await.map(drop)
    }

    /// Whether the space can be reached, as the last request found.
    pub fn health(&self) -> Health {
        self.health_changes().borrow().clone()
    }

    /// Tells when the space goes out of reach or comes back.
    pub fn health_changes(&self) -> watch::Receiver<Health> {
        self.objects().health().subscribe()
    }

    /// The URL without credentials, for logs.
    pub fn name(&self) -> &str {
        self.objects().name()
    }

    /// Identifies the space in the local database.
    pub(crate) fn id(&self) -> &str {
        &self.inner.id
    }

    /// The directory of the space, if it is one on this machine.
    pub fn directory(&self) -> Option<&FilePath> {
        self.objects().directory()
    }

    /// The size of the space in bytes, read from `space.json`.
    ///
    /// # Errors
    /// [`Error::Missing`] without a `space.json`, [`Error::Malformed`] or [`Error::NewerFormat`] if
    /// it is not of format 1, [`Error::OtherSpace`], [`Error::Unreachable`].
    pub async fn total_bytes(&self) -> Result<u64, Error> {
        Ok(self.read_description().await?.total_bytes)
    }

    /// How writers of this space exclude each other. The first use finds it out.
    pub(crate) async fn exclusion(&self) -> Result<&Exclusion, Error> {
        self.inner
            .exclusion
            .get_or_try_init(|| async {
                // Nothing must be written into an empty mount point.
                self.check_in_place().await?;
                Exclusion::probe(self.objects()).await
            })
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
