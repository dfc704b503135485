//! The steps of the protocol.

use super::action::Action;
use super::disk::{self, Database, Record, Slot, slots};
use super::fault::{abandon, end_process};
use super::state::{
    Bypassing, Closing, Flusher, KEYS, Logging, Memtable, Mutant, Opening, Phase, Protocol, RECORDS, State, keys,
};

impl Protocol {
    /// What the program may do next.
    pub(crate) fn steps(&self, state: &State, steps: &mut Vec<Action>) {
        match state.phase {
            Phase::Down { .. } => steps.push(Action::Start),
            Phase::Opening(Opening::Database) if state.database.file == 0 => steps.push(Action::CreateTables),
            Phase::Opening(Opening::Database) => steps.push(Action::Replay),
            Phase::Opening(Opening::Replayed { .. }) => steps.push(Action::SyncReplayed),
            Phase::Opening(Opening::Flush { .. }) => steps.push(Action::RecoveryFlush),
            Phase::Opening(Opening::Refused { .. }) => steps.push(Action::RewriteLog),
            Phase::Opening(Opening::Recovered { .. }) => steps.push(Action::Serve),
            Phase::Idle => self.idle_steps(state, steps),
            Phase::ReadOnly => steps.push(Action::Retry),
            Phase::Logging(_, step) => self.logging_steps(state, step, steps),
            Phase::Bypassing(_, step) => match step {
                Bypassing::Waits => steps.extend(is_flushed(state).then_some(Action::Release)),
                Bypassing::Flush { .. } => steps.push(Action::OwnChunk),
                Bypassing::Flushed => steps.push(Action::WriteLong),
                Bypassing::Written => steps.push(Action::Publish),
                Bypassing::Published => steps.push(Action::Reply),
            },
            Phase::Closing { step, .. } => match step {
                Closing::Waits => steps.extend(is_flushed(state).then_some(Action::Release)),
                Closing::Flush { .. } => steps.push(Action::OwnChunk),
                Closing::Flushed => steps.push(Action::CloseDatabase),
                Closing::DatabaseClosed => steps.push(Action::Truncate),
                Closing::Truncated => steps.push(Action::Closed),
            },
        }
        if matches!(state.flusher, Flusher::Flushes { .. }) {
            steps.push(Action::FlusherChunk);
        }
    }

    fn idle_steps(&self, state: &State, steps: &mut Vec<Action>) {
        if state.writes < self.bounds.writes {
            steps.extend([Action::BeginShort, Action::BeginLong]);
        }
        steps.push(Action::Close);
        if is_flushed(state) {
            steps.push(Action::Release);
        }
        if state.frozen.is_none() && keys(&state.active) > 0 {
            steps.push(Action::FreezeByAge);
        }
    }

    fn logging_steps(&self, state: &State, step: Logging, steps: &mut Vec<Action>) {
        match step {
            Logging::Full if state.frozen.is_none() => steps.push(Action::Freeze),
            Logging::Full => steps.extend(is_flushed(state).then_some(Action::Release)),
            Logging::Fits if state.live[state.half][state.end] == Slot::Absent => steps.push(Action::Grow),
            Logging::Fits => steps.push(Action::WriteRecord),
            Logging::Written if self.mutant == Some(Mutant::ReplyBeforeSync) => steps.push(Action::Publish),
            Logging::Written => steps.push(Action::SyncRecord),
            Logging::Synced => steps.push(Action::Publish),
            Logging::Published => steps.push(Action::Reply),
        }
    }

