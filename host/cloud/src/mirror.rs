//! What this host knows of the rows of the space: which rows are in which segment, in which state
//! they were applied here, and which blobs they name.
//!
//! A row's digest is that of the line whose fields the modules have;
//! [`UNKNOWN`](crate::row::UNKNOWN) when they may have others. A segment's version is the one whose
//! rows are all known here; none when it has to be fetched again.

use serde::{Deserialize, Serialize};
use stowage_storage::{Error as StorageError, KeyRange, ScanOptions, Transaction};

use crate::Hash;
use crate::list::Version;
use crate::row::{Digest, UNKNOWN};
use crate::segment::default_segment;

/// Collection, segment and identity → digest and blob.
const ROWS: &str = "host.cloud-rows";
/// Collection, identity and segment → nothing, for rows that are not in the segment where new ones
/// go.
const STRAYS: &str = "host.cloud-places";
/// Blob, collection, segment and identity → nothing.
const BLOBS: &str = "host.cloud-blobs";
/// Collection and segment → [`SegmentState`].
const SEGMENTS: &str = "host.cloud-segments";
/// Facts about the space itself.
const SPACE: &str = "host.cloud-space";
const TOTAL_BYTES: &[u8] = b"total-bytes";
const NAME: &[u8] = b"name";

/// How much of a table is read in one step.
const PAGE: u32 = 10_000;

/// What is known of one segment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentState {
    /// The state whose rows are known; `None` when the segment has to be fetched.
    pub version: Option<Version>,
    /// Whether the rows were handed to a module, or only noted because no module keeps them.
    pub kept: bool,
    /// Whether that state could not be read: its rows, and the blobs they name, are not known.
    #[serde(default)]
    pub unread: bool,
}

/// Rows of a segment, and the identity to go on after while there may be more.
pub(crate) type RowsPage = (Vec<(String, MirroredRow)>, Option<String>);

/// Where a row is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowLocation<'a> {
    pub collection: &'a str,
    pub segment: &'a str,
    pub identity: &'a str,
}

impl RowLocation<'_> {
    fn row_key(&self) -> Vec<u8> {
        key(&[self.collection, self.segment, self.identity])
    }

    /// Whether the segment is the one that new rows with this identity go to.
    fn is_default(&self) -> bool {
        self.segment == default_segment(self.identity)
    }

    fn stray_key(&self) -> Vec<u8> {
        key(&[self.collection, self.identity, self.segment])
    }

    fn blob_key(&self, hash: &Hash) -> Vec<u8> {
        let mut bytes = hash.as_bytes().to_vec();
        bytes.extend_from_slice(&self.row_key());
        bytes
    }
}

/// What is known of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MirroredRow {
    pub digest: Digest,
    pub blob: Option<Hash>,
}

