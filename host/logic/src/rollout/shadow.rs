//! A shadow: a version that runs the live calls again, on the same snapshot, with the same
//! arguments, time and randomness. It answers nothing, and nothing it does is kept. Its differences
//! are reported.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::behaviour::{Behaviour, Ending};
use super::difference::differences;
use super::share::draws_below;
use crate::api::effect::HIDDEN;
use crate::api::error::CallError;
use crate::background::Background;
use crate::call::dry_run;
use crate::call::observer::{Observation, Observer};
use crate::call::runtime::Runtime;
use crate::codec;
use crate::engine::function::Function;
use crate::engine::module::Module;
use crate::engine::stats::Times;

/// Calls that wait to be compared. Storage keeps the snapshot of each. If the queue is full,
/// further calls are skipped.
const MAX_WAITING: usize = 128;
/// Calls that differ and are kept.
const MAX_KEPT: usize = 20;
/// Bytes of an answer of a kept call, as JSON.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// Characters of a kept call's parameters.
const MAX_PARAMETER_CHARS: usize = 2000;

/// A shadow at work. It stops when it is dropped.
pub struct Shadow {
    candidate: Arc<Module>,
    /// A call is compared if its draw of 32 bits is below this.
    below: u64,
    draws: AtomicU64,
    queue: mpsc::Sender<Observation>,
    tally: Arc<Tally>,
    /// When the shadow is dropped, this ends the comparison that runs.
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
}

/// A call that differs between the shadow and the live version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The interface and function.
    pub method: String,
    /// Its parameters as JSON. If they are long, a text that begins with them. Passwords are
    /// hidden.
    pub params: serde_json::Value,
    /// The time of the call, in milliseconds since 1970.
    pub now_ms: u64,
    /// What differs. Each line names the path in the answer, the written key or the effect, and
    /// both sides.
    pub lines: Vec<String>,
    /// How the live call ended, as the JSON of [`Ending`]. Null if it is longer than 64 KiB.
    #[serde(default)]
    pub live: serde_json::Value,
    /// How the shadow's call ended, in the same way.
    #[serde(default)]
    pub shadow: serde_json::Value,
}

/// What a shadow has found so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowTally {
    /// Live calls that were compared.
    pub compared: u64,
    /// Live calls that were not compared, because too many were waiting.
    pub skipped: u64,
    /// Compared calls that differ.
    pub different: u64,
    /// The time of the live version for the compared calls, in microseconds: median and 99th
    /// percentile.
    pub live_us: [Option<u64>; 2],
    /// The same of the shadow.
    pub shadow_us: [Option<u64>; 2],
    /// The first calls that differ, at most 20.
    pub differences: Vec<Difference>,
}

impl Shadow {
    /// Compares `percent` of the observed calls with the candidate, in the background.
    pub(crate) fn start(
        runtime: Weak<Runtime>,
        background: &Background,
        candidate: Arc<Module>,
        percent: f64,
    ) -> Arc<Shadow> {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        let tally = Arc::new(Tally::default());
        let (alive, mut ended) = oneshot::channel();
        let work = compare(runtime, Arc::clone(&candidate), waiting, Arc::clone(&tally));
        background.spawn(async move {
            // Calls that wait keep their snapshots and the candidate, so the work ends at once.
            tokio::select! {
                biased;
                _ = &mut ended => {}
                () = work => {}
            }
        });
        Arc::new(Shadow {
            candidate,
            below: draws_below(percent),
            draws: AtomicU64::new(0),
            queue,
            tally,
            _alive: alive,
        })
    }

    /// The version that runs as a shadow.
    pub fn candidate(&self) -> &Arc<Module> {
        &self.candidate
    }

    /// Whether the candidate has a version of this function.
    pub fn covers(&self, function: &Function) -> bool {
        function.version_in(&self.candidate).is_some()
    }

    /// How many calls were compared, skipped, and found different.
    pub fn counts(&self) -> [u64; 3] {
        let tally = &self.tally;
        [&tally.compared, &tally.skipped, &tally.different].map(|count| count.load(Ordering::Relaxed))
    }

    /// What it has found so far.
    pub fn tally(&self) -> ShadowTally {
        let tally = &self.tally;
        ShadowTally {
            compared: tally.compared.load(Ordering::SeqCst),
            skipped: tally.skipped.load(Ordering::Relaxed),
            different: tally.different.load(Ordering::Relaxed),
            live_us: tally.live.median_and_p99(),
            shadow_us: tally.shadow.median_and_p99(),
            differences: tally.kept.lock().clone(),
        }
    }
}

impl Observer for Shadow {
    fn wants(&self, _: &Function) -> bool {
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
        let has_room = self.queue.capacity() > 0;
        if !has_room {
            self.tally.skipped.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    fn observed(&self, observation: Observation) {
        if self.queue.try_send(observation).is_err() {
            self.tally.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Compares the calls of the queue until the shadow is dropped.
async fn compare(
    runtime: Weak<Runtime>,
    candidate: Arc<Module>,
    mut waiting: mpsc::Receiver<Observation>,
    tally: Arc<Tally>,
) {
    while let Some(seen) = waiting.recv().await {
        let (Some(runtime), Some(function)) = (runtime.upgrade(), seen.function.version_in(&candidate)) else {
            continue;
        };
        let dry_run = dry_run::repeat(&runtime, &runtime.scheduler.dry_runs, &seen, &function).await;
        if let Err(CallError::Contention) = dry_run.outcome {
            // The call's snapshot is no longer kept.
            tally.skipped.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        tally.live.add(seen.elapsed);
        tally.shadow.add(dry_run.elapsed);
        let (live, shadow) = (Behaviour::of_observation(&seen), Behaviour::of_dry_run(&dry_run));
        let lines = differences(&live, &shadow);
        if !lines.is_empty() {
            tally.different.fetch_add(1, Ordering::Relaxed);
            let mut kept = tally.kept.lock();
            if kept.len() < MAX_KEPT {
                kept.push(Difference {
                    method: seen.function.export().path(),
                    params: describe_params(&seen),
                    now_ms: seen.moment.now_ms,
                    lines,
                    live: answer(&live.ending),
                    shadow: answer(&shadow.ending),
                });
            }
        }
        tally.compared.fetch_add(1, Ordering::SeqCst);
    }
}

/// The JSON of an ending, if it is not too long to be kept.
fn answer(ending: &Ending) -> serde_json::Value {
    let json = serde_json::to_value(ending).unwrap_or_default();
    match json.to_string().len() > MAX_ANSWER_BYTES {
        true => serde_json::Value::Null,
        false => json,
    }
}

/// The parameters for a person.
fn describe_params(seen: &Observation) -> serde_json::Value {
    let named = seen.function.export().params.iter().zip(&seen.params);
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
    match text.char_indices().nth(MAX_PARAMETER_CHARS) {
        Some((at, _)) => serde_json::Value::String(format!("{}…", &text[..at])),
        None => object,
    }
}
