//! Lists from an index. Storage applies order, time range, keyword and page.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::storage::{Entry, KeyRange, ScanOptions};
use crate::bindings::types::Order;
use crate::collection::Collection;
use crate::context::Context;
use crate::key::{Key, TIME_BYTES, is_identity, leading_text, prefix_end, time_at};
use crate::keyword::Keyword;
use crate::paging::Paging;
use crate::time::TimeRange;

/// The most entries that a scan returns.
const SCAN_ENTRIES: u32 = 10_000;

/// An entry of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// The row's time.
    pub time: i64,
    /// The row's identity.
    pub identity: String,
    /// The entry's value; empty if it was not requested.
    pub value: Vec<u8>,
}

/// A list from an index. The keys are a prefix, a time and an identity.
#[derive(Debug, Clone)]
pub struct Listing<'a> {
    table: &'a str,
    prefix: Vec<u8>,
    times: TimeRange,
    reverse: bool,
    needle: Option<Vec<u8>>,
}

impl<'a> Listing<'a> {
    /// All entries with a prefix, oldest first.
    pub fn new(table: &'a str, prefix: Vec<u8>) -> Self {
        Self {
            table,
            prefix,
            times: TimeRange::ALL,
            reverse: false,
            needle: None,
        }
    }

    /// Only entries in a time range.
    pub fn times(mut self, times: TimeRange) -> Self {
        self.times = times;
        self
    }

    /// Sets the order. Descending is the exact reverse of ascending, also for equal times.
    pub fn order(mut self, order: Order) -> Self {
        self.reverse = order == Order::Desc;
        self
    }

    /// Only entries whose searchable text contains the keyword.
    pub fn containing(mut self, keyword: &Keyword) -> Self {
        self.needle = keyword.needle();
        self
    }

    /// The identities of a page.
    pub fn page(&self, ctx: &dyn Context, paging: Paging) -> Vec<String> {
        match u32::try_from(paging.skip) {
            Ok(skip) => self.walk(ctx, skip, paging.limit as usize, true, |entry| Some(entry.identity)),
            // No table has so many entries.
            Err(_) => Vec::new(),
        }
    }

    /// The entries of a page, for an index whose values are sufficient.
    pub fn page_of_entries(&self, ctx: &dyn Context, paging: Paging) -> Vec<ListEntry> {
        match u32::try_from(paging.skip) {
            Ok(skip) => self.walk(ctx, skip, paging.limit as usize, false, Some),
            Err(_) => Vec::new(),
        }
    }

    /// All identities.
    pub fn all(&self, ctx: &dyn Context) -> Vec<String> {
        self.walk(ctx, 0, usize::MAX, true, |entry| Some(entry.identity))
    }

    fn walk<T>(
        &self,
        ctx: &dyn Context,
        mut skip: u32,
        limit: usize,
        keys_only: bool,
        take: fn(ListEntry) -> Option<T>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        if self.times.first > self.times.last {
            return found;
        }
        let mut range = self.range();
        while found.len() < limit {
            let left = u32::try_from(limit - found.len()).unwrap_or(u32::MAX).min(SCAN_ENTRIES);
            let options = ScanOptions {
                reverse: self.reverse,
                skip,
                limit: left,
                contains: self.needle.clone(),
                keys_only,
            };
            let page = ctx.scan(self.table, &range, &options);
            skip = 0;
            let listed = page.entries.into_iter().filter_map(|entry| self.listed(entry));
            found.extend(listed.filter_map(take));
            match page.cursor {
                None => break,
                Some(cursor) if self.reverse => range.end = Some(cursor),
                Some(cursor) => range.start = Some(after(cursor)),
            }
        }
        found
    }

    fn listed(&self, mut entry: Entry) -> Option<ListEntry> {
        let at = self.prefix.len() + TIME_BYTES;
        if entry.key.len() < at {
            return None;
        }
        let identity = entry.key.split_off(at);
        Some(ListEntry {
            time: time_at(&entry.key, self.prefix.len())?,
            identity: String::from_utf8(identity).ok()?,
            value: entry.value,
        })
    }

    fn range(&self) -> KeyRange {
        let at = |time: i64| [&self.prefix[..], &Key::new().time(time).prefix()].concat();
        KeyRange {
            start: Some(at(self.times.first)).filter(|start| !start.is_empty()),
            end: match self.times.last.checked_add(1) {
                Some(end) => Some(at(end)),
                None => prefix_end(&self.prefix),
            },
        }
    }
}

