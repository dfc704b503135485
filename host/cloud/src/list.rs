//! Lists, reads and edits the segments of a space.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{Error as StoreError, ObjectMeta, PutMode, PutResult, UpdateVersion};
use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::exclusion::Guard;
use crate::segment::{self, EditOutcome, RewrittenSegment, RowEdit, SEGMENT_LIMIT_BYTES, Segment};
use crate::{COLLECTIONS, Collection, Error, Space};

/// Segments that are read at once to find rows.
const READS_AT_ONCE: usize = 8;
/// How often edits are applied again after a conflict, before they fail.
const CONFLICT_LIMIT: u32 = 60;

/// Identifies a state of an object: its ETag, or its modification time and size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version(String);

impl Version {
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        match &meta.e_tag {
            Some(tag) => Self::of_tag(tag),
            None => Self(format!("m:{}:{}", meta.last_modified.timestamp_millis(), meta.size)),
        }
    }

    fn of_tag(tag: &str) -> Self {
        // A store may quote a tag in one answer and not in another.
        Self(format!("e:{}", tag.trim_start_matches("W/").trim_matches('"')))
    }

    fn of_put(put: &PutResult) -> Option<Self> {
        put.e_tag.as_deref().map(Self::of_tag)
    }

    /// Whether it is an ETag.
    pub(crate) fn is_tag(&self) -> bool {
        self.0.starts_with("e:")
    }
}

/// A segment in a listing.
#[derive(Clone, Debug)]
pub(crate) struct ListedSegment {
    pub collection: &'static Collection,
    pub segment: String,
    pub object: String,
    pub version: Version,
    pub len_bytes: u64,
    /// When the store says it was last changed, in milliseconds since the epoch.
    pub modified_ms: i64,
}

/// What edits did to a segment.
#[derive(Debug)]
pub(crate) struct SegmentChange {
    /// The version before. `None` if there was no segment.
    pub before: Option<Version>,
    /// The version after. `None` if the store did not name it, `before` if nothing changed.
    pub after: Option<Version>,
    /// The outcome of each edit. An edit that would exceed the limits of a row has none.
    pub rows: HashMap<String, EditOutcome>,
}

impl Space {
    /// Whether any collection has a segment. It reads no segment.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn has_lists(&self) -> Result<bool, Error> {
        for collection in &COLLECTIONS {
            if !self.segments(collection).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The segments of a collection, in the order of their names. Other objects are left out.
    pub(crate) async fn segments(&self, collection: &'static Collection) -> Result<Vec<ListedSegment>, Error> {
        let listed = self.objects().list(&format!("lists/{}", collection.name)).await?;
        let mut segments: Vec<_> = listed
            .objects
            .iter()
            .filter_map(|meta| {
                let object = meta.location.as_ref();
                let file = object
                    .strip_prefix("lists/")?
                    .strip_prefix(collection.name)?
                    .strip_prefix('/')?;
                let segment = segment::name_of(file).filter(|_| !file.contains('/'))?;
                Some(ListedSegment {
                    collection,
                    segment: segment.to_owned(),
                    object: object.to_owned(),
                    version: Version::of(meta),
                    len_bytes: meta.size,
                    modified_ms: meta.last_modified.timestamp_millis(),
                })
            })
            .collect();
        segments.sort_by(|a, b| a.segment.cmp(&b.segment));
        Ok(segments)
    }

    /// Reads a segment.
    pub(crate) async fn read_segment(
        &self,
        collection: &'static Collection,
        segment: &str,
    ) -> Result<(Segment, ObjectMeta), Error> {
        let object = segment::path(collection, segment);
        let (text, meta) = self.objects().read(&object, SEGMENT_LIMIT_BYTES).await?;
        let parsed = tokio::task::spawn_blocking(move || Segment::parse(collection, text));
        let parsed = parsed.await.map_err(|error| Error::unreachable(&object, error))?;
        Ok((parsed.map_err(|error| Error::malformed(&object, error))?, meta))
    }

    /// The segments of the wanted rows, by identity, read from the space. If several segments hold
    /// a row, the first one counts. `wanted` gets the name of a segment and the identity of a row.
    /// A segment that is malformed is left out.
    pub(crate) async fn segments_of_rows(
        &self,
        collection: &'static Collection,
        wanted: impl Fn(&str, &str) -> bool,
    ) -> Result<HashMap<String, Arc<str>>, Error> {
        let names = self
            .segments(collection)
            .await?
            .into_iter()
            .map(|listed| listed.segment);
        let mut reads = stream::iter(names.map(|name| async move {
            match self.read_segment(collection, &name).await {
                Ok((segment, _)) => Ok(Some((name, segment))),
                Err(Error::Missing { .. } | Error::Malformed { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        }))
        .buffered(READS_AT_ONCE);
        let mut segments = HashMap::new();
        while let Some(read) = reads.try_next().await? {
            let Some((name, segment)) = read else { continue };
            let name: Arc<str> = name.into();
            for identity in segment.identities().filter(|identity| wanted(&name, identity)) {
                // Segments come in the order of their names: the first one counts.
                segments.entry(identity.clone()).or_insert_with(|| Arc::clone(&name));
            }
        }
        Ok(segments)
    }

    /// Applies edits to a segment. After a conflict with another writer it applies them again.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the segment exceeds its limits. It is left as it is.
    pub(crate) async fn edit_segment(
        &self,
        guard: &Guard,
        collection: &'static Collection,
        segment: &str,
        edits: &HashMap<String, RowEdit>,
    ) -> Result<SegmentChange, Error> {
        let object = segment::path(collection, segment);
        let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(500));
        loop {
            let (old, meta) = match self.read_segment(collection, segment).await {
                Ok((old, meta)) => (old, Some(meta)),
                Err(Error::Missing { .. }) => (Segment::empty(collection), None),
                Err(error) => return Err(error),
            };
            let RewrittenSegment { text, rows } = segment::rewrite(&old, edits);
            drop(old);
            let before = meta.as_ref().map(Version::of);
            let Some(text) = text else {
                let after = before.clone();
                return Ok(SegmentChange { before, after, rows });
            };
            if text.len() as u64 > SEGMENT_LIMIT_BYTES {
                return Err(Error::malformed(&object, segment::ParseError::TooLarge));
            }
            match self.replace(guard, &object, meta, text).await {
                Ok(put) => {
                    let after = Version::of_put(&put);
                    return Ok(SegmentChange { before, after, rows });
                }
                Err(StoreError::Precondition { .. } | StoreError::AlreadyExists { .. })
                    if backoff.attempts() < CONFLICT_LIMIT =>
                {
                    tokio::time::sleep(backoff.next()).await;
                }
                Err(error) => return Err(Error::unreachable(&object, error)),
            }
        }
    }

    async fn replace(
        &self,
        guard: &Guard,
        object: &str,
        old: Option<ObjectMeta>,
        text: Bytes,
    ) -> Result<PutResult, StoreError> {
        let mode = match old {
            _ if !guard.is_conditional() => PutMode::Overwrite,
            Some(meta) => PutMode::Update(UpdateVersion {
                e_tag: meta.e_tag,
                version: meta.version,
            }),
            None => PutMode::Create,
        };
        if let Err(error) = guard.check() {
            return Err(StoreError::Generic {
                store: "lock",
                source: Box::new(error),
            });
        }
        self.objects().put(object, text, mode).await
    }
}
