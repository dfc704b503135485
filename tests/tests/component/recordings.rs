//! Recorded calls and their replay. The recording of the documented examples is in
//! `tests/recordings`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stowage_deploy::api::RecordRequest;
use stowage_deploy::{Recordings, RecordingsError};
use stowage_kit::{Kit, ReplayReport};
use stowage_logic::{Ending, Generation, HIDDEN};
use stowage_recording::{
    Bounds, FORMAT, Header, Line, RecordError, RecordedCall, Recorder, Recording, Summary, replay,
};
use stowage_tests::examples;
use stowage_tests::fixture::{SpaceFixture, favorite, favorite_folder, hash_of};
use stowage_tests::wait::until;

use crate::kits::{builtin, module};

/// If this variable is set, the recording of the examples is written again: `make record-examples`.
const REFRESH: &str = "STOWAGE_RECORD_EXAMPLES";

const COLLECTIONS: [&str; 9] = [
    "favorite-folders",
    "favorites",
    "temp-folders",
    "temp-files",
    "backup-folders",
    "backups",
    "storage-folders",
    "storage-files",
    "dapp-files",
];

fn parse(text: &str) -> Vec<Line> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn calls(text: &str) -> Vec<RecordedCall> {
    let calls = parse(text).into_iter().filter_map(|line| match line {
        Line::Call(call) => Some(*call),
        Line::Header(_) | Line::End(_) => None,
        Line::Skipped(skipped) => panic!("{skipped:?}"),
    });
    calls.collect()
}

/// A recording of these calls, without versions, which change with the compiler.
fn recording(calls: Vec<RecordedCall>) -> String {
    let mut summary = Summary::default();
    let mut lines = vec![Line::Header(Header {
        format: FORMAT,
        started_ms: 0,
        modules: Vec::new(),
    })];
    for mut call in calls {
        call.version.clear();
        lines.push(Line::Call(Box::new(call)));
        summary.calls += 1;
    }
    let text = |lines: &[Line]| -> String {
        lines
            .iter()
            .map(|line| serde_json::to_string(line).unwrap() + "\n")
            .collect()
    };
    summary.bytes = text(&lines).len() as u64;
    lines.push(Line::End(summary));
    text(&lines)
}

/// The calls of one documented example, on the rows that it needs.
async fn example(fill: examples::Fill, request: &Value) -> Vec<RecordedCall> {
    let dir = tempfile::tempdir().unwrap();
    let space = SpaceFixture::create(&dir.path().join("space"));
    fill(&space);
    let kit = builtin().await;
    kit.set_now(1_744_200_000_000).set_seed([1; 32]).record();
    for collection in COLLECTIONS {
        let rows = space.read(collection);
        if !rows.is_empty() {
            kit.script().sync_brings(collection, rows);
        }
    }
    kit.data("initStorage$IMDataFromSdk", json!({})).await;
    let answer = kit.post("/", request).await;
    assert_ne!(answer["code"], 500, "{request}");
    calls(&kit.recording())
}

async fn record_examples() -> String {
    let mut all: Vec<RecordedCall> = Vec::new();
    let mut add = |calls: Vec<RecordedCall>| {
        // Many examples begin with the same calls.
        for call in calls {
            if !all.contains(&call) {
                all.push(call);
            }
        }
    };
    for documented in examples::all() {
        add(example(documented.space, &documented.request).await);
    }
    add(example(|_| {}, &examples::feed_request("k")).await);
    recording(all)
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/examples.ndjson")
}

#[tokio::test]
async fn the_recorded_examples_are_what_the_modules_do() {
    let now = record_examples().await;
    if std::env::var_os(REFRESH).is_some() {
        fs::write(file(), &now).unwrap();
    }
    let kept = fs::read_to_string(file()).unwrap();
    let report = builtin().await.replay(&kept).await.unwrap();
    assert_eq!(report.differences, []);
    assert!(report.passed() && report.complete, "{report:?}");
    assert_eq!(report.absent.len(), 0, "{report:?}");
    // One by one, so that a failure shows one call only.
    for (kept, now) in calls(&kept).iter().zip(calls(&now)) {
        assert_eq!(kept, &now, "stale: `make record-examples` writes it anew");
    }
    assert_eq!(kept, now);
    let methods: Vec<_> = calls(&kept).into_iter().map(|call| call.function).collect();
    for documented in examples::all() {
        let folded = stowage_logic::codec::fold_name(documented.method());
        // The request for the feed has no key, and is refused before the call.
        let asked = methods.iter().any(|m| stowage_logic::codec::fold_name(m) == folded);
        assert!(asked, "{}", documented.name);
    }
}

/// Replays one recorded call of a function, changed by `change`.
async fn changed(function: &str, change: impl FnOnce(&mut RecordedCall)) -> ReplayReport {
    let kept = fs::read_to_string(file()).unwrap();
    let mut call = calls(&kept)
        .into_iter()
        .rfind(|call| call.function == function)
        .unwrap_or_else(|| panic!("no call of {function}"));
    change(&mut call);
    builtin().await.replay(&recording(vec![call])).await.unwrap()
}

