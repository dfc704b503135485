//! Blobs that are stored from files: uploads that continue, and copies into a directory.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::fault::FaultStore;
use common::s3::S3;
use common::{CREATE, bounded};
use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use stowage_cloud::{Error, Hash, PartUpload, Put, SinkError, Space, UploadState, verify};
use tokio::sync::Notify;

/// A whole part and a short one.
const LEN_BYTES: usize = (16 << 20) + 5;

/// Keeps the state as a database would. After some saves, the process is as good as dead.
#[derive(Default)]
struct Kept {
    /// The state as it is written.
    bytes: Mutex<Option<Vec<u8>>>,
    saves_left: Mutex<Option<u32>>,
    died: Notify,
    allowed: AtomicU64,
    progress: Mutex<Vec<u64>>,
}

impl Kept {
    fn dies_after_saves(saves: u32) -> Self {
        let kept = Self::default();
        *kept.saves_left.lock().unwrap() = Some(saves);
        kept
    }

    /// What a new process finds.
    fn after_restart(&self) -> Self {
        let kept = Self::default();
        kept.bytes.lock().unwrap().clone_from(&self.bytes.lock().unwrap());
        kept
    }

    fn is_empty(&self) -> bool {
        self.bytes.lock().unwrap().is_none()
    }
}

impl UploadState for Kept {
    fn load(&self) -> Option<PartUpload> {
        let bytes = self.bytes.lock().unwrap();
        bytes.as_ref().map(|bytes| serde_json::from_slice(bytes).unwrap())
    }

