//! The history: a bounded list of generations.
//!
//! `host.module-history`: the generation's number, 8 bytes, big-endian → [`Entry`], MessagePack
//! with field names. Numbers count up and are never reused.

use serde::{Deserialize, Serialize};
use stowage_logic::Version;
use stowage_storage::{KeyRange, ScanOptions, Store, Transaction};

use super::api::HistoryEntry;
use super::error::DeployError;
use super::live_set::{self, LiveModule};
use super::rows::{decode, encode};

const HISTORY: &str = "host.module-history";
/// Entries that are kept; older ones are removed.
pub(crate) const MAX_ENTRIES: u64 = 1000;
/// Entries read at a time.
const PAGE: u32 = 100;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    Start,
    Swap,
    Unload,
    Promote,
    Rollback,
    /// A version on trial was given up. The entry has the set that did not go live.
    Abort,
}

impl Action {
    /// All of them.
    pub(crate) const ALL: [Action; 6] = [
        Action::Start,
        Action::Swap,
        Action::Unload,
        Action::Promote,
        Action::Rollback,
        Action::Abort,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::Start => "start",
            Action::Swap => "swap",
            Action::Unload => "unload",
            Action::Promote => "promote",
            Action::Rollback => "rollback",
            Action::Abort => "abort",
        }
    }
}

/// A generation that was live, or that was to go live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) generation: u64,
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) by: String,
    pub(crate) action: Action,
    pub(crate) reason: Option<String>,
    pub(crate) modules: Vec<LiveModule>,
    /// The generation in which the set was first live, if it was rolled back to.
    pub(crate) origin: Option<u64>,
}

impl From<Entry> for HistoryEntry {
    fn from(entry: Entry) -> HistoryEntry {
        HistoryEntry {
            generation: entry.generation,
            at: entry.at_ms,
            by: entry.by,
            action: entry.action.name().into(),
            reason: entry.reason,
            signed_by: entry
                .modules
                .iter()
                .filter(|m| !m.signed_by.is_empty())
                .map(|m| (m.name.clone(), m.signed_by.clone()))
                .collect(),
            modules: entry
                .modules
                .into_iter()
                .map(|m| (m.name, format!("{:#}", m.version)))
                .collect(),
        }
    }
}

/// The number of the latest entry; 0 if there is none.
pub(crate) fn last(tx: &mut Transaction) -> Result<u64, DeployError> {
    let options = ScanOptions {
        reverse: true,
        limit: 1,
        keys_only: true,
        ..ScanOptions::default()
    };
    let page = tx.scan(HISTORY, &KeyRange::all(), &options)?;
    Ok(page
        .entries
        .into_iter()
        .find_map(|e| e.key.try_into().ok())
        .map_or(0, u64::from_be_bytes))
}

/// Writes an entry, and removes the oldest ones beyond [`MAX_ENTRIES`].
pub(crate) fn write(tx: &mut Transaction, entry: &Entry) -> Result<(), DeployError> {
    tx.put(HISTORY, &entry.generation.to_be_bytes(), encode(entry))?;
    if let Some(first_kept) = (entry.generation + 1).checked_sub(MAX_ENTRIES) {
        let old = KeyRange {
            start: None,
            end: Some(first_kept.to_be_bytes().to_vec()),
        };
        tx.delete_range(HISTORY, &old)?;
    }
    Ok(())
}

/// The entry of a generation.
pub(crate) fn read(tx: &mut Transaction, generation: u64) -> Result<Option<Entry>, DeployError> {
    match tx.get(HISTORY, &generation.to_be_bytes())? {
        Some(bytes) => decode("an entry of the modules' history", &bytes).map(Some),
        None => Ok(None),
    }
}

/// Passes the entries with numbers below `before` to `take`, newest first, until `take` returns
/// false. An entry that cannot be read is logged and skipped.
pub(crate) fn walk(store: &Store, before: Option<u64>, mut take: impl FnMut(Entry) -> bool) -> Result<(), DeployError> {
    let mut tx = store.begin();
    let mut range = KeyRange {
        start: None,
        end: before.map(|n| n.to_be_bytes().to_vec()),
    };
    let options = ScanOptions {
        reverse: true,
        limit: PAGE,
        ..ScanOptions::default()
    };
    loop {
        let page = tx.scan(HISTORY, &range, &options)?;
        for row in page.entries {
            match decode("an entry of the modules' history", &row.value) {
                Ok(entry) => {
                    if !take(entry) {
                        return Ok(());
                    }
                }
                Err(error) => tracing::warn!(%error, key = ?row.key, "an entry of the modules' history is skipped"),
            }
        }
        match page.cursor {
            Some(cursor) => range.end = Some(cursor),
            None => return Ok(()),
        }
    }
}

