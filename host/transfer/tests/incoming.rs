//! Files whose bytes a client sends.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod common;

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use age::secrecy::SecretString;
use bytes::Bytes;
use common::Rig;
use sha2::{Digest as _, Sha256};
use stowage_cloud::Hash;
use stowage_transfer::{
    Checksum, EXPIRES_AFTER, Held, Incoming, IncomingError, LockError, Password, Progress, Received,
};

fn staging(rig: &Rig) -> PathBuf {
    rig.dir.path().join("staging")
}

/// The names of the files that are there, without those of directories.
fn files(dir: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn arriving(rig: &Rig) -> Vec<String> {
    files(&staging(rig).join("incoming"))
}

fn staged(rig: &Rig, received: &Received) -> Vec<u8> {
    fs::read(staging(rig).join(received.hash.to_hex())).unwrap()
}

fn open(rig: &Rig) -> Incoming {
    let (transfers, _) = rig.open();
    Incoming::open(&transfers).unwrap()
}

fn password(text: &str) -> Option<Password> {
    Some(Password::from(text.to_owned()))
}

/// Bytes that are not all the same.
fn content(len_bytes: usize) -> Vec<u8> {
    (0..len_bytes).map(|i| (i * 7 % 251) as u8).collect()
}

fn sha256(bytes: &[u8]) -> Checksum {
    Checksum {
        hasher: Box::new(Sha256::default()),
        expected: Sha256::digest(bytes).to_vec(),
    }
}

fn opened(sealed: &[u8], password: &str) -> Vec<u8> {
    let identity = age::scrypt::Identity::new(SecretString::from(password.to_owned()));
    let decryptor = age::Decryptor::new(sealed).unwrap();
    let mut reader = decryptor
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .unwrap();
    let mut plain = Vec::new();
    reader.read_to_end(&mut plain).unwrap();
    plain
}

/// Appends bytes and ends the request as if all of it came, or not.
async fn append(held: Held, bytes: &[u8], whole: bool) -> Result<Held, IncomingError> {
    let mut append = held.append(None).await?;
    for piece in bytes.chunks(10_000) {
        append.push(Bytes::copy_from_slice(piece)).await?;
    }
    append.finish(whole).await
}

#[tokio::test]
async fn a_file_in_one_piece_gets_the_name_of_its_hash() {
    let rig = Rig::new().await;
    let incoming = open(&rig);
    for (size, known) in [(0, true), (1, true), (1_000_000, true), (1_000_001, false)] {
        let bytes = content(size);
        let mut receiving = incoming.receive(known.then_some(size as u64), None).await.unwrap();
        for piece in bytes.chunks(60_000) {
            receiving.push(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        let received = receiving.finish().await.unwrap();
        assert_eq!((received.hash, received.size), (Hash::of(&bytes), size as u64));
        assert!(!received.protected);
        assert_eq!(staged(&rig, &received), bytes);
    }
    assert!(arriving(&rig).is_empty());
}

#[tokio::test]
async fn a_file_is_encrypted_before_it_reaches_the_disk() {
    let rig = Rig::new().await;
    let bytes = content(300_000);
    let mut receiving = open(&rig).receive(Some(300_000), password("stowage")).await.unwrap();
    receiving.push(Bytes::from(bytes.clone())).await.unwrap();
    let received = receiving.finish().await.unwrap();
    assert!(received.protected);
    let sealed = staged(&rig, &received);
    assert_eq!((Hash::of(&sealed), sealed.len() as u64), (received.hash, received.size));
    assert_eq!(opened(&sealed, "stowage"), bytes);
}

#[tokio::test]
async fn a_file_that_is_cut_off_leaves_nothing() {
    let rig = Rig::new().await;
    let incoming = open(&rig);
    for password in [None, password("stowage")] {
        let mut receiving = incoming.receive(Some(9), password).await.unwrap();
        receiving.push(Bytes::from_static(b"half")).await.unwrap();
        drop(receiving);
        while !arriving(&rig).is_empty() {
            tokio::task::yield_now().await;
        }
    }
    assert!(files(&staging(&rig)).is_empty());
}

#[tokio::test]
async fn the_disk_keeps_its_free_minimum() {
    let mut rig = Rig::new().await;
    rig.config.min_free_bytes = u64::MAX;
    let incoming = open(&rig);
    let refused = incoming.receive(Some(1), None).await;
    assert!(matches!(refused, Err(IncomingError::NoRoom)));
    let mut receiving = incoming.receive(None, None).await.unwrap();
    let pushed = receiving.push(Bytes::from_static(b"x")).await;
    assert!(pushed.is_ok() && matches!(receiving.finish().await, Err(IncomingError::NoRoom)));
    assert!(matches!(
        incoming.create(Some(1), String::new(), false).await,
        Err(IncomingError::NoRoom)
    ));
    assert!(arriving(&rig).is_empty());
}

#[tokio::test]
async fn an_upload_continues_after_a_crash() {
    let rig = Rig::new().await;
    let bytes = content(1_000_000);
    let held = open(&rig)
        .create(Some(1_000_000), "name YQ==".into(), false)
        .await
        .unwrap();
    let id = held.upload().id().to_owned();
    let held = append(held, &bytes[..400_000], true).await.unwrap();
    assert_eq!(held.upload().offset(), 400_000);
    drop(held);
    // What is beyond the durable offset may be anything after a power loss.
    let file = staging(&rig).join("incoming").join(format!("{id}.tus"));
    let mut on_disk = fs::read(&file).unwrap();
    on_disk.extend_from_slice(&[0; 5000]);
    fs::write(&file, on_disk).unwrap();

    let incoming = open(&rig);
    let held = incoming.hold(&id).unwrap();
    assert_eq!(
        (held.upload().offset(), held.upload().metadata()),
        (400_000, "name YQ==")
    );
    // The connection breaks; what came is kept.
    let held = append(held, &bytes[400_000..700_000], false).await.unwrap();
    assert_eq!((held.upload().offset(), held.upload().is_complete()), (700_000, false));
    let mut held = append(held, &bytes[700_000..], true).await.unwrap();
    assert!(held.upload().is_complete());
    let received = held.complete(None).await.unwrap();
    assert_eq!(received.hash, Hash::of(&bytes));
    assert_eq!(staged(&rig, &received), bytes);
    drop(held);

    // A crash before the module was asked: the bytes are still there. The start removed the copy
    // that no upload names.
    let incoming = open(&rig);
    assert!(!staging(&rig).join(received.hash.to_hex()).exists());
    let mut held = incoming.hold(&id).unwrap();
    assert_eq!(held.complete(None).await.unwrap(), received);
    let stored = Progress::Stored {
        task_id: "t".into(),
        hash: received.hash.to_string(),
    };
    held.conclude(stored.clone()).await.unwrap();
    drop(held);
    assert!(arriving(&rig).is_empty());
    assert_eq!(staged(&rig, &received), bytes);
    assert_eq!(open(&rig).hold(&id).unwrap().upload().progress(), &stored);
}

#[tokio::test]
async fn an_upload_is_encrypted_at_its_end() {
    let rig = Rig::new().await;
    let bytes = content(200_000);
    let held = open(&rig).create(Some(200_000), String::new(), true).await.unwrap();
    let mut held = append(held, &bytes, true).await.unwrap();
    assert!(held.upload().protected());
    let received = held.complete(password("stowage")).await.unwrap();
    assert_eq!(opened(&staged(&rig, &received), "stowage"), bytes);
    held.remove().await.unwrap();
    assert!(arriving(&rig).is_empty());
}

#[tokio::test]
async fn bytes_with_a_wrong_checksum_are_dropped() {
    let rig = Rig::new().await;
    let incoming = open(&rig);
    let held = incoming.create(Some(20), String::new(), false).await.unwrap();
    let id = held.upload().id().to_owned();
    let held = append(held, b"0123456789", true).await.unwrap();
    let mut wrong = held.append(Some(sha256(b"others"))).await.unwrap();
    wrong.push(Bytes::from_static(b"abcde")).await.unwrap();
    assert!(matches!(wrong.finish(true).await, Err(IncomingError::Checksum)));
    let held = incoming.hold(&id).unwrap();
    assert_eq!(held.upload().offset(), 10);
    // Bytes that were cut off cannot be checked.
    let mut cut = held.append(Some(sha256(b"abcdefghij"))).await.unwrap();
    cut.push(Bytes::from_static(b"abcde")).await.unwrap();
    let held = cut.finish(false).await.unwrap();
    assert_eq!(held.upload().offset(), 10);
    let mut right = held.append(Some(sha256(b"abcdefghij"))).await.unwrap();
    right.push(Bytes::from_static(b"abcdefghij")).await.unwrap();
    let mut held = right.finish(true).await.unwrap();
    assert_eq!(
        held.complete(None).await.unwrap().hash,
        Hash::of(b"0123456789abcdefghij")
    );
}

#[tokio::test]
async fn an_upload_takes_no_more_than_its_length() {
    let rig = Rig::new().await;
    let mut held = open(&rig).create(None, String::new(), false).await.unwrap();
    assert!(!held.upload().is_complete());
    held.set_length(5).unwrap();
    assert!(matches!(held.set_length(6), Err(IncomingError::TooLong { length: 5 })));
    let mut append = held.append(None).await.unwrap();
    append.push(Bytes::from_static(b"123")).await.unwrap();
    let refused = append.push(Bytes::from_static(b"456")).await;
    assert!(matches!(refused, Err(IncomingError::TooLong { length: 5 })));
    let mut held = append.finish(false).await.unwrap();
    assert_eq!(held.upload().offset(), 3);
    assert!(held.set_length(2).is_err());
}

#[tokio::test]
async fn one_request_at_a_time_works_on_an_upload_and_another_can_interrupt_it() {
    let rig = Rig::new().await;
    let incoming = open(&rig);
    let held = incoming.create(Some(10), String::new(), false).await.unwrap();
    let id = held.upload().id().to_owned();
    let mut append = held.append(None).await.unwrap();
    append.push(Bytes::from_static(b"123")).await.unwrap();
    assert_eq!(incoming.hold(&id).err(), Some(LockError::Busy));
    let interrupted = append.interrupted().clone();
    let receiving = async {
        interrupted.cancelled().await;
        drop(append.finish(false).await.unwrap());
    };
    let (held, ()) = tokio::join!(incoming.interrupt(&id), receiving);
    assert_eq!(held.unwrap().upload().offset(), 3);
    assert_eq!(incoming.hold("none").err(), Some(LockError::Unknown));
}

#[tokio::test]
async fn an_upload_whose_bytes_are_gone_says_so() {
    let rig = Rig::new().await;
    let incoming = open(&rig);
    let held = incoming.create(Some(10), String::new(), false).await.unwrap();
    let id = held.upload().id().to_owned();
    let held = append(held, b"12345", true).await.unwrap();
    fs::write(staging(&rig).join("incoming").join(format!("{id}.tus")), b"1").unwrap();
    assert!(matches!(append(held, b"67890", true).await, Err(IncomingError::Lost)));
}

#[tokio::test]
async fn the_number_of_uploads_is_limited_and_finished_ones_make_place() {
    let rig = Rig::new().await;
    let incoming = open(&rig);
    for _ in 0..1000 {
        drop(incoming.create(None, String::new(), false).await.unwrap());
    }
    let refused = incoming.create(None, String::new(), false).await;
    assert!(matches!(refused, Err(IncomingError::TooManyUploads)));
    let name = arriving(&rig).remove(0);
    let id = name.strip_suffix(".tus").unwrap();
    let mut held = incoming.hold(id).unwrap();
    let refusal = Progress::Refused {
        code: 60000,
        message: "no such folder".into(),
    };
    held.conclude(refusal).await.unwrap();
    drop(held);
    incoming.create(None, String::new(), false).await.unwrap();
    assert_eq!(incoming.hold(id).err(), Some(LockError::Unknown));
    assert_eq!(arriving(&rig).len(), 1000);
}

#[tokio::test]
async fn an_upload_expires_a_day_after_its_last_byte() {
    let rig = Rig::new().await;
    let incoming = open(&rig);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let held = incoming.create(Some(10), String::new(), false).await.unwrap();
        let held = append(held, b"12345", true).await.unwrap();
        ids.push(held.upload().id().to_owned());
    }
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let a_day_ago = (now - EXPIRES_AFTER).as_millis() as i64;
    for (id, touched) in ids.iter().zip([a_day_ago - 1000, a_day_ago + 60_000]) {
        let key = id.as_bytes();
        rig.store
            .update::<_, stowage_storage::Error>(|tx| {
                let row = tx.get("host.incoming", key)?.unwrap();
                let mut row: serde_json::Value = rmp_serde::from_slice(&row).unwrap();
                row["touched_ms"] = touched.into();
                tx.put("host.incoming", key, rmp_serde::to_vec_named(&row).unwrap())
            })
            .await
            .unwrap();
    }
    let incoming = open(&rig);
    assert_eq!(incoming.hold(&ids[0]).err(), Some(LockError::Unknown));
    assert_eq!(incoming.hold(&ids[1]).unwrap().upload().offset(), 5);
    incoming.remove_expired().await;
    assert_eq!(arriving(&rig), [format!("{}.tus", ids[1])]);
    assert_eq!(open(&rig).hold(&ids[0]).err(), Some(LockError::Unknown));
}
