//! `stowage replay`: no server and no database, and an exit status for scripts.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stowage_tests::host::{run, target_dir};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/examples.ndjson")
}

/// The arguments that replay a file on the module of backups. One is enough here: each is compiled anew.
fn replay(file: &Path) -> Vec<String> {
    let module = target_dir().join("modules/backups.wasm");
    vec![
        "replay".to_owned(),
        module.display().to_string(),
        file.display().to_string(),
    ]
}

#[tokio::test]
async fn the_documented_examples_do_what_was_recorded() {
    let mut arguments = replay(&examples());
    arguments.push("--json".into());
    let output = run(&arguments).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(report["different"], 0);
    assert!(report["replayed"].as_u64().unwrap() >= 4, "{report}");
    assert!(
        report["absent"]["common/init-storage-im-data-from-sdk"].is_u64(),
        "{report}"
    );
}

#[tokio::test]
async fn a_difference_is_shown_and_is_exit_status_1() {
    let dir = tempfile::tempdir().unwrap();
    let changed = dir.path().join("changed.ndjson");
    let text = fs::read_to_string(examples()).unwrap();
    assert!(text.contains("8.32 KB"));
    fs::write(&changed, text.replace("8.32 KB", "8.33 KB")).unwrap();
    let output = run(replay(&changed)).await;
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("\"8.32 KB\" instead of \"8.33 KB\""), "{shown}");
}

#[tokio::test]
async fn what_cannot_be_compared_is_exit_status_2() {
    let dir = tempfile::tempdir().unwrap();
    let no_recording = dir.path().join("no-recording");
    fs::write(&no_recording, "{}\n").unwrap();
    let probe = target_dir().join("modules-test/probe.wasm").display().to_string();
    let examples = examples().display().to_string();
    for arguments in [
        replay(&no_recording),
        replay(&dir.path().join("missing")),
        // None of the recorded calls is of this module.
        vec!["replay".into(), probe, examples.clone()],
        vec!["replay".into(), examples.clone(), examples],
    ] {
        let output = run(&arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty());
    }
}
