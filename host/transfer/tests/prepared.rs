//! Uploads of prepared files: of this machine, and of blobs that get another password.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use common::{Fault, Rig, Running, bytes, eventually, file_upload, names};
use futures_util::TryStreamExt;
use stowage_cloud::Hash;
use stowage_transfer::{
    FileUploadRefusal, Password, PathError, PrepareError, PrepareSource, Prepared, TaskChange, TaskIdError,
};

const MIB: usize = 1 << 20;

/// A rig whose directory `files` may be uploaded from.
async fn rig() -> Rig {
    let mut rig = Rig::new().await;
    let files = rig.dir.path().join("files");
    fs::create_dir(&files).unwrap();
    rig.config.upload_roots = vec![files];
    rig
}

/// Writes a file that may be uploaded.
fn write(rig: &Rig, name: &str, content: &[u8]) -> String {
    let path = rig.dir.path().join("files").join(name);
    fs::write(&path, content).unwrap();
    path.display().to_string()
}

fn staged(rig: &Rig) -> Vec<String> {
    names(&rig.config.staging_dir)
}

fn password(text: &str) -> Option<Password> {
    Some(text.to_owned().into())
}

async fn prepare(running: &Running, path: &str, secret: Option<&str>) -> Result<Prepared, PrepareError> {
    let source = PrepareSource::Path(path.to_owned());
    running.transfers.prepare(source, secret.and_then(password)).await
}

async fn prepare_blob(
    running: &Running,
    hash: &str,
    opens: Option<&str>,
    seals: Option<&str>,
) -> Result<Prepared, PrepareError> {
    let source = PrepareSource::Blob {
        hash: hash.to_owned(),
        password: opens.and_then(password),
    };
    running.transfers.prepare(source, seals.and_then(password)).await
}

/// The bytes of a blob in the space. `None` if it is not there.
async fn in_space(rig: &Rig, hash: &str) -> Option<Vec<u8>> {
    let hash: Hash = hash.parse().unwrap();
    let info = rig.cloud.space().head_blob(&hash).await.unwrap()?;
    let pieces = rig.cloud.space().read_blob(&hash, 0..info.size).await.unwrap();
    let pieces: Vec<_> = pieces.try_collect().await.unwrap();
    Some(pieces.concat())
}

/// What a password opens.
async fn opened(rig: &Rig, sealed: Vec<u8>, password: &str) -> Vec<u8> {
    let reader = rig.cloud.open_sealed(std::io::Cursor::new(sealed), password).await;
    let mut content = Vec::new();
    reader.unwrap().read_to_end(&mut content).unwrap();
    content
}

#[tokio::test]
async fn a_file_goes_to_the_space_between_the_two_calls_of_the_module() {
    let rig = rig().await;
    let content = bytes(3 * MIB, 1);
    let path = write(&rig, "photo.jpg", &content);
    rig.hook.finished_gate.set_open(false);
    let running = rig.start();
    let prepared = prepare(&running, &path, None).await.unwrap();
    assert_eq!(
        (prepared.name.as_str(), prepared.size),
        ("photo.jpg", content.len() as u64)
    );
    assert_eq!(prepared.hash, Hash::of(&content).to_string());
    assert!(!prepared.protected && staged(&rig).is_empty(), "it is not copied");
    running.upload_prepared("mine", &prepared).await;
    eventually(|| (rig.hook.calls().len() == 2).then_some(())).await;
    assert_eq!(
        in_space(&rig, &prepared.hash).await,
        Some(content),
        "durable before the module is told"
    );
    rig.hook.finished_gate.set_open(true);
    let row = running.status("mine", 1).await;
    assert_eq!((row.progress, row.code, row.source_path), (100, 0, path));
    assert_eq!(
        rig.hook.calls(),
        ["admit file photo.jpg", "finished file photo.jpg subject"]
    );
}

