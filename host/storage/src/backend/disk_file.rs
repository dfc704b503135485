//! The database's file, written page by page and put on the disk in order.
//!
//! The database writes thousands of pages one by one, in no order, and then syncs them. Here they gather until then: those that lie side by
//! side become one write, and the disk gets a few large pieces instead of many small ones. It gets them bit by bit, for a sync of the
//! wal that falls in between would wait for all that has been written, and every call with it.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// The header of the database, which says which of the other pages count, lies before this.
const HEADER_BYTES: u64 = 4096;
/// Bytes that gather at most.
const GATHERED_BYTES: usize = 16 << 20;
/// Bytes that are written at once, and before they are synced.
const BYTES_PER_SYNC: usize = 1 << 20;

/// Pages by their place in the file; none of them overlap.
type Pages = BTreeMap<u64, Arc<[u8]>>;

#[derive(Debug)]
pub(crate) struct DiskFile<B> {
    file: B,
    pages: Mutex<Unwritten>,
    /// Held by the one who writes pages to the file, who lays them side by side in it.
    writing: Mutex<Vec<u8>>,
}

/// What has been written by the database and may not be in the file.
#[derive(Debug, Default)]
struct Unwritten {
    gathered: Pages,
    bytes: usize,
    /// On the way to the file, before those that have gathered since.
    leaving: Arc<Pages>,
}

impl Unwritten {
    /// Adds a page, unless it overlaps one that is there and is not the same.
    fn add(&mut self, offset: u64, data: &[u8]) -> bool {
        match overlapping(&self.gathered, offset, data.len()).next() {
            Some((at, page)) if at != offset || page.len() != data.len() => return false,
            Some(_) => {}
            None => self.bytes += data.len(),
        }
        self.gathered.insert(offset, data.into());
        true
    }
}

impl<B: StorageBackend> DiskFile<B> {
    pub(crate) fn new(file: B) -> Self {
        Self {
            file,
            pages: Mutex::default(),
            writing: Mutex::default(),
        }
    }

    fn pages(&self) -> MutexGuard<'_, Unwritten> {
        // What is done under the lock leaves it whole at every step.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all that has gathered to the file. Where that fails, it is still to be written.
    fn write_out(&self) -> io::Result<()> {
        let mut run = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let leaving = {
                let mut pages = self.pages();
                if pages.leaving.is_empty() {
                    pages.leaving = Arc::new(std::mem::take(&mut pages.gathered));
                    pages.bytes = 0;
                }
                Arc::clone(&pages.leaving)
            };
            if leaving.is_empty() {
                return Ok(());
            }
            self.write_in_order(&leaving, &mut run)?;
            self.pages().leaving = Arc::default();
        }
    }

    fn write_in_order(&self, pages: &Pages, run: &mut Vec<u8>) -> io::Result<()> {
        let mut unsynced = 0;
        let mut pages = pages.iter().peekable();
        while let Some((&start, page)) = pages.next() {
            run.clear();
            let mut len = page.len();
            while len < BYTES_PER_SYNC
                && let Some((_, next)) = pages.next_if(|(at, _)| **at == start + len as u64)
            {
                if run.is_empty() {
                    run.extend_from_slice(page);
                }
                run.extend_from_slice(next);
                len += next.len();
            }
            self.file.write(start, if run.is_empty() { page } else { run })?;
            unsynced += len;
            if unsynced >= BYTES_PER_SYNC {
                self.file.sync_data()?;
                unsynced = 0;
            }
        }
        Ok(())
    }
}

