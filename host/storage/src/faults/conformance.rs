//! The model of the protocol against the real backend: both take the same steps.
//!
//! After each step the model says what recovery finds after a power loss now. The real files must
//! hold the same: exactly, where nothing is open, and one of the outcomes of the model, where any
//! part of what was not synced may be on the disk. After each call the new snapshot, and all the
//! earlier ones, must hold what the model published.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use stateright::{Checker as _, Model as _};

use super::batches::{HALF_BYTES, long, rows, short};
use super::disk::{Disk, Name};
use super::engine::{Call, Engine, Event, commit_syncs};
use super::stops::{Go, Returned, Role, Stop};
use super::trace::{Kept, recovered, stored};
use crate::backend::BackendSnapshot;
use crate::error::BackendError;
use crate::model::disk::{self, Log, Slot};
use crate::model::state::{Bypassing, CRASH_POINTS, Flusher, Logging, Opening, Phase, Rows, State};
use crate::model::{Action, Bounds, Mutant, Protocol, crash_property};
use crate::random::Random;

/// Power losses with random sectors, after each step.
const TORN: u64 = 1;

/// The model and the real backend, after the same steps.
struct Pair {
    protocol: Protocol,
    state: State,
    engine: Engine,
    /// Snapshots, and what they hold.
    snapshots: Vec<(Arc<dyn BackendSnapshot>, Rows)>,
    /// After an error of the disk, the real backend reopens without stops. This is the result,
    /// until the model is there as well.
    reopened: Option<Returned>,
    taken: Vec<Action>,
    power_losses: u64,
}

impl Pair {
    fn new(bounds: Bounds) -> Self {
        Self {
            protocol: Protocol { bounds, mutant: None },
            state: State::new(),
            engine: Engine::new(Arc::new(Disk::default()), HALF_BYTES),
            snapshots: vec![],
            reopened: None,
            taken: vec![],
            power_losses: 0,
        }
    }

    /// Takes a step on both sides, and compares them.
    fn step(&mut self, action: Action) {
        self.taken.push(action);
        let before = self.state.clone();
        self.state = self.protocol.after(&before, action);
        let stepped = catch_unwind(AssertUnwindSafe(|| {
            match self.reopened.is_some() {
                true => self.follow(action),
                false => self.take(&before, action),
            }
            self.compare();
        }));
        if let Err(panic) = stepped {
            eprintln!("after {:?}", self.taken);
            resume_unwind(panic);
        }
    }

    /// The model catches up with a backend that has been reopened.
    fn follow(&mut self, action: Action) {
        if action == Action::Serve
            && let Some(reopened) = self.reopened.take()
        {
            self.engine.set_free(false);
            self.saw(reopened);
        }
    }

    /// Takes a step of the real backend.
    fn take(&mut self, before: &State, action: Action) {
        let engine = &self.engine;
        match action {
            Action::Start => engine.begin(Call::Open),
            // Both are done before the log is opened.
            Action::CreateTables | Action::Reply | Action::Freeze => {}
            Action::Replay => {
                engine.run_to(Stop::OpenLog);
                engine.go(Role::Committer, Stop::OpenLog, Go::Succeed);
            }
            Action::SyncReplayed | Action::SyncRecord => engine.go(Role::Committer, Stop::SyncLog, Go::Succeed),
            Action::RecoveryFlush | Action::OwnChunk | Action::WriteLong => self.commit(Role::Committer, Go::Succeed),
            Action::RefuseFlush => {
                self.commit(Role::Committer, Go::FailFull);
                // Both files are opened again.
                engine.run_to(Stop::OpenLog);
                engine.go(Role::Committer, Stop::OpenLog, Go::Succeed);
            }
            Action::RewriteLog => {
                engine.go(Role::Committer, Stop::WriteRecord, Go::Succeed);
                engine.go(Role::Committer, Stop::SyncLog, Go::Succeed);
            }
            Action::Retry => {
                self.snapshots.clear();
                self.engine.begin(Call::Maintain);
            }
            Action::FlusherChunk => self.commit(Role::Flusher, Go::Succeed),
            Action::Serve | Action::Publish => self.returns(),
            Action::BeginShort | Action::BeginLong => self.begin(before, action),
            Action::Release => self.release(before),
            Action::FreezeByAge => drop(engine.call(Call::Freeze).unwrap()),
            Action::Grow => {
                while matches!(engine.event(), Event::Stopped(Stop::GrowLog)) {
                    engine.go(Role::Committer, Stop::GrowLog, Go::Succeed);
                }
            }
            Action::WriteRecord => engine.go(Role::Committer, Stop::WriteRecord, Go::Succeed),
            Action::Close => {
                self.snapshots.clear();
                self.engine.begin(Call::Close);
                if before.flusher == Flusher::Failed {
                    self.reopen();
                }
            }
            Action::CloseDatabase => engine.run_to(Stop::TruncateLog),
            Action::Truncate => engine.go(Role::Committer, Stop::TruncateLog, Go::Succeed),
            Action::Closed => drop(engine.finish().unwrap()),
            Action::Fail { has_effect } => {
                self.fail(before, has_effect);
                self.reopen();
            }
            Action::FailFlusher { has_effect } => self.commit(Role::Flusher, failure(has_effect)),
            Action::Kill => self.restart(|engine| engine.trace().before_commit()),
            Action::LosePower(log) => {
                let kept = if log == before.durable {
                    Kept::Nothing
                } else {
                    Kept::Log
                };
                self.restart(|engine| super::trace::Trace::of(&engine.trace().after_power_loss(kept)));
            }
            Action::ReplaceDatabase => self.restart(|engine| engine.trace().without(Name::Database)),
        }
    }

