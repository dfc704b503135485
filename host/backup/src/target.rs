//! The place of backups: a folder or an object store.
//!
//! | object | contents |
//! |---|---|
//! | `stowage-backups.json` | the format of the place |
//! | `backups/ID` | the manifest of a backup; it is written last |
//! | `chunks/XX/SHA256` | rows of a table, compressed; the name is the hash before compression |
//! | `files/XX/SHA256` | the bytes of a file |
//! | `marks/backup-ID`, `marks/prune-ID` | who works here now |
//!
//! XX are the first two digits of the hash. An object is written whole or not at all, and never
//! changed. So two programs that store the same chunk do no harm.

use std::collections::HashMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _, PutMode};
use serde::{Deserialize, Serialize};
use stowage_cloud::{Place, explain_store_error};
use url::Url;

use crate::error::Error;
use crate::folder::{self, Found};
use crate::hash::ContentHash;
use crate::manifest::{self, FORMAT, Manifest, ManifestError};
use crate::place_url::folder_of;

/// The object that tells a place of backups from others.
const PLACE: &str = "stowage-backups.json";
/// The folder of manifests.
const BACKUPS: &str = "backups";
/// The folder of marks.
pub(crate) const MARKS: &str = "marks";
/// The most bytes of the object [`PLACE`].
const MAX_PLACE_BYTES: u64 = 4 << 10;

/// A kind of objects that are named by their hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Chunk,
    File,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Kind::Chunk => "chunks",
            Kind::File => "files",
        }
    }

    /// The name of an object.
    pub(crate) fn object(self, hash: ContentHash) -> String {
        let name = hash.to_string();
        format!("{}/{}/{name}", self.folder(), &name[..2])
    }
}

/// An object that exists: its length, and when it was written by the store's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) len_bytes: u64,
    pub(crate) written_ms: i64,
}

/// A place of backups. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Target {
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct PlaceFile {
    format: u64,
}

impl Target {
    /// Connects to the place at a URL: `file:///folder`, `s3://bucket/prefix`, `gs://…` or
    /// `az://…`. Credentials come from the variables that the tools of the store use.
    ///
    /// # Errors
    /// [`Error::Url`] for another URL, and for a folder that cannot be made.
    pub fn open(url: &str, create: bool) -> Result<Target, Error> {
        let scheme = Url::parse(url).map(|url| url.scheme().to_owned()).unwrap_or_default();
        let is_known = matches!(
            &*scheme,
            "file" | "s3" | "s3a" | "gs" | "az" | "azure" | "abfs" | "abfss" | "adl"
        );
        if create && let Some(folder) = folder_of(url) {
            make_private(&folder).map_err(|error| Error::Url {
                url: shown(url),
                reason: format!("the folder cannot be made: {error}"),
            })?;
        }
        let place = match is_known {
            true => Place::open(url, create).map_err(|error| (shown(url), error.to_string())),
            false => Err((shown(url), "expected a folder, or s3://…, gs://… or az://…".to_owned())),
        };
        let place = place.map_err(|(url, reason)| Error::Url { url, reason })?;
        Ok(Target { place })
    }

    /// The URL without credentials.
    pub fn name(&self) -> &str {
        self.place.name()
    }

