//! A state in layers: memtables over the database. A read takes the newest layer that knows a key.

use std::cell::Cell;
use std::ops::Bound;
use std::sync::Arc;
use std::vec;

use bytes::Bytes;

use super::memtable::Memtable;
use super::{BackendSnapshot, Visit};
use crate::backend::overlay::{self, Way};
use crate::error::BackendError;

/// Keys that a cursor copies first. Few, because most walks are short.
const FIRST_KEYS: usize = 16;
/// The most keys that a cursor copies at once.
const MAX_KEYS: usize = 256;

/// A state: memtables, the newest first, over what the database holds.
pub(crate) struct Layers<'a, S> {
    pub(crate) memtables: &'a [Arc<Memtable>],
    pub(crate) base: &'a S,
    /// The last batch in the state.
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
        let mut updates = Cursor::new(top, self.batch, way, &outdated).peekable();
        if updates.peek().is_none() && !outdated.get() {
            return below.walk(start, end, reverse, visit);
        }
        let seen = |key: &[u8], value: &Option<Bytes>, _: Option<&[u8]>, visit: &mut Visit<'_>| {
            Ok(match value {
                Some(value) => visit(key, value),
                None => std::ops::ControlFlow::Continue(()),
            })
        };
        overlay::walk::<_, _, BackendError>(&below, updates, way, seen, visit)?;
        // The walk has missed keys, whatever it visited before.
        match outdated.get() {
            true => Err(BackendError::Outdated),
            false => Ok(()),
        }
    }
}

/// A cursor over what a snapshot sees of a memtable. It copies some keys at a time, so that it
/// holds the lock only for a moment.
struct Cursor<'a> {
    memtable: &'a Memtable,
    batch: u64,
    way: Way<'a>,
    /// The last key that was copied.
    last: Option<Bytes>,
    copied: vec::IntoIter<(Bytes, Option<Bytes>)>,
    /// How many keys to copy next; 0 at the end.
    next_count: usize,
    /// Set if the memtable was discarded before the end.
    outdated: &'a Cell<bool>,
}

impl<'a> Cursor<'a> {
    fn new(memtable: &'a Memtable, batch: u64, way: Way<'a>, outdated: &'a Cell<bool>) -> Self {
        Self {
            memtable,
            batch,
            way,
            last: None,
            copied: vec::IntoIter::default(),
            next_count: FIRST_KEYS,
            outdated,
        }
    }

    fn copy_next(&mut self) {
        let (mut start, mut end) = (Bound::Included(self.way.start), Bound::Excluded(self.way.end));
        let before = self.last.take();
        if let Some(last) = &before {
            let rest = if self.way.reverse { &mut end } else { &mut start };
            *rest = Bound::Excluded(last);
        }
        let rows = self.memtable.rows();
        self.outdated.set(self.outdated.get() || rows.is_discarded);
        let mut range = rows.map.range::<[u8], _>((start, end));
        let mut copied = Vec::new();
        let mut last = None;
        let mut left = self.next_count;
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
                copied.push((key.clone(), version.value.clone()));
            }
        }
        self.next_count = if left > 0 {
            0
        } else {
            (self.next_count * 2).min(MAX_KEYS)
        };
        self.last = last.cloned();
        self.copied = copied.into_iter();
    }
}

impl Iterator for Cursor<'_> {
    type Item = (Bytes, Option<Bytes>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(next) = self.copied.next() {
                return Some(next);
            }
            if self.next_count == 0 {
                return None;
            }
            self.copy_next();
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

    /// A random history over memtables and a base reads the same as over one memory backend.
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
                    let mut updates = BTreeMap::new();
                    for _ in 0..1 + next(30) {
                        let value = (next(3) > 0).then(|| batch.to_be_bytes().to_vec());
                        updates.insert(format!("{:03}", next(400)).into_bytes(), value);
                    }
                    let updates: Vec<_> = updates.iter().map(|(k, v)| (k.as_slice(), v.as_deref())).collect();
                    let state = model.apply(&mut updates.iter().copied()).unwrap();
                    match memtables.first() {
                        None => drop(base.apply(&mut updates.iter().copied()).unwrap()),
                        Some(memtable) => {
                            memtable.insert(batch, &updates);
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
    fn a_discarded_memtable_cannot_be_read() {
        let mut base = MemoryBackend::default();
        base.apply(&mut [(&b"a"[..], Some(&b"1"[..]))].into_iter()).unwrap();
        let base = Below(base.snapshot().unwrap());
        let memtables = [Arc::new(Memtable::default()), Arc::new(Memtable::default())];
        let keys: Vec<_> = (0..100_u8).map(|n| [n]).collect();
        let updates: Vec<_> = keys.iter().map(|key| (&key[..], Some(&b"2"[..]))).collect();
        memtables[1].insert(1, &updates);
        let layers = Layers {
            memtables: &memtables,
            base: &base,
            batch: 1,
        };
        // Discarded in the middle of a walk.
        let mut seen = 0;
        let walked = layers.walk(&[0], &[200], false, &mut |_, _| {
            seen += 1;
            if seen == 3 {
                memtables[1].discard();
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
