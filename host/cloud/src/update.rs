//! Transactions of the cloud's own.

use stowage_storage::{Error as StorageError, Store, Transaction, UpdateError};

use crate::Error;

/// Runs a transaction and commits it. On a conflict it runs again.
///
/// # Errors
/// [`Error::Storage`].
pub(crate) async fn update<T>(
    store: &Store,
    mut f: impl FnMut(&mut Transaction) -> Result<T, StorageError>,
) -> Result<T, Error> {
    store
        .update(|tx| f(tx))
        .await
        .map_err(|error: UpdateError<StorageError>| match error {
            UpdateError::Aborted(error) => Error::storage(error),
            error => Error::storage(error),
        })
}
