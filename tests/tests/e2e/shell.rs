//! What the program does for a shell and a terminal: completions, manual pages, colours.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::json;
use stowage_tests::cli::Cli;
use stowage_tests::document::words;
use stowage_tests::host::Launch;
use stowage_tests::program::{self, program};
use stowage_tests::scene::Scene;
use stowage_tests::tools::needed;
use stowage_tests::wait::within;
use tokio::process::Command;

/// How a colour or another style begins in a text.
const STYLE: &str = "\u{1b}[";

/// Runs a program of others that runs ours.
async fn run(program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    // It starts from the environment of our program in tests.
    let clean = program::command::<&str>([]);
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    for (name, value) in clean.as_std().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.envs(variables.iter().copied());
    within("the end of the program", command.output()).await.unwrap()
}

/// What bash offers for the last word of a line.
async fn completed(bash: &Path, words: &[&str]) -> Vec<String> {
    // As bash does when a person presses the tab key.
    let script = r#"source <(stowage completions bash)
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
        _clap_complete_stowage stowage "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let directory = program().parent().unwrap().display().to_string();
    let path = format!("{directory}:{}", std::env::var("PATH").unwrap());
    let arguments = [&["--norc", "-c", script, "bash"], words].concat();
    let output = run(bash, &arguments, &[("PATH", &path)]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[tokio::test]
async fn bash_completes_commands_options_and_what_the_server_serves() {
    let Some(bash) = needed("bash", "the test of completions") else {
        return;
    };
    assert_eq!(completed(&bash, &["stowage", "ser"]).await, ["serve"]);
    assert_eq!(completed(&bash, &["stowage", "module", "roll"]).await, ["rollback"]);
    assert_eq!(
        completed(&bash, &["stowage", "serve", "--watch-m"]).await,
        ["--watch-modules"]
    );
    assert_eq!(
        completed(&bash, &["stowage", "watch", "--direction", "up"]).await,
        ["upload"]
    );

    let scene = Scene::new().await;
    let data = scene.host.data().to_str().unwrap();
    let call = ["stowage", "call", "--data", data, "getStorageSp"];
    assert_eq!(completed(&bash, &call).await, ["getStorageSpaceInfo"]);
    let of_all = completed(&bash, &["stowage", "call", "--data", data, ""]).await;
    for method in ["listTasks", "getImFavoriteList", "--json"] {
        assert!(of_all.iter().any(|word| word == method), "{method}: {of_all:?}");
    }
    let module = ["stowage", "module", "unload", "--data", data, "fav"];
    assert_eq!(completed(&bash, &module).await, ["favorites"]);
}

#[tokio::test]
async fn each_shell_has_a_script() {
    for (shell, words) in [
        ("bash", &["complete", "_clap_complete_stowage"][..]),
        ("zsh", &["#compdef stowage"]),
        ("fish", &["complete", "--command stowage"]),
        ("elvish", &["edit:completion", "stowage"]),
        ("powershell", &["Register-ArgumentCompleter", "stowage"]),
    ] {
        let script = Cli::new(["completions", shell]).succeeds().await.stdout;
        for word in words {
            assert!(script.contains(word), "{shell}: {word}: {script}");
        }
        assert!(
            !script.contains(program().to_str().unwrap()),
            "{shell}: it is found by the PATH"
        );
    }
    Cli::new(["completions", "cmd"]).fails(2).await;
}

#[tokio::test]
async fn manual_pages_are_rendered_without_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man1");
    Cli::new(["man", pages.to_str().unwrap()]).succeeds().await;
    let main = Cli::new(["man"]).succeeds().await.stdout;
    assert_eq!(main, std::fs::read_to_string(pages.join("stowage.1")).unwrap());
    let Some(man) = needed("man", "the rendering of manual pages") else {
        return;
    };
    let mut count = 0;
    for page in std::fs::read_dir(&pages).unwrap() {
        let page = page.unwrap().path();
        let arguments = ["--warnings", "-E", "UTF-8", "-l", page.to_str().unwrap()];
        let output = run(&man, &arguments, &[("MANWIDTH", "100"), ("MAN_KEEP_FORMATTING", "")]).await;
        let (text, warnings) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success() && warnings.is_empty(),
            "{}: {warnings}",
            page.display()
        );
        assert!(text.contains("EXAMPLES"), "{}: {text}", page.display());
        count += 1;
    }
    assert!(count > 20, "one page a command: {count}");
}