    /// The state after an action that [`Protocol::steps`] or [`Protocol::faults`] offered.
    pub(crate) fn after(&self, before: &State, action: Action) -> State {
        let mut state = before.clone();
        match action {
            Action::Start => state.phase = Phase::Opening(Opening::Database),
            Action::CreateTables => {
                state.files += 1;
                state.database = Database {
                    file: state.files,
                    ..Database::default()
                };
            }
            Action::Replay => self.replay(&mut state),
            Action::SyncReplayed => self.sync_replayed(&mut state),
            Action::RecoveryFlush => self.recovery_flush(&mut state),
            Action::RewriteLog => self.rewrite_log(&mut state),
            Action::Serve => serve(&mut state),
            Action::Retry => abandon(&mut state),
            Action::BeginShort => self.begin(&mut state, false),
            Action::BeginLong => self.begin(&mut state, true),
            Action::Release => self.release(&mut state),
            Action::Freeze => {
                freeze(&mut state);
                let Phase::Logging(write, _) = state.phase else {
                    unreachable!("only a batch for the log finds a full half")
                };
                state.phase = Phase::Logging(write, Logging::Fits);
            }
            Action::FreezeByAge => freeze(&mut state),
            Action::Grow => {
                for slot in 0..RECORDS {
                    if state.live[state.half][slot] == Slot::Absent {
                        state.write(state.half, slot, Slot::Zero);
                    }
                }
            }
            Action::WriteRecord => {
                let record = next_record(&state);
                state.write(state.half, state.end, Slot::Whole(record));
                log_step(&mut state, Logging::Written);
            }
            Action::SyncRecord => {
                state.sync();
                log_step(&mut state, Logging::Synced);
            }
            Action::OwnChunk => self.own_chunk(&mut state),
            Action::WriteLong => self.write_long(&mut state),
            Action::Publish => publish(&mut state),
            Action::Reply => state.phase = Phase::Idle,
            Action::FlusherChunk => self.flusher_chunk(&mut state),
            Action::Close => self.close(&mut state, false),
            Action::CloseDatabase => closing_step(&mut state, Closing::DatabaseClosed),
            Action::Truncate => {
                for (half, slot) in slots() {
                    state.write(half, slot, Slot::Absent);
                }
                let next = match self.mutant {
                    Some(Mutant::LogTruncatedBeforeFlush) if keys(&state.active) > 0 => Closing::Flush { chunk: 0 },
                    _ => Closing::Truncated,
                };
                closing_step(&mut state, next);
            }
            Action::Closed => {
                let Phase::Closing { reopens, .. } = state.phase else {
                    unreachable!("only what closes is closed")
                };
                end_process(&mut state);
                if reopens {
                    state.phase = Phase::Opening(Opening::Database);
                }
            }
            Action::Fail { .. }
            | Action::FailFlusher { .. }
            | Action::RefuseFlush
            | Action::Kill
            | Action::LosePower(_)
            | Action::ReplaceDatabase => self.suffer(&mut state, action),
        }
        state
    }

    fn replay(&self, state: &mut State) {
        let found = disk::replay(&state.database, &state.live, self.mutant);
        state.phase = Phase::Opening(Opening::Replayed {
            updates: found.updates,
            batch: found.batch,
        });
    }

    pub(super) fn sync_replayed(&self, state: &mut State) {
        let Phase::Opening(Opening::Replayed { updates, batch }) = state.phase else {
            unreachable!("only what was replayed is synced")
        };
        if self.mutant != Some(Mutant::OpeningWithoutSync) {
            state.sync();
        }
        state.phase = Phase::Opening(match batch > state.database.batch {
            true if self.mutant == Some(Mutant::RecoveryWithoutFlush) => {
                state.active = updates;
                Opening::Recovered {
                    batch,
                    is_read_only: false,
                }
            }
            true => Opening::Flush {
                updates,
                batch,
                chunk: 0,
            },
            false => Opening::Recovered {
                batch,
                is_read_only: false,
            },
        });
    }

    pub(super) fn recovery_flush(&self, state: &mut State) {
        let Phase::Opening(Opening::Flush { updates, batch, chunk }) = state.phase else {
            unreachable!("only what was replayed is flushed")
        };
        let is_done = match self.mutant {
            Some(Mutant::RecoveryInChunks) => {
                disk::flush_chunk(&mut state.database, &updates, chunk, batch, self.mutant)
            }
            _ => {
                state.database.rows = disk::overlay(&state.database.rows, &updates);
                state.database.batch = batch;
                true
            }
        };
        state.phase = Phase::Opening(match is_done {
            true => Opening::Recovered {
                batch,
                is_read_only: false,
            },
            false => Opening::Flush {
                updates,
                batch,
                chunk: chunk + 1,
            },
        });
    }

