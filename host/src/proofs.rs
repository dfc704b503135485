//! What shows beforehand how a version behaves: shadows.

use std::sync::Arc;

use stowage_logic::{Logic, Module, Observer};

use crate::deploy::{Proofs, ShadowReport, ShadowRun};

/// The parts that the deployer asks.
pub fn proofs() -> Proofs {
    Proofs {
        shadow: Some(Arc::new(shadow)),
        ..Proofs::default()
    }
}

fn shadow(logic: &Logic, candidate: Arc<Module>, percent: f64) -> ShadowRun {
    let shadow = logic.shadow(candidate, percent);
    let observer = Arc::clone(&shadow) as Arc<dyn Observer>;
    ShadowRun {
        observer,
        report: Arc::new(move || {
            let tally = shadow.tally();
            ShadowReport {
                // The deployer's own.
                version: String::new(),
                since: 0,
                percent,
                compared: tally.compared,
                skipped: tally.skipped,
                different: tally.different,
                live_us: tally.live_us,
                shadow_us: tally.shadow_us,
                differences: tally.differences,
            }
        }),
    }
}
