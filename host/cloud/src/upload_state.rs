//! What an upload keeps so that it can continue after a crash.

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

    /// Called when bytes were read that are to be sent. They wait for it, so an upload can be
    /// slowed down here.
    fn before_send(&self, _len_bytes: u64) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Called with the number of bytes that are sent or about to be, also by earlier attempts.
    fn progressed(&self, _sent_bytes: u64) {}
}

/// An upload in parts that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartUpload {
    upload_id: String,
    part_bytes: u64,
    /// In the order of their numbers.
    parts: Vec<SentPart>,
}

/// A part that the store has: its number, what the store calls it, and the SHA-256 of the blob up
/// to its end. If the file was changed since, that does not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SentPart(u64, String, [u8; 32]);

impl PartUpload {
    pub(crate) fn new(upload_id: String, part_bytes: u64) -> Self {
        Self {
            upload_id,
            part_bytes,
            parts: Vec::new(),
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
        let is_within = |SentPart(number, ..): &SentPart| number.saturating_mul(self.part_bytes) < size;
        self.part_bytes > 0
            && size.div_ceil(self.part_bytes) <= PARTS_LIMIT
            && self.parts.iter().all(is_within)
            && self
                .parts
                .is_sorted_by(|SentPart(one, ..), SentPart(next, ..)| one < next)
    }

    fn find(&self, number: u64) -> Result<usize, usize> {
        self.parts.binary_search_by_key(&number, |SentPart(number, ..)| *number)
    }

    /// Whether the store has a part.
    pub(crate) fn has_number(&self, number: u64) -> bool {
        self.find(number).is_ok()
    }

    /// Checks that a part of the store has the bytes that the file has now. So have all before it.
    pub(crate) fn check(&self, number: u64, up_to_its_end: &Hash) -> Result<(), FileChanged> {
        let found = self.find(number).ok().and_then(|index| self.parts.get(index));
        match found {
            Some(SentPart(.., hash)) if hash == up_to_its_end.as_bytes() => Ok(()),
            _ => Err(FileChanged),
        }
    }

    pub(crate) fn add(&mut self, number: u64, content_id: String, up_to_its_end: &Hash) {
        if let Err(index) = self.find(number) {
            let part = SentPart(number, content_id, *up_to_its_end.as_bytes());
            self.parts.insert(index, part);
        }
    }

    /// The names that the store gave to the parts, in order.
    pub(crate) fn content_ids(&self) -> impl Iterator<Item = &String> {
        self.parts.iter().map(|SentPart(_, content_id, _)| content_id)
    }

    /// Bytes that the store has, of a blob of this size.
    pub fn sent_bytes(&self, size: u64) -> u64 {
        let len_bytes = |SentPart(number, ..): &SentPart| {
            let rest = size.saturating_sub(number.saturating_mul(self.part_bytes));
            rest.min(self.part_bytes)
        };
        self.parts.iter().map(len_bytes).sum()
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
        assert!(upload.has_number(0) && !upload.has_number(1));
        assert!(upload.check(0, &one).is_ok() && upload.check(0, &two).is_err());
        assert!(upload.fits(25) && !upload.fits(20), "part 2 would be beyond the end");
        assert!(!PartUpload::new("id".into(), 0).fits(25));
        assert!(!PartUpload::new("id".into(), 1).fits(10_001));
        let bytes = rmp_serde::to_vec_named(&upload).expect("plain values");
        assert_eq!(rmp_serde::from_slice::<PartUpload>(&bytes).expect("the same"), upload);
    }
}