/// The generation that a rollback of the live set goes to: the latest earlier one that was live
/// with other modules. A set that was itself rolled back to counts as the generation in which it
/// was first live, so that a second rollback goes further back.
pub(crate) fn previous(store: &Store, live: &live_set::LiveSet) -> Result<Option<Entry>, DeployError> {
    let mut below = live.origin.unwrap_or(live.generation);
    let mut found = None;
    walk(store, Some(below), |entry| {
        if entry.generation >= below || entry.action == Action::Abort {
            return true;
        }
        if live_set::versions(&entry.modules) == live.versions() {
            below = entry.origin.unwrap_or(entry.generation);
            return true;
        }
        found = Some(entry);
        false
    })?;
    Ok(found)
}

/// The versions of a module that were live, newest first, without duplicates.
pub(crate) fn versions_of(store: &Store, name: &str) -> Result<Vec<LiveModule>, DeployError> {
    let mut found: Vec<LiveModule> = Vec::new();
    walk(store, None, |entry| {
        if entry.action != Action::Abort {
            for module in entry.modules {
                if module.name == name && found.iter().all(|m| m.version != module.version) {
                    found.push(module);
                }
            }
        }
        true
    })?;
    Ok(found)
}

/// The latest `most` versions of every module in the history.
pub(crate) fn kept_versions(store: &Store, most: usize) -> Result<std::collections::BTreeSet<Version>, DeployError> {
    let mut by_name: std::collections::BTreeMap<String, Vec<Version>> = std::collections::BTreeMap::new();
    walk(store, None, |entry| {
        if entry.action != Action::Abort {
            for module in entry.modules {
                let versions = by_name.entry(module.name).or_default();
                if versions.len() < most && !versions.contains(&module.version) {
                    versions.push(module.version);
                }
            }
        }
        true
    })?;
    Ok(by_name.into_values().flatten().collect())
}

#[cfg(test)]
mod tests {
    use stowage_storage::Config;

    use super::*;
    use crate::live_set::LiveSet;

    fn module(name: &str, bytes: &[u8]) -> LiveModule {
        LiveModule {
            name: name.into(),
            version: Version::of(bytes),
            size: bytes.len() as u64,
            source: "upload".into(),
            since_ms: 1,
            by: "command".into(),
            schema: None,
            signed_by: Vec::new(),
        }
    }

    fn entry(generation: u64, action: Action, bytes: &[u8], origin: Option<u64>) -> Entry {
        Entry {
            generation,
            at_ms: generation,
            by: "command".into(),
            action,
            reason: None,
            modules: vec![module("m", bytes)],
            origin,
        }
    }

    async fn store(entries: impl IntoIterator<Item = Entry>) -> Store {
        let store = Store::in_memory(Config::default());
        for entry in entries {
            store.update::<_, DeployError>(|tx| write(tx, &entry)).await.unwrap();
        }
        store
    }

    fn live(entry: &Entry) -> LiveSet {
        LiveSet {
            generation: entry.generation,
            origin: entry.origin,
            modules: entry.modules.clone(),
            ..LiveSet::default()
        }
    }

    #[tokio::test]
    async fn a_second_rollback_goes_further_back() {
        let entries = [
            entry(1, Action::Start, b"a", None),
            entry(2, Action::Swap, b"b", None),
            entry(3, Action::Swap, b"c", None),
            entry(4, Action::Rollback, b"b", Some(2)),
        ];
        let store = store(entries.clone()).await;
        let at = |n: usize| previous(&store, &live(&entries[n])).unwrap().map(|e| e.generation);
        assert_eq!(at(2), Some(2));
        assert_eq!(at(3), Some(1));
        assert_eq!(at(0), None);
    }

    #[tokio::test]
    async fn a_rollback_skips_what_was_rolled_back_and_what_never_went_live() {
        let entries = [
            entry(1, Action::Start, b"a", None),
            entry(2, Action::Swap, b"bad", None),
            entry(3, Action::Rollback, b"a", Some(1)),
            entry(4, Action::Abort, b"worse", None),
            entry(5, Action::Swap, b"c", None),
        ];
        let store = store(entries.clone()).await;
        let from_c = previous(&store, &live(&entries[4])).unwrap().unwrap();
        assert_eq!(from_c.generation, 3);
        assert_eq!(previous(&store, &live(&entries[2])).unwrap(), None);
    }

    #[tokio::test]
    async fn the_history_is_bounded_and_keeps_the_newest() {
        let store = store((1..=MAX_ENTRIES + 5).map(|n| entry(n, Action::Swap, &n.to_be_bytes(), None))).await;
        let mut numbers = Vec::new();
        walk(&store, None, |entry| {
            numbers.push(entry.generation);
            true
        })
        .unwrap();
        assert_eq!(numbers.len() as u64, MAX_ENTRIES);
        assert_eq!((numbers[0], numbers[numbers.len() - 1]), (MAX_ENTRIES + 5, 6));
        assert_eq!(last(&mut store.begin()).unwrap(), MAX_ENTRIES + 5);
        assert_eq!(kept_versions(&store, 10).unwrap().len(), 10);
        assert_eq!(versions_of(&store, "m").unwrap().len() as u64, MAX_ENTRIES);
    }
}