#[tokio::test]
async fn a_changed_answer_is_reported_with_its_path() {
    let report = changed("get-im-favorite-folders", |call| {
        let Ending::Ok(answer) = &mut call.outcome else {
            panic!("{:?}", call.outcome);
        };
        answer[0]["name"] = json!("other");
    })
    .await;
    assert_eq!((report.replayed, report.different), (1, 1));
    assert!(!report.passed());
    let difference = &report.differences[0];
    assert_eq!(difference.function, "im-favorites/get-im-favorite-folders");
    assert_eq!(difference.lines.len(), 1, "{difference:?}");
    assert!(
        difference.lines[0].starts_with("answer[0].name: ") && difference.lines[0].ends_with(" instead of \"other\""),
        "{difference:?}"
    );
}

#[tokio::test]
async fn a_missing_write_or_effect_is_reported() {
    let report = changed("create-im-favorite-folder", |call| {
        let extra = call.writes[0].clone();
        call.writes.retain(|write| *write != extra);
        call.requests.clear();
    })
    .await;
    let lines = &report.differences[0].lines;
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("write ") && line.ends_with("instead of nothing")),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("effects[0]: ") && line.ends_with("instead of absent")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_read_that_was_not_recorded_is_a_difference() {
    let report = changed("create-im-favorite-folder", |call| {
        call.reads.keys.clear();
        call.reads.ranges.clear();
    })
    .await;
    let lines = &report.differences[0].lines;
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("reads more than was recorded: favorite-folders")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn another_time_or_seed_changes_the_call() {
    let later = changed("create-im-favorite-folder", |call| call.now_ms += 1).await;
    let lines = &later.differences[0].lines;
    assert!(lines.iter().any(|line| line.contains(".time: ")), "{lines:?}");
    let other = changed("create-im-favorite-folder", |call| call.seed = [2; 32]).await;
    assert_eq!(other.different, 1);
}

#[tokio::test]
async fn functions_that_the_modules_lack_are_counted() {
    let kept = fs::read_to_string(file()).unwrap();
    let kit = module("favorites").await;
    let report = kit.replay(&kept).await.unwrap();
    assert!(report.passed(), "{:?}", report.differences);
    assert!(
        report.absent.contains_key("common/init-storage-im-data-from-sdk"),
        "{:?}",
        report.absent
    );
    let absent: u64 = report.absent.values().sum();
    assert_eq!(report.replayed + absent, calls(&kept).len() as u64);
}

/// A kit whose calls are recorded.
async fn recorded(path: &Path, methods: &[&str], bounds: Bounds) -> (Kit, Recorder) {
    let kit = builtin().await;
    let methods: Vec<_> = methods.iter().map(|&method| method.to_owned()).collect();
    let recorder = Recorder::start(path, kit.logic(), &methods, bounds).unwrap();
    begin(&kit, &recorder);
    (kit, recorder)
}

/// Makes a recorder observe the calls of a kit.
fn begin(kit: &Kit, recorder: &Recorder) {
    let generation = Generation::clone(&kit.logic().generation());
    kit.logic()
        .serve(generation.observed_by(&recorder.observer(), |_| true));
}

#[tokio::test]
async fn live_calls_are_recorded_and_their_replay_does_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("live.ndjson");
    let (kit, recorder) = recorded(&path, &[], Bounds::default()).await;
    let hash = hash_of(b"sealed");
    let mut file = favorite("f", "1", "f.txt", &hash, 6, 1);
    file["protected"] = json!(true);
    kit.vary_seed([9; 32])
        .script()
        .password(&hash, "open sesame")
        .total_bytes(123 << 20);
    kit.apply("favorites", &[file], &[]).await.unwrap();
    kit.apply("favorite-folders", &[favorite_folder("a", "art", 1)], &[])
        .await
        .unwrap();
    for name in ["music", "music", "photos"] {
        kit.json("createImFavoriteFolder", json!({"name": name})).await;
    }
    kit.data("getImFavoriteFolders", json!({"page": 1, "pageSize": 2}))
        .await;
    kit.data("getStorageSpaceInfo", json!({})).await;
    let download = json!({"platform": 2, "hash": hash, "filePassword": "open sesame"});
    kit.data("downloadStorageFileTask", download.clone()).await;
    kit.script()
        .refuse_download(stowage_kit::DownloadRefusal::Directory("only there".into()));
    assert_ne!(kit.json("downloadStorageFileTask", download).await["code"], 200);
    let summary = recorder.stop().await.unwrap();
    assert_eq!((summary.calls, summary.skipped, summary.dropped), (9, 0, 0));

    let text = fs::read_to_string(&path).unwrap();
    assert!(
        !text.contains("open sesame") && text.contains(HIDDEN),
        "a password is not recorded"
    );
    assert!(!text.contains("host."), "the host's tables are not recorded");
    let mut recording = Recording::open(&path).unwrap();
    let modules = kit.logic().generation();
    let report = replay(kit.logic(), modules.modules(), &mut recording).await.unwrap();
    assert_eq!(report.differences, []);
    assert_eq!(report.replayed, 9);
    assert_eq!(
        kit.data("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
            .await
            .as_array()
            .unwrap()
            .len(),
        4,
        "a replay leaves the live data alone"
    );
}

#[tokio::test]
async fn a_recording_has_only_its_methods_and_keeps_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("live.ndjson");
    let bounds = Bounds {
        calls: 2,
        ..Bounds::default()
    };
    let (kit, recorder) = recorded(&path, &["getImFavoriteFolders"], bounds).await;
    for _ in 0..5 {
        kit.data("getImFavoriteFolders", json!({"page": 1, "pageSize": 2}))
            .await;
        kit.data("getStorageSpaceInfo", json!({})).await;
    }
    let summary = recorder.stop().await.unwrap();
    assert_eq!(summary.calls, 2);
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        calls(&text)
            .iter()
            .all(|call| call.function == "get-im-favorite-folders")
    );
    assert!(matches!(parse(&text).last(), Some(Line::End(end)) if *end == summary));
    kit.data("getImFavoriteFolders", json!({"page": 1, "pageSize": 2}))
        .await;
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        text,
        "a stopped recording takes no more"
    );
}

