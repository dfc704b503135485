//! README.md: each command is run, and each answer is the one that it shows.

use std::fs;
use std::path::Path;

use http::header::HOST;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::cli::Cli;
use stowage_tests::document::{Block, blocks, commands, document, squeezed, words};
use stowage_tests::feed::Feed;
use stowage_tests::fixture::hash_of;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::modules::{module, variant, version};
use stowage_tests::wait::until;
use stowage_tests::wire::{self, Reply};

/// The address in the document's commands.
const ADDRESS: &str = "127.0.0.1:8787";

/// The commands that are not run here. They build the program under test, or modules, as
/// `authoring` does.
const NOT_RUN: [&str; 4] = [
    "make run",
    "make test",
    "cd notes && make test && make swap",
    "stowage module dev .",
];

/// The headings with commands. Each has a test below.
const HEADINGS: [&str; 5] = [
    "Run it",
    "Call it",
    "Fill a space",
    "Write a module",
    "Replace a module",
];

fn readme() -> Vec<Block> {
    blocks(&document("README.md"))
}

/// The command lines under a heading, without those of [`NOT_RUN`].
fn commands_under(heading: &str) -> Vec<Vec<String>> {
    let shell = readme()
        .into_iter()
        .filter(|b| b.heading == heading && b.language == "sh");
    let lines = shell.flat_map(|block| commands(&block.text)).map(|line| words(&line));
    lines.filter(|words| !NOT_RUN.contains(&&*words.join(" "))).collect()
}

#[test]
fn every_command_is_under_a_heading_that_a_test_reads() {
    let all = readme();
    let mut headings: Vec<_> = all
        .iter()
        .filter(|block| block.language == "sh")
        .map(|block| block.heading.as_str())
        .collect();
    headings.dedup();
    assert_eq!(headings, HEADINGS);
    assert_eq!(commands_under("Run it"), [[""; 0]; 0]);
    let text = document("README.md");
    for line in NOT_RUN {
        assert!(text.contains(line), "{line}");
    }
}

/// The request that curl makes of these arguments. Only the arguments in the document are known.
fn curl(host: &TestHost, words: &[String]) -> Request<Full<bytes::Bytes>> {
    let mut words = words.iter();
    assert_eq!(words.next().map(String::as_str), Some("curl"));
    let mut request = Request::builder();
    let mut body = None;
    let mut path = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            "-s" => {}
            "-H" => {
                let (name, value) = words.next().and_then(|h| h.split_once(": ")).expect("a header");
                request = request.header(name, value);
            }
            "-d" => body = words.next().cloned(),
            url => {
                let url = url.strip_prefix("http://").unwrap_or(url);
                let of_server = url.strip_prefix(ADDRESS).filter(|path| path.starts_with('/'));
                path = Some(
                    of_server
                        .unwrap_or_else(|| panic!("{url} is not on {ADDRESS}"))
                        .to_owned(),
                );
            }
        }
    }
    let method = if body.is_some() { Method::POST } else { Method::GET };
    request
        .method(method)
        .uri(path.expect("a URL"))
        .header(HOST, host.address().to_string())
        .body(Full::from(body.unwrap_or_default()))
        .expect("a request")
}

/// A command of the document, run in a directory and on a data directory. The program is in the
/// PATH of its readers.
async fn succeeds(words: &[String], dir: &Path, data: &Path) -> String {
    assert_eq!(words[0], "stowage", "{words:?}");
    let mut cli = Cli::new(&words[1..]).dir(dir).env("STOWAGE_DATA", data);
    if words.contains(&"--password".to_owned()) {
        // There is no terminal to ask for the password.
        cli = cli.env("STOWAGE_FILE_PASSWORD", "open sesame");
    }
    cli.succeeds().await.stdout
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}