    /// A commit of the database. If it fails, then at its first sync without an effect, or at the
    /// last one with it.
    fn commit(&self, role: Role, go: Go) {
        if matches!(go, Go::Succeed | Go::FailLate) {
            for _ in 1..commit_syncs() {
                self.engine.go(role, Stop::SyncDatabase, Go::Succeed);
            }
        }
        self.engine.go(role, Stop::SyncDatabase, go);
    }

    fn begin(&mut self, before: &State, action: Action) {
        if matches!(before.flusher, Flusher::Done | Flusher::Failed) {
            match self.engine.release() {
                Ok(_) => assert_eq!(before.flusher, Flusher::Done),
                Err(_) => {
                    assert_eq!(before.flusher, Flusher::Failed);
                    return self.reopen_after(Call::Reopen);
                }
            }
        }
        let updates = match action {
            Action::BeginLong => long(self.state.writes),
            _ => short(self.state.writes),
        };
        self.engine.begin(Call::Apply(updates));
    }

    /// The committer learns that the flush has ended. In a call it does so by itself.
    fn release(&mut self, before: &State) {
        match (before.phase, before.flusher) {
            (Phase::Idle, Flusher::Failed) => {
                assert!(self.engine.release().is_err());
                self.reopen_after(Call::Reopen);
            }
            (Phase::Idle, _) => {
                let released = self.engine.release();
                self.saw(released);
            }
            (_, Flusher::Failed) => self.reopen(),
            _ => {}
        }
    }

    /// The operation that the committer is at fails.
    fn fail(&self, before: &State, has_effect: bool) {
        let stop = match before.phase {
            Phase::Logging(_, Logging::Fits) if before.live[before.half][before.end] == Slot::Absent => Stop::GrowLog,
            Phase::Logging(_, Logging::Fits) => Stop::WriteRecord,
            Phase::Logging(..) | Phase::Opening(Opening::Replayed { .. }) => Stop::SyncLog,
            Phase::Opening(Opening::Refused { .. }) => {
                self.engine.go(Role::Committer, Stop::WriteRecord, Go::Succeed);
                Stop::SyncLog
            }
            _ => return self.commit(Role::Committer, failure(has_effect)),
        };
        self.engine.go(Role::Committer, stop, failure(has_effect));
    }

    /// The call that is in progress fails. Then the files are opened again, if the process goes on.
    fn reopen(&mut self) {
        self.engine.set_free(true);
        assert!(self.engine.finish().is_err());
        match self.state.phase {
            Phase::Down { .. } => {
                self.snapshots.clear();
                self.engine.set_free(false);
            }
            _ => self.reopen_after(Call::Reopen),
        }
    }

    fn reopen_after(&mut self, call: Call) {
        self.snapshots.clear();
        self.engine.set_free(true);
        let call = if self.engine.is_open() { call } else { Call::Open };
        self.reopened = Some(self.engine.call(call));
    }

    /// The process ends, and the next one finds the files as this trace left them.
    fn restart(&mut self, left: impl FnOnce(&Engine) -> super::trace::Trace) {
        self.snapshots.clear();
        let trace = left(&self.engine);
        self.engine = Engine::after(trace, HALF_BYTES);
    }

    /// The call returns a snapshot without a further stop.
    fn returns(&mut self) {
        match self.engine.event() {
            Event::Returned(returned) => self.saw(returned),
            Event::Stopped(stop) => panic!("the call is not over: it stops before {stop:?}"),
        }
    }

    /// Compares a new snapshot, and reads the earlier ones again.
    fn saw(&mut self, returned: Returned) {
        let snapshot = returned.unwrap().expect("a snapshot");
        self.snapshots.push((snapshot, self.state.visible));
        let (latest, earlier) = self.snapshots.split_last().unwrap();
        assert_eq!(rows(&stored(&*latest.0).unwrap()), Ok(latest.1), "the new snapshot");
        for (snapshot, expected) in earlier {
            match stored(&**snapshot) {
                Err(BackendError::Outdated) => {}
                found => assert_eq!(rows(&found.unwrap()), Ok(*expected), "an earlier snapshot"),
            }
        }
    }