#[tokio::test]
async fn nothing_is_sent_that_the_space_has() {
    let rig = rig().await;
    let blob = rig.blob("x", b"content").await;
    let path = write(&rig, "x", b"content");
    let running = rig.start();
    let prepared = prepare(&running, &path, None).await.unwrap();
    assert_eq!(prepared.hash, blob.hash);
    fs::remove_file(path).unwrap();
    running.upload_prepared("mine", &prepared).await;
    running.status("mine", 1).await;
}

#[tokio::test]
async fn only_files_below_the_roots_are_prepared() {
    let rig = rig().await;
    let outside = rig.dir.path().join("outside");
    fs::write(&outside, b"secret").unwrap();
    let files = rig.dir.path().join("files");
    std::os::unix::fs::symlink(&outside, files.join("link")).unwrap();
    let running = rig.start();
    let path = |path: PathBuf| path.display().to_string();
    let outside_of = PathError::Outside {
        roots: vec![files.clone()],
    };
    for (path, why) in [
        (path(outside), outside_of.clone()),
        ("/etc/passwd".to_owned(), outside_of),
        (path(files.join("link")), PathError::NotRegular),
        (path(files.join("../outside")), PathError::Parent),
        (path(files.clone()), PathError::NotRegular),
        (path(files.join("none")), PathError::Missing),
        ("files/x".to_owned(), PathError::Relative),
    ] {
        for secret in [None, Some("secret")] {
            let prepared = prepare(&running, &path, secret).await;
            assert_eq!(prepared, Err(PrepareError::Path(why.clone())), "{path}");
        }
    }
    assert!(staged(&rig).is_empty());
}

#[tokio::test]
async fn an_identifier_that_a_module_made_up_reads_no_other_file() {
    let rig = rig().await;
    let running = rig.start();
    let secret = rig.dir.path().join("outside");
    fs::write(&secret, b"secret").unwrap();
    let metadata = fs::metadata(&secret).unwrap();
    let mtime = metadata
        .modified()
        .unwrap()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let made_up = Prepared {
        id: format!("path:{}:{}:{}", metadata.len(), mtime.as_nanos(), secret.display()),
        name: "x".into(),
        hash: Hash::of(b"secret").to_string(),
        size: 6,
        protected: false,
    };
    running.upload_prepared("mine", &made_up).await;
    assert_eq!(running.status("mine", 3).await.code, 60001);
    assert_eq!(in_space(&rig, &made_up.hash).await, None);
    for (id, hash) in [
        ("", made_up.hash.as_str()),
        ("other:x", &made_up.hash),
        ("staged:", "../x"),
    ] {
        let mut upload = file_upload("other", &made_up);
        upload.prepared = id.into();
        upload.file.hash = hash.into();
        let staged = running.stage_file_upload(&upload).await;
        assert!(matches!(staged, Err(FileUploadRefusal::Prepared)), "{id} {hash}");
    }
}

#[tokio::test]
async fn a_file_that_changed_since_fails_with_60001() {
    let rig = rig().await;
    let path = write(&rig, "x", b"as it was");
    let running = rig.start();
    let prepared = prepare(&running, &path, None).await.unwrap();
    fs::write(&path, b"as it is now").unwrap();
    running.upload_prepared("mine", &prepared).await;
    assert_eq!(running.status("mine", 3).await.code, 60001);
    assert_eq!(in_space(&rig, &prepared.hash).await, None);
    // The same size and time, but other bytes.
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let prepared = prepare(&running, &path, None).await.unwrap();
    fs::write(&path, b"as it is NOW").unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    running.upload_prepared("other", &prepared).await;
    assert_eq!(running.status("other", 3).await.code, 60001);
    assert_eq!(in_space(&rig, &prepared.hash).await, None);
}