#[tokio::test]
async fn each_call_and_the_feed_are_answered_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data")).args(["--demo"]).start().await;
    let all = readme();
    let mut calls = 0;
    for (i, block) in all.iter().enumerate() {
        if block.heading != "Call it" || block.language != "sh" {
            continue;
        }
        let [line] = &commands(&block.text)[..] else {
            panic!("one call a block: {}", block.text);
        };
        let answer = &all[i + 1];
        assert_eq!(answer.language, "json", "{line} is followed by its answer");
        let expected = squeezed(&answer.text);
        let arguments = words(line);
        let reply = wire::send(host.address(), curl(&host, &arguments)).await;
        assert_eq!((reply.status, text(&reply)), (200, expected.clone()), "{line}");
        calls += 1;

        // `stowage call` answers the same. Methods that only read can be called twice.
        let method = arguments
            .iter()
            .find_map(|w| w.strip_prefix(ADDRESS)?.strip_prefix('/'));
        let method = method.expect("a method");
        if method.starts_with("get") || method.starts_with("search") {
            let body = arguments.last().expect("a body");
            let call = ["stowage", "call", method, body].map(str::to_owned);
            let shown = succeeds(&call, dir.path(), host.data()).await;
            assert!(shown.lines().count() > 3, "for people: {shown}");
            assert_eq!(squeezed(&shown), expected, "{call:?}");
            let json = succeeds(&[&call[..], &["--json".to_owned()]].concat(), dir.path(), host.data()).await;
            assert_eq!(json.trim_end(), expected, "{call:?}");
        }
    }
    assert!(calls >= 9, "{calls}");
    follow(&host, &all).await;
    host.stop().await;
}

/// The example of the feed: the requests of the script, and the frame.
async fn follow(host: &TestHost, all: &[Block]) {
    let script = all.iter().find(|b| b.language == "js").expect("the script");
    for part in [
        format!("http://{ADDRESS}/getAllDownloadOrUploadFileProgress"),
        format!("new WebSocket(\"ws://{ADDRESS}/ws?key=mine\")"),
        "ask({key: \"mine\", type: 1, platform: 3})".to_owned(),
    ] {
        assert!(script.text.contains(&part), "{part}");
    }
    let documented = all
        .iter()
        .rfind(|b| b.heading == "Follow transfers" && b.language == "json");
    let documented = squeezed(&documented.expect("the frame").text);
    let shown: Value = serde_json::from_str(&documented).unwrap();
    let shown = &shown["data"][0];

    let file = host.data().join("downloads/3").join(shown["name"].as_str().unwrap());
    until("the download lies where it says", || file.exists()).await;
    assert_eq!(hash_of(&fs::read(&file).unwrap()), shown["hash"].as_str().unwrap());
    let mut other = Feed::follow(host, "other", 1, 3, None).await;
    other.row(shown["hash"].as_str().unwrap(), 4).await;

    let mut feed = Feed::connect(host, &["mine"]).await;
    host.ok(
        "getAllDownloadOrUploadFileProgress",
        json!({"key": "mine", "type": 1, "platform": 3}),
    )
    .await;
    let frame = feed.next_text().await;
    let sent: Value = serde_json::from_str(&frame).unwrap();
    // The document cannot know the time, the identifier of the task, and the data directory.
    let mut expected = documented;
    for field in ["time", "taskId"] {
        let (shown, sent) = (&shown[field], &sent["data"][0][field]);
        assert!(sent.is_u64() || sent.as_str().is_some_and(|s| s.len() == 36), "{frame}");
        expected = expected.replace(&shown.to_string(), &sent.to_string());
    }
    expected = expected.replace('…', &host.data().display().to_string());
    assert_eq!(frame, expected);
}