    pub(super) fn rewrite_log(&self, state: &mut State) {
        let Phase::Opening(Opening::Refused { updates, batch }) = state.phase else {
            unreachable!("only what the database refused is written again")
        };
        if self.mutant != Some(Mutant::ReadOnlyWithoutRewrite) {
            state.rewrite();
        }
        state.sync();
        state.active = updates;
        state.phase = Phase::Opening(Opening::Recovered {
            batch,
            is_read_only: true,
        });
    }

    fn begin(&self, state: &mut State, is_long: bool) {
        state.writes += 1;
        let write = state.writes;
        match state.flusher {
            Flusher::Done => self.release(state),
            Flusher::Failed => {
                state.unknown.push(write);
                abandon(state);
                return;
            }
            Flusher::Waits | Flusher::Flushes { .. } => {}
        }
        state.phase = match is_long {
            true => Phase::Bypassing(write, Bypassing::Waits),
            false if state.end < RECORDS => Phase::Logging(write, Logging::Fits),
            false if self.mutant == Some(Mutant::HalfOverwrittenEarly) && state.frozen.is_some() => {
                (state.half, state.end) = (1 - state.half, 0);
                Phase::Logging(write, Logging::Fits)
            }
            false => Phase::Logging(write, Logging::Full),
        };
        if is_long && state.frozen.is_none() {
            self.own_flush(state);
        }
    }

    /// The flush of the frozen memtable has ended, and nobody waits for it any more.
    fn release(&self, state: &mut State) {
        if state.flusher == Flusher::Failed {
            state.unknown.extend(state.in_flight());
            abandon(state);
            return;
        }
        state.flushed = state.database.rows;
        state.frozen = None;
        if matches!(state.flusher, Flusher::Done) {
            state.flusher = Flusher::Waits;
        }
        match state.phase {
            Phase::Bypassing(_, Bypassing::Waits)
            | Phase::Closing {
                step: Closing::Waits, ..
            } => self.own_flush(state),
            _ => {}
        }
    }

    /// Begins to flush the active memtable on the committer's own thread.
    fn own_flush(&self, state: &mut State) {
        let is_empty = keys(&state.active) == 0;
        match &mut state.phase {
            Phase::Bypassing(_, step) => {
                *step = match is_empty || self.mutant == Some(Mutant::LongBatchBeforeMemtables) {
                    true => Bypassing::Flushed,
                    false => Bypassing::Flush { chunk: 0 },
                };
            }
            Phase::Closing { step, .. } => {
                *step = match is_empty {
                    true => Closing::Flushed,
                    false if self.mutant == Some(Mutant::LogTruncatedBeforeFlush) => Closing::DatabaseClosed,
                    false => Closing::Flush { chunk: 0 },
                };
            }
            _ => {}
        }
    }

    pub(super) fn own_chunk(&self, state: &mut State) {
        let chunk = own_chunk_of(&state.phase);
        let is_done = disk::flush_chunk(&mut state.database, &state.active, chunk, state.batch, self.mutant);
        match &mut state.phase {
            Phase::Bypassing(_, step) => {
                *step = match is_done {
                    true => Bypassing::Flushed,
                    false => Bypassing::Flush { chunk: chunk + 1 },
                };
            }
            Phase::Closing { step, .. } => {
                *step = match is_done {
                    true if self.mutant == Some(Mutant::LogTruncatedBeforeFlush) => Closing::Truncated,
                    true => Closing::Flushed,
                    false => Closing::Flush { chunk: chunk + 1 },
                };
            }
            _ => {}
        }
    }