    /// Compares what a power loss leaves now.
    fn compare(&mut self) {
        let is_opening = matches!(self.state.phase, Phase::Opening(Opening::Database));
        if self.reopened.is_some() || is_opening || self.state.database.file == 0 {
            return;
        }
        let state = &self.state;
        let predicted = |log: &Log| {
            let found = disk::replay(&state.database, log, None);
            disk::overlay(&state.database.rows, &found.updates)
        };
        assert_eq!(
            self.recovered(Kept::Nothing),
            predicted(&state.durable),
            "nothing unsynced is kept"
        );
        assert_eq!(
            self.recovered(Kept::Log),
            predicted(&state.live),
            "all of the log is kept"
        );
        let mut allowed: BTreeSet<Rows> = state.images().iter().map(predicted).collect();
        if let Phase::Bypassing(write, Bypassing::Flushed) = state.phase {
            allowed.insert(disk::after(&state.visible, write));
        }
        for n in 1..=TORN {
            let seed = self.taken.len() as u64 * TORN + n;
            let found = self.recovered(Kept::Sectors { seed });
            assert!(allowed.contains(&found), "{found:?} is none of {allowed:?}");
        }
        self.power_losses += 2 + TORN;
    }

    fn recovered(&self, kept: Kept) -> Rows {
        let disk = self.engine.trace().after_power_loss(kept);
        rows(&recovered(&disk, HALF_BYTES).unwrap()).unwrap()
    }

    /// Whether the real backend can be led into this fault exactly.
    fn can_follow(&self, fault: Action) -> bool {
        let is_opening = matches!(self.state.phase, Phase::Opening(Opening::Database));
        let is_known = match fault {
            Action::LosePower(log) => log == self.state.durable || log == self.state.live,
            // Whether redb counts a commit whose sync failed is not known.
            Action::Fail { has_effect } => has_effect || !matches!(self.state.phase, Phase::Bypassing(..)),
            _ => true,
        };
        is_known && !is_opening && self.reopened.is_none()
    }
}

fn failure(has_effect: bool) -> Go {
    if has_effect { Go::FailLate } else { Go::Fail }
}

/// Takes random steps of the model, and sometimes a fault.
fn walk(seed: u64, mutant: Option<Mutant>) -> Pair {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut pair = Pair::new(Bounds {
        writes: 12,
        crashes: 3,
        errors: 2,
        replacements: 1,
    });
    pair.protocol.mutant = mutant;
    for _ in 0..120 {
        let (mut steps, mut faults) = (vec![], vec![]);
        pair.protocol.steps(&pair.state, &mut steps);
        pair.protocol.faults(&pair.state, &mut faults);
        faults.retain(|fault| pair.can_follow(*fault));
        // A close ends most of what can happen, so it is rare.
        if steps.len() > 1 && random.below(8) > 0 {
            steps.retain(|step| *step != Action::Close);
        }
        // What has seldom an occasion is taken often.
        let offered = if faults.contains(&Action::RefuseFlush) && random.below(3) == 0 {
            vec![Action::RefuseFlush]
        } else if !faults.is_empty() && random.below(20) == 0 {
            faults
        } else {
            steps
        };
        pair.step(offered[random.below(offered.len() as u64) as usize]);
    }
    pair
}

#[test]
fn the_real_backend_does_what_the_model_does() {
    let walks: u64 = std::env::var("STOWAGE_MODEL_WALKS").map_or(15, |walks| walks.parse().unwrap());
    let (mut steps, mut power_losses) = (0, 0);
    let mut kinds = BTreeSet::new();
    for seed in 1..=walks {
        let pair = walk(seed, None);
        steps += pair.taken.len();
        power_losses += pair.power_losses;
        kinds.extend(pair.taken.iter().map(kind));
    }
    assert_eq!(kinds.len(), KINDS, "{kinds:?}");
    println!(
        "scorecard: R13 {walks} walks, {steps} steps of the real backend, {power_losses} power losses as predicted"
    );
}

/// The comparison finds errors: a model with one does not pass for the real backend.
#[test]
fn a_model_with_an_error_is_told_from_the_real_backend() {
    for mutant in [Mutant::BatchInFirstChunk, Mutant::LongBatchBeforeMemtables] {
        let passes = |seed| catch_unwind(|| walk(seed, Some(mutant))).is_ok();
        assert!(!(1..=5).all(passes), "{mutant:?}");
    }
}

/// The name of an action.
fn kind(action: &Action) -> String {
    let name = format!("{action:?}");
    name.split([' ', '(']).next().unwrap_or_default().to_owned()
}

/// The number of kinds of actions: the walks take all.
const KINDS: usize = 31;

#[test]
fn the_real_backend_follows_the_shortest_way_to_each_crash_point() {
    let bounds = Bounds {
        writes: 3,
        crashes: 1,
        errors: 0,
        replacements: 0,
    };
    let protocol = Protocol { bounds, mutant: None };
    let checker = protocol.checker().spawn_bfs().join();
    for point in CRASH_POINTS {
        let path = checker.discovery(crash_property(point)).expect("the model reaches it");
        let mut actions = path.into_actions();
        assert!(matches!(actions.pop(), Some(Action::LosePower(_) | Action::Kill)));
        let mut pair = Pair::new(bounds);
        for action in actions {
            pair.step(action);
        }
        assert!(pair.state.crash_points().contains(point), "{point:?}");
    }
}