impl MirroredRow {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.digest.to_vec();
        if let Some(hash) = &self.blob {
            bytes.extend_from_slice(hash.as_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Self {
        let digest = bytes.get(..16).and_then(|half| half.try_into().ok()).unwrap_or(UNKNOWN);
        let blob = bytes
            .get(16..)
            .and_then(|rest| rest.try_into().ok())
            .map(Hash::from_bytes);
        Self { digest, blob }
    }
}

/// What is known of the row at a location.
pub(crate) fn row(tx: &mut Transaction, location: RowLocation<'_>) -> Result<Option<MirroredRow>, StorageError> {
    Ok(tx
        .get(ROWS, &location.row_key())?
        .map(|bytes| MirroredRow::decode(&bytes)))
}

/// Notes a row at its location.
pub(crate) fn put_row(
    tx: &mut Transaction,
    location: RowLocation<'_>,
    mirrored: MirroredRow,
) -> Result<(), StorageError> {
    if let Some(MirroredRow { blob: Some(old), .. }) = row(tx, location)?
        && mirrored.blob != Some(old)
    {
        tx.delete(BLOBS, &location.blob_key(&old))?;
    }
    if let Some(hash) = &mirrored.blob {
        tx.put(BLOBS, &location.blob_key(hash), Vec::new())?;
    }
    if !location.is_default() {
        tx.put(STRAYS, &location.stray_key(), Vec::new())?;
    }
    tx.put(ROWS, &location.row_key(), mirrored.encode())
}

/// Forgets the row at a location.
pub(crate) fn remove_row(tx: &mut Transaction, location: RowLocation<'_>) -> Result<(), StorageError> {
    if let Some(MirroredRow { blob: Some(old), .. }) = row(tx, location)? {
        tx.delete(BLOBS, &location.blob_key(&old))?;
    }
    if !location.is_default() {
        tx.delete(STRAYS, &location.stray_key())?;
    }
    tx.delete(ROWS, &location.row_key())
}

/// The segments that hold a row with this identity, in bytewise order. The first is the one that
/// counts.
pub(crate) fn segments_of(tx: &mut Transaction, collection: &str, identity: &str) -> Result<Vec<String>, StorageError> {
    let prefix = key(&[collection, identity, ""]);
    let options = ScanOptions {
        limit: PAGE,
        keys_only: true,
        ..ScanOptions::default()
    };
    let page = tx.scan(STRAYS, &KeyRange::prefix(prefix.clone()), &options)?;
    let mut segments: Vec<_> = page
        .entries
        .iter()
        .filter_map(|entry| text(entry.key.get(prefix.len()..)?))
        .collect();
    if let Some(default) = in_default_segment(tx, collection, identity)? {
        let at = segments.partition_point(|segment| *segment < default);
        segments.insert(at, default);
    }
    Ok(segments)
}

/// The segment where new rows go, if it holds this one.
pub(crate) fn in_default_segment(
    tx: &mut Transaction,
    collection: &str,
    identity: &str,
) -> Result<Option<String>, StorageError> {
    let default = default_segment(identity);
    let location = RowLocation {
        collection,
        segment: &default,
        identity,
    };
    Ok(row(tx, location)?.map(|_| default))
}

/// Whether a row of the collection is anywhere but in the segment where new ones go.
pub(crate) fn has_strays(tx: &mut Transaction, collection: &str) -> Result<bool, StorageError> {
    let options = ScanOptions {
        limit: 1,
        keys_only: true,
        ..ScanOptions::default()
    };
    let page = tx.scan(STRAYS, &KeyRange::prefix(key(&[collection, ""])), &options)?;
    Ok(!page.entries.is_empty())
}

/// The rows of a segment after an identity, at most a page of them; the second part is where to go
/// on.
pub(crate) fn rows_of(
    tx: &mut Transaction,
    collection: &str,
    segment: &str,
    after: Option<&str>,
) -> Result<RowsPage, StorageError> {
    let prefix = key(&[collection, segment, ""]);
    let mut range = KeyRange::prefix(prefix.clone());
    if let Some(after) = after {
        range.start = Some([&prefix, after.as_bytes(), b"\0"].concat());
    }
    let page = tx.scan(
        ROWS,
        &range,
        &ScanOptions {
            limit: PAGE,
            ..ScanOptions::default()
        },
    )?;
    let identity = |key: &[u8]| text(key.get(prefix.len()..)?);
    let rows = page
        .entries
        .iter()
        .filter_map(|entry| Some((identity(&entry.key)?, MirroredRow::decode(&entry.value))));
    Ok((rows.collect(), page.cursor.as_deref().and_then(identity)))
}

/// Whether a row names the blob.
pub(crate) fn names(tx: &mut Transaction, hash: &Hash) -> Result<bool, StorageError> {
    let options = ScanOptions {
        limit: 1,
        keys_only: true,
        ..ScanOptions::default()
    };
    Ok(!tx
        .scan(BLOBS, &KeyRange::prefix(*hash.as_bytes()), &options)?
        .entries
        .is_empty())
}

/// What is known of a segment.
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
        let page = tx.scan(
            SEGMENTS,
            &range,
            &ScanOptions {
                limit: PAGE,
                ..ScanOptions::default()
            },
        )?;
        for entry in &page.entries {
            if let Some(name) = entry.key.get(prefix.len()..).and_then(text) {
                segments.push((name, decode_state(&entry.value)));
            }
        }
        match page.cursor {
            Some(cursor) => range.start = Some([&cursor[..], b"\0"].concat()),
            None => return Ok(segments),
        }
    }
}

/// A state that cannot be read is one that has to be fetched again.
fn decode_state(bytes: &[u8]) -> SegmentState {
    rmp_serde::from_slice(bytes).unwrap_or_default()
}

/// Notes what is known of a segment.
pub(crate) fn put_segment(
    tx: &mut Transaction,
    collection: &str,
    segment: &str,
    state: &SegmentState,
) -> Result<(), StorageError> {
    let bytes = rmp_serde::to_vec_named(state).expect("a string and a flag are always serialisable to memory");
    tx.put(SEGMENTS, &key(&[collection, segment]), bytes)
}

