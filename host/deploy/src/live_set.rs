//! The rows of the live set.
//!
//! `host.modules`: `live` → [`LiveSet`], MessagePack with field names. `host.module-schemas`: a
//! module's name → the data version of its rows, 4 bytes, big-endian. The entry stays when the
//! module is unloaded, because its rows stay.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stowage_logic::{Thresholds, Version};
use stowage_storage::Transaction;

use super::error::DeployError;
use super::rows::{decode, encode};

const MODULES: &str = "host.modules";
const LIVE: &[u8] = b"live";
const DATA_VERSIONS: &str = "host.module-schemas";

/// A module of a live set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LiveModule {
    pub(crate) name: String,
    pub(crate) version: Version,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// Where its bytes came from: `built-in`, a file's path, or `upload`.
    pub(crate) source: String,
    /// Milliseconds since 1970; 0 in a set that has not gone live.
    pub(crate) since_ms: u64,
    /// Who asked for it.
    pub(crate) by: String,
    /// The data version of its rows; none if it declares none.
    pub(crate) schema: Option<u32>,
    /// The keys that signed it, if modules had to be signed when it went live.
    #[serde(default)]
    pub(crate) signed_by: Vec<String>,
}

/// A probation as it survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProbationRow {
    /// How long it lasts, in milliseconds.
    pub(crate) lasts_ms: u64,
    /// When it ends, in milliseconds since 1970.
    pub(crate) until_ms: u64,
    pub(crate) thresholds: Thresholds,
    /// The generation that a rollback goes to.
    pub(crate) previous: u64,
    /// The data was migrated: there is no rollback, only a reason to record.
    pub(crate) migrated: bool,
}

/// The modules that serve together, in load order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LiveSet {
    pub(crate) generation: u64,
    /// The generation in which this set was first live, if it was rolled back to.
    pub(crate) origin: Option<u64>,
    pub(crate) modules: Vec<LiveModule>,
    pub(crate) probation: Option<ProbationRow>,
    /// The modules that the program was last started with, by name. If the next start brings the
    /// same version again, it changes nothing.
    pub(crate) startup: BTreeMap<String, Version>,
}

impl LiveSet {
    pub(crate) fn module(&self, name: &str) -> Option<&LiveModule> {
        self.modules.iter().find(|m| m.name == name)
    }

    /// The names and versions, which tell one set from another.
    pub(crate) fn versions(&self) -> Vec<(&str, Version)> {
        versions(&self.modules)
    }

    /// Sets the times of the modules and of the probation that begin now.
    pub(crate) fn begin(&mut self, now_ms: u64) {
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

pub(crate) fn versions(modules: &[LiveModule]) -> Vec<(&str, Version)> {
    modules.iter().map(|m| (&*m.name, m.version)).collect()
}

/// The live set; none before the first start.
pub(crate) fn read(tx: &mut Transaction) -> Result<Option<LiveSet>, DeployError> {
    match tx.get(MODULES, LIVE)? {
        Some(bytes) => decode("the live set", &bytes).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn write(tx: &mut Transaction, set: &LiveSet) -> Result<(), DeployError> {
    Ok(tx.put(MODULES, LIVE, encode(set))?)
}

/// The data version of a module's stored rows; 0 if no module of the name has declared one.
pub(crate) fn data_version(tx: &mut Transaction, name: &str) -> Result<u32, DeployError> {
    let stored = tx.get(DATA_VERSIONS, name.as_bytes())?;
    Ok(stored
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes))
}

pub(crate) fn set_data_version(tx: &mut Transaction, name: &str, version: u32) -> Result<(), DeployError> {
    Ok(tx.put(DATA_VERSIONS, name.as_bytes(), version.to_be_bytes().to_vec())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_modules_and_the_probation_get_their_times_and_others_keep_theirs() {
        let module = |since_ms| LiveModule {
            name: "m".into(),
            version: Version::of(b""),
            size: 0,
            source: "upload".into(),
            since_ms,
            by: "command".into(),
            schema: None,
            signed_by: vec!["release".into()],
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
        assert_eq!(decode::<LiveSet>("the live set", &encode(&set)).unwrap(), set);
    }
}
