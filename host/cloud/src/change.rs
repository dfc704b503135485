//! What a transaction asks the space to change.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Collection, Hash, row};

/// A change of the space. It is carried out after its transaction is committed. Changes keep their
/// order. A change is retried until it succeeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SpaceChange {
    /// Sets fields of a row, and makes the row if there is none. Other fields stay as they are in
    /// the space. A row that was known here and that another host removed is made again only if the
    /// fields name a blob.
    PutRow {
        /// The collection's name.
        collection: String,
        /// The row's identity. The fields need not repeat it.
        identity: String,
        /// The fields to set.
        fields: Map<String, Value>,
    },
    /// Removes a row.
    DeleteRow {
        /// The collection's name.
        collection: String,
        /// The row's identity.
        identity: String,
    },
    /// Removes a blob, unless a row names it.
    DeleteBlob {
        /// The blob.
        hash: Hash,
    },
}

/// Why a change cannot be staged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpaceChangeError {
    /// Format 1 has no such collection.
    #[error("the space has no collection {0:?}")]
    Collection(String),
    /// A row of the collection cannot have this identity.
    #[error(
        "{identity:?} cannot be the identity of a row of {collection}: 1 to {} bytes without NUL, a hash where the collection has hashes",
        row::IDENTITY_LIMIT_BYTES
    )]
    Identity {
        /// The collection's name.
        collection: String,
        /// The identity.
        identity: String,
    },
    /// The row's line would be longer than a row may be.
    #[error("a row is at most {} bytes", row::LINE_LIMIT_BYTES)]
    TooLong,
}

impl SpaceChange {
    /// Checks that the change can be carried out.
    ///
    /// # Errors
    /// [`SpaceChangeError`] says why not.
    pub fn check(&self) -> Result<(), SpaceChangeError> {
        let Some((collection, identity)) = self.row() else {
            return Ok(());
        };
        let Some(found) = Collection::named(collection) else {
            return Err(SpaceChangeError::Collection(collection.to_owned()));
        };
        if !row::is_identity(found, identity) {
            return Err(SpaceChangeError::Identity {
                collection: collection.to_owned(),
                identity: identity.to_owned(),
            });
        }
        if let SpaceChange::PutRow { fields, .. } = self
            && !row::surely_fits(found, identity, fields)
        {
            let line = row::render(found, identity, fields);
            if line.and_then(|line| row::parse(found, &line)).is_none() {
                return Err(SpaceChangeError::TooLong);
            }
        }
        Ok(())
    }

    /// The collection and identity of the row that is changed.
    pub fn row(&self) -> Option<(&str, &str)> {
        match self {
            SpaceChange::PutRow {
                collection, identity, ..
            }
            | SpaceChange::DeleteRow { collection, identity } => Some((collection, identity)),
            SpaceChange::DeleteBlob { .. } => None,
        }
    }

    /// The blob that the changed row will name, if this change says so.
    pub(crate) fn wanted_blob(&self) -> Option<Hash> {
        match self {
            SpaceChange::PutRow {
                fields,
                identity,
                collection,
            } => row::blob(fields).or_else(|| {
                let by_hash = Collection::named(collection)?.identity_is_hash;
                if by_hash { identity.parse().ok() } else { None }
            }),
            SpaceChange::DeleteRow { .. } | SpaceChange::DeleteBlob { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(collection: &str, identity: &str, fields: Value) -> SpaceChange {
        let fields = fields.as_object().expect("an object").clone();
        SpaceChange::PutRow {
            collection: collection.to_owned(),
            identity: identity.to_owned(),
            fields,
        }
    }

    #[test]
    fn an_impossible_change_is_refused_before_it_is_staged() {
        let none = serde_json::json!({});
        assert_eq!(put("favorites", "a", none.clone()).check(), Ok(()));
        assert!(matches!(
            put("nowhere", "a", none.clone()).check(),
            Err(SpaceChangeError::Collection(_))
        ));
        assert!(matches!(
            put("favorites", "", none.clone()).check(),
            Err(SpaceChangeError::Identity { .. })
        ));
        assert!(matches!(
            put("storage-files", "a", none).check(),
            Err(SpaceChangeError::Identity { .. })
        ));
        let long = serde_json::json!({ "name": "x".repeat(row::LINE_LIMIT_BYTES) });
        assert_eq!(put("favorites", "a", long).check(), Err(SpaceChangeError::TooLong));
    }

    #[test]
    fn a_row_that_is_taken_unseen_has_a_line() {
        let known = Collection::named("favorites").expect("format 1 has it");
        let awkward =
            serde_json::json!({ "name": "\u{1}\"\\".repeat(100), "n": -5, "f": 1e300, "b": true, "none": null });
        let long = serde_json::json!({ "name": "\u{1}".repeat(row::LINE_LIMIT_BYTES / 6) });
        let nested = serde_json::json!({ "list": [1] });
        for (fields, surely) in [(awkward, true), (long, false), (nested, false)] {
            let fields = fields.as_object().expect("an object");
            assert_eq!(row::surely_fits(known, "a\u{1}b", fields), surely);
            if surely {
                let line = row::render(known, "a\u{1}b", fields).expect("a line");
                assert!(row::parse(known, &line).is_some());
            }
        }
    }

    #[test]
    fn a_change_reads_back_from_the_outbox_form() {
        let hash = Hash::of(b"x");
        for change in [
            put(
                "favorites",
                "a",
                serde_json::json!({ "hash": hash.to_string(), "size": 1, "n": null, "t": -5, "b": true }),
            ),
            SpaceChange::DeleteRow {
                collection: "favorites".to_owned(),
                identity: "a".to_owned(),
            },
            SpaceChange::DeleteBlob { hash },
        ] {
            let bytes = rmp_serde::to_vec_named(&change).expect("serialisable");
            assert_eq!(rmp_serde::from_slice::<SpaceChange>(&bytes).expect("readable"), change);
        }
    }
}