/// Whether there is a segment whose rows are not known.
pub(crate) fn has_unread(tx: &mut Transaction) -> Result<bool, StorageError> {
    for collection in &crate::COLLECTIONS {
        if segments(tx, collection.name)?.iter().any(|(_, state)| state.unread) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgets a segment that is no more.
pub(crate) fn remove_segment(tx: &mut Transaction, collection: &str, segment: &str) -> Result<(), StorageError> {
    tx.delete(SEGMENTS, &key(&[collection, segment]))
}

/// Makes the next sync fetch a segment.
pub(crate) fn invalidate(tx: &mut Transaction, collection: &str, segment: &str) -> Result<(), StorageError> {
    let state = self::segment(tx, collection, segment)?.unwrap_or_default();
    put_segment(tx, collection, segment, &SegmentState { version: None, ..state })
}

/// The size of the space in bytes, as last read; 0 before it was ever read.
pub(crate) fn total_bytes(tx: &mut Transaction) -> Result<u64, StorageError> {
    let value = tx.get(SPACE, TOTAL_BYTES)?;
    Ok(value
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_be_bytes))
}

/// Notes the size of the space.
pub(crate) fn put_total_bytes(tx: &mut Transaction, total_bytes: u64) -> Result<(), StorageError> {
    if self::total_bytes(tx)? == total_bytes && total_bytes != 0 {
        return Ok(());
    }
    tx.put(SPACE, TOTAL_BYTES, total_bytes.to_be_bytes().to_vec())
}

/// Makes sure that versions noted of another space do not count for this one.
pub(crate) fn belong_to(tx: &mut Transaction, name: &str) -> Result<(), StorageError> {
    if tx.get(SPACE, NAME)?.as_deref() == Some(name.as_bytes()) {
        return Ok(());
    }
    for collection in &crate::COLLECTIONS {
        for (segment, state) in segments(tx, collection.name)? {
            put_segment(tx, collection.name, &segment, &SegmentState { version: None, ..state })?;
        }
    }
    tx.put(SPACE, NAME, name.as_bytes().to_vec())
}

/// Names joined by a byte that none of them contains.
fn key(parts: &[&str]) -> Vec<u8> {
    parts.join("\0").into_bytes()
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stowage_storage::{Config, Store};

    fn location<'a>(segment: &'a str, identity: &'a str) -> RowLocation<'a> {
        RowLocation {
            collection: "favorites",
            segment,
            identity,
        }
    }

    #[test]
    fn a_row_names_its_blob_until_it_names_another() {
        let store = Store::in_memory(Config::default());
        let mut tx = store.begin();
        let (one, two) = (Hash::of(b"1"), Hash::of(b"2"));
        put_row(
            &mut tx,
            location("aa", "x"),
            MirroredRow {
                digest: [1; 16],
                blob: Some(one),
            },
        )
        .expect("put");
        put_row(
            &mut tx,
            location("aa", "y"),
            MirroredRow {
                digest: [1; 16],
                blob: Some(one),
            },
        )
        .expect("put");
        put_row(
            &mut tx,
            location("aa", "x"),
            MirroredRow {
                digest: [2; 16],
                blob: Some(two),
            },
        )
        .expect("put");
        assert!(names(&mut tx, &one).expect("readable") && names(&mut tx, &two).expect("readable"));
        remove_row(&mut tx, location("aa", "y")).expect("removed");
        remove_row(&mut tx, location("aa", "x")).expect("removed");
        assert!(!names(&mut tx, &one).expect("readable") && !names(&mut tx, &two).expect("readable"));
    }

    #[test]
    fn a_row_is_found_in_every_segment_that_holds_it() {
        let store = Store::in_memory(Config::default());
        let mut tx = store.begin();
        for (segment, identity) in [("b", "x"), ("a", "x"), ("a", "xy"), ("ab", "z")] {
            put_row(
                &mut tx,
                location(segment, identity),
                MirroredRow {
                    digest: UNKNOWN,
                    blob: None,
                },
            )
            .expect("put");
        }
        assert_eq!(segments_of(&mut tx, "favorites", "x").expect("readable"), ["a", "b"]);
        assert_eq!(in_default_segment(&mut tx, "favorites", "x").expect("readable"), None);
        assert!(has_strays(&mut tx, "favorites").expect("readable"));
        assert!(!has_strays(&mut tx, "favorite").expect("readable"));
        let (rows, more) = rows_of(&mut tx, "favorites", "a", None).expect("readable");
        assert_eq!(rows.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(), ["x", "xy"]);
        assert_eq!(more, None);
        let (rows, _) = rows_of(&mut tx, "favorites", "a", Some("x")).expect("readable");
        assert_eq!(rows.len(), 1);
    }

    #[test]
    fn versions_of_another_space_do_not_count() {
        let store = Store::in_memory(Config::default());
        let mut tx = store.begin();
        belong_to(&mut tx, "file:///a").expect("put");
        let state = SegmentState {
            version: rmp_serde::from_slice(b"\xa3e:1").ok(),
            kept: true,
            unread: false,
        };
        assert!(state.version.is_some());
        put_segment(&mut tx, "favorites", "aa", &state).expect("put");
        belong_to(&mut tx, "file:///a").expect("put");
        assert_eq!(segment(&mut tx, "favorites", "aa").expect("readable"), Some(state));
        belong_to(&mut tx, "file:///b").expect("put");
        let state = segment(&mut tx, "favorites", "aa").expect("readable").expect("known");
        assert_eq!(
            state,
            SegmentState {
                version: None,
                kept: true,
                unread: false
            }
        );
    }
}