/// Folders that match the keyword, or that contain a row that matches it. They are in the order of
/// time, then of identity.
///
/// `folders_by_time` is the index of the folders; its keys are time and identity. The keys of
/// `rows_by_folder` begin with the folder.
pub fn folders_matching<R: Serialize + DeserializeOwned>(
    ctx: &dyn Context,
    folders: &Collection<R>,
    time: fn(&R) -> i64,
    folders_by_time: &str,
    rows_by_folder: &str,
    keyword: &Keyword,
) -> Vec<R> {
    let mut identities = Listing::new(folders_by_time, Vec::new()).containing(keyword).all(ctx);
    if keyword.is_empty() {
        return folders.get_all(ctx, &identities);
    }
    let mut all = folders_holding(ctx, rows_by_folder, keyword);
    all.extend(identities.drain(..));
    identities.extend(all.into_iter().filter(|identity| is_identity(identity)));
    let mut found = folders.get_all(ctx, &identities);
    found.sort_by(|a, b| (time(a), (folders.identity)(a)).cmp(&(time(b), (folders.identity)(b))));
    found
}

/// The folders that contain a row that matches the keyword, from an index whose keys begin with the
/// folder.
///
/// After a match the scan skips the other rows of that folder. So the work depends on the number of
/// folders found.
fn folders_holding(ctx: &dyn Context, table: &str, keyword: &Keyword) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    let mut range = KeyRange { start: None, end: None };
    loop {
        let options = ScanOptions {
            reverse: false,
            skip: 0,
            limit: 256,
            contains: keyword.needle(),
            keys_only: true,
        };
        let page = ctx.scan(table, &range, &options);
        let mut last = None;
        for entry in &page.entries {
            if let Some((folder, len)) = leading_text(&entry.key) {
                last = prefix_end(&entry.key[..len]);
                folders.insert(folder.to_owned());
            }
        }
        let Some(cursor) = page.cursor else { return folders };
        // Skip the rest of the last folder. Without an entry, continue after the cursor.
        range.start = Some(last.unwrap_or_else(|| after(cursor)));
    }
}

