//! Chunks: parts of a table, cut where the rows themselves say so.
//!
//! A chunk is a header and rows. Integers are little-endian.
//!
//! ```text
//! stowage rows 1\n
//! for each row:  1  kind: 0 a value, 1 a counter
//!                2  length of the key
//!                4  length of the value
//!                …  key, then value; a counter has 8 bytes
//! ```
//!
//! A row ends a chunk if the hash of its key is small, measured by the row's length. So the same
//! rows are cut at the same places again, whatever changed before them: a change of one row changes
//! one chunk. The name of a chunk is the SHA-256 of these bytes; what is stored is compressed.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use sha2::{Digest as _, Sha256};

use crate::hash::ContentHash;
use crate::rows::{Kind, Row};

/// How a chunk begins.
const HEADER: &[u8] = b"stowage rows 1\n";
/// Bytes before the key of a row.
const ROW_HEADER_BYTES: usize = 7;
/// Bytes of rows in a chunk, on average.
const AVERAGE_BYTES: u64 = 128 << 10;
/// A chunk that reaches this length is cut, whatever its keys say.
const CUT_BYTES: usize = 1 << 20;
/// The most bytes of a chunk: one row of any length may come after the cut length was almost
/// reached.
pub(crate) const MAX_BYTES: usize = CUT_BYTES + (8 << 20) + (64 << 10);

/// Cuts the rows of one table into chunks.
#[derive(Debug)]
pub(crate) struct Cutter {
    bytes: Vec<u8>,
    rows: u64,
}

/// The rows of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: u64,
}

impl Default for Cutter {
    fn default() -> Self {
        Cutter {
            bytes: HEADER.to_vec(),
            rows: 0,
        }
    }
}

impl Cutter {
    /// Adds a row. Returns a chunk if the row ends one.
    pub(crate) fn push(&mut self, row: Row<'_>) -> Option<Chunk> {
        append_row(&mut self.bytes, row);
        self.rows += 1;
        let is_end = ends_chunk(row) || self.bytes.len() >= CUT_BYTES;
        is_end.then(|| self.take())
    }

    /// The rows after the last cut, if there are any.
    pub(crate) fn finish(mut self) -> Option<Chunk> {
        (self.rows > 0).then(|| self.take())
    }

    fn take(&mut self) -> Chunk {
        let cut = std::mem::take(self);
        Chunk {
            bytes: cut.bytes,
            rows: cut.rows,
        }
    }
}

/// Appends a row in the form that chunks and digests have.
pub(crate) fn append_row(bytes: &mut Vec<u8>, row: Row<'_>) {
    let (key, value) = (row.key, row.value);
    bytes.reserve(ROW_HEADER_BYTES + key.len() + value.len());
    bytes.push(match row.kind {
        Kind::Value => 0,
        Kind::Counter => 1,
    });
    // The limits of storage: a key has at most 1 KiB, a value at most 8 MiB.
    bytes.extend_from_slice(&(key.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(value);
}

/// Whether a row ends a chunk. It depends on nothing but the row's key and length.
fn ends_chunk(row: Row<'_>) -> bool {
    let len = (ROW_HEADER_BYTES + row.key.len() + row.value.len()) as u64;
    let digest: [u8; 32] = Sha256::digest(row.key).into();
    let hash = u64::from(u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]));
    // The hash is evenly spread below 2^32, so this holds for one of AVERAGE_BYTES / len rows.
    hash * AVERAGE_BYTES < len << 32
}

impl Chunk {
    /// Its name.
    pub(crate) fn hash(&self) -> ContentHash {
        ContentHash::of(&self.bytes)
    }

    /// The bytes to store.
    pub(crate) fn compressed(&self) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::with_capacity(self.bytes.len() / 3), Compression::fast());
        // Memory takes everything.
        let written = encoder.write_all(&self.bytes).and_then(|()| encoder.finish());
        written.expect("a compressor that writes to memory does not fail")
    }
}

/// What is wrong with a stored chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkError {
    /// The bytes are not compressed, or are cut off.
    #[error("it cannot be decompressed")]
    Compression,
    /// It holds more than a chunk may.
    #[error("it is longer than a chunk may be")]
    TooLong,
    /// The bytes are not those that its name says.
    #[error("its SHA-256 is not its name")]
    Hash,
    /// The rows end in the middle, or have an unknown form.
    #[error("its rows are malformed")]
    Rows,
}

/// The bytes of a stored chunk, checked against its name.
pub(crate) fn decompress(stored: &[u8], name: ContentHash) -> Result<Vec<u8>, ChunkError> {
    let mut bytes = Vec::new();
    let mut decoder = ZlibDecoder::new(stored).take(MAX_BYTES as u64 + 1);
    decoder.read_to_end(&mut bytes).map_err(|_| ChunkError::Compression)?;
    if bytes.len() > MAX_BYTES {
        return Err(ChunkError::TooLong);
    }
    if ContentHash::of(&bytes) != name {
        return Err(ChunkError::Hash);
    }
    Ok(bytes)
}

/// The rows of a chunk, in order.
pub(crate) fn rows(chunk: &[u8]) -> impl Iterator<Item = Result<Row<'_>, ChunkError>> {
    let mut rest = chunk.strip_prefix(HEADER);
    std::iter::from_fn(move || match rest? {
        [] => None,
        bytes => match split_row(bytes) {
            Some((row, after)) => {
                rest = Some(after);
                Some(Ok(row))
            }
            None => {
                rest = None;
                Some(Err(ChunkError::Rows))
            }
        },
    })
    .chain((!chunk.starts_with(HEADER)).then_some(Err(ChunkError::Rows)))
}

