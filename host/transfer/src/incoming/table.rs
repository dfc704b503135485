//! The table of uploads that arrive in several pieces.
//!
//! `host.incoming`: the upload's identifier (UTF-8) → the upload, MessagePack with field names.

use stowage_storage::{Error, KeyRange, ScanOptions, Store, Transaction};

use super::upload::Upload;

const INCOMING: &str = "host.incoming";

/// Uploads read at a time by [`all`].
const PAGE: u32 = 1000;

/// Writes an upload.
pub(super) fn put(tx: &mut Transaction, upload: &Upload) -> Result<(), Error> {
    let bytes = rmp_serde::to_vec_named(upload).expect("every field of an upload fits MessagePack");
    tx.put(INCOMING, upload.id.as_bytes(), bytes)
}

/// Removes an upload.
pub(super) fn remove(tx: &mut Transaction, id: &str) -> Result<(), Error> {
    tx.delete(INCOMING, id.as_bytes())
}

/// All uploads. One that cannot be decoded is logged and left out.
pub(super) fn all(store: &Store) -> Result<Vec<Upload>, Error> {
    let mut tx = store.begin();
    let mut uploads = Vec::new();
    let mut range = KeyRange::all();
    loop {
        let options = ScanOptions {
            limit: PAGE,
            ..ScanOptions::default()
        };
        let page = tx.scan(INCOMING, &range, &options)?;
        for entry in page.entries {
            match rmp_serde::from_slice(&entry.value) {
                Ok(upload) => uploads.push(upload),
                Err(error) => tracing::warn!(table = INCOMING, %error, "skipped an upload that cannot be decoded"),
            }
        }
        let Some(mut cursor) = page.cursor else {
            return Ok(uploads);
        };
        cursor.push(0);
        range.start = Some(cursor);
    }
}
