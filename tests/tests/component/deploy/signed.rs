//! Only signed modules go live, on every way into the live set.

use std::fs;
use std::path::{Path, PathBuf};

use stowage_deploy::api::CheckReport;
use stowage_deploy::signature::SigningKey;
use stowage_deploy::{CanaryOptions, DeployError, Source};
use stowage_tests::changing::{Behaviour, SelfTest, plain};
use stowage_tests::modules::{WITH_FILES, variant};
use tempfile::TempDir;

use super::stage::{Stage, built_in, changing, forced, named, unwatched};

/// Keys, and a directory with the public ones that count.
struct Keys {
    trusted: TempDir,
    private: TempDir,
}

impl Keys {
    /// A directory that trusts these keys.
    fn new(names: &[&str]) -> Keys {
        let keys = Keys {
            trusted: tempfile::tempdir().unwrap(),
            private: tempfile::tempdir().unwrap(),
        };
        for name in names {
            keys.trust(name);
        }
        keys
    }

    fn dir(&self) -> &Path {
        self.trusted.path()
    }

    /// The private key of a name, made when it is first used.
    fn key(&self, name: &str) -> SigningKey {
        let file = self.private.path().join(format!("{name}.key"));
        if !file.exists() {
            SigningKey::create(self.private.path(), name).unwrap();
        }
        SigningKey::read(&file).unwrap().0
    }

    fn public(&self, name: &str) -> PathBuf {
        self.dir().join(format!("{name}.pub"))
    }

    fn trust(&self, name: &str) {
        self.key(name);
        let from = self.private.path().join(format!("{name}.pub"));
        fs::copy(from, self.public(name)).unwrap();
    }

    fn distrust(&self, name: &str) {
        fs::remove_file(self.public(name)).unwrap();
    }

    fn sign(&self, name: &str, bytes: &[u8]) -> Vec<u8> {
        self.key(name).sign(bytes).unwrap().bytes
    }

    /// A version with this behaviour that a key signed.
    fn signed(&self, name: &str, behaviour: Behaviour) -> Source {
        named("changing", self.sign(name, &changing(behaviour)))
    }
}

/// What refused a module: the step of its check, and what the step says.
fn refusal<T: std::fmt::Debug>(result: Result<T, DeployError>) -> CheckReport {
    match result {
        Err(DeployError::Refused { report }) => report,
        other => panic!("{other:?}"),
    }
}

/// That the signature of a module refused it. It is the first step, and the last.
fn is_unsigned(report: &CheckReport, words: &str) {
    let [step] = report.steps.as_slice() else {
        panic!("nothing else is looked at: {report:#?}");
    };
    assert_eq!(
        (step.name.as_str(), step.passed, step.forceable),
        ("signature", false, false)
    );
    assert!(step.lines[0].contains(words), "{words}: {:?}", step.lines);
    assert!(!report.passed);
}

fn canary() -> CanaryOptions {
    CanaryOptions {
        force: true,
        ..CanaryOptions::default()
    }
}

