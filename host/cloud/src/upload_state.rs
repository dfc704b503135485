//! What an upload keeps so that it can continue after a crash.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{Hash, SinkError};

/// Parts that a store takes for one object.
const PARTS_LIMIT: u64 = 10_000;

/// Where an upload keeps its state, and how it tells of its progress.
pub trait UploadState: Send + Sync {
    /// The state that was kept last, if any.
    fn load(&self) -> Option<PartUpload>;

    /// Keeps the state durably. `None` ends the upload.
    fn save<'a>(&'a self, upload: Option<&'a PartUpload>) -> BoxFuture<'a, Result<(), SinkError>>;

    /// Called before bytes are sent. The upload waits for it, so it can be slowed down here.
    fn before_send(&self, _len_bytes: u64) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Called with the number of bytes that are sent in total, also by earlier attempts.
    fn progressed(&self, _sent_bytes: u64) {}
}

/// An upload in parts that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartUpload {
    upload_id: String,
    part_bytes: u64,
    parts: BTreeMap<u64, SentPart>,
}

/// A part that the store has: what the store calls it, and the SHA-256 of the blob up to its end.
/// If the file was changed since, it does not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SentPart(String, [u8; 32]);

impl PartUpload {
    pub(crate) fn new(upload_id: String, part_bytes: u64) -> Self {
        Self {
            upload_id,
            part_bytes,
            parts: BTreeMap::new(),
        }
    }

    pub(crate) fn upload_id(&self) -> &String {
        &self.upload_id
    }

    /// The size of all parts but the last.
    pub(crate) fn part_bytes(&self) -> u64 {
        self.part_bytes
    }

    /// Whether it can be the upload of a blob of this size.
    pub(crate) fn fits(&self, size: u64) -> bool {
        self.part_bytes > 0
            && size.div_ceil(self.part_bytes) <= PARTS_LIMIT
            && self
                .parts
                .keys()
                .all(|number| number.saturating_mul(self.part_bytes) < size)
    }

    /// Whether the store has a part. `Err` if it has other bytes than the file up to there now.
    pub(crate) fn has(&self, number: u64, up_to_its_end: &Hash) -> Result<bool, FileChanged> {
        match self.parts.get(&number) {
            None => Ok(false),
            Some(SentPart(_, hash)) if hash == up_to_its_end.as_bytes() => Ok(true),
            Some(_) => Err(FileChanged),
        }
    }

    pub(crate) fn add(&mut self, number: u64, content_id: String, up_to_its_end: &Hash) {
        self.parts
            .insert(number, SentPart(content_id, *up_to_its_end.as_bytes()));
    }

    /// The names that the store gave to the parts, in order.
    pub(crate) fn content_ids(&self) -> impl Iterator<Item = &String> {
        self.parts.values().map(|SentPart(content_id, _)| content_id)
    }

    /// Bytes that the store has, of a blob of this size.
    pub fn sent_bytes(&self, size: u64) -> u64 {
        let len_bytes = |number: &u64| {
            let rest = size.saturating_sub(number.saturating_mul(self.part_bytes));
            rest.min(self.part_bytes)
        };
        self.parts.keys().map(len_bytes).sum()
    }
}

/// The file was changed after a part of it was sent.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the file was changed after a part of it was sent")]
pub(crate) struct FileChanged;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sent_parts_count_with_their_size_and_only_for_the_bytes_that_were_sent() {
        let (one, two) = (Hash::of(b"one"), Hash::of(b"one, two"));
        let mut upload = PartUpload::new("id".into(), 10);
        upload.add(2, "c".into(), &two);
        upload.add(0, "a".into(), &one);
        assert_eq!(upload.sent_bytes(25), 15, "the last part is shorter");
        assert_eq!(upload.content_ids().collect::<Vec<_>>(), ["a", "c"]);
        assert!(upload.has(0, &one).unwrap_or(false));
        assert!(upload.has(0, &two).is_err());
        assert!(!upload.has(1, &two).unwrap_or(true));
        assert!(upload.fits(25) && !upload.fits(20), "part 2 would be beyond the end");
        assert!(!PartUpload::new("id".into(), 0).fits(25));
        assert!(!PartUpload::new("id".into(), 1).fits(10_001));
        let bytes = rmp_serde::to_vec_named(&upload).expect("plain values");
        assert_eq!(rmp_serde::from_slice::<PartUpload>(&bytes).expect("the same"), upload);
    }
}
