//! The rules of downloads.

use stowage_common::{Download, download};
use stowage_sdk::bindings::cloud::CloudError;
use stowage_sdk::bindings::transfer::{DownloadRefusal, DownloadRequest, File};
use stowage_sdk::rows::{
    BACKUPS, Backup, DAPP_FILES, FAVORITES, Favorite, STORAGE_FILES, StoredFile, TEMP_FILES, TempFile,
};
use stowage_sdk::{Effect, Error, MemoryContext, base58_sha256};

fn hash(of: &str) -> String {
    base58_sha256(&[of])
}

/// One file on each platform, named after the platform's number, and a protected storage file
/// `secret`.
fn filled() -> MemoryContext {
    let ctx = MemoryContext::new();
    BACKUPS.apply(
        &ctx,
        [Backup {
            unique: "b".to_owned(),
            hash: hash("0"),
            name: "0.txt".to_owned(),
            ..Backup::default()
        }],
        &[],
    );
    let temp = TempFile {
        unique: "t".to_owned(),
        hash: hash("1"),
        name: "1.JPG".to_owned(),
        ext: ".other".to_owned(),
        parent: "node".to_owned(),
        size: 77,
        msg_content: r#"{"thumb":"address"}"#.to_owned(),
        ..TempFile::default()
    };
    TEMP_FILES.apply(&ctx, [temp], &[]);
    let favorite = |unique: &str, hash: String| Favorite {
        unique: unique.to_owned(),
        hash,
        name: "2.PDF".to_owned(),
        folder: "1".to_owned(),
        ..Favorite::default()
    };
    let text = favorite(
        "text",
        "3b5abc1c760a08bf6f635f861e9df1cae7de5c8577bdfb7498845e68150fcdc6".to_owned(),
    );
    FAVORITES.apply(&ctx, [favorite("f", hash("2")), text], &[]);
    let stored = |of: &str, protected| StoredFile {
        hash: hash(of),
        name: of.to_owned(),
        protected,
        ..StoredFile::default()
    };
    STORAGE_FILES.apply(&ctx, [stored("3", false), stored("secret", true)], &[]);
    DAPP_FILES.apply(&ctx, [stored("4", false)], &[]);
    ctx
}

fn of(name: &str, platform: u32) -> Download {
    Download {
        hash: hash(name),
        platform,
        ..Download::default()
    }
}

fn code(result: Result<(), Error>) -> i32 {
    result.expect_err("an error").code
}

fn requested(ctx: &MemoryContext) -> DownloadRequest {
    match &ctx.take_effects()[..] {
        [Effect::Download(request)] => request.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_looked_up_on_its_platform() {
    let ctx = filled();
    for platform in 0..=4 {
        for name in 0..=4u32 {
            let result = ctx.call(|ctx| download(ctx, of(&name.to_string(), platform)));
            if name == platform {
                assert_eq!(result, Ok(()));
                let request = requested(&ctx);
                assert_eq!(
                    (u32::from(request.platform), request.file.hash),
                    (platform, hash(&name.to_string()))
                );
            } else {
                assert_eq!(code(result), 60001);
            }
        }
    }
}

#[test]
fn what_is_known_of_the_file_goes_with_the_request() {
    let ctx = filled();
    assert_eq!(download(&ctx, of("1", 1)), Ok(()));
    let file = File {
        hash: hash("1"),
        name: "1.JPG".to_owned(),
        ext: ".other".to_owned(),
        thumb: "address".to_owned(),
        size: 77,
        path: "node".to_owned(),
        protected: false,
    };
    let expected = DownloadRequest {
        task_id: None,
        platform: 1,
        file,
        directory: None,
        password: None,
    };
    assert_eq!(requested(&ctx), expected);
    assert_eq!(download(&ctx, of("2", 2)), Ok(()));
    assert_eq!(requested(&ctx).file.ext, ".pdf");
}

#[test]
fn a_text_message_is_no_file() {
    let ctx = filled();
    let text = "3b5abc1c760a08bf6f635f861e9df1cae7de5c8577bdfb7498845e68150fcdc6".to_owned();
    assert_eq!(
        code(download(
            &ctx,
            Download {
                hash: text,
                platform: 2,
                ..Download::default()
            }
        )),
        60001
    );
    for hash in [String::new(), "x".repeat(100_000)] {
        assert_eq!(
            code(download(
                &ctx,
                Download {
                    hash,
                    platform: 3,
                    ..Download::default()
                }
            )),
            60001
        );
    }
}

#[test]
fn an_unknown_platform_is_a_parameter_error() {
    let error = download(&filled(), of("1", 5)).expect_err("refused");
    assert!(error.code == 600 && error.message.starts_with("platform:"));
}

#[test]
fn empty_optional_texts_count_as_absent() {
    let ctx = filled();
    let empty = || Some(String::new());
    let asked = Download {
        task_id: empty(),
        download_path: empty(),
        file_password: empty(),
        ..of("3", 3)
    };
    assert_eq!(download(&ctx, asked), Ok(()));
    let request = requested(&ctx);
    assert_eq!(
        (request.task_id, request.directory, request.password),
        (None, None, None)
    );
    let given = Download {
        task_id: Some("t-1".to_owned()),
        download_path: Some("/tmp/x".to_owned()),
        file_password: Some("not needed".to_owned()),
        ..of("3", 3)
    };
    assert_eq!(download(&ctx, given), Ok(()));
    let request = requested(&ctx);
    assert_eq!(
        (request.task_id.as_deref(), request.directory.as_deref()),
        (Some("t-1"), Some("/tmp/x"))
    );
    assert_eq!(request.password, None, "a password nobody needs goes nowhere");
}

#[test]
fn a_protected_file_needs_its_password_before_any_task_exists() {
    let ctx = filled();
    ctx.set_password(&hash("secret"), Ok("open sesame"));
    for wrong in [None, Some(""), Some("Open sesame")] {
        let asked = Download {
            file_password: wrong.map(str::to_owned),
            ..of("secret", 3)
        };
        assert_eq!(code(download(&ctx, asked)), 60004);
        assert_eq!(ctx.take_effects(), []);
    }
    let right = Download {
        file_password: Some("open sesame".to_owned()),
        ..of("secret", 3)
    };
    assert_eq!(download(&ctx, right), Ok(()));
    let request = requested(&ctx);
    assert!(request.file.protected);
    assert_eq!(request.password.as_deref(), Some("open sesame"));
}

#[test]
fn a_password_that_cannot_be_checked_is_told_apart_from_a_wrong_one() {
    let ctx = filled();
    for (error, expected) in [
        (CloudError::Missing("blob".to_owned()), 60001),
        (CloudError::Unreachable("no route".to_owned()), 500),
        (CloudError::Malformed("too many passwords were tried".to_owned()), 600),
    ] {
        ctx.set_password(&hash("secret"), Err(error));
        let asked = Download {
            file_password: Some("x".to_owned()),
            ..of("secret", 3)
        };
        assert_eq!(code(download(&ctx, asked)), expected);
    }
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn a_refused_directory_or_task_names_the_parameter() {
    let ctx = filled();
    for (refusal, field) in [
        (
            DownloadRefusal::Directory("a path inside /home/me".to_owned()),
            "downloadPath",
        ),
        (DownloadRefusal::TaskId("it uploads another file".to_owned()), "taskId"),
    ] {
        ctx.set_download(Err(refusal));
        let error = download(&ctx, of("3", 3)).expect_err("refused");
        assert_eq!((error.code, error.message.split(':').next()), (600, Some(field)));
    }
}