fn split_row(bytes: &[u8]) -> Option<(Row<'_>, &[u8])> {
    let (&[kind, k0, k1, v0, v1, v2, v3], rest) = bytes.split_first_chunk::<ROW_HEADER_BYTES>()?;
    let kind = match kind {
        0 => Kind::Value,
        1 => Kind::Counter,
        _ => return None,
    };
    let key_len = usize::from(u16::from_le_bytes([k0, k1]));
    let value_len = usize::try_from(u32::from_le_bytes([v0, v1, v2, v3])).ok()?;
    let (key, rest) = rest.split_at_checked(key_len)?;
    let (value, rest) = rest.split_at_checked(value_len)?;
    let is_counter = value.len() == 8;
    (kind == Kind::Value || is_counter).then_some((Row { key, kind, value }, rest))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    type Table = BTreeMap<Vec<u8>, Vec<u8>>;

    fn cut(table: &Table) -> Vec<Chunk> {
        let mut cutter = Cutter::default();
        let mut chunks: Vec<_> = table
            .iter()
            .filter_map(|(key, value)| {
                cutter.push(Row {
                    key,
                    kind: Kind::Value,
                    value,
                })
            })
            .collect();
        chunks.extend(cutter.finish());
        chunks
    }

    fn table(rows: u32, len: usize) -> Table {
        (0..rows)
            .map(|n| (n.to_be_bytes().to_vec(), vec![n as u8; len]))
            .collect()
    }

    fn names(chunks: &[Chunk]) -> BTreeSet<ContentHash> {
        chunks.iter().map(Chunk::hash).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_row_is_in_exactly_one_chunk_and_in_order(
            rows in proptest::collection::btree_map(
                proptest::collection::vec(any::<u8>(), 1..40),
                proptest::collection::vec(any::<u8>(), 0..3000),
                0..200,
            )
        ) {
            let mut found = Vec::new();
            for chunk in cut(&rows) {
                let stored = chunk.compressed();
                let bytes = decompress(&stored, chunk.hash()).unwrap();
                prop_assert_eq!(&bytes, &chunk.bytes);
                let before = found.len();
                for row in super::rows(&bytes) {
                    let row = row.unwrap();
                    prop_assert_eq!(row.kind, Kind::Value);
                    found.push((row.key.to_vec(), row.value.to_vec()));
                }
                prop_assert_eq!((found.len() - before) as u64, chunk.rows);
            }
            prop_assert_eq!(found, rows.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn a_changed_row_changes_the_chunk_around_it_and_few_others(
            at in 0u32..20_000, len in 1usize..400, remove in any::<bool>()
        ) {
            let before = table(20_000, 100);
            let mut after = before.clone();
            match remove {
                true => drop(after.remove(&at.to_be_bytes()[..])),
                false => drop(after.insert(at.to_be_bytes().to_vec(), vec![0xee; len])),
            }
            let (before, after) = (names(&cut(&before)), names(&cut(&after)));
            prop_assert!(before.len() > 8, "{} chunks", before.len());
            prop_assert!(after.difference(&before).count() <= 2);
        }

        #[test]
        fn bytes_that_are_no_chunk_are_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), header in any::<bool>()) {
            if header {
                bytes.splice(0..0, HEADER.iter().copied());
            }
            // Whatever it is, it ends, and never panics.
            let rows: Vec<_> = super::rows(&bytes).collect();
            prop_assert!(rows.len() <= bytes.len() + 1);
            prop_assert!(header || rows.last().is_some_and(Result::is_err));
            prop_assert!(decompress(&bytes, ContentHash::of(b"another")).is_err());
        }
    }

    #[test]
    fn chunks_have_about_the_average_length_whatever_the_rows_have() {
        for len in [10, 300, 5000] {
            let rows = u32::try_from((8 << 20) / (len + 11)).unwrap();
            let chunks = cut(&table(rows, len));
            assert!(
                (30..150).contains(&chunks.len()),
                "{} chunks of rows of {len}",
                chunks.len()
            );
        }
    }

    #[test]
    fn a_chunk_has_a_longest_length() {
        // The same key would never end a chunk by itself.
        let key = (0u32..).map(u32::to_be_bytes).find(|key| {
            !ends_chunk(Row {
                key,
                kind: Kind::Value,
                value: &[0; 1000],
            })
        });
        let (key, mut cutter, mut pushed) = (key.unwrap(), Cutter::default(), 0);
        let chunk = loop {
            pushed += 1;
            let row = Row {
                key: &key,
                kind: Kind::Value,
                value: &[0; 1000],
            };
            if let Some(chunk) = cutter.push(row) {
                break chunk;
            }
        };
        assert_eq!(chunk.rows, pushed);
        assert!((CUT_BYTES..CUT_BYTES + 2000).contains(&chunk.bytes.len()));
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let chunk = cut(&table(100, 20)).remove(0);
        let stored = chunk.compressed();
        for at in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[at] ^= 1;
            // Where the same bytes come out, as of a part of the decoder's own checksum, no harm is
            // done.
            for stored in [&damaged[..], &stored[..at]] {
                if let Ok(bytes) = decompress(stored, chunk.hash()) {
                    assert!(bytes == chunk.bytes, "byte {at}");
                }
            }
            assert!(
                at > stored.len() - 8 || decompress(&stored[..at], chunk.hash()).is_err(),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn a_bomb_is_cut_off() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        for _ in 0..64 {
            encoder.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert_eq!(decompress(&bomb, ContentHash::of(b"")), Err(ChunkError::TooLong));
    }
}
