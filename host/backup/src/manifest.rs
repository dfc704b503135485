//! The manifest of a backup: what it has, and where.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use crate::hash::ContentHash;

/// The format of manifests and of what they name.
pub const FORMAT: u64 = 1;
/// The most bytes of a manifest as JSON: a chunk takes about 110, so this is enough for 300 GB.
pub(crate) const MAX_BYTES: u64 = 256 << 20;

/// The last millisecond of the year 9999, since 1970. Later times have no text.
const MAX_TIME_MS: u64 = 253_402_300_799_999;
/// How far two clocks may differ.
const CLOCK_ERROR_MS: u64 = 5 * 60 * 1000;

/// A backup: everything that a restore needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u64,
    /// Its name: the time in UTC, and a random part.
    pub id: String,
    /// The moment of its rows, in milliseconds since 1970.
    pub at: u64,
    /// When it was complete, in milliseconds since 1970.
    pub finished: u64,
    /// The host that it is of.
    pub host: Host,
    /// The version of the program that made it.
    pub program: String,
    /// The rows of all tables.
    pub rows: u64,
    /// The bytes of all keys and values.
    pub bytes: u64,
    /// The digest of all rows.
    pub digest: ContentHash,
    /// The tables, by name.
    pub tables: Vec<Table>,
    /// The files, by path.
    pub files: Vec<File>,
    /// Files that are not in the backup although they belong to the host, and why.
    pub skipped: Vec<Skipped>,
    /// What had to be stored that was not there already.
    pub stored: Stored,
}

/// Which host a backup is of. Backups of one host replace each other, those of others stay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Host {
    /// The name of the machine.
    pub name: String,
    /// The data directory.
    pub data: String,
}

/// A table of a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What it has.
    #[serde(flatten)]
    pub summary: TableSummary,
    /// Its rows, in the order of their keys.
    pub chunks: Vec<ContentHash>,
}

/// What a table has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSummary {
    /// Its name.
    pub name: String,
    /// How many rows.
    pub rows: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
    /// The SHA-256 of its rows.
    pub digest: ContentHash,
}

/// A file of the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path in the data directory, with `/`.
    pub path: String,
    /// Its length.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub hash: ContentHash,
}

/// A file that is not in the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its path in the data directory.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// What a backup stored that was not there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// New chunks of rows.
    pub chunks: u64,
    /// Their compressed bytes.
    pub chunk_bytes: u64,
    /// New files.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
}

/// What is wrong with the bytes of a manifest.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ManifestError {
    #[error("it cannot be decompressed, or is longer than a manifest may be")]
    Compression,
    #[error("it is no manifest: {0}")]
    Json(String),
    #[error("its time is after the year 9999")]
    Time,
    #[error("it has format {0}")]
    Newer(u64),
}

impl Manifest {
    /// The bytes to store.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        let json = serde_json::to_vec(self).expect("texts and numbers have a JSON form");
        let written = encoder.write_all(&json).and_then(|()| encoder.finish());
        written.expect("a compressor that writes to memory does not fail")
    }

    /// Reads the bytes of a stored manifest.
    pub(crate) fn decode(stored: &[u8]) -> Result<Manifest, ManifestError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u64,
        }
        let mut json = Vec::new();
        let read = ZlibDecoder::new(stored).take(MAX_BYTES + 1).read_to_end(&mut json);
        if read.is_err() || json.len() as u64 > MAX_BYTES {
            return Err(ManifestError::Compression);
        }
        let wrong = |error: serde_json::Error| ManifestError::Json(error.to_string());
        // The format first: a newer one may have other fields.
        let Versioned { format } = serde_json::from_slice(&json).map_err(wrong)?;
        if format > FORMAT {
            return Err(ManifestError::Newer(format));
        }
        let manifest: Manifest = serde_json::from_slice(&json).map_err(wrong)?;
        match manifest.at.max(manifest.finished) > MAX_TIME_MS {
            true => Err(ManifestError::Time),
            false => Ok(manifest),
        }
    }

    /// Whether its time has not come yet: the clock of its host was wrong, or that of this machine
    /// is, or somebody else wrote it. Then it is not known whether it is the newest.
    pub(crate) fn is_of_future(&self, now_ms: u64) -> bool {
        self.at > now_ms.saturating_add(CLOCK_ERROR_MS)
    }

    /// The names of all chunks, some more than once.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = ContentHash> {
        self.tables.iter().flat_map(|table| &table.chunks).copied()
    }

    /// The bytes of all files.
    pub fn file_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample(id: &str, chunks: &[ContentHash]) -> Manifest {
        let summary = TableSummary {
            name: "t".into(),
            rows: 1,
            bytes: 2,
            digest: ContentHash::of(b"t"),
        };
        Manifest {
            format: FORMAT,
            id: id.into(),
            at: 5,
            finished: 6,
            host: Host {
                name: "machine".into(),
                data: "/data".into(),
            },
            program: "0.1.0".into(),
            rows: 1,
            bytes: 2,
            digest: ContentHash::of(b"all"),
            tables: vec![Table {
                summary,
                chunks: chunks.to_vec(),
            }],
            files: vec![File {
                path: "modules/a.wasm".into(),
                size: 3,
                hash: ContentHash::of(b"a"),
            }],
            skipped: vec![],
            stored: Stored::default(),
        }
    }

    #[test]
    fn a_manifest_reads_back_and_a_damaged_one_is_refused() {
        let manifest = sample("1", &[ContentHash::of(b"1"), ContentHash::of(b"2")]);
        let stored = manifest.encode();
        assert_eq!(Manifest::decode(&stored).as_ref(), Ok(&manifest));
        // The last bytes are a checksum of the compression, which nothing needs.
        for len in 0..stored.len() - 8 {
            assert!(Manifest::decode(&stored[..len]).is_err(), "cut at {len}");
        }
        let newer = Manifest {
            format: FORMAT + 1,
            ..manifest
        };
        assert_eq!(Manifest::decode(&newer.encode()), Err(ManifestError::Newer(2)));
    }

    #[test]
    fn a_time_that_has_no_text_is_refused() {
        let sample = sample("1", &[]);
        let with = |at, finished| {
            let manifest = Manifest {
                at,
                finished,
                ..sample.clone()
            };
            Manifest::decode(&manifest.encode())
        };
        let last = std::time::UNIX_EPOCH + std::time::Duration::from_millis(MAX_TIME_MS);
        assert_eq!(
            humantime::format_rfc3339_millis(last).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
        assert!(with(MAX_TIME_MS, MAX_TIME_MS).is_ok());
        for (at, finished) in [(MAX_TIME_MS + 1, 0), (0, MAX_TIME_MS + 1), (u64::MAX, u64::MAX)] {
            assert_eq!(with(at, finished), Err(ManifestError::Time));
        }
    }

    #[test]
    fn a_backup_is_of_the_future_when_no_two_clocks_differ_so_much() {
        let sample = sample("1", &[]);
        assert!(!sample.is_of_future(sample.at) && !sample.is_of_future(0));
        let later = Manifest {
            at: CLOCK_ERROR_MS + 8,
            ..sample
        };
        assert!(later.is_of_future(7) && !later.is_of_future(8));
        assert!(!later.is_of_future(u64::MAX));
    }
}