    pub(super) fn write_long(&self, state: &mut State) {
        let Phase::Bypassing(write, _) = state.phase else {
            unreachable!("only a long batch skips the log")
        };
        state.database.rows = disk::after(&state.database.rows, write);
        state.database.batch = state.batch + 1;
        state.phase = Phase::Bypassing(write, Bypassing::Written);
    }

    pub(super) fn flusher_chunk(&self, state: &mut State) {
        let Flusher::Flushes { memtable, batch, chunk } = state.flusher else {
            unreachable!("only a flush has chunks")
        };
        let is_done = disk::flush_chunk(&mut state.database, &memtable, chunk, batch, self.mutant);
        state.flusher = match is_done {
            true => Flusher::Done,
            false => Flusher::Flushes {
                memtable,
                batch,
                chunk: chunk + 1,
            },
        };
        if self.mutant == Some(Mutant::MemtableDroppedEarly) {
            state.flushed = state.database.rows;
            state.frozen = None;
        }
    }

    pub(super) fn close(&self, state: &mut State, reopens: bool) {
        state.phase = Phase::Closing {
            step: Closing::Waits,
            reopens,
        };
        match state.flusher {
            Flusher::Failed => abandon(state),
            _ if state.frozen.is_none() => self.own_flush(state),
            _ => {}
        }
    }
}

/// The recovered state is what callers see from now on.
fn serve(state: &mut State) {
    let Phase::Opening(Opening::Recovered { batch, is_read_only }) = state.phase else {
        unreachable!("only what is recovered can serve")
    };
    state.flushed = state.database.rows;
    state.visible = disk::overlay(&state.flushed, &state.active);
    // What was not recovered is gone: callers may have seen that.
    state.unknown.clear();
    state.batch = batch;
    (state.half, state.end) = (0, 0);
    state.phase = if is_read_only { Phase::ReadOnly } else { Phase::Idle };
}

/// Whether the result of the flush is in the channel.
fn is_flushed(state: &State) -> bool {
    matches!(state.flusher, Flusher::Done | Flusher::Failed)
}

fn freeze(state: &mut State) {
    let memtable = std::mem::take(&mut state.active);
    state.frozen = Some(memtable);
    state.flusher = Flusher::Flushes {
        memtable,
        batch: state.batch,
        chunk: 0,
    };
    (state.half, state.end) = (1 - state.half, 0);
}

/// The record of the batch that is being committed.
pub(super) fn next_record(state: &State) -> Record {
    let Phase::Logging(write, _) = state.phase else {
        unreachable!("only a batch for the log is written there")
    };
    Record {
        file: state.database.file,
        batch: state.batch + 1,
        write,
    }
}

fn publish(state: &mut State) {
    let write = match state.phase {
        Phase::Logging(write, _) => {
            state.end += 1;
            disk::insert(&mut state.active, write, KEYS);
            log_step(state, Logging::Published);
            write
        }
        Phase::Bypassing(write, _) => {
            state.flushed = state.database.rows;
            state.active = Memtable::default();
            (state.half, state.end) = (1 - state.half, 0);
            state.phase = Phase::Bypassing(write, Bypassing::Published);
            write
        }
        _ => unreachable!("only a batch is published"),
    };
    state.batch += 1;
    state.visible = disk::after(&state.visible, write);
    // A failed write of before had the same batch number, so it can never count again.
    state.unknown.clear();
}

fn log_step(state: &mut State, next: Logging) {
    if let Phase::Logging(_, step) = &mut state.phase {
        *step = next;
    }
}

fn closing_step(state: &mut State, next: Closing) {
    if let Phase::Closing { step, .. } = &mut state.phase {
        *step = next;
    }
}

fn own_chunk_of(phase: &Phase) -> u8 {
    match phase {
        Phase::Bypassing(_, Bypassing::Flush { chunk })
        | Phase::Closing {
            step: Closing::Flush { chunk },
            ..
        } => *chunk,
        _ => 0,
    }
}
