//! `stowage replay`: no server and no database, and an exit status for scripts.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stowage_tests::host::{run, target_dir};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/examples.ndjson")
}

/// The arguments that replay a file on all built-in modules.
fn replay(file: &Path) -> Vec<String> {
    let mut arguments = vec!["replay".to_owned()];
    for name in ["favorites", "temp-files", "backups", "cloud-storage", "common"] {
        arguments.push(target_dir().join(format!("modules/{name}.wasm")).display().to_string());
    }
    arguments.push(file.display().to_string());
    arguments
}

#[tokio::test]
async fn the_documented_examples_do_what_was_recorded() {
    let mut arguments = replay(&examples());
    arguments.push("--json".into());
    let output = run(&arguments).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(report["different"], 0);
    assert!(report["replayed"].as_u64().unwrap() >= 18, "{report}");
}

#[tokio::test]
async fn a_difference_is_shown_and_is_exit_status_1() {
    let dir = tempfile::tempdir().unwrap();
    let changed = dir.path().join("changed.ndjson");
    let text = fs::read_to_string(examples()).unwrap();
    assert!(text.contains("11.96 MB"));
    fs::write(&changed, text.replace("11.96 MB", "11.97 MB")).unwrap();
    let output = run(replay(&changed)).await;
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("\"11.96 MB\" instead of \"11.97 MB\""), "{shown}");
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
