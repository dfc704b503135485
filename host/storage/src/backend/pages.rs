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
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};
use redb::{BackendError as LockError, StorageBackend};

use super::mutants::{self, Mutant};
use super::page_layout::{
    GROUP_PAGES, HEAD_BYTES, HEAD_COPY_OFFSET, HEADER_BYTES, HeadState, PAGE, PAGE_BYTES, PagesError, REDB_MAGIC,
    head_bytes, logical_len, parse_head, parts, physical_len, physical_offset, sums_offset,
};
use super::read_errors::ReadErrors;

/// A database file with checksums, as redb reads and writes it.
pub(crate) struct CheckedPages {
    disk: Box<dyn StorageBackend>,
    /// Loaded at the first use, which is after redb has locked the file.
    loaded: OnceLock<Loaded>,
    loading: Mutex<()>,
    errors: Arc<ReadErrors>,
    /// Set when a write or a sync failed. The file is then not marked as closed.
    has_failed: AtomicBool,
}

#[derive(Debug)]
struct Loaded {
    head: Mutex<HeadState>,
    sums: RwLock<Sums>,
    /// Whether the head says durably that the file is open.
    has_begun: AtomicBool,
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
        Self::noting(disk, Arc::default())
    }

    /// [`CheckedPages::new`] that notes pages that the disk cannot read.
    pub(crate) fn noting(disk: Box<dyn StorageBackend>, errors: Arc<ReadErrors>) -> Self {
        Self {
            disk,
            errors,
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
        let (head, copy) = (
            self.read_head(0, physical)?,
            self.read_head(HEAD_COPY_OFFSET, physical)?,
        );
        let mut len = logical_len(physical);
        // A write of the head that was interrupted leaves the other one.
        let parsed = match parse_head(&head) {
            Err(damage @ (PagesError::HeadDamaged | PagesError::Foreign)) => parse_head(&copy).map_err(|_| damage),
            other => other,
        };
        let (state, closed_crc) = match parsed {
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
            has_begun: AtomicBool::new(false),
            has_header: AtomicBool::new(has_header),
            reported: Mutex::default(),
        })
    }

    fn read_head(&self, offset: u64, physical: u64) -> io::Result<[u8; HEAD_BYTES]> {
        let mut head = [0; HEAD_BYTES];
        let known = usize::try_from(physical.saturating_sub(offset)).unwrap_or(HEAD_BYTES);
        if known > 0 {
            self.disk.read(offset, &mut head[..known.min(HEAD_BYTES)])?;
        }
        Ok(head)
    }

    fn write_head(&self, state: HeadState, header_crc: u32) -> io::Result<()> {
        let head = head_bytes(state, header_crc);
        self.disk.write(HEAD_COPY_OFFSET, &head)?;
        self.disk.write(0, &head)
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

    /// Before the first change, the head says durably that the file is open. What a killed process
    /// wrote into the head may be read, and not be durable.
    fn begin_change(&self, loaded: &Loaded) -> io::Result<()> {
        if loaded.has_begun.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut head = loaded.head.lock();
        let next = match *head {
            HeadState::Missing | HeadState::New => HeadState::New,
            HeadState::Open | HeadState::Closed => HeadState::Open,
        };
        if *head == HeadState::Missing {
            self.disk.set_len(PAGE)?;
        }
        self.write_head(next, 0)?;
        self.disk.sync_data()?;
        *head = next;
        loaded.has_begun.store(true, Ordering::Release);
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
        if mutants::has(Mutant::ChecksumsAfterSync) {
            self.disk.sync_data()?;
        }
        for (group, bytes) in &dirty {
            self.disk.write(sums_offset(*group), bytes)?;
        }
        if !mutants::has(Mutant::ChecksumsAfterSync) {
            self.disk.sync_data()?;
        }
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
            self.write_head(HeadState::Open, 0)?;
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
        let has_begun = loaded.has_begun.load(Ordering::Acquire);
        if !has_begun || *head != HeadState::Open || self.has_failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let len = loaded.sums.read().len;
        let crc = crc32fast::hash(&self.read_header(len)?);
        self.write_head(HeadState::Closed, crc)?;
        self.disk.sync_data()?;
        *head = HeadState::Closed;
        Ok(())
    }

    fn read_verified(&self, loaded: &Loaded, offset: u64, out: &mut [u8]) -> Result<(), Damage> {
        let mut rest = &mut *out;
        for (offset, len) in parts(offset, rest.len()) {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(len);
            self.disk
                .read(physical_offset(offset), part)
                .map_err(Damage::Unreadable)?;
            rest = after;
        }
        let sums = loaded.sums.read();
        let mut pages = (offset / PAGE..).zip(out.chunks(PAGE_BYTES));
        match pages.all(|(page, bytes)| sums.get(page) == Some(crc32fast::hash(bytes))) {
            true => Ok(()),
            false => Err(Damage::Changed),
        }
    }

    fn report(&self, loaded: &Loaded, offset: u64, damage: &Damage) {
        if matches!(damage, Damage::Unreadable(_)) {
            self.errors.note_error();
        }
        let mut reported = loaded.reported.lock();
        if reported.len() < MAX_REPORTED && reported.insert(offset) {
            let at = physical_offset(offset);
            tracing::error!(offset = at, %damage, "a page of the database is not served");
        }
    }
}

/// Why a page is not served.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error("its checksum is wrong")]
    Changed,
    #[error("the disk failed: {0}")]
    Unreadable(io::Error),
}

/// A branch of redb with one key and two children that cannot exist. redb answers that the database
/// is corrupted, wherever it meets this page. The layout has sense for keys of a fixed length, too.
fn write_dead_end(page: &mut [u8]) {
    page.fill(0);
    // Type, padding, number of keys.
    page[..4].copy_from_slice(&[2, 0, 1, 0]);
    // Behind two checksums: two page numbers.
    page[40..56].fill(0xff);
    // The end of the key, which is zeros.
    page[56..60].copy_from_slice(&256_u32.to_le_bytes());
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

/// Whether the head of the file at `path` says that it was not closed.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn is_open(path: &Path) -> io::Result<bool> {
    let mut head = [0; HEAD_BYTES];
    match File::open(path)?.read_exact(&mut head) {
        Ok(()) => Ok(matches!(parse_head(&head), Ok((HeadState::Open, _)))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
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
        // A second time, because some errors pass.
        if self.read_verified(loaded, offset, out).is_err()
            && let Err(damage) = self.read_verified(loaded, offset, out)
        {
            // An error would make redb refuse all other pages as well.
            write_dead_end(out);
            self.report(loaded, offset, &damage);
        }
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
