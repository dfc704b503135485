//! An object store for something else than a space: the same URLs, credentials and time limits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;

use crate::redaction::redacted;
use crate::store_failure::StoreFailure;
use crate::{Error, connect};

/// An object store, seen from the prefix that a URL names.
#[derive(Clone, Debug)]
pub struct Place {
    store: Arc<dyn ObjectStore>,
    name: String,
    directory: Option<PathBuf>,
}

impl Place {
    /// Connects to the store at a URL: `file:///directory`, `s3://bucket/prefix`, `gs://…`,
    /// `az://…`. Nothing is sent yet. With `create`, a missing directory is made.
    ///
    /// # Errors
    /// [`Error::Url`] if the URL or the settings name no store, [`Error::Local`] if the directory
    /// cannot be made.
    pub fn open(url: &str, create: bool) -> Result<Place, Error> {
        let connection = connect::connect(url, create)?;
        Ok(Place {
            store: connection.store,
            name: connect::without_credentials(url),
            directory: connection.directory,
        })
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The URL without credentials.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory, if it is one on this machine.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }
}

/// What an error of an object store means for a person: what to do, and what the store said. URLs
/// in it have no credentials.
pub fn explain_store_error(error: &object_store::Error) -> String {
    let action = match StoreFailure::of(error) {
        StoreFailure::Refused => "access is refused; check the credentials and the rights: ",
        StoreFailure::Busy(_) => "the store is too busy; try again later: ",
        StoreFailure::Full => "the disk is full; make room there: ",
        StoreFailure::Other => "",
    };
    format!("{action}{}", redacted(&error.to_string()))
}
