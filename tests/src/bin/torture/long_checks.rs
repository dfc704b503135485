//! The checks of this program: what runs, and when its target is met.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::json;
use stowage_tests::torture::{bit_flips, churn, clock, disk_full, group_commit, kill, single_owner, soak};

use super::large_database;
use super::results::Finding;
use super::run::Task;

/// R1: `kill -9` at random moments.
pub fn kills(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        let cycles = if task.short { 20 } else { 1000 };
        let from = task
            .progress
            .as_ref()
            .and_then(|kept| kept["cycles"].as_u64())
            .unwrap_or(0);
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

/// R4: a disk without room.
pub fn disk_full(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        let seen = match disk_full::run(&kill::empty(&task.dir)).await {
            Ok(seen) => seen,
            Err(reason) => return Finding::skipped(reason),
        };
        let compaction = if seen.compacted {
            ", a compaction without room changes nothing"
        } else {
            ""
        };
        Finding::when(
            seen.resumed_ms <= 5000,
            format!(
                "{} writes refused with a code, {} reads answered meanwhile, writes go on {} ms after there is room, \
                 0 of {} acknowledged lost{compaction}",
                seen.refused, seen.reads, seen.resumed_ms, seen.acknowledged
            ),
        )
    })
}

/// R5: the first answer after a crash of a large database.
pub fn reopen(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        let times = large_database::first_answers(&task).await;
        let text: Vec<String> = times.iter().map(|time| format!("{:.2}", time.as_secs_f64())).collect();
        let most = times.iter().max().copied().unwrap_or_default();
        Finding::when(
            most <= Duration::from_secs(2),
            format!(
                "first answer {} s after the start, {} MiB",
                text.join(", "),
                large_database::len_bytes(&task.dir) >> 20
            ),
        )
    })
}

/// R6: one flipped bit.
pub fn bit_flips(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        let flips = if task.short { 50 } else { 1000 };
        let kept = |name: &str| task.progress.as_ref().and_then(|kept| kept[name].as_u64()).unwrap_or(0);
        let earlier = [kept("flips"), kept("right"), kept("refused"), kept("errors")];
        let sums = |tally: &bit_flips::Tally| {
            let more = [tally.flips, tally.right, tally.refused, tally.errors];
            [0, 1, 2, 3].map(|n| earlier[n] + more[n])
        };
        let tally = bit_flips::run(&task.dir, task.seed, earlier[0], flips, |tally| {
            let [flips, right, refused, errors] = sums(tally);
            if flips % 20 == 0 {
                task.keep(&json!({"flips": flips, "right": right, "refused": refused, "errors": errors}));
                eprintln!("  {flips} flips: {right} right, {refused} refused, {errors} with errors");
            }
        })
        .await;
        let [flips, right, refused, errors] = sums(&tally);
        Finding::passed(format!(
            "{flips} flips: 0 wrong answers, 0 panics; {refused} refused at the start, {errors} answered with errors \
             where the damage is, {right} without effect"
        ))
    })
}

/// R7: the size after many changes.
pub fn churn(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        let changes = if task.short { 8000 } else { 100_000 };
        let sizes = match churn::run(&kill::empty(&task.dir), changes).await {
            Ok(sizes) => sizes,
            Err(reason) => return Finding::skipped(reason),
        };
        let of_live = |bytes| bytes as f64 / sizes.live.max(1) as f64;
        let (after, compacted) = (of_live(sizes.after), of_live(sizes.compacted));
        Finding::when(
            after <= 4.0 && compacted <= 1.6,
            format!(
                "after {changes} changes {after:.2} times its {} MiB of keys and values; compacted {compacted:.2} times",
                sizes.live >> 20
            ),
        )
    })
}

/// R9: tables, files and space fit each other.
pub fn references(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        let to = if task.short { 10 } else { 100 };
        let plan = kill::Plan {
            dir: kill::empty(&task.dir),
            seed: task.seed.wrapping_add(9),
            from: 0,
            to,
        };
        let tally = kill::run(plan, |_| ()).await;
        Finding::passed(format!(
            "after each of {to} kills counters fit rows, and each row has its blob; at rest {} rows are once in the space, \
             {} downloaded files are right, 0 files and 0 blobs are left over",
            tally.compared, tally.downloads
        ))
    })
}

