//! A memtable: what recent batches changed, in order of the keys, before the database takes it up.
//!
//! It keeps every version that a batch wrote, so that a snapshot goes on seeing its own while later batches come in. It lives as long as
//! some snapshot sees it, unless it is given up before.

use std::cell::Cell;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::vec;

use bytes::{Bytes, BytesMut};

use super::key_map::{Held, KeyMap};
use super::{BackendSnapshot, Change, Visit};
use crate::error::BackendError;
use crate::overlay::{self, Way};

/// Changes that are taken in while the readers wait.
const TAKEN_AT_ONCE: usize = 4;
/// Keys that a walk takes out at once: few at first, for most walks are short.
const FIRST_KEYS: usize = 16;
const MOST_KEYS: usize = 256;

/// What a version of a key takes besides key and value.
const VERSION_BYTES: usize = 144;

#[derive(Debug, Default)]
pub(crate) struct Memtable {
    rows: RwLock<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    map: KeyMap<Versions>,
    bytes: usize,
    given_up: bool,
}

/// What a key held.
#[derive(Debug)]
struct Versions {
    latest: Version,
    /// Those before, ascending. In a box, for most keys have none.
    older: Option<Box<Older>>,
}

#[derive(Debug, Default)]
struct Older(Vec<Version>);

/// What a key holds from a batch on; `None` where it was removed.
#[derive(Debug)]
struct Version {
    batch: u64,
    value: Option<Bytes>,
}

impl Versions {
    fn push(&mut self, version: Version) {
        let before = std::mem::replace(&mut self.latest, version);
        self.older.get_or_insert_default().0.push(before);
    }

    /// What a snapshot of this batch sees, if the key had been written by then.
    fn at(&self, batch: u64) -> Option<&Version> {
        if self.latest.batch <= batch {
            return Some(&self.latest);
        }
        let Older(older) = self.older.as_deref()?;
        let seen = older.partition_point(|version| version.batch <= batch);
        older[..seen].last()
    }
}