#[tokio::test]
async fn a_password_seals_a_copy_that_goes_when_it_is_uploaded() {
    let rig = rig().await;
    let content = bytes(3 * MIB, 2);
    let path = write(&rig, "x.zip", &content);
    let running = rig.start();
    let prepared = prepare(&running, &path, Some("secret")).await.unwrap();
    assert!(prepared.protected && prepared.size > content.len() as u64);
    let hash: Hash = prepared.hash.parse().unwrap();
    assert_eq!(staged(&rig), [hash.to_hex()]);
    // The copy does not need the file any more.
    fs::remove_file(&path).unwrap();
    running.upload_prepared("mine", &prepared).await;
    let row = running.status("mine", 1).await;
    assert_eq!((row.is_crypt, row.source_path), (1, path));
    let sealed = in_space(&rig, &prepared.hash).await.unwrap();
    assert_eq!(opened(&rig, sealed, "secret").await, content);
    eventually(|| staged(&rig).is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_prepared_copy_survives_a_restart_with_its_upload_and_goes_with_its_removal() {
    let rig = rig().await;
    let path = write(&rig, "x", b"content");
    rig.hook.admit_gate.set_open(false);
    let running = rig.start();
    let forgotten = prepare(&running, &path, Some("secret")).await.unwrap();
    let prepared = prepare(&running, &path, Some("secret")).await.unwrap();
    assert_ne!(forgotten.hash, prepared.hash, "every sealed copy is another one");
    running.upload_prepared("mine", &prepared).await;
    assert_eq!(staged(&rig).len(), 2);
    fs::write(rig.config.staging_dir.join(".unfinished"), b"x").unwrap();
    running.crash().await;
    let running = rig.start();
    let hash: Hash = prepared.hash.parse().unwrap();
    assert_eq!(staged(&rig), [hash.to_hex()]);
    running.change("mine", TaskChange::Cancel).await;
    assert_eq!(running.row("mine").code, 499);
    running.change("mine", TaskChange::Remove).await;
    eventually(|| staged(&rig).is_empty().then_some(())).await;
}

#[tokio::test]
async fn the_password_of_a_blob_is_changed_and_taken_off() {
    let rig = rig().await;
    let content = bytes(2 * MIB, 3);
    let path = write(&rig, "x", &content);
    let running = rig.start();
    let first = prepare(&running, &path, Some("one")).await.unwrap();
    running.upload_prepared("first", &first).await;
    running.status("first", 1).await;
    eventually(|| staged(&rig).is_empty().then_some(())).await;

    let refused = prepare_blob(&running, &first.hash, Some("wrong"), Some("two")).await;
    assert_eq!(refused, Err(PrepareError::WrongPassword));
    let refused = prepare_blob(&running, &first.hash, None, None).await;
    assert_eq!(refused, Err(PrepareError::WrongPassword));
    assert!(staged(&rig).is_empty());

    let second = prepare_blob(&running, &first.hash, Some("one"), Some("two"))
        .await
        .unwrap();
    assert!(second.protected);
    running.upload_prepared("second", &second).await;
    running.status("second", 1).await;
    let sealed = in_space(&rig, &second.hash).await.unwrap();
    assert_eq!(opened(&rig, sealed, "two").await, content);

    let plain = prepare_blob(&running, &second.hash, Some("two"), None).await.unwrap();
    assert_eq!(
        (plain.hash.as_str(), plain.protected),
        (Hash::of(&content).to_string().as_str(), false)
    );
    running.upload_prepared("plain", &plain).await;
    running.status("plain", 1).await;
    assert_eq!(in_space(&rig, &plain.hash).await, Some(content));
    eventually(|| staged(&rig).is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_blob_without_a_password_is_taken_as_it_is() {
    let rig = rig().await;
    let blob = rig.blob("x", b"content").await;
    let temp = rig.temp("y", b"local only");
    let running = rig.start();
    let same = prepare_blob(&running, &blob.hash, Some("ignored"), None).await.unwrap();
    assert_eq!((&same.hash, same.size, same.protected), (&blob.hash, 7, false));
    assert!(staged(&rig).is_empty());
    running.upload_prepared("same", &same).await;
    running.status("same", 1).await;
    let sealed = prepare_blob(&running, &temp.hash, Some("ignored"), Some("new"))
        .await
        .unwrap();
    running.upload_prepared("sealed", &sealed).await;
    running.status("sealed", 1).await;
    let bytes = in_space(&rig, &sealed.hash).await.unwrap();
    assert_eq!(opened(&rig, bytes, "new").await, b"local only");
    let unsent = prepare_blob(&running, &temp.hash, None, None).await.unwrap();
    running.upload_prepared("unsent", &unsent).await;
    running.status("unsent", 1).await;
    assert_eq!(in_space(&rig, &temp.hash).await, Some(b"local only".to_vec()));
}

#[tokio::test]
async fn a_blob_that_is_missing_damaged_or_out_of_reach_is_not_prepared() {
    let rig = rig().await;
    let blob = rig.blob("x", &bytes(MIB, 4)).await;
    let running = rig.start();
    let nowhere = Hash::of(b"nowhere").to_string();
    for hash in [nowhere.as_str(), "../../etc/passwd", ""] {
        assert_eq!(
            prepare_blob(&running, hash, None, None).await,
            Err(PrepareError::Missing)
        );
    }
    rig.objects.set(Fault::FlipAt(MIB as u64 - 1));
    let damaged = prepare_blob(&running, &blob.hash, None, Some("secret")).await;
    assert!(matches!(damaged, Err(PrepareError::Failed(_))), "{damaged:?}");
    for fault in [Fault::Unreachable, Fault::BreakAt(MIB as u64 / 2)] {
        rig.objects.set(fault);
        let broken = prepare_blob(&running, &blob.hash, None, Some("secret")).await;
        assert!(matches!(broken, Err(PrepareError::Unreachable(_))), "{broken:?}");
    }
    assert!(staged(&rig).is_empty());
}

#[tokio::test]
async fn a_task_identifier_that_is_known_is_the_same_upload_or_refused() {
    let rig = rig().await;
    let path = write(&rig, "x", b"content");
    let running = rig.start();
    let prepared = prepare(&running, &path, None).await.unwrap();
    running.upload_prepared("mine", &prepared).await;
    running.status("mine", 1).await;
    running.upload_prepared("mine", &prepared).await;
    assert_eq!(running.row("mine").status, 1, "complete: no change");
    let other = prepare(&running, &write(&rig, "y", b"other"), None).await.unwrap();
    let refused = running.stage_file_upload(&file_upload("mine", &other)).await;
    assert!(matches!(
        refused,
        Err(FileUploadRefusal::TaskId(TaskIdError::OtherFile))
    ));
    let refused = running.stage_file_upload(&file_upload("", &other)).await;
    assert!(matches!(refused, Err(FileUploadRefusal::TaskId(TaskIdError::Length))));
    let download = running.download(&common::request(&rig.blob("z", b"z").await)).await;
    let refused = running.stage_file_upload(&file_upload(&download, &other)).await;
    assert!(matches!(refused, Err(FileUploadRefusal::TaskId(TaskIdError::Download))));
}

#[tokio::test]
async fn a_blob_is_found_in_the_space_or_among_the_temp_files() {
    let rig = rig().await;
    let blob = rig.blob("x", b"content").await;
    let temp = rig.temp("y", b"local");
    let running = rig.start();
    let found = async |hash: &str| {
        let found = running.transfers.find_blob(hash).await.unwrap();
        found.map(|blob| (blob.size, blob.in_space))
    };
    assert_eq!(found(&blob.hash).await, Some((7, true)));
    assert_eq!(found(&temp.hash).await, Some((5, false)));
    assert_eq!(found(&Hash::of(b"nowhere").to_string()).await, None);
    assert_eq!(found("nonsense").await, None);
    rig.objects.set(Fault::Unreachable);
    assert_eq!(found(&temp.hash).await, Some((5, false)));
    assert!(running.transfers.find_blob(&blob.hash).await.is_err());
}
