//! Transactions of the cloud itself.

use stowage_storage::{Error as StorageError, Store, Transaction, UpdateError};

use crate::Error;

/// Runs a transaction and commits it. After a conflict it runs again.
///
/// # Errors
/// [`Error::Storage`].
pub(crate) async fn update<T>(
    store: &Store,
    f: impl FnMut(&mut Transaction) -> Result<T, StorageError>,
) -> Result<T, Error> {
    store
        .update(f)
        .await
        .map_err(|error: UpdateError<StorageError>| match error {
            UpdateError::Aborted(error) => Error::storage(error),
            error => Error::storage(error),
        })
}
