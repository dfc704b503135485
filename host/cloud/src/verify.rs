//! Checks a space against its format.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::SystemTime;

use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::Value;

use crate::{COLLECTIONS, Collection, Error, Hash, Hasher, Space};

/// The most problems that are described. Others are only counted.
pub const PROBLEMS_LIMIT: usize = 10_000;

/// The collection whose blobs need not be in the space.
const TEMP_FILES: &str = "temp-files";

/// What a check found.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The size of the space in bytes, as `space.json` says.
    pub total_bytes: u64,
    /// Blobs in it.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// What each collection holds.
    pub collections: Vec<CollectionReport>,
    /// At most [`PROBLEMS_LIMIT`] problems.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub problems_len: u64,
    /// Temp files whose bytes are not in the space. They are on the machine that received them,
    /// until they are uploaded.
    pub local_only: u64,
    /// Blobs that no row names. An upload may be in progress. After a day they may be deleted.
    pub unreferenced: Vec<Unreferenced>,
}

/// The part of a [`Report`] about a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionReport {
    /// The collection's name.
    pub name: String,
    /// Its segments.
    pub segments: u64,
    /// Its rows.
    pub rows: u64,
    /// Its lines that are no rows.
    pub skipped: u64,
}

/// Something that is not as the format says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The object, or the row as `COLLECTION/SEGMENT: IDENTITY`.
    pub subject: String,
    /// What is wrong, for a person.
    pub reason: String,
}

/// A blob that no row names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreferenced {
    /// The blob.
    pub hash: Hash,
    /// Its size in bytes.
    pub size: u64,
    /// Seconds since it was stored.
    pub age_seconds: u64,
}

impl Report {
    /// Whether nothing is wrong. Unreferenced blobs are not wrong.
    pub fn is_sound(&self) -> bool {
        self.problems_len == 0
    }

    fn problem(&mut self, subject: impl Into<String>, reason: impl Into<String>) {
        self.problems_len += 1;
        if self.problems.len() < PROBLEMS_LIMIT {
            self.problems.push(Problem {
                subject: subject.into(),
                reason: reason.into(),
            });
        }
    }
}

struct Blob {
    size: u64,
    stored: SystemTime,
    named: bool,
}

/// Checks `space.json`, every line of every segment, and that the blob of every row is there with
/// its size. With `deep` it reads every blob and checks its hash. It changes nothing. If the space
/// changes meanwhile, it may report problems that do not exist.
///
/// # Errors
/// [`Error::Unreachable`] if the space cannot be read. Problems of its content are in the report.
pub async fn verify(space: &Space, deep: bool) -> Result<Report, Error> {
    let mut report = Report::default();
    match space.total_bytes().await {
        Ok(total_bytes) => report.total_bytes = total_bytes,
        Err(error @ Error::Unreachable { .. }) => return Err(error),
        Err(error) => report.problem("space.json", error.to_string()),
    }
    // Blobs first: then a blob that is uploaded meanwhile is not reported as unreferenced.
    let mut blobs = list_blobs(space, &mut report).await?;
    for collection in &COLLECTIONS {
        let checked = check_collection(space, collection, &mut blobs, &mut report).await?;
        report.collections.push(checked);
    }
    if deep {
        for (hash, blob) in &blobs {
            check_blob(space, hash, blob.size, &mut report).await?;
        }
    }
    let now = SystemTime::now();
    let age_seconds = |stored| now.duration_since(stored).map_or(0, |age| age.as_secs());
    report.unreferenced = blobs
        .iter()
        .filter(|(_, blob)| !blob.named)
        .map(|(hash, blob)| Unreferenced {
            hash: *hash,
            size: blob.size,
            age_seconds: age_seconds(blob.stored),
        })
        .collect();
    report.unreferenced.sort_by_key(|blob| blob.hash);
    Ok(report)
}