    fn save<'a>(&'a self, upload: Option<&'a PartUpload>) -> BoxFuture<'a, Result<(), SinkError>> {
        *self.bytes.lock().unwrap() = upload.map(|upload| serde_json::to_vec(upload).unwrap());
        let mut left = self.saves_left.lock().unwrap();
        *left = left.map(|left| left - 1);
        if *left == Some(0) {
            self.died.notify_one();
            return Box::pin(std::future::pending());
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn before_send(&self, len_bytes: u64) -> BoxFuture<'_, ()> {
        self.allowed.fetch_add(len_bytes, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }

    fn progressed(&self, sent_bytes: u64) {
        self.progress.lock().unwrap().push(sent_bytes);
    }
}

fn content(seed: u8) -> Vec<u8> {
    (0..LEN_BYTES).map(|n| (n >> 12) as u8 ^ seed).collect()
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

async fn read(space: &Space, hash: &Hash, len_bytes: usize) -> Vec<u8> {
    let pieces = space.read_blob(hash, 0..len_bytes as u64).await.unwrap();
    pieces.try_collect::<Vec<_>>().await.unwrap().concat()
}

/// Uploads until the process dies. Returns what it kept.
async fn killed(space: &Space, bytes: &[u8], saves: u32) -> Kept {
    let state = Kept::dies_after_saves(saves);
    let hash = Hash::of(bytes);
    tokio::select! {
        put = space.put_file(file(bytes), &hash, bytes.len() as u64, &state) => panic!("it ended: {put:?}"),
        () = bounded("the upload begins", state.died.notified()) => {}
    }
    assert_eq!(space.head_blob(&hash).await.unwrap(), None, "nothing is visible yet");
    state.after_restart()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_the_parts_that_are_known_to_be_sent_are_not_sent_again() {
    let server = S3::start().await;
    let bytes = content(1);
    let (hash, size) = (Hash::of(&bytes), bytes.len() as u64);
    let state = killed(&server.space("x").await, &bytes, 2).await;
    assert!(!server.take_parts().is_empty());
    let before = state.load().unwrap().sent_bytes(size);
    assert!(before > 0 && before < size, "{before}");

    let space = server.space("x").await;
    let put = space.put_file(file(&bytes), &hash, size, &state).await.unwrap();
    assert_eq!(put, Put::Stored);
    assert_eq!(server.take_parts().len(), 1, "two, without the one that was sent");
    assert_eq!(
        state.allowed.load(Ordering::SeqCst),
        size - before,
        "what is sent, is asked for"
    );
    assert!(state.is_empty(), "a finished upload leaves no state");
    let progress = state.progress.lock().unwrap().clone();
    assert_eq!((progress[0], *progress.last().unwrap()), (before, size));
    assert!(progress.is_sorted());
    assert!(read(&space, &hash, LEN_BYTES).await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_continued_starts_again() {
    let store = Arc::new(FaultStore::default());
    let space = Space::open_multipart_store(store.clone(), CREATE).await.unwrap();
    let bytes = content(1);
    let (hash, size) = (Hash::of(&bytes), bytes.len() as u64);

    // The store forgot the upload.
    let state = killed(&space, &bytes, 2).await;
    space.abort_upload(&hash, &state.load().unwrap()).await;
    store.faults.parts.lock().unwrap().clear();
    let put = space.put_file(file(&bytes), &hash, size, &state).await.unwrap();
    assert_eq!((put, state.is_empty()), (Put::Stored, true));
    assert_eq!(store.faults.parts.lock().unwrap().len(), 2);
    assert!(read(&space, &hash, LEN_BYTES).await == bytes);

    // The file had other bytes when a part was sent.
    let state = killed(&space, &content(2), 2).await;
    space.delete_blob(&hash).await.unwrap();
    let put = space.put_file(file(&bytes), &hash, size, &state).await.unwrap();
    assert_eq!((put, state.is_empty()), (Put::Stored, true));
    assert!(read(&space, &hash, LEN_BYTES).await == bytes);

    // The file was larger when parts were sent. Now it is small enough for one piece.
    let state = killed(&space, &content(3), 3).await;
    let short = &bytes[..1 << 20];
    let put = space
        .put_file(file(short), &Hash::of(short), short.len() as u64, &state)
        .await
        .unwrap();
    assert_eq!((put, state.is_empty()), (Put::Stored, true));
    assert!(read(&space, &Hash::of(short), short.len()).await == short);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_keeps_what_was_sent_and_a_wrong_file_does_not() {
    let store = Arc::new(FaultStore::default());
    let space = Space::open_multipart_store(store.clone(), CREATE).await.unwrap();
    let bytes = content(1);
    let (hash, size) = (Hash::of(&bytes), bytes.len() as u64);
    let state = killed(&space, &bytes, 2).await;
    let kept = state.load();
    store.set_down(true);
    let error = space.put_file(file(&bytes), &hash, size, &state).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert_eq!(state.load(), kept);
    store.set_down(false);

    let mut wrong = bytes.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let error = space.put_file(file(&wrong), &hash, size, &state).await.unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert!(state.is_empty());
    assert_eq!(space.head_blob(&hash).await.unwrap(), None);
    space.put_file(file(&bytes), &hash, size, &state).await.unwrap();
    let again = Kept::default();
    let put = space.put_file(file(b"not read"), &hash, size, &again).await.unwrap();
    assert_eq!((put, again.allowed.load(Ordering::SeqCst)), (Put::Present, 0));
}

#[tokio::test]
async fn a_file_is_copied_into_a_directory_and_is_there_only_whole() {
    let root = tempfile::tempdir().unwrap();
    let url = format!("file://{}", root.path().display());
    let space = Space::open(&url, CREATE).await.unwrap();
    let state = Kept::default();
    let large = content(1)[..(9 << 20) + 1].to_vec();
    for bytes in [&b""[..], b"small", &large] {
        let (hash, size) = (Hash::of(bytes), bytes.len() as u64);
        let folder = root.path().join("blobs").join(&hash.to_hex()[..2]);
        fs::create_dir_all(&folder).unwrap();
        let stale = folder.join(format!("{}#0000000000000001", hash.to_hex()));
        fs::write(&stale, "left by a crash").unwrap();
        for (hash, size) in [
            (Hash::of(b"other"), size),
            (hash, size + 1),
            (hash, size.wrapping_sub(1).min(size + 2)),
        ] {
            let refused = space.put_file(file(bytes), &hash, size, &state).await;
            assert!(matches!(refused, Err(Error::Mismatch { .. })), "{refused:?}");
            assert_eq!(space.head_blob(&hash).await.unwrap(), None);
        }
        fs::write(folder.join(hash.to_hex()), "of another size, because it was cut").unwrap();
        assert_eq!(
            space.put_file(file(bytes), &hash, size, &state).await.unwrap(),
            Put::Stored
        );
        assert_eq!(
            space.put_file(file(b""), &hash, size, &state).await.unwrap(),
            Put::Present
        );
        assert!(fs::read(folder.join(hash.to_hex())).unwrap() == bytes);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no staging file stays");
    }
    assert_eq!(*state.progress.lock().unwrap().last().unwrap(), large.len() as u64);
    let found = verify(&space, true).await.unwrap();
    assert!(found.is_sound() && found.blobs == 3, "{found:?}");
}

#[tokio::test]
async fn a_copy_that_is_cancelled_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let url = format!("file://{}", root.path().display());
    let space = Space::open(&url, CREATE).await.unwrap();

    /// Never lets anything be sent.
    struct Stopped(Notify);

    impl UploadState for Stopped {
        fn load(&self) -> Option<PartUpload> {
            None
        }

        fn save<'a>(&'a self, _: Option<&'a PartUpload>) -> BoxFuture<'a, Result<(), SinkError>> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn before_send(&self, _: u64) -> BoxFuture<'_, ()> {
            self.0.notify_one();
            Box::pin(std::future::pending())
        }
    }

    let stopped = Stopped(Notify::new());
    let hash = Hash::of(b"bytes");
    tokio::select! {
        put = space.put_file(file(b"bytes"), &hash, 5, &stopped) => panic!("it ended: {put:?}"),
        () = bounded("the copy begins", stopped.0.notified()) => {}
    }
    let folder = root.path().join("blobs").join(&hash.to_hex()[..2]);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}