/// The first key after `key`.
pub(crate) fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryContext;
    use crate::rows::{
        TEMP_FILES, TEMP_FILES_BY_FOLDER, TEMP_FILES_BY_TIME, TEMP_FOLDERS, TEMP_FOLDERS_BY_TIME, TempFile, TempFolder,
    };

    fn file(unique: &str, parent: &str, time: i64) -> TempFile {
        let name = format!("Photo {unique}.jpg");
        TempFile {
            unique: unique.to_owned(),
            parent: parent.to_owned(),
            name,
            time,
            ..TempFile::default()
        }
    }

    fn filled(files: impl IntoIterator<Item = TempFile>) -> MemoryContext {
        let ctx = MemoryContext::new();
        TEMP_FILES.apply(&ctx, files, &[]);
        ctx
    }

    fn in_folder(folder: &str) -> Listing<'static> {
        Listing::new(TEMP_FILES_BY_FOLDER, Key::new().text(folder).prefix())
    }

    #[test]
    fn pages_neither_overlap_nor_skip_and_descending_is_the_reverse() {
        // Times collide on purpose.
        let ctx = filled((0..25).map(|n| file(&format!("{:02}", n * 7 % 25), "p", n % 3)));
        let all = in_folder("p").all(&ctx);
        assert_eq!(all.len(), 25);
        for limit in [1, 4, 5, 24, 25, 26] {
            for order in [Order::Asc, Order::Desc] {
                let listing = in_folder("p").order(order);
                let pages = (0..).map(|page| {
                    listing.page(
                        &ctx,
                        Paging {
                            skip: page * u64::from(limit),
                            limit,
                        },
                    )
                });
                let mut rows: Vec<_> = pages.take_while(|page| !page.is_empty()).flatten().collect();
                if order == Order::Desc {
                    rows.reverse();
                }
                assert_eq!(rows, all);
            }
        }
        let sorted = TEMP_FILES.get_all(&ctx, &all);
        assert!(
            sorted.is_sorted_by_key(|file| (file.time, file.unique.clone())),
            "ties are broken by identifier"
        );
    }

    #[test]
    fn no_rows_one_row_a_full_page_and_one_past_it() {
        let first = Paging { skip: 0, limit: 2 };
        let second = Paging { skip: 2, limit: 2 };
        for (rows, on_first, on_second) in [(0, 0, 0), (1, 1, 0), (2, 2, 0), (3, 2, 1)] {
            let ctx = filled((0..rows).map(|n| file(&n.to_string(), "p", n)));
            assert_eq!(in_folder("p").page(&ctx, first).len(), on_first);
            assert_eq!(in_folder("p").page(&ctx, second).len(), on_second);
        }
    }

    #[test]
    fn a_page_far_past_the_end_is_empty() {
        let ctx = filled([file("a", "p", 1)]);
        assert!(
            in_folder("p")
                .page(
                    &ctx,
                    Paging {
                        skip: u64::from(u32::MAX) * 1000,
                        limit: 1000
                    }
                )
                .is_empty()
        );
    }

    #[test]
    fn time_ranges_include_both_ends() {
        let times = [i64::MIN, -1, 0, 1, 5, i64::MAX];
        let ctx = filled(times.iter().map(|time| file(&time.to_string(), "p", *time)));
        for first in times {
            for last in times {
                let expected = times.iter().filter(|time| (first..=last).contains(*time)).count();
                let found = in_folder("p").times(TimeRange { first, last }).all(&ctx);
                assert_eq!(found.len(), expected, "{first} to {last}");
                let over_all = Listing::new(TEMP_FILES_BY_TIME, Vec::new()).times(TimeRange { first, last });
                assert_eq!(over_all.all(&ctx), found);
            }
        }
    }

    #[test]
    fn folders_whose_names_begin_alike_or_hold_nul_do_not_mix() {
        let ctx = filled([
            file("1", "a", 1),
            file("2", "a\0", 1),
            file("3", "ab", 1),
            file("a\0b", "\0", 1),
        ]);
        assert_eq!(in_folder("a").all(&ctx), ["1"]);
        assert_eq!(in_folder("a\0").all(&ctx), ["2"]);
        assert_eq!(in_folder("\0").all(&ctx), ["a\0b"]);
        assert_eq!(in_folder("").all(&ctx), Vec::<String>::new());
    }

    #[test]
    fn a_list_longer_than_a_scan_comes_whole() {
        let ctx = filled((0..10_003).map(|n| file(&format!("{n:05}"), "p", 0)));
        for order in [Order::Asc, Order::Desc] {
            let all = in_folder("p").order(order).all(&ctx);
            assert_eq!(all.len(), 10_003);
            assert!(if order == Order::Asc {
                all.is_sorted()
            } else {
                all.is_sorted_by(|a, b| a > b)
            });
        }
    }

    fn search(ctx: &MemoryContext, keyword: &str) -> Vec<String> {
        let keyword = Keyword::new(Some(keyword));
        let time = |folder: &TempFolder| folder.time;
        folders_matching(
            ctx,
            &TEMP_FOLDERS,
            time,
            TEMP_FOLDERS_BY_TIME,
            TEMP_FILES_BY_FOLDER,
            &keyword,
        )
        .into_iter()
        .map(|folder| folder.unique)
        .collect()
    }

    #[test]
    fn folders_match_by_their_text_or_a_row_and_the_cost_depends_on_the_matches() {
        let folder = |unique: &str, time| TempFolder {
            unique: unique.to_owned(),
            node_address: format!("Node {unique}"),
            time,
            ..TempFolder::default()
        };
        let ctx = filled((0..6000).map(|n| file(&format!("{n:04}"), if n % 2 == 0 { "even" } else { "odd" }, n)));
        TEMP_FOLDERS.apply(
            &ctx,
            [folder("odd", 9), folder("even", 9), folder("empty-4242", 3)],
            &[],
        );
        ctx.take_costs();
        assert_eq!(search(&ctx, "4242"), ["empty-4242", "even"]);
        assert_eq!(search(&ctx, "NODE ODD"), ["odd"]);
        assert_eq!(search(&ctx, "nothing"), Vec::<String>::new());
        let (calls, entries) = ctx.take_costs();
        assert!(calls < 20 && entries < 10, "{calls} calls, {entries} entries");
        assert_eq!(search(&ctx, "photo"), ["even", "odd"]);
        let (calls, entries) = ctx.take_costs();
        assert!(
            calls < 10 && entries < 1000,
            "each folder is found once: {calls} calls, {entries} entries"
        );
        assert_eq!(search(&ctx, ""), ["empty-4242", "even", "odd"]);
    }

    #[test]
    fn many_folders_with_one_match_each_are_all_found() {
        let ctx = filled((0..700).map(|n| file(&n.to_string(), &format!("folder {n:03}"), n)));
        let folders = (0..700).map(|n| TempFolder {
            unique: format!("folder {n:03}"),
            time: -n,
            ..TempFolder::default()
        });
        TEMP_FOLDERS.apply(&ctx, folders, &[]);
        let found = search(&ctx, "photo");
        assert_eq!(found.len(), 700);
        assert!(found.is_sorted_by(|a, b| a > b), "oldest first");
    }
}