#[tokio::test]
async fn a_space_is_filled_checked_and_served() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    fs::create_dir(home.join("Pictures")).unwrap();
    fs::write(home.join("Pictures/a.jpg"), b"a picture").unwrap();
    fs::write(home.join("diary.txt"), b"dear diary").unwrap();
    let space = format!("file://{}", home.join("space").display());
    let data = home.join("data");
    let mut served = None;
    for words in commands_under("Fill a space") {
        let words: Vec<_> = words
            .iter()
            .map(|word| {
                word.replace("file:///srv/space", &space)
                    .replace('~', home.to_str().unwrap())
            })
            .collect();
        if words[..2] == ["stowage", "serve"] {
            assert_eq!(words[2..], ["--space", &space]);
            served = Some(Launch::new(&data).space(&space).start().await);
        } else {
            succeeds(&words, home, &data).await;
        }
    }
    let host = served.expect("it is served in the end");
    host.init().await;
    let info = host.ok("getStorageSpaceInfo", json!({})).await;
    assert_eq!(info["totalSize"], "100 GB", "{info}");
    assert_eq!(info["storageScale"], 1.0, "{info}");
    let picture = json!({"hash": hash_of(b"a picture"), "platform": 3});
    host.ok("downloadStorageFileTask", picture).await;
    let landed = data.join("downloads/3/a.jpg");
    until("the picture is there", || landed.exists()).await;
    host.stop().await;
    let sealed = walk(&home.join("space/blobs"));
    assert_eq!(sealed.len(), 2);
    assert!(
        !sealed.iter().any(|blob| blob == b"dear diary"),
        "the diary is sealed with the password"
    );
}

/// The contents of all files below a directory.
fn walk(dir: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => walk(&path),
            false => vec![fs::read(&path).unwrap()],
        })
        .collect()
}

#[tokio::test]
async fn crates_of_modules_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let written = commands_under("Write a module");
    assert_eq!(written.len(), 2, "{written:?}");
    for words in written {
        succeeds(&words, dir.path(), dir.path()).await;
        assert!(dir.path().join(&words[3]).join("Makefile").is_file(), "{words:?}");
    }
    let makefile = fs::read_to_string(dir.path().join("notes/Makefile")).unwrap();
    for target in ["test:", "swap:"] {
        assert!(makefile.lines().any(|line| line.starts_with(target)), "{target}");
    }
}

#[tokio::test]
async fn a_module_is_replaced_and_put_back() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data")).start().await;
    let admin = Admin::of(&host);
    let (before, next) = (module("favorites"), variant(&module("favorites"), "next"));
    fs::write(dir.path().join("favorites.wasm"), &next).unwrap();
    let mut live = Vec::new();
    for words in commands_under("Replace a module") {
        succeeds(&words, dir.path(), host.data()).await;
        live.push((words[2].clone(), admin.version("favorites").await.unwrap()));
    }
    let step = |name: &str, bytes: &[u8]| (name.to_owned(), version(bytes));
    assert_eq!(
        live,
        [
            step("list", &before),
            step("check", &before),
            step("swap", &next),
            step("rollback", &before)
        ]
    );
    host.stop().await;
}

#[tokio::test]
async fn the_settings_are_those_of_the_program() {
    let help = Cli::new(["serve", "--help"]).succeeds().await.stdout;
    let document = document("README.md");
    let table: Vec<&str> = document.lines().filter(|line| line.starts_with("| `--")).collect();
    let flags: Vec<&str> = help
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--"))
        .map(|line| line.split(' ').next().unwrap())
        .filter(|flag| *flag != "config")
        .collect();
    assert!(flags.len() > 10, "{help}");
    for flag in &flags {
        let variable = format!("`STOWAGE_{}`", flag.to_uppercase().replace('-', "_"));
        let row = table.iter().find(|row| row.contains(&format!("`--{flag}`")));
        let row = row.unwrap_or_else(|| panic!("the README has no --{flag}"));
        assert!(row.contains(&variable), "{row}");
    }
    let told: usize = table.iter().map(|row| row.matches("`--").count()).sum();
    assert_eq!(told, flags.len(), "the README has flags that the program has not");
    // The defaults, where they are numbers.
    for row in table {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let flags = cells[0].split(", ").map(|flag| flag.trim_matches('`'));
        for (flag, default) in flags.zip(cells[2].split(", ")) {
            if default.parse::<u64>().is_ok() {
                let squeezed = help.split_whitespace().collect::<Vec<_>>().join(" ");
                let (_, after) = squeezed.split_once(&format!("{flag} <")).unwrap();
                let (_, after) = after.split_once("[default: ").unwrap();
                assert!(after.starts_with(&format!("{default}]")), "{flag} {default}");
            }
        }
    }
}
