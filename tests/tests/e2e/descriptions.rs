//! Descriptions of the API: as the server and the command make them, and as programs of others read
//! them.

use std::fs;
use std::path::Path;

use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::cli::Cli;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::modules::{module, module_file};
use stowage_tests::tools::needed_api_tool;
use stowage_tests::wait::within_time;
use stowage_tests::wire::{self, Reply};

/// The longest run of a program of others.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(300);

async fn get(host: &TestHost, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = wire::request(method, host.address(), path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    wire::send(host.address(), request.body(Full::default()).unwrap()).await
}

async fn description(host: &TestHost) -> Value {
    let reply = get(host, Method::GET, "/openapi.json", &[]).await;
    assert_eq!(
        (reply.status, &reply.headers["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    serde_json::from_slice(&reply.body).unwrap()
}

#[tokio::test]
async fn a_swapped_in_module_is_described_at_once_and_gone_after_a_rollback() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data")).start().await;
    let admin = Admin::of(&host);
    let before = description(&host).await;
    assert!(before["paths"]["/getImFavoriteList"].is_object());
    assert!(before["paths"]["/tests/increment"].is_null());

    admin.swap(&[("probe", &module("probe"))]).await;
    let with_probe = description(&host).await;
    let increment = &with_probe["paths"]["/tests/increment"]["post"];
    assert_eq!(increment["operationId"], "tests_increment");
    assert_eq!(increment["tags"], json!(["probe"]));
    assert_eq!(increment["x-stowage-module"], "probe");
    assert_eq!(host.ok("tests/increment", json!({"key": "a"})).await, 1);

    let (status, answer) = admin.post("modules/rollback", json!({})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(description(&host).await, before);
}

#[tokio::test]
async fn a_description_has_an_entity_tag_and_the_gate_of_the_api() {
    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data"))
        .args(["--token", "secret"])
        .start()
        .await;
    let token = ("authorization", "Bearer secret");
    for path in ["/openapi.json", "/asyncapi.json"] {
        let whole = get(&host, Method::GET, path, &[token]).await;
        assert_eq!(whole.status, 200, "{path}");
        let tag = whole.headers["etag"].to_str().unwrap().to_owned();
        let head = get(&host, Method::HEAD, path, &[token]).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.headers["content-length"], whole.body.len().to_string().as_str());
        assert_eq!(head.headers["etag"], tag.as_str());
        for known in [tag.as_str(), "*", &format!("\"x\", {tag}")] {
            let same = get(&host, Method::GET, path, &[token, ("if-none-match", known)]).await;
            assert_eq!((same.status, same.body.len()), (304, 0), "{known}");
        }
        let other = get(&host, Method::GET, path, &[token, ("if-none-match", "\"x\"")]).await;
        assert_eq!((other.status, other.body), (200, whole.body));
        assert_eq!(get(&host, Method::GET, path, &[]).await.status, 401);
        let foreign = [token, ("origin", "https://evil.example")];
        assert_eq!(get(&host, Method::GET, path, &foreign).await.status, 403);
    }
}

#[tokio::test]
async fn the_command_describes_modules_without_a_server_and_a_server_as_it_serves() {
    let probe = module_file("probe").display().to_string();
    let both = Cli::new(["api", "openapi", "--module", &probe]).succeeds().await.stdout;
    let both: Value = serde_json::from_str(&both).unwrap();
    assert!(both["paths"]["/tests/echo"].is_object() && both["paths"]["/getImFavoriteList"].is_object());
    let named = format!("other={probe}");
    let only = Cli::new(["api", "openapi", "--only", "--module", &named])
        .succeeds()
        .await
        .stdout;
    let only: Value = serde_json::from_str(&only).unwrap();
    assert_eq!(only["paths"]["/tests/echo"]["post"]["x-stowage-module"], "other");
    assert!(only["paths"]["/getImFavoriteList"].is_null());

    let dir = tempfile::tempdir().unwrap();
    let host = Launch::new(dir.path().join("data")).start().await;
    Admin::of(&host).swap(&[("probe", &module("probe"))]).await;
    let live = Cli::new(["api", "openapi", "--live"])
        .data(host.data())
        .succeeds()
        .await
        .stdout;
    assert_eq!(serde_json::from_str::<Value>(&live).unwrap(), both);
    let types = host.cli(["api", "typescript", "--live"]).succeeds().await.stdout;
    assert!(
        types.contains("\"/tests/echo\": {") && types.contains("tests_echo: {"),
        "{types}"
    );
    let page = Cli::new(["api", "markdown", "--only", "--module", &probe])
        .succeeds()
        .await
        .stdout;
    assert!(page.contains("### tests/echo\n"), "{page}");

    for (args, message) in [
        (&["api", "openapi", "--only"][..], "--module"),
        (&["api", "asyncapi", "--module", "/no/such.wasm"], "/no/such.wasm"),
        (
            &["api", "openapi", "--server", "http://127.0.0.1:9"],
            "http://127.0.0.1:9",
        ),
    ] {
        let output = Cli::new(args).fails(2).await;
        assert!(output.stderr.contains(message), "{output}");
    }
}

/// Runs a program of others in `dir`, and returns whether it succeeded and what it printed.
async fn run(program: &Path, args: &[&str], dir: &Path, env: &[(&str, &str)]) -> (bool, String) {
    let mut command = tokio::process::Command::new(program);
    command
        .args(args)
        .current_dir(dir)
        .envs(env.iter().copied())
        .kill_on_drop(true);
    let shown = program.display().to_string();
    let output = within_time(PATIENCE, &shown, command.output()).await.unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}

/// A file of `.ci/api-tools`.
fn tool_file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../.ci/api-tools")
        .join(name);
    fs::canonicalize(path).unwrap().display().to_string()
}

/// Writes what `stowage api DOCUMENT` prints about the built-in modules and a module with every
/// type.
async fn written(dir: &Path, document: &str, file: &str) -> String {
    let probe = module_file("probe").display().to_string();
    let text = Cli::new(["api", document, "--module", &probe]).succeeds().await.stdout;
    let path = dir.join(file);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn validators_and_linters_of_others_accept_the_descriptions() {
    let dir = tempfile::tempdir().unwrap();
    let openapi = written(dir.path(), "openapi", "openapi.json").await;
    let asyncapi = written(dir.path(), "asyncapi", "asyncapi.json").await;
    if let Some(validator) = needed_api_tool("venv/bin/openapi-spec-validator", "the OpenAPI validator") {
        let (valid, printed) = run(&validator, &[&openapi], dir.path(), &[]).await;
        assert!(valid, "{printed}");
        let broken = fs::read_to_string(&openapi).unwrap().replace("\"paths\"", "\"routes\"");
        fs::write(dir.path().join("broken.json"), broken).unwrap();
        let (valid, _) = run(&validator, &["broken.json"], dir.path(), &[]).await;
        assert!(!valid, "a description without paths");
    }
    if let Some(modules) = needed_api_tool("node/node_modules", "the linter of OpenAPI and the parser of AsyncAPI") {
        let redocly = modules.join(".bin/redocly");
        let config = tool_file("redocly.yaml");
        // It works without asking anybody.
        let env = [("REDOCLY_TELEMETRY", "off"), ("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")];
        let (valid, printed) = run(&redocly, &["lint", "--config", &config, &openapi], dir.path(), &env).await;
        assert!(valid, "{printed}");
        let script = tool_file("asyncapi.mjs");
        let node = Path::new("node");
        let tools = modules.parent().unwrap();
        let (valid, printed) = run(node, &[&script, &asyncapi], tools, &[]).await;
        assert!(valid, "{printed}");
        let (valid, _) = run(node, &[&script, &openapi], tools, &[]).await;
        assert!(!valid, "an OpenAPI document is no AsyncAPI document");
    }
}

#[tokio::test]
async fn the_typescript_types_are_those_of_openapi_typescript() {
    let Some(modules) = needed_api_tool("node/node_modules", "the comparison with openapi-typescript") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let openapi = written(dir.path(), "openapi", "openapi.json").await;
    let ours = written(dir.path(), "typescript", "ours.ts").await;
    let theirs = dir.path().join("theirs.ts").display().to_string();
    let generator = modules.join(".bin/openapi-typescript");
    let (made, printed) = run(&generator, &[&openapi, "--output", &theirs], dir.path(), &[]).await;
    assert!(made, "{printed}");
    // The first comment says who made it.
    let types = |file: &str| {
        let text = fs::read_to_string(file).unwrap();
        text.split_once("export interface paths")
            .unwrap()
            .1
            .trim_end()
            .to_owned()
    };
    let (ours_text, theirs_text) = (types(&ours), types(&theirs));
    let different = ours_text
        .lines()
        .zip(theirs_text.lines())
        .find(|(ours, theirs)| ours != theirs);
    assert!(ours_text == theirs_text, "ours and theirs: {different:?}");
    let compiler = modules.join(".bin/tsc");
    let (compiles, printed) = run(&compiler, &["--noEmit", "--strict", &ours], dir.path(), &[]).await;
    assert!(compiles, "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_no_answer_that_contradicts_the_description() {
    let Some(schemathesis) = needed_api_tool("venv/bin/schemathesis", "schemathesis") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    // Files may be read and written in this directory alone.
    let files = dir.path().join("files");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("a.txt"), "a").unwrap();
    let root = files.display().to_string();
    let host = Launch::new(dir.path().join("data"))
        .args(["--demo", "--upload-root", &root, "--download-root", &root])
        .start()
        .await;
    let url = format!("http://{}", host.address());
    let (config, hooks) = (tool_file("schemathesis.toml"), tool_file("hooks.py"));
    let env = [("SCHEMATHESIS_HOOKS", hooks.as_str())];

    let described = format!("{url}/openapi.json");
    let (agrees, printed) = run(
        &schemathesis,
        &["--config-file", &config, "run", &described],
        dir.path(),
        &env,
    )
    .await;
    assert!(agrees, "{printed}");
    assert!(printed.contains("No issues found"), "{printed}");
    assert!(!host.log().contains("panicked"), "{}", host.log());

    // It does find one that is there.
    let mut wrong = description(&host).await;
    let path = "/transferApi/getLimits";
    let answer = "/responses/200/content/application~1json/schema/oneOf/0/properties/data";
    *wrong["paths"][path]["post"].pointer_mut(answer).unwrap() = json!({"type": "string"});
    fs::write(dir.path().join("wrong.json"), wrong.to_string()).unwrap();
    let args = [
        "--config-file",
        &config,
        "run",
        "wrong.json",
        "--url",
        &url,
        "--include-path",
        path,
    ];
    let (agrees, printed) = run(&schemathesis, &args, dir.path(), &env).await;
    assert!(!agrees && printed.contains("violates schema"), "{printed}");
}