impl<B: StorageBackend> StorageBackend for DiskFile<B> {
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset < HEADER_BYTES {
            self.write_out()?;
            return self.file.write(offset, data);
        }
        while !self.pages().add(offset, data) {
            self.write_out()?;
        }
        if self.pages().bytes >= GATHERED_BYTES {
            self.write_out()?;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.write_out()?;
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        // Taken out first: what leaves meanwhile is in the file only then.
        let unwritten: Vec<_> = {
            let pages = self.pages();
            [&*pages.leaving, &pages.gathered]
                .into_iter()
                .flat_map(|pages| overlapping(pages, offset, out.len()))
                .map(|(at, page)| (at, Arc::clone(page)))
                .collect()
        };
        self.file.read(offset, out)?;
        for (at, page) in unwritten {
            let (start, end) = (at.max(offset), (at + page.len() as u64).min(offset + out.len() as u64));
            let within = |from: u64| (start - from) as usize..(end - from) as usize;
            out[within(offset)].copy_from_slice(&page[within(at)]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len < self.file.len()? {
            self.write_out()?;
        }
        self.file.set_len(len)
    }

    fn close(&self) -> io::Result<()> {
        let written = self.write_out();
        self.file.close()?;
        written
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

/// The pages that have bytes in common with `len` bytes at `offset`.
fn overlapping(pages: &Pages, offset: u64, len: usize) -> impl Iterator<Item = (u64, &Arc<[u8]>)> {
    let before = pages.range(..offset).next_back();
    let before = before.filter(|(at, page)| **at + page.len() as u64 > offset);
    let within = pages.range(offset..offset + len as u64);
    before.into_iter().chain(within).map(|(at, page)| (*at, page))
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::random::Random;

    #[derive(Debug, Default)]
    struct Watched {
        file: InMemoryBackend,
        writes: Mutex<Vec<(u64, usize)>>,
        fails: Mutex<bool>,
    }

    impl StorageBackend for Watched {
        fn len(&self) -> io::Result<u64> {
            self.file.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.file.read(offset, out)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.file.set_len(len)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.file.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            if *self.fails.lock().unwrap() {
                return Err(io::Error::other("as planned"));
            }
            self.writes.lock().unwrap().push((offset, data.len()));
            self.file.write(offset, data)
        }
    }

    const PAGE: usize = 4096;

    fn file(pages: usize) -> DiskFile<Watched> {
        let file = DiskFile::new(Watched::default());
        file.set_len((pages * PAGE) as u64).unwrap();
        file
    }

    fn written(file: &DiskFile<Watched>) -> Vec<(u64, usize)> {
        std::mem::take(&mut file.file.writes.lock().unwrap())
    }

    #[test]
    fn pages_side_by_side_are_written_at_once_and_before_the_header() {
        let file = file(1000);
        for page in [7_u64, 3, 5, 4, 900] {
            file.write(page * PAGE as u64, &[page as u8; PAGE]).unwrap();
        }
        assert_eq!(written(&file), []);
        file.write(0, &[1; 320]).unwrap();
        let page = PAGE as u64;
        assert_eq!(
            written(&file),
            [(3 * page, 3 * PAGE), (7 * page, PAGE), (900 * page, PAGE), (0, 320)]
        );
    }

    #[test]
    fn what_is_gathered_is_bounded_and_no_write_is_much_longer_than_a_piece() {
        let pages = 2 * GATHERED_BYTES / PAGE;
        let file = file(pages);
        for page in 1..pages {
            file.write((page * PAGE) as u64, &[1; PAGE]).unwrap();
            assert!(file.pages().bytes < GATHERED_BYTES);
        }
        assert!(written(&file).iter().all(|(_, len)| *len <= BYTES_PER_SYNC));
    }

    #[test]
    fn what_could_not_be_written_is_still_there() {
        let file = file(10);
        file.write(2 * PAGE as u64, &[2; PAGE]).unwrap();
        *file.file.fails.lock().unwrap() = true;
        assert!(file.sync_data().is_err());
        file.write(2 * PAGE as u64, &[3; PAGE]).unwrap();
        let mut page = [0; PAGE];
        file.read(2 * PAGE as u64, &mut page).unwrap();
        assert_eq!(page, [3; PAGE]);
        *file.file.fails.lock().unwrap() = false;
        file.sync_data().unwrap();
        file.file.read(2 * PAGE as u64, &mut page).unwrap();
        assert_eq!(page, [3; PAGE]);
    }

    /// Whatever is written, of whatever length: what is read is what was written last.
    #[test]
    fn a_file_reads_as_it_was_written() {
        const PAGES: u64 = 64;
        for seed in 1..20_u64 {
            let mut random = Random::new(seed);
            let mut next = |below| random.below(below);
            let file = file(PAGES as usize);
            let mut model = vec![0; PAGES as usize * PAGE];
            for step in 0..2000 {
                let first = next(PAGES);
                let len = (1 + next(4)).min(PAGES - first) as usize * PAGE;
                let start = first as usize * PAGE;
                match next(10) {
                    0 => file.sync_data().unwrap(),
                    1..5 => {
                        let mut out = vec![0; len];
                        file.read(start as u64, &mut out).unwrap();
                        assert!(out == model[start..start + len], "seed {seed}, step {step}");
                    }
                    _ => {
                        let data = vec![next(256) as u8; len];
                        file.write(start as u64, &data).unwrap();
                        model[start..start + len].copy_from_slice(&data);
                    }
                }
            }
            file.close().unwrap();
            let mut all = vec![0; model.len()];
            file.file.read(0, &mut all).unwrap();
            assert!(all == model, "seed {seed}");
        }
    }
}
