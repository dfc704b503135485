//! The properties of the protocol, and the check of every state.

use stateright::{Model, Property};

use super::action::Action;
use super::disk::{self, Slot};
use super::state::{CRASH_POINTS, CrashPoint, Logging, Phase, Protocol, State};

/// The properties that hold in every state.
pub(super) const ALWAYS: [&str; 5] = [
    "what was seen is recovered, and no part of another batch is",
    "snapshots see exactly what was published",
    "each batch that the database does not hold is in the log",
    "no crash leaves a whole record behind a gap",
    "the store never waits for nothing",
];

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.steps(state, actions);
        self.faults(state, actions);
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        Some(self.after(before, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(ALWAYS[0], Self::recovers),
            Property::always(ALWAYS[1], Self::is_seen),
            Property::always(ALWAYS[2], Self::is_logged),
            Property::always(ALWAYS[3], Self::has_no_gap),
            Property::always(ALWAYS[4], Self::goes_on),
        ];
        properties.extend(CRASH_POINTS.map(|point| Property::sometimes(name(point), reached(point))));
        properties
    }
}

impl Protocol {
    /// Whatever a power loss leaves now, recovery finds what readers saw, with or without one whole
    /// write whose outcome is unknown.
    fn recovers(&self, state: &State) -> bool {
        if state.database.file == 0 {
            return state.visible.iter().all(Option::is_none);
        }
        let unknown = state.unknown.iter().copied().chain(state.in_flight());
        let allowed: Vec<_> = unknown.map(|write| disk::after(&state.visible, write)).collect();
        state.images().iter().all(|image| {
            let found = disk::replay(&state.database, image, self.mutant);
            let rows = disk::overlay(&state.database.rows, &found.updates);
            rows == state.visible || allowed.contains(&rows)
        })
    }

    /// A snapshot reads the memtables over the database.
    fn is_seen(&self, state: &State) -> bool {
        let below = disk::overlay(&state.flushed, &state.frozen.unwrap_or_default());
        !state.is_in_service() || disk::overlay(&below, &state.active) == state.visible
    }

    /// This is also why a half is free when it is overwritten: no batch is missing afterwards.
    fn is_logged(&self, state: &State) -> bool {
        let is_unsynced = matches!(state.phase, Phase::Logging(_, Logging::Published))
            && self.mutant == Some(super::Mutant::ReplyBeforeSync);
        !state.is_in_service()
            || is_unsynced
            || (state.database.batch + 1..=state.batch).all(|batch| {
                let mut slots = state.durable.iter().flatten();
                slots.any(|slot| matches!(slot, Slot::Whole(record) if record.batch == batch))
            })
    }

    /// So a whole record whose batch is more than one above the last that counts is a sign of
    /// damage. A record of the next batch is none: it may be of a batch that failed, behind batches
    /// that were flushed since.
    fn has_no_gap(&self, state: &State) -> bool {
        let file = state.database.file;
        state.images().iter().all(|image| {
            let last = disk::replay(&state.database, image, self.mutant).batch;
            let is_later =
                |slot: &Slot| matches!(slot, Slot::Whole(found) if found.file == file && found.batch > last + 1);
            !image.iter().flatten().any(is_later)
        })
    }

    /// Faults aside, there is always a next step.
    fn goes_on(&self, state: &State) -> bool {
        let mut steps = Vec::new();
        self.steps(state, &mut steps);
        !steps.is_empty()
    }
}

/// The property that a process crashes at this point.
pub(crate) fn name(point: CrashPoint) -> &'static str {
    const NAMES: [&str; CRASH_POINTS.len()] = [
        "a crash at C1",
        "a crash at C2",
        "a crash at C3",
        "a crash at C4",
        "a crash at C5",
        "a crash at C6",
        "a crash at C7",
        "a crash at C8",
        "a crash at C9",
        "a crash at C10",
        "a crash at C11",
    ];
    NAMES[point as usize - 1]
}

fn reached(point: CrashPoint) -> fn(&Protocol, &State) -> bool {
    fn at<const POINT: u16>(_: &Protocol, state: &State) -> bool {
        let point = CRASH_POINTS[usize::from(POINT) - 1];
        matches!(state.phase, Phase::Down { crashed_at } if crashed_at.contains(point))
    }
    match point {
        CrashPoint::C1 => at::<1>,
        CrashPoint::C2 => at::<2>,
        CrashPoint::C3 => at::<3>,
        CrashPoint::C4 => at::<4>,
        CrashPoint::C5 => at::<5>,
        CrashPoint::C6 => at::<6>,
        CrashPoint::C7 => at::<7>,
        CrashPoint::C8 => at::<8>,
        CrashPoint::C9 => at::<9>,
        CrashPoint::C10 => at::<10>,
        CrashPoint::C11 => at::<11>,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use stateright::Checker as _;

    use super::*;
    use crate::model::Bounds;

    /// A number from the environment, which makes the check larger.
    fn bound(name: &str, default: u8) -> u8 {
        std::env::var(name).map_or(default, |value| value.parse().unwrap())
    }

    /// Every state within the bounds is visited.
    #[test]
    fn every_state_of_the_protocol_keeps_what_was_promised() {
        let bounds = Bounds {
            writes: bound("STOWAGE_MODEL_WRITES", 4),
            crashes: bound("STOWAGE_MODEL_CRASHES", 2),
            errors: bound("STOWAGE_MODEL_ERRORS", 1),
            replacements: 1,
        };
        let began = Instant::now();
        let protocol = Protocol { bounds, mutant: None };
        let checker = protocol.checker().threads(2).spawn_bfs().join();
        checker.assert_properties();
        println!(
            "scorecard: R13 {} states in {:.1} s with {bounds:?}, {} properties hold, all 11 crash points reached",
            checker.unique_state_count(),
            began.elapsed().as_secs_f64(),
            ALWAYS.len(),
        );
    }
}
