//! What this host knows of the segments of the space.

use serde::{Deserialize, Serialize};
use stowage_storage::{Error as StorageError, KeyRange, Transaction};

use super::keys::{key, name, page};
use crate::list::Version;

/// Collection and segment → [`SegmentState`].
const SEGMENTS: &str = "host.cloud-segments";

/// What is known of a segment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentState {
    /// The version whose rows are all known. `None` if the segment must be fetched.
    pub version: Option<Version>,
    /// Whether the rows were given to a module. Without a module they are only recorded.
    pub kept: bool,
    /// Whether this version could not be read. Its rows, and the blobs they name, are not known.
    #[serde(default)]
    pub unread: bool,
}

/// The state of a segment.
pub(crate) fn segment(
    tx: &mut Transaction,
    collection: &str,
    segment: &str,
) -> Result<Option<SegmentState>, StorageError> {
    Ok(tx
        .get(SEGMENTS, &key(&[collection, segment]))?
        .map(|bytes| decode_state(&bytes)))
}

/// Every known segment of a collection, by name.
pub(crate) fn segments(tx: &mut Transaction, collection: &str) -> Result<Vec<(String, SegmentState)>, StorageError> {
    let prefix = key(&[collection, ""]);
    let mut range = KeyRange::prefix(prefix.clone());
    let mut segments = Vec::new();
    loop {
        let page = tx.scan(SEGMENTS, &range, &page())?;
        for entry in &page.entries {
            if let Some(name) = entry.key.get(prefix.len()..).and_then(name) {
                segments.push((name, decode_state(&entry.value)));
            }
        }
        match page.cursor {
            Some(cursor) => range.start = Some([&cursor[..], b"\0"].concat()),
            None => return Ok(segments),
        }
    }
}

/// A value that cannot be read makes the segment be fetched again.
fn decode_state(bytes: &[u8]) -> SegmentState {
    rmp_serde::from_slice(bytes).unwrap_or_default()
}

/// Records the state of a segment.
pub(crate) fn put_segment(
    tx: &mut Transaction,
    collection: &str,
    segment: &str,
    state: &SegmentState,
) -> Result<(), StorageError> {
    let bytes = rmp_serde::to_vec_named(state).expect("a string and a flag are always serialisable to memory");
    tx.put(SEGMENTS, &key(&[collection, segment]), bytes)
}

/// Whether a segment could not be read.
pub(crate) fn has_unread(tx: &mut Transaction) -> Result<bool, StorageError> {
    for collection in &crate::COLLECTIONS {
        if segments(tx, collection.name)?.iter().any(|(_, state)| state.unread) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes a segment that is no longer in the space.
pub(crate) fn remove_segment(tx: &mut Transaction, collection: &str, segment: &str) -> Result<(), StorageError> {
    tx.delete(SEGMENTS, &key(&[collection, segment]))
}

/// Makes the next sync fetch a segment.
pub(crate) fn invalidate(tx: &mut Transaction, collection: &str, segment: &str) -> Result<(), StorageError> {
    let state = self::segment(tx, collection, segment)?.unwrap_or_default();
    put_segment(tx, collection, segment, &SegmentState { version: None, ..state })
}