impl Memtable {
    /// Takes in the changes of a batch, which is later than all before. No snapshot of it may have been taken.
    pub(crate) fn insert(&self, batch: u64, changes: &[Change<'_>]) {
        let mut bytes = all_bytes(changes);
        for some in changes.chunks(TAKEN_AT_ONCE) {
            let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
            for (key, value) in some {
                rows.bytes += VERSION_BYTES + key.len() + value.map_or(0, <[u8]>::len);
                let key = bytes.split_to(key.len());
                let version = Version {
                    batch,
                    value: value.map(|value| bytes.split_to(value.len())),
                };
                match rows.map.entry(key) {
                    Entry::Occupied(mut versions) => versions.get_mut().push(version),
                    Entry::Vacant(free) => {
                        free.insert(Versions {
                            latest: version,
                            older: None,
                        });
                    }
                }
            }
        }
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.rows().bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows().map.is_empty()
    }

    /// Frees all it holds; snapshots that see it cannot be read any more.
    pub(crate) fn give_up(&self) {
        let given_up = Rows {
            given_up: true,
            ..Rows::default()
        };
        let rows = std::mem::replace(
            &mut *self.rows.write().unwrap_or_else(PoisonError::into_inner),
            given_up,
        );
        // After the lock.
        drop(rows);
    }

    /// What a key holds after a batch, as far as this memtable knows: a value, or that it was removed.
    fn get(&self, batch: u64, key: &[u8]) -> Result<Option<Option<Vec<u8>>>, BackendError> {
        let rows = self.rows();
        if rows.given_up {
            return Err(BackendError::Outdated);
        }
        let version = rows.map.get(key).and_then(|versions| versions.at(batch));
        Ok(version.map(|version| version.value.as_deref().map(<[u8]>::to_vec)))
    }

    /// Hands over at most so many keys after one of them, with what they hold after all batches, in order; returns the last one where there
    /// may be more.
    pub(crate) fn drain_into<E>(
        &self,
        after: Option<&Bytes>,
        most: usize,
        take: impl FnOnce(&mut dyn Iterator<Item = Change<'_>>) -> Result<(), E>,
    ) -> Result<Option<Bytes>, E> {
        let rows = self.rows();
        let start = after.map_or(Bound::Unbounded, |key| Bound::Excluded(&**key));
        let (mut last, mut left) = (None, most);
        let some = rows.map.range(start, Bound::Unbounded).take(most);
        take(&mut some.map(|(key, versions)| {
            left -= 1;
            last = Some(key);
            (&**key, versions.latest.value.as_deref())
        }))?;
        Ok(last.filter(|_| left == 0).map(Held::to_bytes))
    }

    fn rows(&self) -> RwLockReadGuard<'_, Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys and values one behind the other in one allocation, which they share.
fn all_bytes(changes: &[Change<'_>]) -> Bytes {
    let pieces = || changes.iter().flat_map(|(key, value)| [Some(*key), *value]).flatten();
    let mut bytes = BytesMut::with_capacity(pieces().map(<[u8]>::len).sum());
    for piece in pieces() {
        bytes.extend_from_slice(piece);
    }
    bytes.freeze()
}

/// A walk along what a snapshot sees of a memtable. It takes out some keys at a time, and blocks no writer in between.
struct Keys<'a> {
    memtable: &'a Memtable,
    batch: u64,
    way: Way<'a>,
    /// The last key that was taken out.
    last: Option<Bytes>,
    taken: vec::IntoIter<(Bytes, Option<Bytes>)>,
    /// How many to take out next; none at the end.
    next: usize,
    /// Set where the memtable was given up before the end.
    outdated: &'a Cell<bool>,
}

impl<'a> Keys<'a> {
    fn new(memtable: &'a Memtable, batch: u64, way: Way<'a>, outdated: &'a Cell<bool>) -> Self {
        Self {
            memtable,
            batch,
            way,
            last: None,
            taken: vec::IntoIter::default(),
            next: FIRST_KEYS,
            outdated,
        }
    }

    fn take_out(&mut self) {
        let (mut start, mut end) = (Bound::Included(self.way.start), Bound::Excluded(self.way.end));
        let before = self.last.take();
        if let Some(last) = &before {
            let rest = if self.way.reverse { &mut end } else { &mut start };
            *rest = Bound::Excluded(last);
        }
        let rows = self.memtable.rows();
        self.outdated.set(self.outdated.get() || rows.given_up);
        let mut range = rows.map.range(start, end);
        let mut taken = Vec::new();
        let mut last = None;
        let mut left = self.next;
        while left > 0
            && let Some((key, versions)) = if self.way.reverse {
                range.next_back()
            } else {
                range.next()
            }
        {
            left -= 1;
            last = Some(key);
            if let Some(version) = versions.at(self.batch) {
                taken.push((key.to_bytes(), version.value.clone()));
            }
        }
        self.next = if left > 0 { 0 } else { (self.next * 2).min(MOST_KEYS) };
        self.last = last.map(Held::to_bytes);
        self.taken = taken.into_iter();
    }
}

impl Iterator for Keys<'_> {
    type Item = (Bytes, Option<Bytes>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(next) = self.taken.next() {
                return Some(next);
            }
            if self.next == 0 {
                return None;
            }
            self.take_out();
        }
    }
}

/// A state: memtables, the latest first, over what the database holds.
pub(crate) struct Layers<'a, S> {
    pub(crate) memtables: &'a [Arc<Memtable>],
    pub(crate) base: &'a S,
    /// The last batch that it sees.
    pub(crate) batch: u64,
}

