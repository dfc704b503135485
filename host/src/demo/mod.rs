//! The demo set: rows drawn from the API's examples and the files they name, put into an empty
//! space.
//!
//! The files and rows are committed under `host/demo-files`. What is documented keeps its `unique`,
//! name, time and size; the hash of a file is that of its bytes.

mod file;
mod noise;
mod publish;
mod rows;

use std::path::Path;

use anyhow::Context;
use stowage_cloud::{Hash, Space};
use tokio::fs;
use tokio::io::AsyncWriteExt;

use self::file::{File, IN_SPACE, LOCAL_ONLY};

/// Fills an empty space with the set, and `temp_dir` with the temp files that the space does not
/// have, each named by the hex of its hash. Returns whether it did: a space that holds anything
/// else is left alone.
///
/// Files become durable before rows name them, and rows come last. A fill that was interrupted
/// before its rows is therefore done again.
///
/// # Errors
/// The space or the directory cannot be read or written. What was put until then stays.
pub(crate) async fn fill(space: &Space, temp_dir: &Path) -> anyhow::Result<bool> {
    let found = publish::blobs_without_lists(space)
        .await
        .context("the space cannot be read")?;
    let Some(present) = found else { return Ok(false) };
    let is_ours = |hash: &Hash| IN_SPACE.iter().any(|file| file.hash() == *hash);
    if !present.iter().all(is_ours) {
        return Ok(false);
    }
    fs::create_dir_all(temp_dir)
        .await
        .with_context(|| format!("{} cannot be created", temp_dir.display()))?;
    for file in &LOCAL_ONLY {
        put_local(temp_dir, file)
            .await
            .with_context(|| format!("{} cannot be written", temp_dir.display()))?;
    }
    for file in &IN_SPACE {
        space
            .put_blob(file.reader(), &file.hash(), file.len_bytes)
            .await
            .context("a demo file cannot be stored")?;
    }
    publish::publish(space, rows::changes()?).await?;
    Ok(true)
}

/// Writes a file under the hex of its hash: complete or not at all.
async fn put_local(temp_dir: &Path, file: &File) -> std::io::Result<()> {
    let path = temp_dir.join(file.hash().to_hex());
    let partial = path.with_extension("partial");
    let mut out = fs::File::create(&partial).await?;
    tokio::io::copy(&mut file.reader(), &mut out).await?;
    out.flush().await?;
    out.sync_all().await?;
    drop(out);
    fs::rename(&partial, &path).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The password of the protected file of the set, `私密日记.txt`.
    const PASSWORD: &str = "stowage";
    use stowage_cloud::{OpenOptions, verify};

    async fn space(dir: &Path) -> Space {
        let url = url::Url::from_directory_path(dir).expect("an absolute path");
        let options = OpenOptions {
            create: Some(10 << 30),
            ..OpenOptions::default()
        };
        Space::open(url.as_str(), options).await.expect("a new space")
    }

    #[tokio::test]
    async fn the_set_is_put_once_and_is_what_the_format_says() {
        let dir = tempfile::tempdir().expect("a directory");
        let temp = dir.path().join("temp");
        let space = space(&dir.path().join("space")).await;
        assert!(fill(&space, &temp).await.expect("filled"));

        let report = verify(&space, true).await.expect("readable");
        let rows: Vec<u64> = report.collections.iter().map(|collection| collection.rows).collect();
        assert_eq!(rows, [3, 6, 4, 5, 2, 3, 0, 3, 1]);
        assert_eq!((report.blobs, report.unreferenced.len()), (11, 0));
        // The blobs of local temp files come with their upload; nothing else may be missing.
        assert_eq!((report.local_only, report.problems), (3, Vec::new()));

        assert!(
            !fill(&space, &temp).await.expect("looked at"),
            "a second time changes nothing"
        );
        let again = verify(&space, false).await.expect("readable");
        assert_eq!((again.blobs, again.blob_bytes), (report.blobs, report.blob_bytes));
    }

    #[tokio::test]
    async fn local_temp_files_lie_under_the_hex_of_their_hash() {
        let dir = tempfile::tempdir().expect("a directory");
        for file in &LOCAL_ONLY {
            put_local(dir.path(), file).await.expect("written");
            let bytes = std::fs::read(dir.path().join(file.hash().to_hex())).expect("there");
            assert_eq!(Hash::of(&bytes), file.hash());
        }
        assert_eq!(
            std::fs::read_dir(dir.path()).expect("readable").count(),
            3,
            "nothing partial stays"
        );
    }

    #[tokio::test]
    async fn a_space_with_a_blob_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let space = space(&dir.path().join("space")).await;
        space
            .put_blob(&b"mine"[..], &Hash::of(b"mine"), 4)
            .await
            .expect("stored");
        assert!(!fill(&space, &dir.path().join("temp")).await.expect("looked at"));
        assert!(!dir.path().join("temp").exists());
    }

    #[tokio::test]
    async fn a_fill_that_was_interrupted_before_its_rows_is_done_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let space = space(&dir.path().join("space")).await;
        let file = &IN_SPACE[0];
        space
            .put_blob(file.reader(), &file.hash(), file.len_bytes)
            .await
            .expect("stored");
        assert!(fill(&space, &dir.path().join("temp")).await.expect("filled"));
    }

    #[test]
    fn the_documented_password_opens_the_protected_file() {
        let sealed = include_bytes!("../../demo-files/diary.txt.age");
        let identity = age::scrypt::Identity::new(PASSWORD.to_owned().into());
        let decryptor = age::Decryptor::new(&sealed[..]).expect("an age file");
        let mut text = String::new();
        let mut plain = decryptor
            .decrypt(std::iter::once(&identity as &dyn age::Identity))
            .expect("the password");
        std::io::Read::read_to_string(&mut plain, &mut text).expect("intact");
        assert!(text.contains("stowage"));
    }
}
