//! Where the pages of the database are in its file, and the head of the file. `pages.rs` has a
//! picture.

use std::io;

/// The unit of a checksum. Pages of redb are multiples of it.
pub(crate) const PAGE_BYTES: usize = 4096;
pub(super) const PAGE: u64 = PAGE_BYTES as u64;
/// Checksums that fit a page, and so pages of a group.
pub(super) const GROUP_PAGES: u64 = PAGE / 4;
/// A group on disk: its checksums, then its pages.
const GROUP_BYTES: u64 = (1 + GROUP_PAGES) * PAGE;

/// The head:
///
/// ```text
/// offset  bytes
///      0      8  MAGIC
///      8      4  LAYOUT_VERSION
///     12      4  state: 0 new, 1 open, 2 closed
///     16      4  CRC-32 of redb's header, if closed
///     20      4  CRC-32 of the bytes before
/// ```
pub(super) const HEAD_BYTES: usize = 24;
/// Where the head is a second time.
pub(super) const HEAD_COPY_OFFSET: u64 = 512;
const MAGIC: [u8; 8] = *b"stowage\n";
const LAYOUT_VERSION: u32 = 2;
/// Bytes of redb's header that the head's checksum covers.
pub(super) const HEADER_BYTES: usize = 512;
/// How a file of redb begins. Format 1 was such a file.
pub(crate) const REDB_MAGIC: [u8; 4] = *b"redb";

/// Why the file is not opened. It is inside the [`io::Error`] that redb passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PagesError {
    /// It has pages without checksums: format 1.
    #[error("the file has format 1")]
    Unchecked,
    #[error("the file has the newer format {0}")]
    TooNew(u32),
    #[error("the file is of another program")]
    Foreign,
    #[error("the head of the database file is damaged")]
    HeadDamaged,
    #[error("the header of the database file is damaged")]
    HeaderDamaged,
}

impl PagesError {
    /// The reason inside an error of redb.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

impl From<PagesError> for io::Error {
    fn from(error: PagesError) -> Self {
        io::Error::other(error)
    }
}

/// Whether the file was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadState {
    /// The file is empty, or its head was not on disk yet when its creation was interrupted.
    Missing,
    /// redb has not finished the first commit. Without a header, the file counts as empty.
    New,
    Open,
    Closed,
}

/// Where a byte of redb's file is on disk.
pub(super) fn physical_offset(offset: u64) -> u64 {
    let group = offset / (GROUP_PAGES * PAGE);
    PAGE + (group + 1) * PAGE + offset
}

/// Where the checksums of a group are.
pub(super) fn sums_offset(group: u64) -> u64 {
    PAGE + group * GROUP_BYTES
}

/// The length on disk for a length that redb sees.
pub(super) fn physical_len(len: u64) -> u64 {
    PAGE + len + len.div_ceil(GROUP_PAGES * PAGE) * PAGE
}

pub(super) fn logical_len(physical: u64) -> u64 {
    let groups = physical.saturating_sub(PAGE);
    let (full, rest) = (groups / GROUP_BYTES, groups % GROUP_BYTES);
    full * GROUP_PAGES * PAGE + rest.saturating_sub(PAGE)
}

pub(super) fn head_bytes(state: HeadState, header_crc: u32) -> [u8; HEAD_BYTES] {
    let state: u32 = match state {
        HeadState::Missing | HeadState::New => 0,
        HeadState::Open => 1,
        HeadState::Closed => 2,
    };
    let mut head = [0; HEAD_BYTES];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&LAYOUT_VERSION.to_le_bytes());
    head[12..16].copy_from_slice(&state.to_le_bytes());
    head[16..20].copy_from_slice(&header_crc.to_le_bytes());
    let crc = crc32fast::hash(&head[..20]);
    head[20..].copy_from_slice(&crc.to_le_bytes());
    head
}

pub(super) fn parse_head(head: &[u8; HEAD_BYTES]) -> Result<(HeadState, u32), PagesError> {
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if head.starts_with(&REDB_MAGIC) {
        return Err(PagesError::Unchecked);
    }
    let holds = crc32fast::hash(&head[..20]) == number(20);
    if head[..8] != MAGIC {
        // One changed bit must not make a database look like a file of another program.
        return Err(match holds || differs_little(&head[..8], &MAGIC) {
            true => PagesError::HeadDamaged,
            false => PagesError::Foreign,
        });
    }
    if !holds {
        return Err(PagesError::HeadDamaged);
    }
    if number(8) != LAYOUT_VERSION {
        return Err(PagesError::TooNew(number(8)));
    }
    let state = match number(12) {
        0 => HeadState::New,
        1 => HeadState::Open,
        2 => HeadState::Closed,
        _ => return Err(PagesError::HeadDamaged),
    };
    Ok((state, number(16)))
}

/// Whether two byte strings differ in a few bits only.
fn differs_little(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).map(|(one, other)| (one ^ other).count_ones());
    differing.sum::<u32>() <= 8
}

/// Splits a range of redb's file where a group ends. Gives offset and length of each part.
pub(super) fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize)> {
    let (mut at, mut left) = (offset, len);
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let group_bytes = GROUP_PAGES * PAGE;
        let in_group = usize::try_from(group_bytes - at % group_bytes).unwrap_or(usize::MAX);
        let part = (at, left.min(in_group));
        at += part.1 as u64;
        left -= part.1;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_offsets_of_both_views_agree() {
        for pages in [0, 1, 2, 1023, 1024, 1025, 2048, 5000] {
            let len = pages * PAGE;
            assert_eq!(logical_len(physical_len(len)), len, "{pages} pages");
            if pages > 0 {
                assert_eq!(physical_offset(len - PAGE) + PAGE, physical_len(len), "{pages} pages");
            }
        }
        let ends: Vec<_> = parts(1023 * PAGE, 2 * PAGE_BYTES).collect();
        assert_eq!(ends, [(1023 * PAGE, PAGE_BYTES), (1024 * PAGE, PAGE_BYTES)]);
    }

    #[test]
    fn a_head_with_any_flipped_bit_is_refused() {
        let head = head_bytes(HeadState::Closed, 7);
        assert_eq!(parse_head(&head), Ok((HeadState::Closed, 7)));
        for bit in 0..HEAD_BYTES * 8 {
            let mut damaged = head;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse_head(&damaged), Err(PagesError::HeadDamaged), "bit {bit}");
        }
    }
}
