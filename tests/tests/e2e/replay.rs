//! `stowage replay`: no server and no database, and an exit status for scripts.

use std::fs;
use std::path::{Path, PathBuf};

use stowage_tests::cli::Cli;
use stowage_tests::fixture;
use stowage_tests::modules::module_file;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/examples.ndjson")
}

/// Replays a file on a module. One module a test is enough: each is compiled anew.
fn replay(module: &Path, file: &Path) -> Cli {
    Cli::new([Path::new("replay"), module, file])
}

#[tokio::test]
async fn the_documented_examples_do_what_was_recorded() {
    let backups = module_file("backups");
    let report = replay(&backups, &examples()).args(["--json"]).succeeds().await.json();
    assert_eq!(report["different"], 0, "{report:#}");
    assert!(report["replayed"].as_u64().unwrap() >= 4, "{report}");
    assert!(
        report["absent"]["common/init-storage-im-data-from-sdk"].is_u64(),
        "{report}"
    );
}

#[tokio::test]
async fn a_difference_is_shown_and_is_exit_status_1() {
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(examples()).unwrap();
    assert!(text.contains("8.32 KB"));
    let changed = fixture::file(dir.path(), "changed.ndjson", text.replace("8.32 KB", "8.33 KB"));
    let shown = replay(&module_file("backups"), &changed).fails(1).await.stdout;
    assert!(shown.contains("\"8.32 KB\" instead of \"8.33 KB\""), "{shown}");
}

#[tokio::test]
async fn what_cannot_be_compared_is_exit_status_2() {
    let dir = tempfile::tempdir().unwrap();
    let no_recording = fixture::file(dir.path(), "no-recording", "{}\n");
    let (backups, examples) = (module_file("backups"), examples());
    for (module, file) in [
        (&backups, &no_recording),
        (&backups, &dir.path().join("missing")),
        // None of the recorded calls is of this module.
        (&module_file("probe"), &examples),
        (&examples, &examples),
    ] {
        let failed = replay(module, file).fails(2).await;
        assert!(!failed.stderr.is_empty(), "{failed}");
    }
}
