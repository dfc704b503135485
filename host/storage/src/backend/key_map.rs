//! Stored keys in order, found without looking at most of them.
//!
//! The keys of a table begin alike: with its name, and often with more. The bytes after that, as far as a number holds them, lie beside the
//! key in the tree, so that a search compares numbers, and follows a pointer to the key itself only where they are equal.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::{Bound, Deref};

use bytes::Bytes;

use crate::stored;

/// So many keys are looked at again in no time.
const FEW_KEYS: usize = 64;

/// A map of stored keys, in their order.
#[derive(Debug)]
pub(super) struct KeyMap<V> {
    /// By what the keys of each begin with: its name, and what ends it.
    tables: BTreeMap<Bytes, Table<V>>,
}

/// The keys of a table.
#[derive(Debug)]
struct Table<V> {
    /// What all of them begin with.
    shared: Bytes,
    map: BTreeMap<Held, V>,
    /// How many there were when that last became less.
    settled_at: usize,
}

/// A key in the map.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held(Key<'static>);

/// A key of a table.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    /// The first bytes after what all share, the first the most significant; zeros where there are fewer. It never tells two keys apart
    /// otherwise than the keys themselves do.
    hint: u64,
    bytes: KeyBytes<'a>,
}

#[derive(Debug)]
enum KeyBytes<'a> {
    Held(Bytes),
    Lent(&'a [u8]),
}

impl<V> Default for KeyMap<V> {
    fn default() -> Self {
        Self {
            tables: BTreeMap::new(),
        }
    }
}

impl<V> KeyMap<V> {
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&V> {
        let table = self.tables.get(beginning(key))?;
        table.map.get(&table.place(key).ok()?)
    }

    /// The place of a key, which is to be filled where it is vacant.
    pub(super) fn entry(&mut self, key: Bytes) -> Entry<'_, Held, V> {
        let beginning = beginning(&key);
        // Most keys find their table, and need no handle of its name.
        if !self.tables.contains_key(beginning) {
            let table = Table {
                shared: key.clone(),
                map: BTreeMap::new(),
                settled_at: 0,
            };
            self.tables.insert(key.slice_ref(beginning), table);
        }
        let table = self
            .tables
            .get_mut(beginning)
            .expect("it has been made where there was none");
        table.entry(key)
    }

    /// The keys between two bounds, of which the first is not after the second, and what they hold.
    pub(super) fn range<'a>(
        &'a self,
        start: Bound<&'a [u8]>,
        end: Bound<&'a [u8]>,
    ) -> impl DoubleEndedIterator<Item = (&'a Held, &'a V)> {
        self.tables
            .range::<[u8], _>((around(start), around(end)))
            .flat_map(move |(_, table)| table.range(start, end))
    }
}

impl<V> Table<V> {
    fn entry(&mut self, key: Bytes) -> Entry<'_, Held, V> {
        if !key.starts_with(&self.shared) {
            self.share_less(&key);
        }
        let hint = hint(&key[self.shared.len()..]);
        self.map.entry(Held(Key {
            hint,
            bytes: KeyBytes::Held(key),
        }))
    }

    /// Takes note that not all keys begin as they did so far. Many are looked at again only where they have become twice as many since the
    /// last time; otherwise what they share becomes so little that it does not happen any more.
    fn share_less(&mut self, key: &[u8]) {
        let alike = self.shared.iter().zip(key).take_while(|(one, other)| one == other);
        let keys = self.map.len();
        let len = match keys <= FEW_KEYS || keys >= 2 * self.settled_at {
            true => alike.count(),
            false => beginning(key).len(),
        };
        self.settled_at = keys;
        self.shared.truncate(len);
        // In order as before.
        self.map = std::mem::take(&mut self.map)
            .into_iter()
            .map(|(Held(key), value)| {
                let hint = hint(&key.bytes[len..]);
                (Held(Key { hint, ..key }), value)
            })
            .collect();
    }

    /// Where a key is or would be among those of the table; where it cannot be one of them, whether it is before or after all of them.
    fn place<'a>(&self, key: &'a [u8]) -> Result<Key<'a>, Ordering> {
        match key.strip_prefix(&*self.shared) {
            Some(rest) => Ok(Key {
                hint: hint(rest),
                bytes: KeyBytes::Lent(key),
            }),
            None => Err(key.cmp(&self.shared)),
        }
    }

    fn range<'a>(
        &'a self,
        start: Bound<&'a [u8]>,
        end: Bound<&'a [u8]>,
    ) -> impl DoubleEndedIterator<Item = (&'a Held, &'a V)> {
        let start = self.bound(start, Ordering::Less);
        let end = self.bound(end, Ordering::Greater);
        let range = start.zip(end).map(|bounds| self.map.range::<Key<'_>, _>(bounds));
        range.into_iter().flatten()
    }

    /// A bound among the keys of the table: none at all where it is beyond them on the `open` side, and nothing where all are beyond it.
    fn bound<'a>(&self, bound: Bound<&'a [u8]>, open: Ordering) -> Option<Bound<Key<'a>>> {
        let (Bound::Included(key) | Bound::Excluded(key)) = bound else {
            return Some(Bound::Unbounded);
        };
        match self.place(key) {
            Ok(key) if matches!(bound, Bound::Included(_)) => Some(Bound::Included(key)),
            Ok(key) => Some(Bound::Excluded(key)),
            Err(side) => (side == open).then_some(Bound::Unbounded),
        }
    }
}