    /// Whether the objects are files on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.place.directory().is_some()
    }

    pub(crate) fn failed(&self, object: &str, error: &StoreError) -> Error {
        Error::Store {
            place: self.name().to_owned(),
            object: object.to_owned(),
            reason: explain_store_error(error),
        }
    }

    pub(crate) fn damaged(&self, object: &str, reason: impl ToString) -> Error {
        Error::Damaged {
            place: self.name().to_owned(),
            object: object.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn missing(&self, object: &str) -> Error {
        Error::Missing {
            place: self.name().to_owned(),
            object: object.to_owned(),
        }
    }

    fn no_backups(&self) -> Error {
        Error::NoBackups {
            place: self.name().to_owned(),
        }
    }

    /// Checks that backups are here.
    ///
    /// # Errors
    /// [`Error::NoBackups`], [`Error::NewerFormat`], [`Error::Store`].
    pub async fn check(&self) -> Result<(), Error> {
        let got = self.get(PLACE).await?.ok_or_else(|| self.no_backups())?;
        let bytes = self.bytes_of(PLACE, got, MAX_PLACE_BYTES).await?;
        let PlaceFile { format } = serde_json::from_slice(&bytes).map_err(|error| self.damaged(PLACE, error))?;
        self.check_format(PLACE, format)
    }

    fn check_format(&self, object: &str, found: u64) -> Result<(), Error> {
        match found {
            FORMAT => Ok(()),
            found => Err(Error::NewerFormat {
                place: self.name().to_owned(),
                object: object.to_owned(),
                found,
                known: FORMAT,
            }),
        }
    }

    /// Makes the place ready for backups, if it is not yet.
    ///
    /// # Errors
    /// [`Error::Occupied`] if other files are there; those of [`Target::check`].
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        match self.check().await {
            Err(Error::NoBackups { .. }) => {}
            checked => return checked,
        }
        if let Some(folder) = self.place.directory()
            && !folder.is_dir()
        {
            return Err(self.no_backups());
        }
        let mut listed = self.place.store().list(None);
        if let Some(found) = listed
            .try_next()
            .await
            .map_err(|error| self.failed("the folder", &error))?
        {
            // Another program may have made it a moment ago.
            let object: &str = found.location.as_ref();
            if object != PLACE {
                return Err(Error::Occupied {
                    place: self.name().to_owned(),
                });
            }
        }
        let text = serde_json::to_vec(&PlaceFile { format: FORMAT }).unwrap_or_default();
        self.put(PLACE, text.into()).await
    }

    /// Writes an object. One that exists is replaced by the same bytes.
    pub(crate) async fn put(&self, object: &str, bytes: Bytes) -> Result<(), Error> {
        let put = self.place.store().put(&path(object), bytes.into()).await;
        put.map(drop).map_err(|error| self.failed(object, &error))
    }

    /// Writes an object that does not exist yet, where the store can tell.
    pub(crate) async fn create(&self, object: &str, bytes: Bytes) -> Result<(), Error> {
        let put = self
            .place
            .store()
            .put_opts(&path(object), bytes.clone().into(), PutMode::Create.into())
            .await;
        match put {
            Ok(_) => Ok(()),
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => self.put(object, bytes).await,
            Err(error) => Err(self.failed(object, &error)),
        }
    }

    /// Begins an object that is too long for memory.
    pub(crate) async fn begin(&self, object: &str) -> Result<object_store::WriteMultipart, Error> {
        let upload = self.place.store().put_multipart(&path(object)).await;
        let upload = upload.map_err(|error| self.failed(object, &error))?;
        Ok(object_store::WriteMultipart::new_with_chunk_size(upload, PART_BYTES))
    }

    /// Reads an object. `None` if it does not exist.
    pub(crate) async fn get(&self, object: &str) -> Result<Option<object_store::GetResult>, Error> {
        // Opening a pipe would wait for a writer, and a device never ends.
        if let Some(folder) = self.place.directory()
            && tokio::fs::metadata(folder.join(object))
                .await
                .is_ok_and(|found| !found.is_file())
        {
            return Err(self.damaged(object, "it is no regular file"));
        }
        match self.place.store().get(&path(object)).await {
            Ok(got) => Ok(Some(got)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(object, &error)),
        }
    }

    /// The bytes of an object of at most `limit_bytes`.
    pub(crate) async fn read(&self, object: &str, limit_bytes: u64) -> Result<Bytes, Error> {
        let got = self.get(object).await?.ok_or_else(|| self.missing(object))?;
        self.bytes_of(object, got, limit_bytes).await
    }

    /// The bytes of an object that was found. Anybody may have put it there, so it is not taken
    /// into memory before its length is known.
    async fn bytes_of(&self, object: &str, got: object_store::GetResult, limit_bytes: u64) -> Result<Bytes, Error> {
        if got.meta.size > limit_bytes {
            return Err(self.damaged(object, format!("it has more than {limit_bytes} bytes")));
        }
        got.bytes().await.map_err(|error| self.failed(object, &error))
    }

    /// Removes an object. One that does not exist is no error.
    pub(crate) async fn remove(&self, object: &str) -> Result<(), Error> {
        match self.place.store().delete(&path(object)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(object, &error)),
        }
    }

    /// Passes the objects below a folder to `take`, with their names.
    async fn each(&self, folder: &str, mut take: impl FnMut(&str, Present)) -> Result<(), Error> {
        if let Some(root) = self.place.directory() {
            let take = |found: Found| match found.is_part {
                true => {}
                false => take(&found.object, found.present),
            };
            return self.walk(root, folder, take).await;
        }
        let mut listed = self.place.store().list(Some(&path(folder)));
        loop {
            match listed.try_next().await {
                Ok(Some(meta)) => {
                    let present = Present {
                        len_bytes: meta.size,
                        written_ms: meta.last_modified.timestamp_millis(),
                    };
                    take(meta.location.as_ref(), present);
                }
                Ok(None) | Err(StoreError::NotFound { .. }) => return Ok(()),
                Err(error) => return Err(self.failed(folder, &error)),
            }
        }
    }

    /// Passes the files below a folder of a place on this machine to `take`. The lists of the store
    /// end at the first name that no object can have.
    async fn walk(&self, root: &std::path::Path, folder: &str, mut take: impl FnMut(Found)) -> Result<(), Error> {
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let (root, name) = (root.to_owned(), folder.clone());
            let read = tokio::task::spawn_blocking(move || folder::read(&root, &name)).await;
            let read = read.map_err(|_| Error::Panicked)?.map_err(|error| {
                let error = StoreError::Generic {
                    store: "LocalFileSystem",
                    source: Box::new(error),
                };
                self.failed(&folder, &error)
            })?;
            read.files.into_iter().for_each(&mut take);
            // No object is deeper than `chunks/XX/SHA256`, and a link may lead round in a circle.
            if !folder.contains('/') {
                folders.extend(read.folders);
            }
        }
        Ok(())
    }

    /// The files that programs were writing which died since then, and their bytes. An object in a
    /// folder is written as `NAME#NUMBER` first.
    pub(crate) async fn parts(&self, before_ms: i64) -> Result<Vec<(PathBuf, u64)>, Error> {
        let mut parts = Vec::new();
        let Some(root) = self.place.directory() else {
            return Ok(parts);
        };
        for folder in [Kind::Chunk.folder(), Kind::File.folder(), BACKUPS, MARKS] {
            let take = |found: Found| {
                if found.is_part && found.present.written_ms < before_ms {
                    parts.push((root.join(found.object), found.present.len_bytes));
                }
            };
            self.walk(root, folder, take).await?;
        }
        Ok(parts)
    }

    /// The objects below a folder, with their names.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<(String, Present)>, Error> {
        let mut listed = Vec::new();
        self.each(folder, |object, present| listed.push((object.to_owned(), present)))
            .await?;
        Ok(listed)
    }

    /// The objects of a kind. Others in their folder are left out.
    pub(crate) async fn present(&self, kind: Kind) -> Result<HashMap<ContentHash, Present>, Error> {
        let mut present = HashMap::new();
        self.each(kind.folder(), |object, there| {
            if let Ok(hash) = file_name(object).parse()
                && object == kind.object(hash)
            {
                present.insert(hash, there);
            }
        })
        .await?;
        Ok(present)
    }

    /// The identifiers of all backups, oldest first.
    pub(crate) async fn ids(&self) -> Result<Vec<String>, Error> {
        let mut ids: Vec<_> = self
            .list(BACKUPS)
            .await?
            .iter()
            .map(|(object, _)| file_name(object).to_owned())
            .filter(|id| is_id(id))
            .collect();
        ids.sort();
        Ok(ids)
    }

    /// The manifest of a backup.
    ///
    /// # Errors
    /// [`Error::NoSuchBackup`], [`Error::Damaged`], [`Error::NewerFormat`], [`Error::Store`].
    pub async fn manifest(&self, id: &str) -> Result<Manifest, Error> {
        let missing = || Error::NoSuchBackup {
            place: self.name().to_owned(),
            id: id.chars().take(64).collect(),
        };
        if !is_id(id) {
            return Err(missing());
        }
        let object = manifest_object(id);
        let got = self.get(&object).await?.ok_or_else(missing)?;
        let bytes = self.bytes_of(&object, got, manifest::MAX_BYTES).await?;
        match Manifest::decode(&bytes) {
            Ok(manifest) if manifest.id == id => Ok(manifest),
            Ok(_) => Err(self.damaged(&object, "it is the manifest of another backup")),
            Err(ManifestError::Newer(found)) => self.check_format(&object, found).and(Err(missing())),
            Err(error) => Err(self.damaged(&object, error)),
        }
    }

    /// Writes the manifest of a new backup.
    pub(crate) async fn publish(&self, manifest: &Manifest) -> Result<(), Error> {
        self.create(&manifest_object(&manifest.id), manifest.encode().into())
            .await
    }

    /// Removes a manifest: the backup is gone, its objects are not yet.
    pub(crate) async fn withdraw(&self, id: &str) -> Result<(), Error> {
        self.remove(&manifest_object(id)).await
    }
}

/// Bytes that are sent at once of an object that is too long for memory.
pub(crate) const PART_BYTES: usize = 8 << 20;

pub(crate) fn manifest_object(id: &str) -> String {
    format!("{BACKUPS}/{id}")
}

/// Whether a text can be the identifier of a backup: a part of an object's name, and nothing else.
fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The last part of an object's name.
pub(crate) fn file_name(object: &str) -> &str {
    object.rsplit('/').next().unwrap_or_default()
}

/// The path of an object, whose name is made of plain letters here.
fn path(object: &str) -> Path {
    Path::from(object)
}

/// Makes a folder that is missing, for this user only: backups hold what people wrote. One that is
/// there keeps its mode.
fn make_private(folder: &std::path::Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) => {
            // Both fail only for a URL without an authority, which has no credentials.
            let _ = parsed.set_username("");
            let _ = parsed.set_password(None);
            parsed.set_query(None);
            parsed.into()
        }
        Err(_) => "the place of the backups".to_owned(),
    }
}
