//! A module version that is compiled and not live.

use std::sync::Arc;

use stowage_logic::Module;

use super::live_set::LiveModule;

/// A version that is not live, with everything that is needed to put it live.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) module: Arc<Module>,
    pub(crate) bytes: Arc<Vec<u8>>,
    /// Where the bytes came from.
    pub(crate) from: String,
    /// Its data version, once its check has asked for it.
    pub(crate) schema: Option<u32>,
    /// The keys that signed it, if modules have to be signed.
    pub(crate) signed_by: Vec<String>,
    /// When it was compiled, in milliseconds since 1970.
    pub(crate) since_ms: u64,
}

impl Candidate {
    /// Its row in a set that is to go live.
    pub(crate) fn row(&self, by: &str) -> LiveModule {
        LiveModule {
            name: self.module.name.to_string(),
            version: self.module.version,
            size: self.bytes.len() as u64,
            source: self.from.clone(),
            since_ms: 0,
            by: by.to_owned(),
            schema: self.schema,
            signed_by: self.signed_by.clone(),
        }
    }
}
