//! A version that runs beside live calls: on the same snapshot, with the same arguments, time and randomness. It answers nothing,
//! and nothing it does is kept; what it would have done otherwise is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::Logic;
use crate::api::effect::HIDDEN;
use crate::api::outcome::CallError;
use crate::call::observer::{Observation, Observer};
use crate::codec;
use crate::engine::module::Module;
use crate::engine::stats::Times;
use crate::rollout::behaviour::Behaviour;
use crate::rollout::difference::differences;
use crate::routing::generation::{Generation, Route};

/// Calls that wait to be compared. Each keeps its snapshot from being cleaned up.
const QUEUE: usize = 128;
/// Differing calls that are kept to be shown.
const KEPT: usize = 20;
/// Characters of the parameters that are shown.
const MOST_PARAMETER_CHARS: usize = 2000;

/// A shadow at work; dropped, it stops.
pub struct Shadow {
    candidate: Arc<Module>,
    table: Generation,
    /// One call in this many 2³²nds is looked at.
    below: u64,
    draws: AtomicU64,
    queue: mpsc::Sender<Observation>,
    tally: Arc<Tally>,
    /// Dropped with the shadow, which ends what is under way.
    _alive: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Tally {
    compared: AtomicU64,
    skipped: AtomicU64,
    different: AtomicU64,
    live: Times,
    shadow: Times,
    kept: Mutex<Vec<Difference>>,
    progress: Notify,
}

/// A call in which a shadow did otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The interface and function.
    pub method: String,
    /// Its parameters as JSON; a text that begins with them where they are long. Passwords are hidden.
    pub params: serde_json::Value,
    /// The time of the call, in milliseconds since 1970.
    pub now_ms: u64,
    /// What differs, a line each: the path in the answer, the key that is written or the effect, and both sides.
    pub lines: Vec<String>,
}

/// What a shadow has found so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowTally {
    /// Live calls that were compared.
    pub compared: u64,
    /// Live calls that were to be compared, but too many waited already.
    pub skipped: u64,
    /// Compared calls in which the shadow did otherwise.
    pub different: u64,
    /// Time that the live version took for the compared calls, in microseconds: half, and 99 of 100, took no longer.
    pub live_us: [Option<u64>; 2],
    /// The same of the shadow.
    pub shadow_us: [Option<u64>; 2],
    /// The first calls that differ, at most 20.
    pub differences: Vec<Difference>,
}

impl Logic {
    /// Begins to compare `candidate` with the calls that it observes: add it to a generation with
    /// [`Generation::observed_by`], for the routes that [`Shadow::covers`]. `percent` of the calls are looked at.
    pub fn shadow(&self, candidate: Arc<Module>, percent: f64) -> Arc<Shadow> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let tally = Arc::new(Tally::default());
        let table = Generation::new(vec![Arc::clone(&candidate)]);
        let (alive, mut ended) = oneshot::channel();
        let work = compare(self.downgrade(), table.clone(), waiting, Arc::clone(&tally));
        self.inner.background.spawn(async move {
            // What waits keeps snapshots and the candidate, each for as long as a call on trial may take.
            tokio::select! {
                biased;
                _ = &mut ended => {}
                () = work => {}
            }
        });
        Arc::new(Shadow {
            candidate,
            table,
            below: (percent.clamp(0.0, 100.0) / 100.0 * (1u64 << 32) as f64) as u64,
            draws: AtomicU64::new(0),
            queue,
            tally,
            _alive: alive,
        })
    }
}

impl Shadow {
    /// The version that runs as a shadow.
    pub fn candidate(&self) -> &Arc<Module> {
        &self.candidate
    }

    /// Whether the candidate has the function of this route.
    pub fn covers(&self, route: &Route) -> bool {
        self.table.same(route).is_some()
    }

    /// What it has found so far.
    pub fn tally(&self) -> ShadowTally {
        let tally = &self.tally;
        ShadowTally {
            compared: tally.compared.load(Ordering::Relaxed),
            skipped: tally.skipped.load(Ordering::Relaxed),
            different: tally.different.load(Ordering::Relaxed),
            live_us: tally.live.half_and_most(),
            shadow_us: tally.shadow.half_and_most(),
            differences: tally.kept.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Returns once this many calls have been compared.
    pub async fn until_compared(&self, calls: u64) {
        loop {
            let progress = self.tally.progress.notified();
            if self.tally.compared.load(Ordering::SeqCst) >= calls {
                return;
            }
            progress.await;
        }
    }
}

impl Observer for Shadow {
    fn wants(&self, _: &Route) -> bool {
        // Multiples of the golden ratio are spread evenly, whatever the share.
        let draw = self
            .draws
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            >> 32;
        if draw >= self.below {
            return false;
        }
        // Nothing is copied for a call that would find the queue full.
        let room = self.queue.capacity() > 0;
        if !room {
            self.tally.skipped.fetch_add(1, Ordering::Relaxed);
        }
        room
    }

    fn observed(&self, observation: Observation) {
        if self.queue.try_send(observation).is_err() {
            self.tally.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Compares what comes in until nothing can come any more.
async fn compare(
    logic: crate::WeakLogic,
    table: Generation,
    mut waiting: mpsc::Receiver<Observation>,
    tally: Arc<Tally>,
) {
    while let Some(seen) = waiting.recv().await {
        let (Some(logic), Some(route)) = (logic.upgrade(), table.same(&seen.route)) else {
            continue;
        };
        let dry_run = logic
            .dry_run(route, &seen.params, &seen.moment, &seen.snapshot, &seen.facts)
            .await;
        if let Err(CallError::Contention) = dry_run.outcome {
            // The state it began on is no longer kept.
            tally.skipped.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        tally.live.add(seen.elapsed);
        tally.shadow.add(dry_run.elapsed);
        let lines = differences(&Behaviour::of_observation(&seen), &Behaviour::of_dry_run(&dry_run));
        if !lines.is_empty() {
            tally.different.fetch_add(1, Ordering::Relaxed);
            let mut kept = tally.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT {
                kept.push(Difference {
                    method: seen.route.export().path(),
                    params: params(&seen),
                    now_ms: seen.moment.now_ms,
                    lines,
                });
            }
        }
        tally.compared.fetch_add(1, Ordering::SeqCst);
        tally.progress.notify_waiters();
    }
}

/// The parameters for a person.
fn params(seen: &Observation) -> serde_json::Value {
    let named = seen.route.export().params.iter().zip(&seen.params);
    let object: serde_json::Map<_, _> = named
        .map(|((name, _), value)| {
            let shown = if name == "password" {
                HIDDEN.into()
            } else {
                codec::json(value)
            };
            (name.clone(), shown)
        })
        .collect();
    let object = serde_json::Value::Object(object);
    let text = object.to_string();
    match text.char_indices().nth(MOST_PARAMETER_CHARS) {
        Some((at, _)) => serde_json::Value::String(format!("{}…", &text[..at])),
        None => object,
    }
}
