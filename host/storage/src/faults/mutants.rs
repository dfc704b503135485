//! Errors that are built into the real engine: the simulator of power losses must find each.

use super::power_loss;
use crate::backend::mutants::{Mutant, with};

/// Seeds that each error has.
const SEEDS: u64 = 300;

#[test]
fn power_losses_find_each_error_that_is_built_into_the_engine() {
    for mutant in [
        Mutant::ReplyBeforeSync,
        Mutant::HalfOverwrittenEarly,
        Mutant::BatchInFirstChunk,
        Mutant::ReplayAcceptsGap,
        Mutant::ChecksumsAfterSync,
        Mutant::OpeningWithoutSync,
        Mutant::RecoveryInChunks,
    ] {
        let problems: Vec<_> = with(mutant, || {
            (0..SEEDS).filter_map(|seed| power_loss::run(seed).err()).collect()
        });
        let first = problems.first().unwrap_or_else(|| panic!("no seed finds {mutant:?}"));
        println!(
            "scorecard: R2 {mutant:?} found by {} of {SEEDS} seeds, first by {first}",
            problems.len()
        );
    }
}
