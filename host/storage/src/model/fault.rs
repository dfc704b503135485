//! The faults of the world: power losses, kills, errors of the disk.

use super::action::Action;
use super::disk::{Database, Slot};
use super::state::{
    Bypassing, Closing, CrashPoints, Flusher, KEYS, Logging, Memtable, Opening, Phase, Protocol, State,
};
use super::step::next_record;

impl Protocol {
    /// What the world may do next.
    pub(crate) fn faults(&self, state: &State, faults: &mut Vec<Action>) {
        let is_up = !matches!(state.phase, Phase::Down { .. });
        let has_unsynced = state.durable != state.live || !state.superseded.is_empty();
        if state.crashes < self.bounds.crashes && (is_up || has_unsynced) {
            faults.extend(state.images().into_iter().map(Action::LosePower));
            if is_up && has_unsynced {
                faults.push(Action::Kill);
            }
        }
        if state.errors < self.bounds.errors {
            if works_on_disk(&state.phase) {
                faults.extend([false, true].map(|has_effect| Action::Fail { has_effect }));
            }
            if matches!(state.phase, Phase::Opening(Opening::Flush { .. })) {
                faults.push(Action::RefuseFlush);
            }
            if matches!(state.flusher, Flusher::Flushes { .. }) {
                faults.extend([false, true].map(|has_effect| Action::FailFlusher { has_effect }));
            }
        }
        if !is_up && (1..=self.bounds.replacements).contains(&state.files) && state.database.file != 0 {
            faults.push(Action::ReplaceDatabase);
        }
    }

    /// The state after a fault.
    pub(super) fn suffer(&self, state: &mut State, fault: Action) {
        match fault {
            Action::Fail { has_effect } => self.fail(state, has_effect),
            Action::FailFlusher { has_effect } => {
                state.errors += 1;
                if has_effect {
                    self.flusher_chunk(state);
                }
                state.flusher = Flusher::Failed;
            }
            Action::RefuseFlush => {
                state.errors += 1;
                if let Phase::Opening(Opening::Flush { updates, batch, .. }) = state.phase {
                    state.phase = Phase::Opening(Opening::Refused { updates, batch });
                }
            }
            Action::Kill => crash(state),
            Action::LosePower(log) => {
                crash(state);
                (state.durable, state.live) = (log, log);
                state.superseded.clear();
                state.dropped = Default::default();
            }
            Action::ReplaceDatabase => {
                state.database = Database::default();
                state.visible = [None; KEYS];
                state.unknown.clear();
            }
            _ => unreachable!("a step is no fault"),
        }
    }

    /// An operation of the committer fails: `Committer::fail`, then `RedbBackend::reopen`, which
    /// closes what still works.
    fn fail(&self, state: &mut State, has_effect: bool) {
        state.errors += 1;
        state.unknown.extend(state.in_flight());
        match state.phase {
            Phase::Logging(_, Logging::Fits) => {
                // A part of the record is in the page cache, or nothing.
                if has_effect && state.live[state.half][state.end] != Slot::Absent {
                    let record = next_record(state);
                    state.write(state.half, state.end, Slot::Torn(record));
                }
                self.close(state, true);
            }
            Phase::Logging(_, Logging::Written) => {
                match has_effect {
                    true => state.sync(),
                    false => state.fail_to_sync(),
                }
                self.close(state, true);
            }
            _ => {
                // redb refuses to go on after an error, so that nothing can be flushed.
                match state.phase {
                    Phase::Opening(Opening::Replayed { .. }) if !has_effect => state.fail_to_sync(),
                    Phase::Opening(Opening::Refused { .. }) if !has_effect => {
                        state.rewrite();
                        state.fail_to_sync();
                    }
                    _ if !has_effect => {}
                    Phase::Bypassing(_, Bypassing::Flushed) => self.write_long(state),
                    Phase::Opening(Opening::Replayed { .. }) => self.sync_replayed(state),
                    Phase::Opening(Opening::Flush { .. }) => self.recovery_flush(state),
                    Phase::Opening(Opening::Refused { .. }) => self.rewrite_log(state),
                    _ => self.own_chunk(state),
                }
                abandon(state);
            }
        }
    }
}

/// Whether the committer's next step is a disk operation that may fail.
fn works_on_disk(phase: &Phase) -> bool {
    matches!(
        phase,
        Phase::Logging(_, Logging::Fits | Logging::Written)
            | Phase::Bypassing(_, Bypassing::Flush { .. } | Bypassing::Flushed)
            | Phase::Opening(Opening::Replayed { .. } | Opening::Flush { .. } | Opening::Refused { .. })
            | Phase::Closing {
                step: Closing::Flush { .. },
                ..
            }
    )
}

/// The files cannot be closed in order: they are dropped, and opened again if the process goes on.
pub(super) fn abandon(state: &mut State) {
    let is_last = matches!(state.phase, Phase::Closing { reopens: false, .. });
    end_process(state);
    if !is_last {
        state.phase = Phase::Opening(Opening::Database);
    }
}

/// The memory of the storage is gone.
pub(super) fn end_process(state: &mut State) {
    state.phase = Phase::Down {
        crashed_at: CrashPoints::default(),
    };
    (state.half, state.end, state.batch) = (0, 0, 0);
    state.active = Memtable::default();
    state.frozen = None;
    state.flusher = Flusher::Waits;
    state.flushed = [None; KEYS];
}

fn crash(state: &mut State) {
    let crashed_at = state.crash_points();
    state.crashes += 1;
    state.unknown.extend(state.in_flight());
    end_process(state);
    state.phase = Phase::Down { crashed_at };
}
