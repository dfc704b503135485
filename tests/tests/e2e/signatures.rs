//! Signed modules, from outside: keys, signing, and a server that takes only signed modules.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use stowage_tests::admin::Admin;
use stowage_tests::cli::Cli;
use stowage_tests::fixture;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::modules::{module, put, variant, version};
use stowage_tests::wait::until;
use tempfile::TempDir;

/// A directory with keys, modules, and the data of a server.
struct Scene {
    dir: TempDir,
}

impl Scene {
    async fn new() -> Scene {
        let scene = Scene {
            dir: tempfile::tempdir().unwrap(),
        };
        for name in ["keys", "private", "watched", "modules"] {
            fs::create_dir(scene.path(name)).unwrap();
        }
        scene.keygen("release").await;
        scene.keygen("stranger").await;
        scene.trust("release");
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn keygen(&self, name: &str) {
        let private = self.path("private");
        Cli::new(["module", "keygen", name, "--to"])
            .args([private])
            .succeeds()
            .await;
    }

    fn trust(&self, name: &str) {
        let file = format!("{name}.pub");
        fs::copy(self.path("private").join(&file), self.path("keys").join(&file)).unwrap();
    }

    fn distrust(&self, name: &str) {
        fs::remove_file(self.path("keys").join(format!("{name}.pub"))).unwrap();
    }

    fn key(&self, name: &str) -> PathBuf {
        self.path("private").join(format!("{name}.key"))
    }

    /// The file of a version of `favorites`, not signed.
    fn unsigned(&self, text: &str) -> PathBuf {
        fixture::file(self.dir.path(), "favorites.wasm", variant(&module("favorites"), text))
    }

    /// The same, signed by a key.
    async fn signed(&self, key: &str, text: &str) -> PathBuf {
        let file = self.unsigned(text);
        sign(&file, &self.key(key)).succeeds().await;
        file
    }

    fn launch(&self) -> Launch {
        Launch::new(self.path("data")).args([
            "--module-keys".to_owned(),
            self.path("keys").display().to_string(),
            "--watch-modules".to_owned(),
            self.path("watched").display().to_string(),
        ])
    }
}

fn sign(file: &Path, key: &Path) -> Cli {
    Cli::new(["module", "sign"]).args([file.as_os_str(), "--key".as_ref(), key.as_os_str()])
}

fn verify(file: &Path, keys: &Path) -> Cli {
    Cli::new(["module", "verify"]).args([file.as_os_str(), "--keys".as_ref(), keys.as_os_str()])
}

fn swap(host: &TestHost, file: &Path) -> Cli {
    host.cli(["module", "swap"]).args([file])
}

#[tokio::test]
async fn a_module_is_signed_and_verified_on_the_command_line() {
    let scene = Scene::new().await;
    let file = scene.unsigned("one");
    let keys = scene.path("keys");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&scene.key("release")), 0o600);

    let unsigned = verify(&file, &keys).fails(1).await;
    assert!(
        unsigned
            .stdout
            .contains("it is not signed; expected a signature by release"),
        "{unsigned}"
    );
    let before = fs::read(&file).unwrap();
    let to = scene.path("signed.wasm");
    let report = sign(&file, &scene.key("release"))
        .args(["--to".as_ref(), to.as_os_str()])
        .args(["--json"])
        .succeeds()
        .await
        .json();
    assert_eq!(fs::read(&file).unwrap(), before, "the module itself is left alone");
    let signed = fs::read(&to).unwrap();
    assert_eq!(
        report,
        json!({"file": to, "version": version(&signed), "size": signed.len(), "unchanged": false})
    );
    let good = verify(&to, &keys).succeeds().await;
    assert!(good.stdout.ends_with(": signed by release\n"), "{good}");
    let json = verify(&to, &keys).args(["--json"]).succeeds().await.json();
    assert_eq!(
        json,
        json!({"version": version(&signed), "signedBy": ["release"], "reason": null})
    );

    // A second signature; the first stays.
    sign(&to, &scene.key("stranger")).succeeds().await;
    scene.trust("stranger");
    let json = verify(&to, &keys).args(["--json"]).succeeds().await.json();
    assert_eq!(json["signedBy"], json!(["release", "stranger"]));
    let again = sign(&to, &scene.key("release"))
        .args(["--json"])
        .succeeds()
        .await
        .json();
    assert_eq!(again["unchanged"], true);

    fs::set_permissions(scene.key("release"), fs::Permissions::from_mode(0o644)).unwrap();
    let warned = sign(&to, &scene.key("release")).succeeds().await;
    assert!(
        warned.stderr.contains("others can use the private key") && warned.stderr.contains("chmod 600"),
        "{warned}"
    );

    fs::set_permissions(scene.key("release"), fs::Permissions::from_mode(0o600)).unwrap();

    let no_module = fixture::file(scene.dir.path(), "x.wasm", "no module");
    let release = scene.key("release");
    for failed in [
        Cli::new(["module", "keygen", "release", "--to"]).args([scene.path("private")]),
        Cli::new(["module", "keygen", "../x"]),
        sign(&no_module, &release),
        sign(&scene.path("none.wasm"), &release),
        sign(&to, &scene.path("none.key")),
        sign(&to, &scene.path("keys/release.pub")),
        verify(&to, &scene.path("none")),
        verify(&to, Path::new("/dev/null")),
    ] {
        let failed = failed.fails(2).await;
        assert!(
            failed.stdout.is_empty() && failed.stderr.starts_with("stowage: "),
            "{failed}"
        );
    }
}

