//! Crates that `stowage module new` writes: built, tested and swapped into a running server, as in
//! docs/modules.md.
//!
//! They are built offline, with the crates that the build of the repository has fetched. Their
//! target directory is kept from run to run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::json;
use stowage_tests::cli::Cli;
use stowage_tests::document;
use stowage_tests::examples;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::program::target_dir;
use tokio::process::Command;
use tokio::sync::Mutex;

/// How long cargo may take. In the first run it compiles all dependencies while other tests run.
const CARGO_PATIENCE: Duration = Duration::from_secs(1200);

/// One cargo at a time: they share a target directory, which cargo locks.
static CARGO: Mutex<()> = Mutex::const_new(());

fn root() -> PathBuf {
    target_dir().join("tmp/authoring")
}

/// A crate under the test's own target directory.
struct Crate {
    name: &'static str,
    dir: PathBuf,
}

impl Crate {
    /// Writes the crate with `stowage module new NAME MORE`.
    async fn new(name: &'static str, more: &[&str]) -> Crate {
        let dir = root().join(name);
        let _ = fs::remove_dir_all(&dir);
        let place = dir.display().to_string();
        Cli::new(["module", "new", name, "--dir", &place])
            .args(more)
            .succeeds()
            .await;
        Crate { name, dir }
    }

    fn cargo(&self, args: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo
            .args(args)
            .current_dir(&self.dir)
            .env("CARGO_TARGET_DIR", root().join("target"))
            .env("CARGO_NET_OFFLINE", "true")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        cargo
    }

    async fn succeeds(&self, args: &[&str]) {
        let _one = CARGO.lock().await;
        let output = tokio::time::timeout(CARGO_PATIENCE, self.cargo(args).output()).await;
        let output = output.expect("cargo ends in time").expect("cargo starts");
        assert!(output.status.success(), "cargo {args:?}: {}", shown(&output));
    }

    /// Builds the component and returns its path.
    async fn component(&self) -> String {
        self.succeeds(&["build", "--target", "wasm32-wasip2", "--release"])
            .await;
        let file = format!("target/wasm32-wasip2/release/{}.wasm", self.name.replace('-', "_"));
        root().join(file).display().to_string()
    }

    /// Runs its tests in wasmtime, as its `make test` does. The kit is the one that is built here,
    /// because wasmtime takes minutes to compile. `cargo tree` checks that the copy of the kit in
    /// the crate is complete: it reads all manifests.
    async fn passes_in_wasmtime(&self, component: &str) {
        let tests = self.dir.join("wasmtime-tests");
        self.succeeds(&["tree", "--manifest-path", "wasmtime-tests/Cargo.toml"])
            .await;
        let text = fs::read_to_string(tests.join("tests.rs")).unwrap();
        assert!(text.contains("#[tokio::test]"));
        // Inner attributes and comments are not allowed in an included file.
        let of_crate = |line: &&str| !line.starts_with("//!") && !line.starts_with("#![");
        let included: Vec<_> = text.lines().filter(of_crate).collect();
        let place = root().join(format!("{}-tests.rs", self.name));
        fs::write(&place, included.join("\n")).unwrap();
        let mut cargo = Command::new("cargo");
        cargo
            .args(["test", "--release", "--locked", "--offline", "--workspace"])
            .args(["--features", "stowage-tests/generated", "--test", "generated"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .env("CARGO_TARGET_DIR", target_dir())
            .env("STOWAGE_GENERATED", &place)
            .env("WASM", component)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let _one = CARGO.lock().await;
        let output = tokio::time::timeout(CARGO_PATIENCE, cargo.output()).await;
        let output = output.expect("cargo ends in time").expect("cargo starts");
        assert!(output.status.success(), "{}", shown(&output));
        let passed = format!("{} passed; 0 failed", text.matches("#[tokio::test]").count());
        assert!(shown(&output).contains(&passed), "{}", shown(&output));
    }

    /// Replaces a text in a file.
    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.dir.join(file);
        let before = fs::read_to_string(&path).unwrap();
        assert!(before.contains(from), "{file} has no {from:?}");
        fs::write(path, before.replace(from, to)).unwrap();
    }
}

fn shown(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{}\n{out}{err}", output.status)
}

/// The code blocks of a language in docs/modules.md.
fn blocks(language: &str) -> Vec<String> {
    let blocks = document::blocks(&document::document("docs/modules.md")).into_iter();
    let of_language = blocks.filter(|block| block.language == language);
    of_language.map(|block| block.text).collect()
}

#[tokio::test]
async fn a_new_module_serves_its_methods_and_its_next_version_migrates_the_data() {
    let notes = Crate::new("notes", &[]).await;
    notes.succeeds(&["test"]).await;
    let first = notes.component().await;
    notes.passes_in_wasmtime(&first).await;
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).start().await;
    host.cli(["module", "check", "--name", "notes", &first])
        .succeeds()
        .await;
    host.cli(["module", "swap", &format!("notes={first}")]).succeeds().await;
    for n in ["milk", "bread", "milk again"] {
        let note = host.ok("notes/addNote", json!({"text": n})).await;
        assert_eq!(note["text"], n);
    }
    let found = host
        .ok(
            "notes/listNotes",
            json!({"keyword": "MILK", "order": "desc", "page": 1, "pageSize": 1}),
        )
        .await;
    assert_eq!(found[0]["text"], "milk again");
    assert_eq!(host.call("notes/countNotes", json!({})).await["code"], 300);

