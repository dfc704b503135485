//! Shared by the suites: a store on each backend, a model, and operations for both.

// Each suite uses only a part of this file.
#![allow(dead_code)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use stowage_storage::{Config, Error, KeyRange, Page, ScanOptions, Store, Transaction};
use tempfile::TempDir;

/// A store and its directory, which is removed with it.
pub struct Fixture {
    pub store: Store,
    pub dir: Option<TempDir>,
}

pub fn in_memory(config: Config) -> Fixture {
    Fixture {
        store: Store::in_memory(config),
        dir: None,
    }
}

pub fn in_file(config: Config) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("test.redb"), config).unwrap();
    Fixture { store, dir: Some(dir) }
}

/// A store in files that flushes all the time.
pub fn in_file_flushed_often(config: Config) -> Fixture {
    in_file(Config {
        wal_bytes: 512,
        ..config
    })
}

/// Makes a test of each async function on each backend.
#[macro_export]
macro_rules! on_every_backend {
    ($($(#[$meta:meta])* $test:ident),* $(,)?) => {
        mod memory {
            $($(#[$meta])* #[tokio::test] async fn $test() { super::$test($crate::support::in_memory).await; })*
        }
        mod file {
            $($(#[$meta])* #[tokio::test] async fn $test() { super::$test($crate::support::in_file).await; })*
        }
        mod file_flushed_often {
            $($(#[$meta])* #[tokio::test] async fn $test() { super::$test($crate::support::in_file_flushed_often).await; })*
        }
    };
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Value(Vec<u8>),
    Counter(i64),
}

impl Cell {
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Value(value) => value.clone(),
            Self::Counter(counter) => counter.to_le_bytes().to_vec(),
        }
    }
}

/// The model of a store with a single caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model(pub BTreeMap<(String, Vec<u8>), Cell>);

/// An operation of a transaction.
#[derive(Debug, Clone)]
pub enum Op {
    Get(Place),
    Counter(Place),
    Scan(&'static str, KeyRange, ScanOptions),
    Count(&'static str, KeyRange),
    Put(Place, Vec<u8>),
    Delete(Place),
    DeleteRange(&'static str, KeyRange),
    Add(Place, i64),
}

pub type Place = (&'static str, Vec<u8>);

/// The result of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Value(Option<Vec<u8>>),
    Number(i64),
    Page(Page),
    Done,
    NotACounter,
}

/// Runs an operation in a transaction.
pub fn run(tx: &mut Transaction, op: &Op) -> Output {
    let answer = match op {
        Op::Get((table, key)) => tx.get(table, key).map(Output::Value),
        Op::Counter((table, key)) => tx.counter(table, key).map(Output::Number),
        Op::Scan(table, range, options) => tx.scan(table, range, options).map(Output::Page),
        Op::Count(table, range) => tx.count(table, range).map(|n| Output::Number(n as i64)),
        Op::Put((table, key), value) => tx.put(table, key, value.clone()).map(|()| Output::Done),
        Op::Delete((table, key)) => tx.delete(table, key).map(|()| Output::Done),
        Op::DeleteRange(table, range) => tx.delete_range(table, range).map(|n| Output::Number(n as i64)),
        Op::Add((table, key), delta) => tx.add(table, key, *delta).map(|()| Output::Done),
    };
    answer.unwrap_or_else(|error| match error {
        Error::NotACounter { .. } => Output::NotACounter,
        other => panic!("{op:?} failed: {other}"),
    })
}

impl Model {
    fn keys_in(&self, table: &str, range: &KeyRange) -> Vec<Vec<u8>> {
        self.0
            .keys()
            .filter(|(of, key)| {
                of == table
                    && range.start.as_ref().is_none_or(|start| key >= start)
                    && range.end.as_ref().is_none_or(|end| key < end)
            })
            .map(|(_, key)| key.clone())
            .collect()
    }

    fn cell(&self, table: &str, key: &[u8]) -> Option<&Cell> {
        self.0.get(&(table.to_owned(), key.to_vec()))
    }

    pub fn run(&mut self, op: &Op) -> Output {
        match op {
            Op::Get((table, key)) => Output::Value(self.cell(table, key).map(Cell::bytes)),
            Op::Counter((table, key)) => match self.cell(table, key) {
                None => Output::Number(0),
                Some(Cell::Counter(counter)) => Output::Number(*counter),
                Some(Cell::Value(_)) => Output::NotACounter,
            },
            Op::Scan(table, range, options) => Output::Page(self.scan(table, range, options)),
            Op::Count(table, range) => Output::Number(self.keys_in(table, range).len() as i64),
            Op::Put((table, key), value) => {
                let place = ((*table).to_owned(), key.clone());
                self.0.insert(place, Cell::Value(value.clone()));
                Output::Done
            }
            Op::Delete((table, key)) => {
                self.0.remove(&((*table).to_owned(), key.clone()));
                Output::Done
            }
            Op::DeleteRange(table, range) => {
                let keys = self.keys_in(table, range);
                for key in &keys {
                    self.0.remove(&((*table).to_owned(), key.clone()));
                }
                Output::Number(keys.len() as i64)
            }
            Op::Add((table, key), delta) => {
                let place = ((*table).to_owned(), key.clone());
                match self.0.entry(place).or_insert(Cell::Counter(0)) {
                    Cell::Counter(counter) => {
                        *counter = counter.wrapping_add(*delta);
                        Output::Done
                    }
                    Cell::Value(_) => Output::NotACounter,
                }
            }
        }
    }

    fn scan(&self, table: &str, range: &KeyRange, options: &ScanOptions) -> Page {
        let mut page = Page::default();
        if options.limit == 0 {
            return page;
        }
        let mut keys = self.keys_in(table, range);
        if options.reverse {
            keys.reverse();
        }
        let mut skip = options.skip;
        for key in keys {
            let value = self.cell(table, &key).unwrap().bytes();
            let needle = options.contains.as_deref().unwrap_or_default();
            if !needle.is_empty() && !value.windows(needle.len()).any(|part| part == needle) {
                continue;
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            page.entries.push(stowage_storage::Entry {
                key: key.clone(),
                value: if options.keys_only { vec![] } else { value },
            });
            if page.entries.len() == options.limit as usize {
                page.cursor = Some(key);
                break;
            }
        }
        page
    }

    /// All rows of a store.
    pub fn of(store: &Store) -> BTreeMap<(String, Vec<u8>), Vec<u8>> {
        let mut tx = store.begin();
        let mut rows = BTreeMap::new();
        for table in tx.snapshot().tables().unwrap() {
            let options = ScanOptions {
                limit: u32::MAX,
                ..ScanOptions::default()
            };
            let page = tx.scan(&table, &KeyRange::all(), &options).unwrap();
            assert_eq!(page.cursor, None);
            for entry in page.entries {
                rows.insert((table.clone(), entry.key), entry.value);
            }
        }
        rows
    }

    /// All rows of the model, in the form of [`Model::of`].
    pub fn rows(&self) -> BTreeMap<(String, Vec<u8>), Vec<u8>> {
        let rows = self.0.iter();
        rows.map(|(place, cell)| (place.clone(), cell.bytes())).collect()
    }
}

/// Few keys, so that operations meet. Some differ only at the end, or contain the separator.
pub fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        b"\0".to_vec(),
        b"a".to_vec(),
        b"a\0".to_vec(),
        b"ab".to_vec(),
        b"b".to_vec(),
        b"b\xff".to_vec(),
        b"c".to_vec(),
        b"\xff\xff".to_vec(),
    ])
}

fn table() -> impl Strategy<Value = &'static str> {
    // One name is a prefix of the other. A range that leaves its table is noticed.
    prop::sample::select(vec!["t", "t-1"])
}

fn place() -> impl Strategy<Value = Place> {
    (table(), key())
}

fn range() -> impl Strategy<Value = KeyRange> {
    (prop::option::of(key()), prop::option::of(key())).prop_map(|(start, end)| KeyRange { start, end })
}

fn options() -> impl Strategy<Value = ScanOptions> {
    let needle = prop::sample::select(vec![vec![], b"x".to_vec(), b"xy".to_vec(), vec![0]]);
    (
        any::<bool>(),
        0..3u32,
        0..5u32,
        prop::option::weighted(0.3, needle),
        any::<bool>(),
    )
        .prop_map(|(reverse, skip, limit, contains, keys_only)| ScanOptions {
            reverse,
            skip,
            limit,
            contains,
            keys_only,
        })
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        vec![],
        b"x".to_vec(),
        b"xy".to_vec(),
        b"axyb".to_vec(),
        vec![0; 8],
    ])
}

/// Any operation of a transaction.
pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => place().prop_map(Op::Get),
        2 => place().prop_map(Op::Counter),
        4 => (table(), range(), options()).prop_map(|(table, range, options)| Op::Scan(table, range, options)),
        1 => (table(), range()).prop_map(|(table, range)| Op::Count(table, range)),
        4 => (place(), value()).prop_map(|(place, value)| Op::Put(place, value)),
        2 => place().prop_map(Op::Delete),
        1 => (table(), range()).prop_map(|(table, range)| Op::DeleteRange(table, range)),
        4 => (place(), -3..4i64).prop_map(|(place, delta)| Op::Add(place, delta)),
    ]
}