#[tokio::test]
async fn a_server_makes_one_recording_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let kit = builtin().await;
    let recordings = Recordings::new(kit.logic().clone());
    let request = |file: PathBuf| RecordRequest {
        file,
        methods: Vec::new(),
        calls: None,
        bytes: None,
    };
    let table = Generation::clone(&kit.logic().generation());
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    assert!(matches!(recordings.stop().await, Err(RecordingsError::None)));
    let relative = recordings.start(request("relative".into()));
    assert!(matches!(relative, Err(RecordingsError::Relative { .. })));

    recordings.start(request(first.clone())).unwrap();
    let busy = recordings.start(request(second.clone()));
    assert!(matches!(busy, Err(RecordingsError::Busy { file }) if file == first));
    kit.logic().serve(recordings.observe(table.clone()));
    kit.data("getStorageSpaceInfo", json!({})).await;
    assert_eq!(
        recordings.status().map(|s| (s.file, s.open)),
        Some((first.clone(), true))
    );
    assert_eq!(recordings.stop().await.unwrap().calls, 1);
    assert_eq!(recordings.status(), None);

    // The second recording has the calls after its start. The first has no more calls.
    recordings.start(request(second.clone())).unwrap();
    kit.logic().serve(recordings.observe(table));
    kit.data("getStorageSpaceInfo", json!({})).await;
    assert_eq!(recordings.stop().await.unwrap().calls, 1);
    for file in [first, second] {
        assert_eq!(calls(&fs::read_to_string(file).unwrap()).len(), 1);
    }
}

#[tokio::test]
async fn a_recording_does_not_overwrite_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kept");
    fs::write(&path, "mine").unwrap();
    let kit = builtin().await;
    let refused = Recorder::start(&path, kit.logic(), &[], Bounds::default());
    assert!(matches!(refused, Err(RecordError::Create { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

/// A full disk ends a recording, and nothing else.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_ends_the_recording_but_no_call() {
    let kit = builtin().await;
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let path = Path::new("/dev/full");
    let recorder = Recorder::start_in(full, path, kit.logic(), &[], Bounds::default()).unwrap();
    begin(&kit, &recorder);
    // More calls than any buffer holds.
    for n in 0..400 {
        let name = format!("folder {n} with a name that takes some room in a line of the recording");
        assert_eq!(kit.data("createImFavoriteFolder", json!({"name": name})).await, true);
    }
    until("the recording ends", || !recorder.is_open()).await;
    assert_eq!(kit.data("createImFavoriteFolder", json!({"name": "after"})).await, true);
    let Err(RecordError::Write { path: named, source }) = recorder.stop().await else {
        panic!("it says that the recording is whole");
    };
    assert_eq!((&*named, source.kind()), (path, std::io::ErrorKind::StorageFull));
}

#[tokio::test]
async fn a_call_that_reads_too_much_is_left_out_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("live.ndjson");
    let (kit, recorder) = recorded(&path, &[], Bounds::default()).await;
    let long = "x".repeat(1 << 20);
    for i in 0..6 {
        let mut row = favorite(&format!("f{i}"), "1", "f.txt", &hash_of(b"f"), 1, i);
        row["msgContent"] = json!(long);
        kit.apply("favorites", &[row], &[]).await.unwrap();
    }
    kit.data(
        "getImFavoriteList",
        json!({"favId": "1", "page": 1, "pageSize": 10, "type": 0}),
    )
    .await;
    let summary = recorder.stop().await.unwrap();
    assert_eq!((summary.calls, summary.skipped), (6, 1));
    let text = fs::read_to_string(&path).unwrap();
    let skipped = parse(&text).into_iter().find_map(|line| match line {
        Line::Skipped(skipped) => Some(skipped),
        _ => None,
    });
    let skipped = skipped.unwrap();
    assert_eq!(skipped.function, "get-im-favorite-list");
    assert_eq!(skipped.reason, "it read more than 4 MiB");
    let report = kit.replay(&text).await.unwrap();
    assert_eq!((report.replayed, report.unrecorded, report.different), (6, 1, 0));
}
