//! Decides which modules are to be live at a start.

use std::sync::Arc;

use stowage_logic::Version;

use crate::live_set::{LiveModule, LiveSet};
use crate::options::{BUILT_IN, Source};

/// Who asks for the changes of a start, as the history shows it.
pub(super) const BY: &str = "start";

/// A module that the program is started with.
pub(super) struct StartupModule {
    /// Its bytes are moved to `bytes`.
    pub(super) source: Source,
    pub(super) version: Version,
    pub(super) bytes: Arc<Vec<u8>>,
}

impl StartupModule {
    pub(super) fn new(mut source: Source) -> StartupModule {
        StartupModule {
            version: Version::of(&source.bytes),
            bytes: Arc::new(std::mem::take(&mut source.bytes)),
            source,
        }
    }

    pub(super) fn is_built_in(&self) -> bool {
        self.source.from == BUILT_IN
    }

    fn row(&self) -> LiveModule {
        LiveModule {
            name: self.source.name.clone(),
            version: self.version,
            size: self.bytes.len() as u64,
            source: self.source.from.clone(),
            since_ms: 0,
            by: BY.to_owned(),
            schema: None,
            signed_by: Vec::new(),
        }
    }
}

/// A module that is to be live.
pub(super) struct PlannedModule<'a> {
    pub(super) row: LiveModule,
    /// Its bytes, if the program is started with them.
    pub(super) startup: Option<&'a StartupModule>,
    /// Whether it was not live before.
    pub(super) is_new: bool,
}

impl<'a> PlannedModule<'a> {
    /// A module that goes live with this start.
    pub(super) fn new(startup: &'a StartupModule) -> PlannedModule<'a> {
        PlannedModule {
            row: startup.row(),
            startup: Some(startup),
            is_new: true,
        }
    }
}

/// The startup module with the version of a row.
pub(super) fn find<'a>(startup: &'a [StartupModule], row: &LiveModule) -> Option<&'a StartupModule> {
    startup
        .iter()
        .find(|s| s.source.name == row.name && s.version == row.version)
}

/// What is to be live, in load order. Without `take_new`, the stored set.
pub(super) fn plan<'a>(startup: &'a [StartupModule], stored: &LiveSet, take_new: bool) -> Vec<PlannedModule<'a>> {
    let is_first_start = stored.generation == 0;
    let has_changed = |s: &StartupModule| take_new && stored.startup.get(&s.source.name) != Some(&s.version);
    let mut planned = Vec::with_capacity(stored.modules.len() + startup.len());
    for row in &stored.modules {
        let same_name = startup.iter().find(|s| s.source.name == row.name);
        let replacement = same_name
            .filter(|s| s.version != row.version && has_changed(s) && (!s.is_built_in() || row.source == BUILT_IN));
        planned.push(match replacement {
            Some(startup) => PlannedModule::new(startup),
            None => PlannedModule {
                row: row.clone(),
                startup: find(startup, row),
                is_new: false,
            },
        });
    }
    for s in startup {
        let was_known = stored.startup.contains_key(&s.source.name);
        let stays_unloaded = was_known && (s.is_built_in() || !has_changed(s));
        let is_live = stored.module(&s.source.name).is_some();
        if !is_live && (is_first_start || (has_changed(s) && !stays_unloaded)) {
            planned.push(PlannedModule::new(s));
        }
    }
    planned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str, bytes: &[u8], from: &str) -> StartupModule {
        StartupModule {
            source: Source {
                name: name.into(),
                bytes: Vec::new(),
                from: from.into(),
            },
            version: Version::of(bytes),
            bytes: Arc::new(bytes.to_vec()),
        }
    }

    fn live(startup: &[StartupModule], live: &[(&str, &[u8], &str)]) -> LiveSet {
        LiveSet {
            generation: 1,
            modules: live
                .iter()
                .map(|(name, bytes, from)| LiveModule {
                    since_ms: 1,
                    ..module(name, bytes, from).row()
                })
                .collect(),
            startup: startup.iter().map(|s| (s.source.name.clone(), s.version)).collect(),
            ..LiveSet::default()
        }
    }

    fn planned(startup: &[StartupModule], stored: &LiveSet) -> Vec<(String, Version, bool)> {
        plan(startup, stored, true)
            .into_iter()
            .map(|p| (p.row.name, p.row.version, p.is_new))
            .collect()
    }

    fn expect(expected: &[(&str, &[u8], bool)]) -> Vec<(String, Version, bool)> {
        expected
            .iter()
            .map(|(name, bytes, new)| ((*name).to_owned(), Version::of(bytes), *new))
            .collect()
    }

    #[test]
    fn the_first_start_serves_the_startup_modules() {
        let new = [module("a", b"1", BUILT_IN), module("b", b"1", "/m/b.wasm")];
        assert_eq!(
            planned(&new, &LiveSet::default()),
            expect(&[("a", b"1", true), ("b", b"1", true)])
        );
    }

    #[test]
    fn a_new_binary_brings_its_built_in_modules_where_nobody_chose_others() {
        let old = [module("a", b"1", BUILT_IN), module("b", b"1", BUILT_IN)];
        let stored = live(&old, &[("a", b"1", BUILT_IN), ("b", b"mine", "upload")]);
        let new = [module("a", b"2", BUILT_IN), module("b", b"2", BUILT_IN)];
        assert_eq!(
            planned(&new, &stored),
            expect(&[("a", b"2", true), ("b", b"mine", false)])
        );
    }

    #[test]
    fn unchanged_startup_modules_leave_swaps_and_unloads_as_they_were() {
        let old = [
            module("a", b"1", "/m/a.wasm"),
            module("b", b"1", BUILT_IN),
            module("c", b"2", BUILT_IN),
        ];
        let stored = live(&old, &[("a", b"swapped", "upload"), ("c", b"1", BUILT_IN)]);
        assert_eq!(
            planned(&old, &stored),
            expect(&[("a", b"swapped", false), ("c", b"1", false)])
        );
    }

    #[test]
    fn a_file_that_changed_goes_live_and_so_does_a_module_that_is_new() {
        let old = [module("a", b"1", "/m/a.wasm")];
        let stored = live(&old, &[("a", b"swapped", "upload")]);
        let new = [module("a", b"2", "/m/a.wasm"), module("z", b"1", BUILT_IN)];
        assert_eq!(planned(&new, &stored), expect(&[("a", b"2", true), ("z", b"1", true)]));
    }

    #[test]
    fn live_modules_that_no_longer_come_with_the_start_stay_live() {
        let old = [module("a", b"1", "/m/a.wasm")];
        let stored = live(&old, &[("a", b"1", "/m/a.wasm")]);
        assert_eq!(planned(&[], &stored), expect(&[("a", b"1", false)]));
    }
}
