//! The rows of what serves.
//!
//! `host.modules`: `live` → the live set, MessagePack with field names.
//! `host.module-schemas`: a module's name → the version of its rows, 4 bytes, big-endian. It stays when the module is unloaded,
//! for the rows stay.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stowage_logic::{Thresholds, Version};
use stowage_storage::Transaction;

use super::error::DeployError;

const MODULES: &str = "host.modules";
const LIVE: &[u8] = b"live";
const SCHEMAS: &str = "host.module-schemas";

/// A module of a live set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LiveModule {
    pub(super) name: String,
    pub(super) version: Version,
    /// Its bytes.
    pub(super) size: u64,
    /// `built-in`, a file's path, or `upload`.
    pub(super) source: String,
    /// Milliseconds since 1970; 0 in a set that has not gone live.
    pub(super) since_ms: u64,
    /// Who asked for it.
    pub(super) by: String,
    /// The version of its rows; none where it names none.
    pub(super) schema: Option<u32>,
}

/// A probation as it survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ProbationRow {
    /// Milliseconds that it lasts.
    pub(super) lasts_ms: u64,
    /// When it ends, milliseconds since 1970.
    pub(super) until_ms: u64,
    pub(super) thresholds: Thresholds,
    /// The generation that is gone back to.
    pub(super) previous: u64,
    /// Data was migrated: there is no way back, only a reason to record.
    pub(super) migrated: bool,
}

/// The modules that serve together, in the order they are loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct LiveSet {
    pub(super) generation: u64,
    /// Where this set was first live, if it was gone back to.
    pub(super) origin: Option<u64>,
    pub(super) modules: Vec<LiveModule>,
    pub(super) probation: Option<ProbationRow>,
    /// What the last start was given, by name. A module that is given again unchanged says nothing new.
    pub(super) given: BTreeMap<String, Version>,
}

impl LiveSet {
    pub(super) fn module(&self, name: &str) -> Option<&LiveModule> {
        self.modules.iter().find(|m| m.name == name)
    }

    /// What tells one set from another.
    pub(super) fn versions(&self) -> Vec<(&str, Version)> {
        versions(&self.modules)
    }

    /// Sets the times of what begins now.
    pub(super) fn begin(&mut self, now_ms: u64) {
        for module in &mut self.modules {
            if module.since_ms == 0 {
                module.since_ms = now_ms;
            }
        }
        if let Some(probation) = &mut self.probation {
            probation.until_ms = now_ms.saturating_add(probation.lasts_ms);
        }
    }
}

pub(super) fn versions(modules: &[LiveModule]) -> Vec<(&str, Version)> {
    modules.iter().map(|m| (&*m.name, m.version)).collect()
}

/// The live set; none before the first start.
pub(super) fn read(tx: &mut Transaction) -> Result<Option<LiveSet>, DeployError> {
    match tx.get(MODULES, LIVE)? {
        Some(bytes) => decode("the live set", &bytes).map(Some),
        None => Ok(None),
    }
}

pub(super) fn write(tx: &mut Transaction, set: &LiveSet) -> Result<(), DeployError> {
    Ok(tx.put(MODULES, LIVE, encode(set))?)
}

/// The version of the rows of a module; 0 where no module of the name has named one.
pub(super) fn schema(tx: &mut Transaction, name: &str) -> Result<u32, DeployError> {
    let stored = tx.get(SCHEMAS, name.as_bytes())?;
    Ok(stored
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes))
}

pub(super) fn set_schema(tx: &mut Transaction, name: &str, version: u32) -> Result<(), DeployError> {
    Ok(tx.put(SCHEMAS, name.as_bytes(), version.to_be_bytes().to_vec())?)
}

/// A row of the deployer.
pub(super) fn encode(row: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(row).expect("the rows hold only what MessagePack can")
}

/// # Errors
/// When it is no such row: it was written by a newer program, or is damaged.
pub(super) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, DeployError> {
    rmp_serde::from_slice(bytes).map_err(|error| DeployError::Storage(format!("{what} cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_begin_when_a_set_does_and_stay() {
        let module = |since_ms| LiveModule {
            name: "m".into(),
            version: Version::of(b""),
            size: 0,
            source: "upload".into(),
            since_ms,
            by: "command".into(),
            schema: None,
        };
        let mut set = LiveSet {
            modules: vec![module(0), module(7)],
            probation: Some(ProbationRow {
                lasts_ms: 10,
                until_ms: 0,
                thresholds: Thresholds::default(),
                previous: 1,
                migrated: false,
            }),
            ..LiveSet::default()
        };
        set.begin(100);
        assert_eq!((set.modules[0].since_ms, set.modules[1].since_ms), (100, 7));
        assert_eq!(set.probation.as_ref().map(|p| p.until_ms), Some(110));
        assert_eq!(decode::<LiveSet>("x", &encode(&set)).unwrap(), set);
    }
}
