//! Reads the rows of a damaged database from its pages, without redb.
//!
//! redb stops at the first damaged page. This walk skips it and goes on with the next one. It reads
//! redb's file format 3, which redb's design document describes: a header with two commit slots, a
//! tree of tables, and a tree of rows. It trusts a page only if its checksum is right, and no
//! number in a page.

use std::collections::HashSet;
use std::io;

use redb::{StorageBackend, TableHandle as _};

use super::format::{FILE_ID, KV, LAST_BATCH, META_NAME};
use super::page_layout::{self, PAGE_BYTES};
use super::pages;

/// Deeper trees are damaged ones.
const MAX_DEPTH: usize = 40;
/// Larger pages are damaged ones.
const MAX_ORDER: u32 = 20;
const LEAF: u8 = 1;
const BRANCH: u8 = 2;
/// A table with one value a key.
const NORMAL_TABLE: u8 = 3;

/// What the walk meets, in the order of the keys.
pub(crate) enum Met<'a> {
    /// A stored key and a stored value.
    Row(&'a [u8], &'a [u8]),
    /// A part of the tree that cannot be read.
    Damage,
    /// A row that no readable page refers to. It may be an old one.
    Stray(&'a [u8], &'a [u8]),
}

/// The pages of a database file.
pub(crate) struct Tree<'d> {
    disk: &'d dyn StorageBackend,
    /// Whether each page has a checksum: not in format 1.
    is_checked: bool,
    /// The length without checksums.
    len: u64,
    page_bytes: u64,
    region_bytes: u64,
    region_header_bytes: u64,
    seen: HashSet<u64>,
    has_lost_branch: bool,
}

/// A page number, as redb stores it.
type PageNumber = u64;

impl<'d> Tree<'d> {
    /// Reads the header of the file.
    ///
    /// # Errors
    /// If the disk fails. `None` if the header has no sense.
    pub(crate) fn open(disk: &'d dyn StorageBackend) -> io::Result<Option<(Self, [u8; 320])>> {
        let mut start = [0; 4];
        let physical = disk.len()?;
        if physical < 4 * PAGE_BYTES as u64 {
            return Ok(None);
        }
        disk.read(0, &mut start)?;
        let is_checked = start != *b"redb";
        let mut header = [0; 320];
        disk.read(
            if is_checked { page_layout::physical_offset(0) } else { 0 },
            &mut header,
        )?;
        let number = |at: usize| u64::from(u32_at(&header, at).unwrap_or_default());
        let page_bytes = number(12);
        if !page_bytes.is_power_of_two() || !(512..=65536).contains(&page_bytes) {
            return Ok(None);
        }
        let region_header_bytes = number(16) * page_bytes;
        let tree = Self {
            disk,
            is_checked,
            len: if is_checked {
                page_layout::logical_len(physical)
            } else {
                physical
            },
            page_bytes,
            region_bytes: region_header_bytes + number(20) * page_bytes,
            region_header_bytes,
            seen: HashSet::new(),
            has_lost_branch: false,
        };
        Ok(Some((tree, header)))
    }

    /// The last commit or the one before it: the root of the tree of tables. `None` if it has none.
    pub(crate) fn table_root(header: &[u8; 320], is_last: bool) -> Option<PageNumber> {
        let primary = usize::from(header[9] & 1 != 0);
        let slot = if is_last { primary } else { 1 - primary };
        let slot = header.get(64 + slot * 128..)?;
        (*slot.get(1)? != 0).then(|| u64_at(slot, 8)).flatten()
    }

    /// The root of the tree of rows. `Ok(None)` if the table has no rows; `Err(())` if it cannot be
    /// found.
    pub(crate) fn row_root(&mut self, table_root: PageNumber) -> io::Result<Result<Option<PageNumber>, ()>> {
        self.root_of(KV.name(), table_root)
    }

    fn root_of(&mut self, table: &str, table_root: PageNumber) -> io::Result<Result<Option<PageNumber>, ()>> {
        self.seen.clear();
        let mut found = Err(());
        let mut read = |name: &[u8], definition: &[u8]| {
            if name == table.as_bytes() && definition.first() == Some(&NORMAL_TABLE) {
                found = match definition.get(9) {
                    Some(0) => Ok(None),
                    Some(_) => u64_at(definition, 10).map(Some).ok_or(()),
                    None => Err(()),
                };
            }
        };
        self.walk(table_root, 0, &mut |met| {
            if let Met::Row(name, definition) = met {
                read(name, definition);
            }
        })?;
        Ok(found)
    }

    /// Whether the pages have checksums.
    pub(crate) fn is_checked(&self) -> bool {
        self.is_checked
    }