#[tokio::test]
async fn a_module_without_a_good_signature_is_refused_on_every_way() {
    let keys = Keys::new(&["release", "ops"]);
    let stage = Stage::signed(keys.dir(), built_in(plain('a'))).await;
    let good = keys.sign("release", &changing(plain('b')));
    let other = keys.sign("release", &changing(plain('c')));
    let section_end = good.len() - changing(plain('b')).len() + 8;
    let mut damaged = good.clone();
    damaged[section_end - 1] ^= 1;
    // The signature of one module before the bytes of another.
    let moved = [&good[..section_end], &other[section_end..]].concat();
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    let bad = [
        (changing(plain('b')), "it is not signed"),
        (
            keys.sign("stranger", &changing(plain('b'))),
            "none of the keys signed it",
        ),
        (damaged, "none of the keys signed it"),
        (moved, "its bytes are not those that were signed"),
        (changed, "its bytes are not those that were signed"),
        (variant(&good, "appended"), "its bytes are not those that were signed"),
        (
            good[..good.len() - 1].to_vec(),
            "its bytes are not those that were signed",
        ),
        (good[..section_end].to_vec(), "its bytes are not those that were signed"),
        (good[..20].to_vec(), "it is not signed"),
        (Vec::new(), "it is not signed"),
        (vec![0xff; 100], "it is not signed"),
    ];
    let deployer = &stage.deployer;
    let mut ways = 0;
    for (bytes, words) in &bad {
        let source = named("changing", bytes.clone());
        // A client cannot claim that its module is built-in.
        let claimed = Source {
            from: "built-in".into(),
            ..source.clone()
        };
        for report in [
            deployer.check(source.clone(), None).await,
            refusal(deployer.swap(vec![source.clone()], unwatched()).await),
            refusal(deployer.swap(vec![source.clone()], forced()).await),
            refusal(deployer.swap(vec![claimed], forced()).await),
            refusal(deployer.canary(source.clone(), canary()).await),
            refusal(deployer.shadow(source, 100.0).await),
        ] {
            is_unsigned(&report, words);
            assert!(
                report.steps[0].lines[0].contains("ops, release (keys in "),
                "{report:#?}"
            );
            ways += 1;
        }
        assert_eq!((stage.label().await.as_str(), deployer.generation()), ("a", 1));
    }
    // Signed, and bad in other ways: the other steps refuse it.
    let signed_and_bad = [
        keys.sign("release", &wat::parse_str(WITH_FILES).unwrap()),
        keys.sign("release", &wat::parse_str("(component)").unwrap()),
        keys.sign("release", &changing(plain('b').self_test(SelfTest::Fails))),
        keys.sign("release", &torn(&changing(plain('b')))),
    ];
    for bytes in &signed_and_bad {
        let report = refusal(deployer.swap(vec![named("changing", bytes.clone())], unwatched()).await);
        assert_eq!(
            (report.steps[0].name.as_str(), report.steps[0].passed),
            ("signature", true)
        );
        assert_eq!(report.steps[0].lines, ["signed by release"]);
        ways += 1;
    }
    assert_eq!((stage.label().await.as_str(), deployer.generation()), ("a", 1));
    assert_eq!(stage.blobs(), 1, "nothing of them is on disk");
    println!(
        "scorecard: S6 {ways} attempts with {} bad modules refused, the version before served",
        bad.len() + 4
    );
}

/// A component with a section that is cut off inside.
fn torn(bytes: &[u8]) -> Vec<u8> {
    let mut torn = bytes[..8].to_vec();
    // A core module of three bytes.
    torn.extend([1, 3, 0, b'a', b's']);
    torn
}

#[tokio::test]
async fn a_signed_module_goes_live_and_who_signed_it_is_told() {
    let keys = Keys::new(&["release", "ops"]);
    let stage = Stage::signed(keys.dir(), built_in(plain('a'))).await;
    assert_eq!(
        stage.deployer.list()[0].signed_by,
        Vec::<String>::new(),
        "it is built-in"
    );
    stage.swap(keys.signed("release", plain('b'))).await.unwrap();
    assert_eq!(
        (stage.label().await.as_str(), &stage.deployer.list()[0].signed_by[..]),
        ("b", &["release".to_owned()][..])
    );
    let both = keys.sign("ops", &keys.sign("release", &changing(plain('c'))));
    let report = stage.swap(named("changing", both)).await.unwrap();
    assert_eq!(report.checks[0].steps[0].lines, ["signed by ops, release"]);
    let latest = stage.latest().await;
    assert_eq!(latest.signed_by["changing"], ["ops", "release"]);
    // One of two signers is enough.
    keys.distrust("ops");
    let two = keys.sign("ops", &keys.sign("release", &changing(plain('d'))));
    stage.swap(named("changing", two)).await.unwrap();
    assert_eq!(stage.deployer.list()[0].signed_by, ["release"]);
    // The names are there after a restart too.
    let built = built_in(plain('a'));
    let stage = stage
        .restart_with(built.clone(), Some((keys.dir().to_owned(), built)))
        .await
        .unwrap();
    assert_eq!(
        (stage.label().await.as_str(), &stage.deployer.list()[0].signed_by[..]),
        ("d", &["release".to_owned()][..])
    );
}

