//! Errors in the protocol. The checker must find each: otherwise its properties say too little.

use stateright::{Checker as _, HasDiscoveries, Model as _};

use super::checks::ALWAYS;
use super::{Action, Bounds, Mutant, Protocol};

/// Checks the protocol with an error built in. Returns the properties that it breaks, and the way
/// to the first of them.
fn counterexample(mutant: Mutant) -> (Vec<&'static str>, Vec<Action>) {
    let bounds = Bounds {
        writes: 5,
        crashes: 2,
        errors: 0,
        replacements: 1,
    };
    counterexample_within(bounds, mutant)
}

fn counterexample_within(bounds: Bounds, mutant: Mutant) -> (Vec<&'static str>, Vec<Action>) {
    let protocol = Protocol {
        bounds,
        mutant: Some(mutant),
    };
    let checker = protocol
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let broken = ALWAYS
        .into_iter()
        .filter_map(|name| Some((name, checker.discovery(name)?)));
    let (names, mut paths): (Vec<_>, Vec<_>) = broken.unzip();
    assert!(!names.is_empty(), "{mutant:?} was not found");
    let actions = paths.swap_remove(0).into_actions();
    println!(
        "scorecard: R13 {mutant:?} found after {} steps: {names:?}",
        actions.len()
    );
    (names, actions)
}

const RECOVERS: &str = ALWAYS[0];
const IS_SEEN: &str = ALWAYS[1];

#[test]
fn a_reply_before_the_sync_loses_an_answered_batch() {
    assert!(counterexample(Mutant::ReplyBeforeSync).0.contains(&RECOVERS));
}

#[test]
fn a_half_that_is_overwritten_during_its_flush_loses_batches() {
    let (names, actions) = counterexample(Mutant::HalfOverwrittenEarly);
    assert!(names.contains(&RECOVERS));
    assert!(!actions.contains(&Action::Release), "the flush had not ended");
}

#[test]
fn a_first_chunk_that_sets_the_batch_loses_the_rest_of_the_memtable() {
    assert!(counterexample(Mutant::BatchInFirstChunk).0.contains(&RECOVERS));
}

#[test]
fn a_log_that_is_truncated_before_the_flush_loses_its_batches() {
    let (names, actions) = counterexample(Mutant::LogTruncatedBeforeFlush);
    assert!(names.contains(&RECOVERS));
    assert!(actions.contains(&Action::Truncate));
}

#[test]
fn a_replay_that_accepts_a_gap_loses_the_batches_in_it() {
    assert!(counterexample(Mutant::ReplayAcceptsGap).0.contains(&RECOVERS));
}

#[test]
fn a_long_batch_before_the_memtables_loses_theirs() {
    assert!(counterexample(Mutant::LongBatchBeforeMemtables).0.contains(&RECOVERS));
}

#[test]
fn a_replay_without_checksums_returns_a_part_of_a_batch() {
    assert!(counterexample(Mutant::ChecksumIgnored).0.contains(&RECOVERS));
}

#[test]
fn a_replay_without_identities_returns_the_rows_of_another_database() {
    let (names, actions) = counterexample(Mutant::IdentityIgnored);
    assert!(names.contains(&RECOVERS));
    assert!(actions.contains(&Action::ReplaceDatabase));
}

#[test]
fn a_recovery_that_does_not_flush_loses_what_it_recovered() {
    assert!(counterexample(Mutant::RecoveryWithoutFlush).0.contains(&RECOVERS));
}

#[test]
fn a_memtable_that_is_dropped_early_hides_what_was_published() {
    assert!(counterexample(Mutant::MemtableDroppedEarly).0.contains(&IS_SEEN));
}

/// Few writes, and disk operations that fail.
const FAILING: Bounds = Bounds {
    writes: 2,
    crashes: 2,
    errors: 2,
    replacements: 0,
};

const FAILED: Action = Action::Fail { has_effect: false };

/// A sync failed, and the log was truncated. A power loss undid the truncation. The record whose
/// sync had failed was there, after a state without it had been served.
#[test]
fn a_log_that_is_not_synced_when_it_is_opened_changes_later() {
    let (names, actions) = counterexample_within(FAILING, Mutant::OpeningWithoutSync);
    assert!(names.contains(&RECOVERS));
    assert!(actions.contains(&Action::Truncate) || actions.contains(&Action::Kill));
}

/// After a sync that failed, the next one succeeds without having written anything.
#[test]
fn a_recovery_that_flushes_in_chunks_returns_a_part_of_a_batch_after_a_failed_sync() {
    let (names, actions) = counterexample_within(FAILING, Mutant::RecoveryInChunks);
    assert!(names.contains(&RECOVERS));
    assert!(actions.contains(&FAILED));
}

#[test]
fn a_log_that_is_served_without_a_flush_is_lost_later_unless_it_is_written_again() {
    let (names, actions) = counterexample_within(FAILING, Mutant::ReadOnlyWithoutRewrite);
    assert!(names.contains(&RECOVERS));
    assert!(actions.contains(&FAILED) && actions.contains(&Action::RefuseFlush));
}