    let [diff] = &blocks("diff")[..] else {
        panic!("the document has one change to the example");
    };
    let patch = root().join("second.diff");
    fs::write(&patch, diff).unwrap();
    let mut git = Command::new("git");
    git.args(["apply", "-p1"]).arg(&patch).current_dir(&notes.dir);
    // Git must not find a repository around it.
    git.env("GIT_CEILING_DIRECTORIES", root());
    let applied = git.output().await.unwrap();
    assert!(applied.status.success(), "{}", shown(&applied));
    assert!(
        notes.dir.join("src/migration.rs").is_file(),
        "git applies what is below its directory"
    );
    notes.succeeds(&["test"]).await;
    let second = notes.component().await;
    host.cli(["module", "swap", &format!("notes={second}")])
        .succeeds()
        .await;
    assert_eq!(
        host.ok("notes/countNotes", json!({})).await,
        3,
        "the notes of the first version are counted"
    );
    host.ok("notes/addNote", json!({"text": "butter"})).await;
    assert_eq!(host.ok("notes/countNotes", json!({})).await, 4);

    dev_swaps_on_save(&notes, &host).await;
    host.cli(["module", "unload", "notes", "--force"]).succeeds().await;
    assert_eq!(host.call("notes/countNotes", json!({})).await["code"], 300);
    host.stop().await;
}

/// A save that does not compile leaves what is live. The next save that does is live once built.
async fn dev_swaps_on_save(notes: &Crate, host: &TestHost) {
    let _one = CARGO.lock().await;
    let dev = host
        .cli(["module", "dev", &notes.dir.display().to_string()])
        .env("CARGO_TARGET_DIR", root().join("target"))
        .env("CARGO_NET_OFFLINE", "true")
        .spawn();
    let saves = [
        ("1 to 1000 characters", "1 to 1000 characters", "1 to 1000"),
        ("\"1 to 1000 characters\"", "no such thing", "1 to 1000"),
        ("no such thing", "\"one to a thousand characters\"", "one to a thousand"),
    ];
    for (nth, (from, to, expected)) in saves.into_iter().enumerate() {
        // The first is no save: it builds when it starts.
        if nth > 0 {
            notes.edit("src/notes.rs", from, to);
        }
        dev.until_printed_within(CARGO_PATIENCE, "the save is built", |lines| {
            let waits = lines.iter().filter(|line| line.contains("waiting for a save"));
            (waits.count() > nth).then_some(())
        })
        .await;
        let answer = host.call("notes/addNote", json!({"text": ""})).await;
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}: {}", dev.describe());
    }
    assert!(dev.describe().contains("does not build"), "{}", dev.describe());
}

#[tokio::test]
async fn a_module_can_serve_any_method_of_the_storage_api_alone() {
    let methods: BTreeSet<String> = examples::all()
        .iter()
        .map(|example| example.method().to_owned())
        .collect();
    let arguments: Vec<&str> = methods.iter().flat_map(|method| ["--override", method]).collect();
    let mine = Crate::new("all-methods", &arguments).await;
    mine.succeeds(&["test"]).await;
    let component = mine.component().await;
    mine.passes_in_wasmtime(&component).await;
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path()).start().await;
    host.cli(["module", "swap", &format!("all-methods={component}")])
        .succeeds()
        .await;
    let listed = host.cli(["module", "list", "--json"]).succeeds().await.json();
    let module = listed["modules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|module| module["name"] == "all-methods")
        .unwrap();
    assert_eq!(module["methods"].as_array().unwrap().len(), methods.len(), "{module}");
    host.ok("createImFavoriteFolder", json!({"name": "mine"})).await;
    let folders = host
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
        .await;
    assert_eq!(folders[1]["name"], "mine");
    host.stop().await;
}

#[tokio::test]
async fn impossible_names_and_existing_directories_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display().to_string();
    for (args, told) in [
        (vec!["Pin Board"], "kebab-case"),
        (vec!["favorites"], "built-in"),
        (vec!["pin-board", "--override", "getEverything"], "getImFavoriteList"),
        (vec!["pin-board", "--dir", &place], "exists already"),
    ] {
        let refused = Cli::new(["module", "new"]).args(args).run().await;
        assert_ne!(refused.status, 0, "{refused}");
        assert!(refused.to_string().contains(told), "{told}: {refused}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