/// What a command prints on a terminal, to stdout and stderr.
async fn on_terminal(script: &Path, command: &str, variables: &[(&str, &str)]) -> String {
    let line = format!("{} {command}", program().display());
    let variables = [&[("TERM", "xterm-256color")], variables].concat();
    let output = run(script, &["-qec", &line, "/dev/null"], &variables).await;
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn output_has_colours_on_a_terminal_only_and_no_color_turns_them_off() {
    let dir = tempfile::tempdir().unwrap();
    let doctor = format!("doctor --listen 127.0.0.1:0 --data {}/data", dir.path().display());
    for command in ["--help", "call --help", &doctor] {
        let words = || command.split(' ');
        let piped = Cli::new(words()).run().await.stdout;
        assert!(!piped.is_empty() && !piped.contains(STYLE), "{command}: {piped}");
        let quiet = Cli::new(words())
            .env("CLICOLOR_FORCE", "1")
            .env("NO_COLOR", "1")
            .run()
            .await;
        assert!(!quiet.stdout.contains(STYLE), "{command}: NO_COLOR wins");
        let forced = Cli::new(words()).env("CLICOLOR_FORCE", "1").run().await.stdout;
        assert!(forced.contains(STYLE), "{command}: {forced}");
    }
    let Some(script) = needed("script", "the test of colours on a terminal") else {
        return;
    };
    for command in ["--help", &doctor, "no-such-command"] {
        let text = on_terminal(&script, command, &[]).await;
        assert!(text.contains(STYLE), "{command}: {text}");
        let text = on_terminal(&script, command, &[("NO_COLOR", "1")]).await;
        assert!(!text.is_empty() && !text.contains(STYLE), "{command}: {text}");
    }
}

#[tokio::test]
async fn the_log_has_colours_only_if_they_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let launch = Launch::new(dir.path().join("data"));
    for (variables, has_colours) in [
        (&[][..], false),
        (&[("CLICOLOR_FORCE", "1")], true),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ] {
        let launch = variables
            .iter()
            .fold(launch.clone(), |launch, (name, value)| launch.env(name, value));
        let host = launch.start().await;
        let log = host.log();
        host.stop().await;
        assert!(log.contains("loaded"), "{log}");
        assert_eq!(log.contains(STYLE), has_colours, "{variables:?}: {log}");
    }
}

#[tokio::test]
async fn the_examples_of_call_succeed() {
    let scene = Scene::new().await;
    let help = Cli::new(["call", "--help"]).succeeds().await.stdout;
    let mut count = 0;
    for line in help.lines().skip_while(|line| *line != "Examples:").skip(1) {
        let words = words(line.trim());
        assert_eq!(words[..2], ["stowage", "call"]);
        let answer = scene.host.cli(&words[1..]).succeeds().await;
        assert!(answer.stdout.contains("200"), "{line}: {answer}");
        count += 1;
    }
    assert!(count > 1, "{help}");
}

#[tokio::test]
async fn a_new_module_is_told_as_json() {
    let dir = tempfile::tempdir().unwrap();
    let made = Cli::new(["module", "new", "notes", "--json"])
        .dir(dir.path())
        .succeeds()
        .await;
    let expected = dir.path().canonicalize().unwrap().join("notes");
    assert_eq!(made.json(), json!({"name": "notes", "dir": expected}));
    assert!(expected.join("Cargo.toml").is_file());
}
