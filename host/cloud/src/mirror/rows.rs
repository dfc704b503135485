//! What this host knows of the rows of the space.

use stowage_storage::{Error as StorageError, KeyRange, Transaction};

use super::keys::{PAGE, key, keys, name, page};
use crate::Hash;
use crate::row::{Digest, UNKNOWN};
use crate::segment::default_segment;

/// Collection, segment and identity → digest and blob.
const ROWS: &str = "host.cloud-rows";
/// Collection, identity and segment → nothing, for strays: rows outside their default segment.
const STRAYS: &str = "host.cloud-places";
/// Blob, collection, segment and identity → nothing.
const BLOBS: &str = "host.cloud-blobs";

/// Rows of a segment. If there may be more, the identity after which they come.
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

/// Two keys that a row implies; each may be none.
pub(crate) type Implied = (Option<Vec<u8>>, Option<Vec<u8>>);

/// The keys that follow from a row of the mirror: the one of its blob, and the one of a stray.
/// `None` if it is malformed.
pub(crate) fn implied(key: &[u8], value: &[u8]) -> Option<Implied> {
    if !matches!(value.len(), 16 | 48) {
        return None;
    }
    let mut parts = std::str::from_utf8(key).ok()?.split('\0');
    let (collection, segment, identity) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let location = RowLocation {
        collection,
        segment,
        identity,
    };
    let blob = MirroredRow::decode(value).blob;
    let stray = (!location.is_default()).then(|| location.stray_key());
    Some((blob.map(|hash| location.blob_key(&hash)), stray))
}

/// The row at a location.
pub(crate) fn row(tx: &mut Transaction, location: RowLocation<'_>) -> Result<Option<MirroredRow>, StorageError> {
    Ok(tx
        .get(ROWS, &location.row_key())?
        .map(|bytes| MirroredRow::decode(&bytes)))
}

/// Records a row.
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

/// Removes the row at a location.
pub(crate) fn remove_row(tx: &mut Transaction, location: RowLocation<'_>) -> Result<(), StorageError> {
    if let Some(MirroredRow { blob: Some(old), .. }) = row(tx, location)? {
        tx.delete(BLOBS, &location.blob_key(&old))?;
    }
    if !location.is_default() {
        tx.delete(STRAYS, &location.stray_key())?;
    }
    tx.delete(ROWS, &location.row_key())
}

/// The segments that hold a row with this identity, in bytewise order. The first one counts.
pub(crate) fn segments_of(tx: &mut Transaction, collection: &str, identity: &str) -> Result<Vec<String>, StorageError> {
    let prefix = key(&[collection, identity, ""]);
    let page = tx.scan(STRAYS, &KeyRange::prefix(prefix.clone()), &keys(PAGE))?;
    let mut segments: Vec<_> = page
        .entries
        .iter()
        .filter_map(|entry| name(entry.key.get(prefix.len()..)?))
        .collect();
    if let Some(default) = in_default_segment(tx, collection, identity)? {
        let at = segments.partition_point(|segment| *segment < default);
        segments.insert(at, default);
    }
    Ok(segments)
}

/// The default segment of a row, if it holds the row.
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

/// Whether a row of the collection is outside its default segment.
pub(crate) fn has_strays(tx: &mut Transaction, collection: &str) -> Result<bool, StorageError> {
    let page = tx.scan(STRAYS, &KeyRange::prefix(key(&[collection, ""])), &keys(1))?;
    Ok(!page.entries.is_empty())
}

/// A page of the rows of a segment, after an identity.
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
    let page = tx.scan(ROWS, &range, &page())?;
    let identity = |key: &[u8]| name(key.get(prefix.len()..)?);
    let rows = page
        .entries
        .iter()
        .filter_map(|entry| Some((identity(&entry.key)?, MirroredRow::decode(&entry.value))));
    Ok((rows.collect(), page.cursor.as_deref().and_then(identity)))
}

/// Whether a row names the blob.
pub(crate) fn names(tx: &mut Transaction, hash: &Hash) -> Result<bool, StorageError> {
    let page = tx.scan(BLOBS, &KeyRange::prefix(*hash.as_bytes()), &keys(1))?;
    Ok(!page.entries.is_empty())
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

    fn put(tx: &mut Transaction, location: RowLocation<'_>, digest: Digest, blob: Option<Hash>) {
        put_row(tx, location, MirroredRow { digest, blob }).expect("put");
    }

    #[test]
    fn a_row_names_its_blob_until_it_names_another() {
        let store = Store::in_memory(Config::default());
        let mut tx = store.begin();
        let (one, two) = (Hash::of(b"1"), Hash::of(b"2"));
        put(&mut tx, location("aa", "x"), [1; 16], Some(one));
        put(&mut tx, location("aa", "y"), [1; 16], Some(one));
        put(&mut tx, location("aa", "x"), [2; 16], Some(two));
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
            put(&mut tx, location(segment, identity), UNKNOWN, None);
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
}