#[tokio::test]
async fn a_server_with_keys_takes_only_signed_modules() {
    let scene = Scene::new().await;
    let host = scene.launch().start().await;
    let admin = Admin::of(&host);
    let first = admin.generation().await;
    for file in [scene.unsigned("one"), scene.signed("stranger", "two").await] {
        let refused = swap(&host, &file).args(["--force"]).fails(1).await;
        assert!(
            refused.stderr.contains("FAIL") && refused.stderr.contains("signature"),
            "{refused}"
        );
        assert!(refused.stderr.contains("release (keys in "), "{refused}");
    }
    let (status, answer) = admin.upload("swap", &[("favorites", b"no module")], "").await;
    assert_eq!(
        (status, &answer["error"]["report"]["steps"][0]["name"]),
        (409, &json!("signature"))
    );
    assert_eq!(admin.generation().await, first);

    let file = scene.signed("release", "three").await;
    swap(&host, &file).args(["--probation", "0"]).succeeds().await;
    let list = host.cli(["module", "list"]).succeeds().await.stdout;
    assert!(list.contains("\n  signed by release\n"), "{list}");
    let history = host.cli(["module", "history"]).succeeds().await.stdout;
    assert!(history.contains("(signed by release)"), "{history}");
    let check = host
        .cli(["module", "check"])
        .args([&file])
        .args(["--json"])
        .succeeds()
        .await
        .json();
    assert_eq!(
        check["steps"][0],
        json!({"name": "signature", "passed": true, "forceable": false, "lines": ["signed by release"]})
    );

    // The watched directory, too.
    let unsigned = variant(&module("common"), "unsigned");
    put(&scene.path("watched"), "common", &unsigned);
    until("the file is refused", || host.log().contains(&version(&unsigned))).await;
    assert!(host.log().contains("it is not signed"), "{}", host.log());
    let common = fixture::file(scene.dir.path(), "common.wasm", &unsigned);
    sign(&common, &scene.key("release")).succeeds().await;
    let signed = fs::read(&common).unwrap();
    put(&scene.path("watched"), "common", &signed);
    admin.until_live("common", &signed).await;

    // A removed key: what is live goes on until the next start.
    scene.distrust("release");
    assert_eq!(admin.version("common").await, Some(version(&signed)));
    swap(&host, &scene.signed("release", "four").await).fails(1).await;
    fs::remove_file(scene.path("watched").join("common.wasm")).unwrap();
    let host = host.restart().await;
    let admin = Admin::of(&host);
    assert_eq!(
        admin.version("common").await,
        Some(version(&module("common"))),
        "the built-in one"
    );
    assert_eq!(admin.version("favorites").await, Some(version(&module("favorites"))));
    assert!(
        host.log().contains("a live module is lost") && host.log().contains("holds none"),
        "{}",
        host.log()
    );
    host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
        .await;
    host.stop().await;
}

#[tokio::test]
async fn a_start_with_unsigned_modules_or_bad_keys_is_refused() {
    let scene = Scene::new().await;
    let file = scene.unsigned("one");
    fs::copy(&file, scene.path("modules/favorites.wasm")).unwrap();
    let modules = ["--modules".to_owned(), scene.path("modules").display().to_string()];
    let refused = scene.launch().args(modules.clone()).refused().await;
    assert_eq!(refused.status, 2, "{refused}");
    for words in [
        "modules/favorites.wasm",
        "it is not signed",
        "release (keys in ",
        "stowage module sign",
    ] {
        assert!(refused.stderr.contains(words), "{words}: {refused}");
    }
    let told = Cli::new(["doctor", "--module-keys"])
        .args([scene.path("keys")])
        .args(modules.clone())
        .data(&scene.path("data"))
        .fails(1)
        .await;
    assert!(told.stdout.contains("favorites.wasm: it is not signed"), "{told}");

    sign(&scene.path("modules/favorites.wasm"), &scene.key("release"))
        .succeeds()
        .await;
    let host = scene.launch().args(modules).start().await;
    assert_eq!(
        Admin::of(&host).module("favorites").await.unwrap()["signedBy"],
        json!(["release"])
    );
    host.stop().await;

    fs::write(scene.path("keys/bad.pub"), "no key").unwrap();
    let refused = scene.launch().refused().await;
    assert!(
        refused.stderr.contains("--module-keys") && refused.stderr.contains("bad.pub"),
        "{refused}"
    );
    fs::remove_dir_all(scene.path("keys")).unwrap();
    let refused = scene.launch().refused().await;
    assert!(
        refused.stderr.contains("expected a directory of public keys"),
        "{refused}"
    );
}