    /// The identity of the file and the last batch that it holds. `None` if they cannot be read.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn identity(disk: &'d dyn StorageBackend) -> io::Result<Option<(u64, u64)>> {
        let Some((mut tree, header)) = Self::open(disk)? else {
            return Ok(None);
        };
        for is_last in [true, false] {
            let Some(tables) = Self::table_root(&header, is_last) else {
                continue;
            };
            let Ok(Some(root)) = tree.root_of(META_NAME, tables)? else {
                continue;
            };
            if let Some(found) = tree.facts(root)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Reads the table of facts: keys of variable length, values of 8 bytes, in one leaf.
    fn facts(&self, root: PageNumber) -> io::Result<Option<(u64, u64)>> {
        let Some(bytes) = self.read(root)? else {
            return Ok(None);
        };
        let (mut file_id, mut batch) = (None, None);
        let pairs = usize::from(u16_at(&bytes, 2).unwrap_or_default());
        let values = u32_at(&bytes, 4 + 4 * pairs.saturating_sub(1)).unwrap_or_default() as usize;
        let mut start = 4 + 4 * pairs;
        for n in 0..pairs {
            let end = u32_at(&bytes, 4 + 4 * n).unwrap_or_default() as usize;
            let value = u64_at(&bytes, values + 8 * n);
            match bytes.get(start..end) {
                Some(key) if key == FILE_ID.as_bytes() => file_id = value,
                Some(key) if key == LAST_BATCH.as_bytes() => batch = value,
                _ => {}
            }
            start = end;
        }
        Ok(file_id.zip(batch))
    }

    /// Visits the rows below a page. Keys and values of both trees have variable lengths.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn walk(&mut self, page: PageNumber, depth: usize, visit: &mut dyn FnMut(Met<'_>)) -> io::Result<()> {
        let bytes = match self.read(page)? {
            // A page that is met twice is not where it belongs.
            Some(bytes) if depth < MAX_DEPTH && self.seen.insert(page) => bytes,
            _ => {
                self.has_lost_branch = true;
                visit(Met::Damage);
                return Ok(());
            }
        };
        match bytes.first() {
            Some(&LEAF) => {
                let Some(rows) = leaf(&bytes) else {
                    visit(Met::Damage);
                    return Ok(());
                };
                rows.into_iter().for_each(|(key, value)| visit(Met::Row(key, value)));
            }
            Some(&BRANCH) => {
                let children = usize::from(u16_at(&bytes, 2).unwrap_or_default()) + 1;
                for child in 0..children {
                    match u64_at(&bytes, 8 + 16 * children + 8 * child) {
                        Some(child) => self.walk(child, depth + 1, visit)?,
                        None => {
                            self.has_lost_branch = true;
                            visit(Met::Damage);
                            break;
                        }
                    }
                }
            }
            _ => visit(Met::Damage),
        }
        Ok(())
    }

    /// Visits the rows of all leaves that the walk has not met, if it has lost a part of the tree.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn walk_strays(&mut self, visit: &mut dyn FnMut(Met<'_>)) -> io::Result<()> {
        if !self.has_lost_branch || !self.is_checked {
            return Ok(());
        }
        let met: HashSet<u64> = self
            .seen
            .iter()
            .filter_map(|page| self.range(*page))
            .map(|(at, _)| at)
            .collect();
        let mut offset = self.page_bytes;
        while offset + self.page_bytes <= self.len {
            let bytes = self.read_at(offset, self.page_bytes)?;
            let len = bytes.as_deref().and_then(leaf_len).filter(|_| !met.contains(&offset));
            let pages = len.map_or(1, |len| (len as u64).div_ceil(self.page_bytes).next_power_of_two());
            if len.is_some()
                && pages <= 1 << MAX_ORDER
                && let Some(bytes) = self.read_at(offset, pages * self.page_bytes)?
                && let Some(rows) = leaf(&bytes)
            {
                rows.into_iter().for_each(|(key, value)| visit(Met::Stray(key, value)));
                offset += pages * self.page_bytes;
            } else {
                offset += self.page_bytes;
            }
        }
        Ok(())
    }

    /// Where a page is: offset and length.
    fn range(&self, page: PageNumber) -> Option<(u64, u64)> {
        let order = u32::try_from(page >> 59).ok()?;
        let region = (page >> 20) & 0xf_ffff;
        let index = page & (0xf_ffff_u64 >> order);
        if order > MAX_ORDER {
            return None;
        }
        let len = self.page_bytes << order;
        let offset = self.page_bytes + region * self.region_bytes + self.region_header_bytes + index * len;
        (offset.checked_add(len)? <= self.len).then_some((offset, len))
    }

    fn read(&self, page: PageNumber) -> io::Result<Option<Vec<u8>>> {
        match self.range(page) {
            Some((offset, len)) => self.read_at(offset, len),
            None => Ok(None),
        }
    }

    /// A part of the file. `None` if a checksum is wrong.
    fn read_at(&self, offset: u64, len: u64) -> io::Result<Option<Vec<u8>>> {
        let Ok(len) = usize::try_from(len) else {
            return Ok(None);
        };
        if offset + len as u64 > self.len {
            return Ok(None);
        }
        if self.is_checked {
            return pages::read_checked(self.disk, offset, len);
        }
        let mut bytes = vec![0; len];
        self.disk.read(offset, &mut bytes)?;
        Ok(Some(bytes))
    }
}

/// The used length of a leaf whose keys and values have variable lengths.
fn leaf_len(bytes: &[u8]) -> Option<usize> {
    let pairs = usize::from(u16_at(bytes, 2)?);
    if *bytes.first()? != LEAF || pairs == 0 {
        return None;
    }
    Some(u32_at(bytes, 4 + 4 * (2 * pairs - 1))? as usize)
}

type Pair<'a> = (&'a [u8], &'a [u8]);

/// The rows of a leaf. `None` if its numbers have no sense.
fn leaf(bytes: &[u8]) -> Option<Vec<Pair<'_>>> {
    let pairs = usize::from(u16_at(bytes, 2)?);
    if *bytes.first()? != LEAF {
        return None;
    }
    let key_end = |n: usize| u32_at(bytes, 4 + 4 * n).map(|end| end as usize);
    let value_end = |n: usize| u32_at(bytes, 4 + 4 * (pairs + n)).map(|end| end as usize);
    let (mut key_start, mut value_start) = (4 + 8 * pairs, key_end(pairs.checked_sub(1)?)?);
    let mut rows = Vec::with_capacity(pairs);
    for n in 0..pairs {
        let (key_end, value_end) = (key_end(n)?, value_end(n)?);
        rows.push((bytes.get(key_start..key_end)?, bytes.get(value_start..value_end)?));
        (key_start, value_start) = (key_end, value_end);
    }
    Some(rows)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}