#[tokio::test]
async fn keys_come_and_go_without_a_restart() {
    let keys = Keys::new(&[]);
    let stage = Stage::signed(keys.dir(), built_in(plain('a'))).await;
    let source = keys.signed("release", plain('b'));
    is_unsigned(&refusal(stage.swap(source.clone()).await), "which holds none");
    keys.trust("release");
    stage.swap(source).await.unwrap();
    assert_eq!(stage.label().await, "b");
    keys.distrust("release");
    keys.trust("next");
    // What is live goes on; nothing else of the key goes live.
    assert_eq!(stage.label().await, "b");
    is_unsigned(
        &refusal(stage.swap(keys.signed("release", plain('c'))).await),
        "none of the keys",
    );
    stage.swap(keys.signed("next", plain('d'))).await.unwrap();
    // Not by a rollback either, although it is in memory or on disk; but to what is built-in.
    let refused = stage.deployer.rollback(None, "command").await.unwrap_err();
    assert!(matches!(refused, DeployError::Signature { .. }), "{refused}");
    assert!(refused.to_string().contains("none of the keys signed it"), "{refused}");
    assert_eq!(stage.label().await, "d");
    stage.deployer.rollback(Some(1), "command").await.unwrap();
    assert_eq!(stage.label().await, "a");
}

#[tokio::test]
async fn a_trial_whose_key_is_removed_is_not_promoted() {
    let keys = Keys::new(&["release"]);
    let stage = Stage::signed(keys.dir(), built_in(plain('a'))).await;
    stage
        .deployer
        .canary(keys.signed("release", plain('b')), canary())
        .await
        .unwrap();
    keys.distrust("release");
    is_unsigned(
        &refusal(stage.deployer.promote("changing", forced()).await),
        "holds none",
    );
    keys.trust("release");
    stage.deployer.promote("changing", forced()).await.unwrap();
    assert_eq!(stage.label().await, "b");
}

#[tokio::test]
async fn a_live_module_whose_key_is_removed_is_replaced_at_the_next_start() {
    let keys = Keys::new(&["release", "ops"]);
    let built = built_in(plain('a'));
    let signed = Some((keys.dir().to_owned(), built.clone()));
    let stage = Stage::signed(keys.dir(), built.clone()).await;
    stage.swap(keys.signed("ops", plain('b'))).await.unwrap();
    stage.swap(keys.signed("release", plain('c'))).await.unwrap();
    keys.distrust("release");
    // The latest version that is signed.
    let stage = stage.restart_with(built.clone(), signed.clone()).await.unwrap();
    assert_eq!(stage.label().await, "b");
    assert_eq!(stage.deployer.list()[0].signed_by, ["ops"]);
    let latest = stage.latest().await;
    assert_eq!(latest.action, "start");
    assert!(latest.reason.unwrap().contains("none of the keys signed it"));
    // Then the built-in one.
    keys.distrust("ops");
    let stage = stage.restart_with(built.clone(), signed.clone()).await.unwrap();
    assert_eq!(stage.label().await, "a");
    // The key comes back, and nothing goes live by itself.
    keys.trust("ops");
    let stage = stage.restart_with(built, signed).await.unwrap();
    assert_eq!(stage.label().await, "a");
}

#[tokio::test]
async fn unsigned_modules_that_were_live_before_keys_were_set_are_replaced_by_built_in_ones() {
    let keys = Keys::new(&["release"]);
    let built = built_in(plain('a'));
    let file = vec![Source {
        from: "/modules/changing.wasm".into(),
        ..named("changing", changing(plain('b')))
    }];
    let stage = Stage::new(file.clone()).await;
    assert_eq!(stage.label().await, "b");
    let stage = stage
        .restart_with(file, Some((keys.dir().to_owned(), built)))
        .await
        .unwrap();
    assert_eq!(stage.label().await, "a", "the server starts and answers");
}

#[tokio::test]
async fn a_start_with_a_new_unsigned_file_is_refused() {
    let keys = Keys::new(&["release"]);
    let built = built_in(plain('a'));
    let signed = Some((keys.dir().to_owned(), built.clone()));
    let stage = Stage::signed(keys.dir(), built.clone()).await;
    let file = |bytes| {
        vec![Source {
            from: "/modules/changing.wasm".into(),
            ..named("changing", bytes)
        }]
    };
    let good = keys.sign("release", &changing(plain('b')));
    let stage = stage.restart_with(file(good.clone()), signed.clone()).await.unwrap();
    assert_eq!(
        (stage.label().await.as_str(), &stage.deployer.list()[0].signed_by[..]),
        ("b", &["release".to_owned()][..])
    );
    let Err(refused) = stage.restart_with(file(variant(&good, "x")), signed).await else {
        panic!("it started");
    };
    let text = refused.to_string();
    assert!(
        text.starts_with("/modules/changing.wasm: its bytes are not those that were signed"),
        "{text}"
    );
    assert!(text.contains("release (keys in "), "{text}");
}
