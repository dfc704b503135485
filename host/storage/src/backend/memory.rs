//! The backend in memory. Each key keeps the versions that a snapshot can still see.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::{ApplyError, Backend, BackendSnapshot, CheckpointState, KeyUpdate, Visit};
use crate::error::BackendError;

/// Keys and values in memory. They are gone when the store is closed.
#[derive(Default)]
pub(crate) struct MemoryBackend {
    shared: Arc<Shared>,
    version: u64,
    /// Keys with an earlier version that is hidden by the one of this version, oldest first.
    hidden: VecDeque<(u64, Vec<u8>)>,
}

#[derive(Default)]
struct Shared {
    rows: RwLock<BTreeMap<Vec<u8>, Vec<Version>>>,
    /// The number of snapshots of each version.
    live: Mutex<BTreeMap<u64, usize>>,
}

/// What a key holds from this version on; `None` if it was removed. The versions of a key ascend.
struct Version {
    from: u64,
    value: Option<Vec<u8>>,
}

impl MemoryBackend {
    fn take_snapshot(&self) -> MemorySnapshot {
        let mut live = self.shared.live.lock();
        *live.entry(self.version).or_default() += 1;
        MemorySnapshot {
            shared: Arc::clone(&self.shared),
            version: self.version,
        }
    }

    /// Drops the versions that no snapshot can see.
    fn prune(&mut self, rows: &mut BTreeMap<Vec<u8>, Vec<Version>>) {
        let oldest = {
            let live = self.shared.live.lock();
            live.keys().next().copied().unwrap_or(self.version)
        };
        while let Some((version, _)) = self.hidden.front()
            && *version <= oldest
        {
            let Some((_, key)) = self.hidden.pop_front() else {
                break;
            };
            let Some(versions) = rows.get_mut(&key) else {
                continue;
            };
            let seen = versions.partition_point(|version| version.from <= oldest);
            versions.drain(..seen.saturating_sub(1));
            if let [only] = versions.as_slice()
                && only.value.is_none()
            {
                rows.remove(&key);
            }
        }
    }
}

impl Backend for MemoryBackend {
    fn snapshot(&self) -> Result<Arc<dyn BackendSnapshot>, BackendError> {
        Ok(Arc::new(self.take_snapshot()))
    }

    fn apply(
        &mut self,
        changes: &mut dyn Iterator<Item = KeyUpdate<'_>>,
    ) -> Result<Arc<dyn BackendSnapshot>, ApplyError> {
        let shared = Arc::clone(&self.shared);
        let mut rows = shared.rows.write();
        let from = self.version + 1;
        for (key, value) in changes {
            let value = value.map(<[u8]>::to_vec);
            match rows.get_mut(key) {
                Some(versions) => {
                    versions.push(Version { from, value });
                    self.hidden.push_back((from, key.to_vec()));
                }
                None if value.is_some() => {
                    rows.insert(key.to_vec(), vec![Version { from, value }]);
                }
                None => {}
            }
        }
        self.version = from;
        self.prune(&mut rows);
        drop(rows);
        Ok(self.snapshot()?)
    }

    fn checkpoint(&mut self) -> Result<Option<CheckpointState>, ApplyError> {
        Ok(Some(CheckpointState {
            state: self.snapshot()?,
            batch: self.version,
        }))
    }

    fn reopen(&mut self) -> Result<(), BackendError> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), BackendError> {
        Ok(())
    }
}

struct MemorySnapshot {
    shared: Arc<Shared>,
    version: u64,
}

impl MemorySnapshot {
    fn visible<'v>(&self, versions: &'v [Version]) -> Option<&'v [u8]> {
        let seen = versions.partition_point(|version| version.from <= self.version);
        versions[..seen].last()?.value.as_deref()
    }
}

impl BackendSnapshot for MemorySnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        let rows = self.shared.rows.read();
        let value = rows.get(key).and_then(|versions| self.visible(versions));
        Ok(value.map(<[u8]>::to_vec))
    }

    fn walk(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), BackendError> {
        let rows = self.shared.rows.read();
        let bounds = (std::ops::Bound::Included(start), std::ops::Bound::Excluded(end));
        let mut range = rows.range::<[u8], _>(bounds);
        while let Some((key, versions)) = if reverse { range.next_back() } else { range.next() } {
            if let Some(value) = self.visible(versions)
                && visit(key, value).is_break()
            {
                break;
            }
        }
        Ok(())
    }
}

impl Drop for MemorySnapshot {
    fn drop(&mut self) {
        let mut live = self.shared.live.lock();
        if let Some(count) = live.get_mut(&self.version) {
            *count -= 1;
            if *count == 0 {
                live.remove(&self.version);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(backend: &mut MemoryBackend, changes: &[(&str, Option<&str>)]) {
        let mut changes = changes
            .iter()
            .map(|(key, value)| (key.as_bytes(), value.map(str::as_bytes)));
        backend.apply(&mut changes).unwrap();
    }

    fn versions(backend: &MemoryBackend) -> usize {
        backend.shared.rows.read().values().map(Vec::len).sum()
    }

    #[test]
    fn versions_go_when_no_snapshot_sees_them() {
        let mut backend = MemoryBackend::default();
        apply(&mut backend, &[("a", Some("1")), ("b", Some("1"))]);
        let old = backend.snapshot().unwrap();
        apply(&mut backend, &[("a", Some("2")), ("b", None), ("c", None)]);
        apply(&mut backend, &[("a", Some("3"))]);
        assert_eq!(old.get(b"a").unwrap().unwrap(), b"1");
        assert_eq!(old.get(b"b").unwrap().unwrap(), b"1");
        assert_eq!(versions(&backend), 5);
        drop(old);
        apply(&mut backend, &[("d", Some("1"))]);
        assert_eq!(versions(&backend), 2);
        assert!(backend.hidden.is_empty());
    }
}
