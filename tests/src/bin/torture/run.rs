//! Runs checks one after another, and keeps what they found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::RunArguments;
use super::catalogue::{self, Check, How};
use super::compiled_tests::{self, Runs};
use super::results::{Finding, Results, Verdict, today};

/// The most characters of a line of the table.
const MEASURED_CHARS: usize = 900;

/// What a check of this program is given.
#[derive(Clone)]
pub struct Task {
    /// A directory of its own, which stays between runs.
    pub dir: PathBuf,
    /// The seed of its choices.
    pub seed: u64,
    /// Whether the short form is wanted.
    pub short: bool,
    /// Minutes of the soak.
    pub soak_minutes: u64,
    /// What an interrupted run has kept.
    pub progress: Option<Value>,
    keep: Arc<dyn Fn(&Value) + Send + Sync>,
}

impl Task {
    /// Keeps progress, for a run that is interrupted.
    pub fn keep(&self, progress: &Value) {
        (self.keep)(progress);
    }
}

/// A check of this program.
pub type Native = fn(Task) -> BoxFuture<'static, Finding>;

/// Runs the chosen checks. The exit code is 1 if one failed.
///
/// # Errors
/// A chosen check does not exist; a program is missing; the results cannot be written.
pub fn run(arguments: &RunArguments, dir: &Path) -> anyhow::Result<ExitCode> {
    let chosen = catalogue::chosen(&arguments.only)?;
    let results = Results::in_dir(dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let form = if arguments.short { "short" } else { "long" };
    let (mut builds, mut runs) = (Builds::default(), Runs::default());
    let required = std::env::var("STOWAGE_TEST_REQUIRE").is_ok_and(|value| value == "1");
    let (mut failed, mut skipped) = (0, 0);
    for check in chosen {
        let build = builds.of(check)?;
        if !arguments.again && results.has_passed(check.id, &build, form) {
            eprintln!("{}: passed with this build already", check.id);
            continue;
        }
        eprintln!("{}: {}", check.id, check.title);
        let begun = Instant::now();
        let mut finding = one(check, arguments, dir, &results, &build, form, &runtime, &mut runs);
        if finding.verdict == Verdict::Failed {
            eprintln!("{}", finding.measured);
        }
        finding.measured = finding.measured.chars().take(MEASURED_CHARS).collect();
        let seconds = (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        let result = json!({
            "id": check.id, "passed": finding.verdict == Verdict::Passed, "measured": finding.measured,
            "target": check.target, "seconds": seconds, "skipped": finding.verdict == Verdict::Skipped,
            "build": build, "form": form, "seed": arguments.seed, "date": today(), "machine": machine(),
        });
        println!("{}", results.keep(&result)?);
        match finding.verdict {
            Verdict::Passed => {}
            Verdict::Failed => failed += 1,
            Verdict::Skipped => skipped += 1,
        }
    }
    eprintln!("{failed} failed, {skipped} skipped");
    let bad = failed > 0 || (required && skipped > 0);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn one(
    check: &Check,
    arguments: &RunArguments,
    dir: &Path,
    results: &Results,
    build: &str,
    form: &'static str,
    runtime: &tokio::runtime::Runtime,
    runs: &mut Runs,
) -> Finding {
    let native = match check.how {
        How::Absent(reason) => return Finding::skipped(reason),
        How::Tests(tests) => return runs.check(check.id, tests),
        How::Native(native) => native,
    };
    let (results, id, build, seed) = (results.clone(), check.id, build.to_owned(), arguments.seed);
    let progress = results.progress(id, &build, form, seed);
    if let Some(progress) = &progress {
        eprintln!("{id}: goes on from {progress}");
    }
    let task = Task {
        dir: dir.join(id),
        seed,
        short: arguments.short,
        soak_minutes: arguments.soak_minutes,
        progress,
        keep: Arc::new(move |progress| {
            if let Err(error) = results.keep_progress(id, &build, form, seed, progress) {
                eprintln!("{id}: the progress is not kept: {error:#}");
            }
        }),
    };
    // A task of its own: a check that panics has failed.
    match runtime.block_on(async { tokio::spawn(native(task)).await }) {
        Ok(finding) => finding,
        Err(error) => Finding::failed(reason(error)),
    }
}

/// The text of a panic.
fn reason(error: tokio::task::JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "the check was cancelled".to_owned();
    };
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "the check panicked".to_owned())
}

/// What tells builds apart: the hash of the programs that a check runs.
#[derive(Default)]
struct Builds(BTreeMap<PathBuf, String>);

impl Builds {
    fn of(&mut self, check: &Check) -> anyhow::Result<String> {
        let mut files = vec![stowage_tests::program::program()];
        match check.how {
            How::Tests(tests) => {
                for test in tests {
                    files.extend(compiled_tests::program(test.program));
                }
            }
            How::Native(_) if check.in_process => files.push(std::env::current_exe()?),
            How::Native(_) | How::Absent(_) => {}
        }
        files.dedup();
        let mut all = Sha256::new();
        for file in files {
            let hash = match self.0.get(&file) {
                Some(hash) => hash.clone(),
                None => {
                    let bytes = std::fs::read(&file).with_context(|| format!("the program {}", file.display()))?;
                    let hash = hex(&Sha256::digest(bytes));
                    self.0.insert(file, hash.clone());
                    hash
                }
            };
            all.update(hash.as_bytes());
        }
        Ok(hex(&all.finalize())[..12].to_owned())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The processor, its number of threads, and the memory.
fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    let kib: u64 = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|total| total.trim_end_matches(" kB").parse().ok())
        .unwrap_or(0);
    format!("{model}, {threads} threads, {} GiB", kib.div_ceil(1 << 20))
}