async fn list_blobs(space: &Space, report: &mut Report) -> Result<HashMap<Hash, Blob>, Error> {
    let mut blobs = HashMap::new();
    let top = space.objects().list("blobs").await?;
    for object in &top.objects {
        report.problem(
            object.location.as_ref(),
            "not a blob: blobs are in folders of two digits",
        );
    }
    for folder in top.common_prefixes {
        for meta in space.objects().list(folder.as_ref()).await?.objects {
            let object = meta.location.as_ref();
            let named = object.rsplit('/').next().and_then(|name| Hash::from_hex(name).ok());
            match named.filter(|hash| crate::blob::path(hash) == object) {
                Some(hash) => {
                    report.blobs += 1;
                    report.blob_bytes += meta.size;
                    blobs.insert(
                        hash,
                        Blob {
                            size: meta.size,
                            stored: meta.last_modified.into(),
                            named: false,
                        },
                    );
                }
                None => report.problem(object, "not a blob: the name is no hash, or that of another folder"),
            }
        }
    }
    Ok(blobs)
}

async fn check_collection(
    space: &Space,
    collection: &'static Collection,
    blobs: &mut HashMap<Hash, Blob>,
    report: &mut Report,
) -> Result<CollectionReport, Error> {
    let mut checked = CollectionReport {
        name: collection.name.to_owned(),
        ..CollectionReport::default()
    };
    let mut seen: HashMap<String, String> = HashMap::new();
    for listed in space.segments(collection).await? {
        checked.segments += 1;
        let segment = match space.read_segment(collection, &listed.segment).await {
            Ok((segment, _)) => segment,
            Err(Error::Missing { .. }) => continue,
            Err(error @ Error::Unreachable { .. }) => return Err(error),
            Err(error) => {
                report.problem(listed.object, error.to_string());
                continue;
            }
        };
        if segment.skipped() > 0 {
            checked.skipped += u64::from(segment.skipped());
            report.problem(&listed.object, format!("{} lines are no rows", segment.skipped()));
        }
        for identity in segment.identities() {
            checked.rows += 1;
            let subject = || format!("{}/{}: {identity}", collection.name, listed.segment);
            if let Some(other) = seen.insert(identity.clone(), listed.segment.clone()) {
                report.problem(subject(), format!("the row is in segment {other} as well"));
            }
            let Some(row) = segment.row(identity) else { continue };
            if collection.name == TEMP_FILES && row.blob.is_some_and(|hash| !blobs.contains_key(&hash)) {
                report.local_only += 1;
            } else if let ControlFlow::Break(reason) = check_row(&row, blobs) {
                report.problem(subject(), reason);
            }
        }
    }
    Ok(checked)
}

/// Checks the blob of a row. Breaks with the problem.
fn check_row(row: &crate::row::Row, blobs: &mut HashMap<Hash, Blob>) -> ControlFlow<String> {
    let size = row.fields.get("size");
    if size.is_some_and(|size| !size.is_null() && size.as_u64().is_none()) {
        return ControlFlow::Break("the size is no whole number of bytes".to_owned());
    }
    let Some(hash) = row.blob else {
        return ControlFlow::Continue(());
    };
    let Some(blob) = blobs.get_mut(&hash) else {
        return ControlFlow::Break(format!("its blob {hash} is not in the space"));
    };
    blob.named = true;
    match size.and_then(Value::as_u64) {
        Some(size) if size != blob.size => {
            ControlFlow::Break(format!("its blob {hash} has {} bytes, the row says {size}", blob.size))
        }
        _ => ControlFlow::Continue(()),
    }
}

async fn check_blob(space: &Space, hash: &Hash, size: u64, report: &mut Report) -> Result<(), Error> {
    let object = crate::blob::path(hash);
    let mut bytes = match space.read_blob(hash, 0..size).await {
        Ok(bytes) => bytes,
        Err(Error::Missing { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut hasher = Hasher::new();
    while let Some(piece) = bytes.next().await {
        let piece = piece?;
        let hashed = tokio::task::spawn_blocking(move || {
            hasher.update(&piece);
            hasher
        });
        hasher = hashed.await.map_err(|error| Error::unreachable(&object, error))?;
    }
    let found = hasher.finish();
    if found != *hash {
        report.problem(object, format!("its bytes have the hash {found}"));
    }
    Ok(())
}
