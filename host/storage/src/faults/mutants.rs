//! Errors that are built into the real engine: the simulator of power losses must find each.

use super::power_loss;
use crate::backend::mutants::{Mutant, with};

/// The most seeds that an error has. The rarest one needs some hundred.
const SEEDS: u64 = 4000;
/// So many seeds that find it are enough.
const ENOUGH: usize = 3;

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
        let found: Vec<_> = with(mutant, || {
            let problems = (0..SEEDS).filter_map(|seed| Some((seed, power_loss::run(seed).err()?)));
            problems.take(ENOUGH).collect()
        });
        let (_, first) = found.first().unwrap_or_else(|| panic!("no seed finds {mutant:?}"));
        let seeds = if found.len() < ENOUGH {
            SEEDS
        } else {
            found[ENOUGH - 1].0 + 1
        };
        println!(
            "scorecard: R2 {mutant:?} found by {} of {seeds} seeds: {first}",
            found.len()
        );
    }
}