impl<S: BackendSnapshot> BackendSnapshot for Layers<'_, S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        for memtable in self.memtables {
            if let Some(known) = memtable.get(self.batch, key)? {
                return Ok(known);
            }
        }
        self.base.get(key)
    }

    fn walk(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), BackendError> {
        let Some((top, below)) = self.memtables.split_first() else {
            return self.base.walk(start, end, reverse, visit);
        };
        let below = Layers {
            memtables: below,
            ..*self
        };
        let way = Way { start, end, reverse };
        let outdated = Cell::new(false);
        let mut changes = Keys::new(top, self.batch, way, &outdated).peekable();
        if changes.peek().is_none() && !outdated.get() {
            return below.walk(start, end, reverse, visit);
        }
        let seen = |key: &[u8], value: &Option<Bytes>, _: Option<&[u8]>, visit: &mut Visit<'_>| {
            Ok(match value {
                Some(value) => visit(key, value),
                None => std::ops::ControlFlow::Continue(()),
            })
        };
        overlay::walk::<_, _, BackendError>(&below, changes, way, seen, visit)?;
        // Whatever was handed on by then: it has not been all.
        match outdated.get() {
            true => Err(BackendError::Outdated),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;

    use super::*;
    use crate::backend::Backend as _;
    use crate::backend::memory::MemoryBackend;
    use crate::random::Random;

    /// Memtables over a backend in memory, and the same in one backend: whatever is asked of both, the answer is the same.
    #[test]
    fn layers_hold_what_the_batches_left() {
        for seed in 1..40_u64 {
            let mut random = Random::new(seed);
            let mut next = |below| random.below(below);
            let (mut base, mut model) = (MemoryBackend::default(), MemoryBackend::default());
            let mut memtables: Vec<Arc<Memtable>> = Vec::new();
            let mut expected = Vec::new();
            let layers = 1 + next(3);
            let mut batch = 0_u64;
            for layer in 0..=layers {
                if layer > 0 {
                    memtables.insert(0, Arc::default());
                }
                for _ in 0..1 + next(60) {
                    batch += 1;
                    let mut changes = BTreeMap::new();
                    for _ in 0..1 + next(30) {
                        let value = (next(3) > 0).then(|| batch.to_be_bytes().to_vec());
                        changes.insert(format!("{:03}", next(400)).into_bytes(), value);
                    }
                    let changes: Vec<_> = changes.iter().map(|(k, v)| (k.as_slice(), v.as_deref())).collect();
                    let state = model.apply(&mut changes.iter().copied()).unwrap();
                    match memtables.first() {
                        None => drop(base.apply(&mut changes.iter().copied()).unwrap()),
                        Some(memtable) => {
                            memtable.insert(batch, &changes);
                            expected.push((batch, memtables.clone(), state));
                        }
                    }
                }
            }
            let base = Below(base.snapshot().unwrap());
            for (batch, memtables, state) in expected {
                let layers = Layers {
                    memtables: &memtables,
                    base: &base,
                    batch,
                };
                for _ in 0..20 {
                    let key = format!("{:03}", next(400)).into_bytes();
                    assert_eq!(layers.get(&key).unwrap(), state.get(&key).unwrap());
                    let end = format!("{:03}", next(400)).into_bytes();
                    let reverse = next(2) == 0;
                    let most = 1 + next(300) as usize;
                    if key < end {
                        let found = walked(&layers, &key, &end, reverse, most);
                        assert_eq!(found, walked(&*state, &key, &end, reverse, most), "{seed} {batch}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_been_given_up_cannot_be_read() {
        let mut base = MemoryBackend::default();
        base.apply(&mut [(&b"a"[..], Some(&b"1"[..]))].into_iter()).unwrap();
        let base = Below(base.snapshot().unwrap());
        let memtables = [Arc::new(Memtable::default()), Arc::new(Memtable::default())];
        let keys: Vec<_> = (0..100_u8).map(|n| [n]).collect();
        let changes: Vec<_> = keys.iter().map(|key| (&key[..], Some(&b"2"[..]))).collect();
        memtables[1].insert(1, &changes);
        let layers = Layers {
            memtables: &memtables,
            base: &base,
            batch: 1,
        };
        // While a walk is on its way.
        let mut seen = 0;
        let walked = layers.walk(&[0], &[200], false, &mut |_, _| {
            seen += 1;
            if seen == 3 {
                memtables[1].give_up();
            }
            ControlFlow::Continue(())
        });
        assert!(matches!(walked, Err(BackendError::Outdated)), "{seen}");
        assert!(matches!(layers.get(b"a"), Err(BackendError::Outdated)));
        let walked = layers.walk(b"a", b"b", true, &mut |_, _| ControlFlow::Continue(()));
        assert!(matches!(walked, Err(BackendError::Outdated)));
    }

    struct Below(Arc<dyn BackendSnapshot>);

    impl BackendSnapshot for Below {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
            self.0.get(key)
        }

        fn walk(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), BackendError> {
            self.0.walk(start, end, reverse, visit)
        }
    }

    fn walked(
        state: &dyn BackendSnapshot,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        most: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        state
            .walk(start, end, reverse, &mut |key, value| {
                found.push((key.to_vec(), value.to_vec()));
                match found.len() == most {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })
            .unwrap();
        found
    }
}
