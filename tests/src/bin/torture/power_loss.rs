//! R2: power loss under the database and its log, on a simulated disk, seed after seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::json;
use stowage_storage::faults::power_loss::{self, PowerLoss};

use super::results::Finding;
use super::run::Task;

/// The seeds of a run.
const LONG: u64 = 100_000;
const SHORT: u64 = 500;
/// Seeds after which the progress is kept.
const PIECE: u64 = 1000;

/// What seeds have done, added up.
#[derive(Clone, Copy, Default)]
struct Sums {
    acknowledged: u64,
    kept: u64,
    crashes: u64,
}

impl Sums {
    fn add(&mut self, run: &PowerLoss) {
        self.acknowledged += run.acknowledged;
        self.kept += run.kept;
        self.crashes += u64::from(run.crashes);
    }
}

/// Runs the seeds on all processors.
pub fn seeds(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        // The simulator blocks: it has no use for an async runtime.
        let run = tokio::task::spawn_blocking(move || run(&task));
        run.await.unwrap_or_else(|error| Finding::failed(error.to_string()))
    })
}

fn run(task: &Task) -> Finding {
    let seeds = if task.short { SHORT } else { LONG };
    let kept = |name: &str| task.progress.as_ref().and_then(|kept| kept[name].as_u64()).unwrap_or(0);
    let mut sums = Sums {
        acknowledged: kept("acknowledged"),
        kept: kept("kept"),
        crashes: kept("crashes"),
    };
    let first = task.seed << 32;
    let mut done = kept("seeds");
    while done < seeds {
        let until = seeds.min(done + PIECE);
        match piece(first + done, first + until) {
            Ok(more) => {
                sums.acknowledged += more.acknowledged;
                sums.kept += more.kept;
                sums.crashes += more.crashes;
            }
            Err(wrong) => return Finding::failed(wrong),
        }
        done = until;
        let Sums {
            acknowledged,
            kept,
            crashes,
        } = sums;
        task.keep(&json!({"seeds": done, "acknowledged": acknowledged, "kept": kept, "crashes": crashes}));
        eprintln!("  {done} of {seeds} seeds, {crashes} crashes");
    }
    Finding::when(
        sums.acknowledged > 0 && sums.kept >= sums.acknowledged,
        format!(
            "{seeds} seeds, {} crashes, those during a recovery included; {} batches acknowledged, 0 lost, 0 failed opens",
            sums.crashes, sums.acknowledged
        ),
    )
}

/// Runs the seeds of a piece, in turn on each processor. Ends at the first that fails.
fn piece(from: u64, until: u64) -> Result<Sums, String> {
    let (next, sums, wrong) = (AtomicU64::new(from), Mutex::new(Sums::default()), Mutex::new(None));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while wrong.lock().is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= until {
                        return;
                    }
                    match power_loss::run(seed) {
                        Ok(run) => sums.lock().add(&run),
                        Err(reason) => drop(wrong.lock().get_or_insert(reason)),
                    }
                }
            });
        }
    });
    match wrong.into_inner() {
        Some(wrong) => Err(wrong),
        None => Ok(sums.into_inner()),
    }
}