impl Held {
    /// The key, which shares its memory with the map.
    pub(super) fn to_bytes(&self) -> Bytes {
        match &self.0.bytes {
            KeyBytes::Held(key) => key.clone(),
            KeyBytes::Lent(key) => Bytes::copy_from_slice(key),
        }
    }
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl<'a> Borrow<Key<'a>> for Held {
    fn borrow(&self) -> &Key<'a> {
        &self.0
    }
}

impl Deref for KeyBytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Held(key) => key,
            Self::Lent(key) => key,
        }
    }
}

impl PartialEq for KeyBytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for KeyBytes<'_> {}

impl PartialOrd for KeyBytes<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KeyBytes<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(other)
    }
}

/// What all keys of the table of this one begin with. Such beginnings are in the same order as the keys themselves.
fn beginning(key: &[u8]) -> &[u8] {
    match stored::table_of(key) {
        Some(table) => &key[..=table.len()],
        None => key,
    }
}

/// The bound that has the table of a bound within.
fn around(bound: Bound<&[u8]>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Bound::Included(beginning(key)),
        Bound::Unbounded => Bound::Unbounded,
    }
}

fn hint(rest: &[u8]) -> u64 {
    match rest.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut first = [0; 8];
            first[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(first)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Keys of several tables, some of which begin alike for long, some not from the first byte, and some of which are the beginning of others.
    fn key(random: &mut Random) -> Vec<u8> {
        let table = ["a", "ab", "a-b", "b"][random.below(4) as usize];
        let beginning = ["", "favorite-folders", "favorite-folders\0", "f", "\u{7f}\u{7f}"][random.below(5) as usize];
        let mut key = format!("{table}\0{beginning}").into_bytes();
        for _ in 0..random.below(4) {
            key.push([0, 1, b'x', 0xff][random.below(4) as usize]);
        }
        key
    }

    #[test]
    fn keys_lie_as_in_a_plain_map() {
        for seed in 1..=200 {
            let mut random = Random::new(seed);
            let (mut map, mut model) = (KeyMap::default(), BTreeMap::new());
            // Those with one beginning first, so that what is shared becomes less with few keys and with many.
            for n in 0..random.below(2) * 100 {
                let key = format!("a\0favorite-folders\0{n:03}").into_bytes();
                map.entry(Bytes::from(key.clone())).or_insert(n);
                model.insert(key, n);
            }
            for n in 0..1 + random.below(300) {
                let key = key(&mut random);
                *map.entry(Bytes::from(key.clone())).or_default() = n;
                model.insert(key, n);
            }
            for _ in 0..100 {
                let (one, other) = (key(&mut random), key(&mut random));
                assert_eq!(map.get(&one), model.get(&one));
                let (start, end) = (one.as_slice().min(&other), one.as_slice().max(&other));
                let bounds = [
                    (Bound::Included(start), Bound::Excluded(end)),
                    (Bound::Excluded(start), Bound::Included(end)),
                    (Bound::Unbounded, Bound::Excluded(end)),
                    (Bound::Included(start), Bound::Unbounded),
                ];
                for (start, end) in bounds {
                    if (start, end) == (Bound::Excluded(one.as_slice()), Bound::Included(one.as_slice())) {
                        continue;
                    }
                    let found: Vec<_> = map.range(start, end).map(|(key, n)| (key.to_vec(), *n)).collect();
                    let expected = model.range::<[u8], _>((start, end));
                    let expected: Vec<_> = expected.map(|(key, n)| (key.clone(), *n)).collect();
                    assert_eq!(found, expected, "{seed} {start:?} {end:?}");
                    let backwards = map.range(start, end).rev().map(|(key, n)| (key.to_vec(), *n));
                    assert!(backwards.eq(expected.into_iter().rev()), "{seed} {start:?} {end:?}");
                }
            }
        }
    }

    #[test]
    fn a_search_looks_at_few_keys() {
        let mut map = KeyMap::default();
        for n in 0..1000_u32 {
            map.entry(Bytes::from(format!("pending\0favorite-folders\0{n:08x}-rest")))
                .or_insert(n);
        }
        let table = map.tables.values().next().expect("a table");
        let mut hints: Vec<_> = table.map.keys().map(|held| held.0.hint).collect();
        hints.dedup();
        assert_eq!(hints.len(), 1000, "each tells its key from all others");
    }

    #[test]
    fn keys_that_share_less_and_less_are_not_looked_at_over_and_over() {
        let mut map = KeyMap::default();
        for n in 0..100_u32 {
            map.entry(Bytes::from(format!("t\0abcdefgh{n:02}"))).or_insert(n);
        }
        let shared = |map: &KeyMap<u32>| map.tables.values().next().map(|table| table.shared.to_vec());
        assert_eq!(shared(&map).as_deref(), Some(&b"t\0abcdefgh"[..]));
        map.entry(Bytes::from_static(b"t\0abcdefg")).or_insert(100);
        assert_eq!(
            shared(&map).as_deref(),
            Some(&b"t\0abcdefg"[..]),
            "as little less as it can"
        );
        map.entry(Bytes::from_static(b"t\0abcdef")).or_insert(101);
        assert_eq!(shared(&map).as_deref(), Some(&b"t\0"[..]), "once and for all");
    }
}