/// R10: a second server on the same data.
pub fn second_host(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        let took = single_owner::second_host(&kill::empty(&task.dir)).await;
        Finding::when(
            took <= Duration::from_secs(1),
            format!("refused after {} ms, the first one goes on", took.as_millis()),
        )
    })
}

/// R11: the group commit.
pub fn group_commit(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        let time = Duration::from_secs(if task.short { 2 } else { 10 });
        let measured = group_commit::group_commit(&kill::empty(&task.dir), time).await;
        let (one, many) = (&measured.one, &measured.many);
        let ratio = many.rate() / one.rate();
        Finding::when(
            ratio >= 8.0,
            format!(
                "64 writers {:.0} a second, 1 writer {:.0}: {ratio:.1} times; p50 {:.1} ms, p99 {:.1} ms; a write and its \
                 sync take {:.2} ms",
                many.rate(),
                one.rate(),
                millis(many.quantile(0.5)),
                millis(many.quantile(0.99)),
                millis(measured.sync)
            ),
        )
    })
}

/// D6: a clock that jumps.
pub fn clock(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        match clock::run(&kill::empty(&task.dir)).await {
            Ok(seen) => Finding::passed(format!(
                "{} jumps of a day: {} calls answered, the feed, a download, an upload in parts, a session and a probation \
                 go on; tasks keep their order",
                seen.jumps, seen.calls
            )),
            Err(reason) => Finding::skipped(reason),
        }
    })
}

/// D7: a stop under load.
pub fn stop(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        let (mut most, mut acknowledged) = (Duration::ZERO, 0);
        let rounds = if task.short { 2 } else { 20 };
        for _ in 0..rounds {
            let stopped = single_owner::stop_under_load(&kill::empty(&task.dir)).await;
            most = most.max(stopped.took);
            acknowledged += stopped.acknowledged;
        }
        Finding::when(
            most <= Duration::from_secs(10) && acknowledged > 0,
            format!(
                "{rounds} stops under load, the longest took {:.2} s; 0 of {acknowledged} acknowledged lost; the log is empty, \
                 nothing is repaired",
                most.as_secs_f64()
            ),
        )
    })
}

/// The soak.
pub fn soak(task: Task) -> BoxFuture<'static, Finding> {
    Box::pin(async move {
        let minutes = task.soak_minutes;
        let (time, every) = match task.short {
            true => (Duration::from_secs(20), Duration::from_secs(1)),
            false => (Duration::from_secs(60 * minutes), Duration::from_secs(10)),
        };
        let csv = task.dir.with_file_name("soak.csv");
        let plan = soak::Plan {
            dir: task.dir.clone(),
            csv: csv.clone(),
            seed: task.seed,
            time,
            every,
        };
        let seen = soak::run(plan).await;
        let samples = &seen.samples;
        let (memory_flat, memory, memory_end) = soak::flat(samples, 10, 16 << 20, |sample| sample.resident);
        let (files_flat, files, files_end) = soak::flat(samples, 0, 16, |sample| sample.files);
        let (threads_flat, threads, threads_end) = soak::flat(samples, 0, 4, |sample| sample.threads);
        let (data_flat, data, data_end) = soak::flat(samples, 10, 64 << 20, |sample| sample.data);
        let is_flat = memory_flat && files_flat && threads_flat && data_flat;
        let measured = format!(
            "{:.0} minutes: {} calls of {} methods, {} failed; {} hostile calls, all answered; {} changes of modules; {} \
             connections to the space cut; {} rows the same here, in the space and on the second host; from the second sixth \
             to the last one: memory {} to {} MiB, files {files} to {files_end}, threads {threads} to {threads_end}, data {} \
             to {} MiB",
            time.as_secs_f64() / 60.0,
            seen.calls,
            seen.methods,
            seen.failures.len(),
            seen.hostile,
            seen.swaps,
            seen.cuts,
            seen.compared,
            memory >> 20,
            memory_end >> 20,
            data >> 20,
            data_end >> 20,
        );
        if let Some(first) = seen.failures.first() {
            return Finding::failed(format!("{measured}; {first}"));
        }
        Finding::when(is_flat && (task.short || seen.methods == soak::METHODS), measured)
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
