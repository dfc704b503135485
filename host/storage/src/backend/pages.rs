//! The database file on disk: the pages of redb, each with a checksum that every read verifies.
//!
//! redb keeps a checksum of each page in the page above it, and verifies it only when it repairs
//! the file. So a changed bit would be served. This file sits between redb and the disk:
//!
//! ```text
//! offset 0        4 KiB        8 KiB                    8 KiB + 4 MiB
//!   ┌──────────────┬────────────┬────────────────────────┬────────────┬─────────
//!   │ head (below) │ checksums  │ pages 0–1023 of redb   │ checksums  │ pages …
//!   └──────────────┴────────────┴────────────────────────┴────────────┴─────────
//!                    1024 × CRC-32, 4 bytes each, little-endian
//! ```
//!
//! redb never overwrites a page that its last durable commit refers to. So page and checksum need
//! not change together: both are synced before the commit refers to the page. This holds because
//! every commit has two phases. Page 0 is redb's header, and the only page that is overwritten. It
//! has no checksum here while the file is open; redb has checksums in it. When the file is closed,
//! the head gets a checksum of it.
//!
//! A damaged page is handed to redb as a page that leads nowhere. Whatever needs it fails, and all
//! other pages are served.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use redb::{BackendError as LockError, StorageBackend};

/// The unit of a checksum. Pages of redb are multiples of it.
pub(crate) const PAGE_BYTES: usize = 4096;
const PAGE: u64 = PAGE_BYTES as u64;
/// Checksums that fit a page, and so pages of a group.
const GROUP_PAGES: u64 = PAGE / 4;
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
const HEAD_BYTES: usize = 24;
const MAGIC: [u8; 8] = *b"stowage\n";
const LAYOUT_VERSION: u32 = 2;
/// Bytes of redb's header that the head's checksum covers.
const HEADER_BYTES: usize = 512;
/// How a file of redb begins. Format 1 was such a file.
const REDB_MAGIC: [u8; 4] = *b"redb";

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
enum HeadState {
    /// The file is empty, or its head was not on disk yet when its creation was interrupted.
    Missing,
    /// redb has not finished the first commit. Without a header, the file counts as empty.
    New,
    Open,
    Closed,
}

/// A database file with checksums, as redb reads and writes it.
pub(crate) struct CheckedPages {
    disk: Box<dyn StorageBackend>,
    /// Loaded at the first use, which is after redb has locked the file.
    loaded: OnceLock<Loaded>,
    loading: Mutex<()>,
    /// Set when a write or a sync failed. The file is then not marked as closed.
    has_failed: AtomicBool,
}

#[derive(Debug)]
struct Loaded {
    head: Mutex<HeadState>,
    sums: RwLock<Sums>,
    /// Whether redb's header has been written with its magic number.
    has_header: AtomicBool,
    /// Damaged pages that were reported, so that each is logged once.
    reported: Mutex<BTreeSet<u64>>,
}

/// The checksums of all pages, by page.
#[derive(Debug, Default)]
struct Sums {
    /// The length of the file as redb sees it.
    len: u64,
    crcs: Vec<u32>,
    /// Groups whose checksums are not on disk yet.
    dirty: BTreeSet<u64>,
}

/// Damaged pages that are remembered as reported.
const MAX_REPORTED: usize = 1000;

impl CheckedPages {
    /// Reads nothing yet: the file may not be locked.
    pub(crate) fn new(disk: Box<dyn StorageBackend>) -> Self {
        Self {
            disk,
            loaded: OnceLock::new(),
            loading: Mutex::new(()),
            has_failed: AtomicBool::new(false),
        }
    }

