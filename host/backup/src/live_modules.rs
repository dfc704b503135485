//! Which versions of modules the rows name.
//!
//! `host.modules`: `live` → the live set. `host.module-history`: a number → a generation. Both have
//! a list of modules with name and version, as MessagePack maps.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde::Deserialize;

use crate::error::Error;
use crate::hash::ContentHash;
use crate::rows::Moment;

/// The table of the live set.
pub(crate) const LIVE_SET: &str = "host.modules";
/// The key of the live set.
pub(crate) const LIVE: &[u8] = b"live";
/// The table of generations.
pub(crate) const HISTORY: &str = "host.module-history";

/// The part of a row that names modules.
#[derive(Deserialize)]
pub(crate) struct ModuleSet {
    pub(crate) modules: Vec<Module>,
}

/// A module of a set.
#[derive(Deserialize)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) version: ContentHash,
}

/// The modules that serve, by name and version.
pub(crate) fn live(rows: &impl Moment) -> Result<BTreeSet<(String, ContentHash)>, Error> {
    let mut found = BTreeSet::new();
    rows.walk_table(LIVE_SET, |row| {
        if row.key == LIVE
            && let Ok(set) = rmp_serde::from_slice::<ModuleSet>(row.value)
        {
            found.extend(set.modules.into_iter().map(|module| (module.name, module.version)));
        }
        ControlFlow::<()>::Continue(())
    })?;
    Ok(found)
}
