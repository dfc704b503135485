//! The checks of this program: what runs, and when its target is met.

use futures_util::future::BoxFuture;
use serde_json::json;
use stowage_tests::torture::kill;

use super::results::Finding;
use super::run::Task;

/// R1: `kill -9` at random moments.
pub fn kills(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        let cycles = if task.short { 20 } else { 1000 };
        let from = task.progress.as_ref().and_then(|kept| kept["cycles"].as_u64()).unwrap_or(0);
        let earlier = Counts::of(task.progress.as_ref());
        if from == 0 {
            kill::empty(&task.dir);
        }
        let plan = kill::Plan {
            dir: task.dir.clone(),
            seed: task.seed,
            from,
            to: cycles,
        };
        let tally = kill::run(plan, |tally| {
            if tally.cycles % 5 == 0 {
                let counts = earlier.plus(tally);
                task.keep(&counts.kept(tally.cycles));
                eprintln!("  {} of {cycles} cycles, {} acknowledged", tally.cycles, counts.0[0]);
            }
        })
        .await;
        let [acknowledged, kills, survived, compared, starts] = earlier.plus(&tally).0;
        Finding::passed(format!(
            "{cycles} cycles, {kills} kills ({starts} of them during a start), {acknowledged} acknowledged, 0 lost; \
             {survived} more had no answer and their effect; {compared} rows compared with the space"
        ))
    })
}

/// The sums of a run, over its interruptions.
#[derive(Clone, Copy)]
struct Counts([u64; 5]);

impl Counts {
    const NAMES: [&str; 5] = ["acknowledged", "kills", "survived", "compared", "starts"];

    fn of(kept: Option<&serde_json::Value>) -> Counts {
        Counts(Counts::NAMES.map(|name| kept.and_then(|kept| kept[name].as_u64()).unwrap_or(0)))
    }

    fn plus(self, tally: &kill::Tally) -> Counts {
        let survived = tally.survived + tally.pipelined;
        let more = [tally.acknowledged, tally.kills, survived, tally.compared, tally.starts];
        let mut sums = self.0;
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum += more;
        }
        Counts(sums)
    }

    fn kept(self, cycles: u64) -> serde_json::Value {
        let mut kept = json!({ "cycles": cycles });
        for (name, count) in Counts::NAMES.iter().zip(self.0) {
            kept[name] = count.into();
        }
        kept
    }
}
