//! What the stored rows of the cloud imply, for a check of a whole database.

use crate::{mirror, outbox};

/// The changes that are not in the space yet: number and fingerprint of the row → change.
pub const OUTBOX: &str = "host.cloud-outbox";
/// The blobs that those changes need: hash and number → nothing.
pub const WANTED: &str = "host.cloud-wanted";
/// The mirror of rows: collection, segment, identity → digest and blob.
pub const MIRROR: &str = "host.cloud-rows";
/// Rows of the mirror outside their usual segment: collection, identity, segment → nothing.
pub const PLACES: &str = "host.cloud-places";
/// The blobs of the mirror: hash, collection, segment, identity → nothing.
pub const BLOBS: &str = "host.cloud-blobs";

/// Bytes of a hash at the start of a key.
const HASH_BYTES: usize = 32;

/// What a change of [`OUTBOX`] implies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImpliedByChange {
    /// Its number.
    pub number: u64,
    /// The key that it must have.
    pub key: Vec<u8>,
    /// The key in [`WANTED`], if it names a blob.
    pub wanted: Option<Vec<u8>>,
}

/// What a change of [`OUTBOX`] implies. `None` if it cannot be decoded.
pub fn implied_by_change(key: &[u8], value: &[u8]) -> Option<ImpliedByChange> {
    let (number, key, wanted) = outbox::implied(key, value)?;
    Some(ImpliedByChange { number, key, wanted })
}

/// The number of the change that a key of [`WANTED`] is of. `None` if it is malformed.
pub fn number_of_wanted(key: &[u8]) -> Option<u64> {
    let number = key.get(HASH_BYTES..)?;
    number.try_into().ok().map(u64::from_be_bytes)
}

/// What a row of [`MIRROR`] implies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImpliedByMirror {
    /// The key in [`BLOBS`], if it names a blob.
    pub blob: Option<Vec<u8>>,
    /// The key in [`PLACES`], if it is outside its usual segment.
    pub place: Option<Vec<u8>>,
}

/// What a row of [`MIRROR`] implies. `None` if it is malformed.
pub fn implied_by_mirror(key: &[u8], value: &[u8]) -> Option<ImpliedByMirror> {
    let (blob, place) = mirror::implied(key, value)?;
    Some(ImpliedByMirror { blob, place })
}

/// The key in [`MIRROR`] that a key of [`BLOBS`] is of. `None` if it is malformed.
pub fn mirror_of_blob(key: &[u8]) -> Option<&[u8]> {
    key.get(HASH_BYTES..).filter(|rest| !rest.is_empty())
}

/// The key in [`MIRROR`] that a key of [`PLACES`] is of. `None` if it is malformed.
pub fn mirror_of_place(key: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(key).ok()?;
    let (collection, rest) = text.split_once('\0')?;
    let (identity, segment) = rest.split_once('\0')?;
    Some([collection, segment, identity].join("\0").into_bytes())
}

#[cfg(test)]
mod tests {
    use stowage_storage::{Config, KeyRange, ScanOptions, Store, Transaction};

    use super::*;
    use crate::mirror::{MirroredRow, RowLocation, put_row};
    use crate::{Hash, SpaceChange};

    fn entries(tx: &mut Transaction, table: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let options = ScanOptions {
            limit: 100,
            ..ScanOptions::default()
        };
        let page = tx.scan(table, &KeyRange::all(), &options).expect("readable");
        page.entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
    }

    #[test]
    fn what_is_implied_is_what_was_written() {
        let store = Store::in_memory(Config::default());
        let mut tx = store.begin();
        let hash = Hash::of(b"x");
        let mut fields = serde_json::Map::new();
        fields.insert("hash".to_owned(), hash.to_string().into());
        let put = SpaceChange::PutRow {
            collection: "favorites".to_owned(),
            identity: "a".to_owned(),
            fields,
        };
        outbox::stage(&mut tx, 7, &put).expect("memory takes it");
        outbox::stage(&mut tx, 8, &SpaceChange::DeleteBlob { hash }).expect("memory takes it");
        let wanted = entries(&mut tx, WANTED);
        assert_eq!(wanted.len(), 1);
        assert_eq!(number_of_wanted(&wanted[0].0), Some(7));
        let changes = entries(&mut tx, OUTBOX);
        let implied: Vec<_> = changes
            .iter()
            .map(|(key, value)| implied_by_change(key, value).expect("a change"))
            .collect();
        assert!(
            implied
                .iter()
                .zip(&changes)
                .all(|(implied, (key, _))| implied.key == *key)
        );
        assert_eq!(implied[0].wanted.as_ref(), Some(&wanted[0].0));
        assert_eq!((implied[1].number, &implied[1].wanted), (8, &None));
        assert_eq!(implied_by_change(&changes[0].0, b"\xc1"), None);

        for (segment, blob) in [("elsewhere", Some(hash)), (crate::default_segment("a").as_str(), None)] {
            let location = RowLocation {
                collection: "favorites",
                segment,
                identity: "a",
            };
            let row = MirroredRow { digest: [1; 16], blob };
            put_row(&mut tx, location, row).expect("memory takes it");
        }
        let (mut blobs, mut places) = (Vec::new(), Vec::new());
        for (key, value) in entries(&mut tx, MIRROR) {
            let implied = implied_by_mirror(&key, &value).expect("a row");
            if let Some(blob) = implied.blob {
                assert_eq!(mirror_of_blob(&blob), Some(&key[..]));
                blobs.push((blob, Vec::new()));
            }
            if let Some(place) = implied.place {
                assert_eq!(mirror_of_place(&place), Some(key));
                places.push((place, Vec::new()));
            }
        }
        assert_eq!((blobs.len(), places.len()), (1, 1));
        assert_eq!(blobs, entries(&mut tx, BLOBS));
        assert_eq!(places, entries(&mut tx, PLACES));
        assert_eq!(implied_by_mirror(b"favorites", &[0; 16]), None);
    }
}
