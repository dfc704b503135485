//! The step of a check that compares the functions of a module with what is served.

use std::sync::Arc;

use stowage_logic::{Generation, Module, Route};

use super::report::forceable_step;
use crate::api::CheckStep;
use crate::wire::wire_name;

/// Finds what clients would notice: functions that nobody would serve any more, or whose types
/// change.
pub(super) fn compare_exports(module: &Module, before: &[Arc<Module>], after: &[Arc<Module>]) -> CheckStep {
    let before = Generation::new(before.to_vec());
    let after = Generation::new(after.to_vec());
    let is_of_module = |route: &&Route| *route.module().name == *module.name;
    // By function: the lines about it.
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut is_compatible = true;
    let mut kept = 0;
    for old in before.routes() {
        let lines = match after.version_of(old.function()) {
            None if is_of_module(&old) => vec![format!("- {}", signature(old))],
            Some(new) if is_of_module(&new) => changes(old, new),
            _ => continue,
        };
        is_compatible &= lines.is_empty();
        kept += usize::from(lines.is_empty());
        found.push((old.export().function.clone(), lines));
    }
    for new in after.routes().filter(is_of_module) {
        if before.version_of(new.function()).is_none() {
            found.push((new.export().function.clone(), vec![format!("+ {}", signature(new))]));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let unchanged = (kept > 0).then(|| format!("{kept} functions as they were"));
    let lines = unchanged
        .into_iter()
        .chain(found.into_iter().flat_map(|(_, lines)| lines))
        .collect();
    forceable_step("exports", is_compatible, lines)
}

fn signature(route: &Route) -> String {
    route
        .function()
        .signature()
        .map_or_else(|| wire_name(route), |s| s.text())
}

fn changes(old: &Route, new: &Route) -> Vec<String> {
    if old.module().version == new.module().version {
        return Vec::new();
    }
    let (Some(before), Some(after)) = (old.function().signature(), new.function().signature()) else {
        return vec![format!("- {}", wire_name(old)), format!("+ {}", wire_name(new))];
    };
    before.changes(&after)
}