    fn loaded(&self) -> io::Result<&Loaded> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let _loading = self.loading.lock();
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let loaded = self.load()?;
        Ok(self.loaded.get_or_init(|| loaded))
    }

    fn load(&self) -> io::Result<Loaded> {
        let physical = self.disk.len()?;
        let mut head = [0; HEAD_BYTES];
        let known = HEAD_BYTES.min(usize::try_from(physical).unwrap_or(HEAD_BYTES));
        self.disk.read(0, &mut head[..known])?;
        let mut len = logical_len(physical);
        let (state, closed_crc) = match parse_head(&head) {
            Ok(parsed) => parsed,
            // The file was being created, and its head is not on disk.
            Err(_) if physical <= PAGE && head == [0; HEAD_BYTES] => {
                len = 0;
                (HeadState::Missing, 0)
            }
            Err(error) => return Err(error.into()),
        };
        let header = self.read_header(len)?;
        let has_header = header.starts_with(&REDB_MAGIC);
        match state {
            HeadState::New if !has_header => len = 0,
            HeadState::Closed if crc32fast::hash(&header) != closed_crc => {
                return Err(PagesError::HeaderDamaged.into());
            }
            HeadState::Missing | HeadState::New | HeadState::Open | HeadState::Closed => {}
        }
        let mut sums = Sums::default();
        sums.resize(len);
        self.read_sums(&mut sums.crcs)?;
        Ok(Loaded {
            head: Mutex::new(state),
            sums: RwLock::new(sums),
            has_header: AtomicBool::new(has_header),
            reported: Mutex::default(),
        })
    }

    /// The part of redb's header that has content.
    fn read_header(&self, len: u64) -> io::Result<[u8; HEADER_BYTES]> {
        let mut header = [0; HEADER_BYTES];
        let known = HEADER_BYTES.min(usize::try_from(len).unwrap_or(HEADER_BYTES));
        if known > 0 {
            self.disk.read(physical_offset(0), &mut header[..known])?;
        }
        Ok(header)
    }

    fn read_sums(&self, crcs: &mut [u32]) -> io::Result<()> {
        let mut bytes = vec![0; PAGE_BYTES];
        for (group, crcs) in (0..).zip(crcs.chunks_mut(PAGE_BYTES / 4)) {
            self.disk.read(sums_offset(group), &mut bytes)?;
            for (crc, bytes) in crcs.iter_mut().zip(bytes.chunks_exact(4)) {
                *crc = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
        Ok(())
    }

    /// Before the first change, the head says durably that the file is open.
    fn begin_change(&self, loaded: &Loaded) -> io::Result<()> {
        let mut head = loaded.head.lock();
        let next = match *head {
            HeadState::Closed => HeadState::Open,
            HeadState::Missing => HeadState::New,
            HeadState::New | HeadState::Open => return Ok(()),
        };
        if *head == HeadState::Missing {
            self.disk.set_len(PAGE)?;
        }
        self.disk.write(0, &head_bytes(next, 0))?;
        self.disk.sync_data()?;
        *head = next;
        Ok(())
    }

    /// Runs a change, and remembers whether it failed.
    fn change<T>(&self, change: impl FnOnce(&Loaded) -> io::Result<T>) -> io::Result<T> {
        let changed = self.loaded().and_then(|loaded| {
            self.begin_change(loaded)?;
            change(loaded)
        });
        if changed.is_err() {
            self.has_failed.store(true, Ordering::Release);
        }
        changed
    }

    fn sync(&self, loaded: &Loaded) -> io::Result<()> {
        let dirty = {
            let sums = loaded.sums.read();
            let pages = sums.dirty.iter().map(|group| (*group, sums.page_of(*group)));
            pages.collect::<Vec<_>>()
        };
        for (group, bytes) in &dirty {
            self.disk.write(sums_offset(*group), bytes)?;
        }
        self.disk.sync_data()?;
        let mut sums = loaded.sums.write();
        for (group, bytes) in &dirty {
            if sums.page_of(*group) == *bytes {
                sums.dirty.remove(group);
            }
        }
        drop(sums);
        let mut head = loaded.head.lock();
        if *head == HeadState::New && loaded.has_header.load(Ordering::Acquire) {
            // The header is durable, so the file is no longer empty. The next sync covers this.
            self.disk.write(0, &head_bytes(HeadState::Open, 0))?;
            *head = HeadState::Open;
        }
        Ok(())
    }

    /// Writes into the head that the file is closed, with a checksum of the header.
    fn mark_closed(&self) -> io::Result<()> {
        let Some(loaded) = self.loaded.get() else {
            return Ok(());
        };
        let mut head = loaded.head.lock();
        if *head != HeadState::Open || self.has_failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let len = loaded.sums.read().len;
        let crc = crc32fast::hash(&self.read_header(len)?);
        self.disk.write(0, &head_bytes(HeadState::Closed, crc))?;
        self.disk.sync_data()?;
        *head = HeadState::Closed;
        Ok(())
    }

    /// Replaces damaged contents, so that redb serves nothing of them.
    fn verify(&self, loaded: &Loaded, offset: u64, out: &mut [u8]) {
        let first = offset / PAGE;
        let damaged = {
            let sums = loaded.sums.read();
            let pages = (first..).zip(out.chunks(PAGE_BYTES));
            let mut damaged = pages.filter(|(page, bytes)| sums.get(*page) != Some(crc32fast::hash(bytes)));
            damaged.next().map(|(page, _)| page)
        };
        let Some(page) = damaged else {
            return;
        };
        write_dead_end(out);
        let mut reported = loaded.reported.lock();
        if reported.len() < MAX_REPORTED && reported.insert(page) {
            let offset = physical_offset(page * PAGE);
            tracing::error!(page, offset, "a page of the database file is damaged");
        }
    }
}

/// A branch of redb with one key and two children that cannot exist. redb answers that the database
/// is corrupted, wherever it meets this page.
fn write_dead_end(page: &mut [u8]) {
    page.fill(0xff);
    // Type, padding, number of keys, padding.
    page[..8].copy_from_slice(&[2, 0, 1, 0, 0, 0, 0, 0]);
    // After two checksums and two page numbers: the end of the key, which is empty.
    page[56..60].copy_from_slice(&60_u32.to_le_bytes());
}

impl Sums {
    fn resize(&mut self, len: u64) {
        let pages = usize::try_from(len.div_ceil(PAGE)).unwrap_or(usize::MAX);
        self.len = len;
        self.crcs.resize(pages, 0);
        let groups = len.div_ceil(PAGE * GROUP_PAGES);
        self.dirty.retain(|group| *group < groups);
    }

    fn get(&self, page: u64) -> Option<u32> {
        self.crcs.get(usize::try_from(page).ok()?).copied()
    }

    fn set(&mut self, page: u64, crc: u32) {
        if let Ok(at) = usize::try_from(page)
            && let Some(known) = self.crcs.get_mut(at)
        {
            *known = crc;
            self.dirty.insert(page / GROUP_PAGES);
        }
    }

    /// The checksums of a group, as they are stored.
    fn page_of(&self, group: u64) -> Vec<u8> {
        let first = usize::try_from(group * GROUP_PAGES).unwrap_or(usize::MAX);
        let crcs = self.crcs.get(first..).unwrap_or_default();
        let mut bytes: Vec<u8> = crcs
            .iter()
            .take(PAGE_BYTES / 4)
            .flat_map(|crc| crc.to_le_bytes())
            .collect();
        bytes.resize(PAGE_BYTES, 0);
        bytes
    }
}

/// Where a byte of redb's file is on disk.
pub(crate) fn physical_offset(offset: u64) -> u64 {
    let group = offset / (GROUP_PAGES * PAGE);
    PAGE + (group + 1) * PAGE + offset
}

/// Where the checksums of a group are.
fn sums_offset(group: u64) -> u64 {
    PAGE + group * GROUP_BYTES
}

/// Reads pages of redb without an open [`CheckedPages`]. `None` if a checksum is wrong.
///
/// # Errors
/// If the disk fails.
pub(crate) fn read_checked(disk: &dyn StorageBackend, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
    check_aligned(offset, len)?;
    let mut bytes = vec![0; len];
    for (page, bytes) in (offset / PAGE..).zip(bytes.chunks_mut(PAGE_BYTES)) {
        let mut crc = [0; 4];
        disk.read(sums_offset(page / GROUP_PAGES) + page % GROUP_PAGES * 4, &mut crc)?;
        disk.read(physical_offset(page * PAGE), bytes)?;
        if crc32fast::hash(bytes) != u32::from_le_bytes(crc) {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

/// The length on disk for a length that redb sees.
fn physical_len(len: u64) -> u64 {
    PAGE + len + len.div_ceil(GROUP_PAGES * PAGE) * PAGE
}

pub(crate) fn logical_len(physical: u64) -> u64 {
    let groups = physical.saturating_sub(PAGE);
    let (full, rest) = (groups / GROUP_BYTES, groups % GROUP_BYTES);
    full * GROUP_PAGES * PAGE + rest.saturating_sub(PAGE)
}

fn head_bytes(state: HeadState, header_crc: u32) -> [u8; HEAD_BYTES] {
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

fn parse_head(head: &[u8; HEAD_BYTES]) -> Result<(HeadState, u32), PagesError> {
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
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize)> {
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

/// Whether a range is redb's header, which it reads and writes alone.
fn is_header(offset: u64, len: usize) -> bool {
    offset == 0 && len <= PAGE_BYTES
}

fn check_aligned(offset: u64, len: usize) -> io::Result<()> {
    match offset.is_multiple_of(PAGE) && len.is_multiple_of(PAGE_BYTES) {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a part of a page has no checksum",
        )),
    }
}

impl StorageBackend for CheckedPages {
    fn len(&self) -> io::Result<u64> {
        Ok(self.loaded()?.sums.read().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let loaded = self.loaded()?;
        if is_header(offset, out.len()) {
            return self.disk.read(physical_offset(0), out);
        }
        check_aligned(offset, out.len())?;
        let mut rest = &mut *out;
        for (offset, len) in parts(offset, rest.len()) {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(len);
            self.disk.read(physical_offset(offset), part)?;
            rest = after;
        }
        self.verify(loaded, offset, out);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(|loaded| {
            self.disk.set_len(physical_len(len))?;
            loaded.sums.write().resize(len);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|loaded| self.sync(loaded))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(|loaded| {
            if is_header(offset, data.len()) {
                if data.starts_with(&REDB_MAGIC) {
                    loaded.has_header.store(true, Ordering::Release);
                }
                return self.disk.write(physical_offset(0), data);
            }
            check_aligned(offset, data.len())?;
            let mut rest = data;
            for (offset, len) in parts(offset, data.len()) {
                let (part, after) = rest.split_at(len);
                self.disk.write(physical_offset(offset), part)?;
                rest = after;
            }
            let mut sums = loaded.sums.write();
            for (page, bytes) in (offset / PAGE..).zip(data.chunks(PAGE_BYTES)) {
                sums.set(page, crc32fast::hash(bytes));
            }
            Ok(())
        })
    }

    fn close(&self) -> io::Result<()> {
        let marked = self.mark_closed();
        self.disk.close()?;
        marked
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, LockError> {
        self.disk.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, LockError> {
        self.disk.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), LockError> {
        self.disk.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), LockError> {
        self.disk.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), LockError> {
        self.disk.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, LockError> {
        self.disk.query_lock_range(start, end)
    }
}

impl fmt::Debug for CheckedPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedPages")
            .field("disk", &self.disk)
            .finish_non_exhaustive()
    }
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
