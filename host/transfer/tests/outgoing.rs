//! The bytes of a blob for a client that shares no disk with the host.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod common;

use common::{Fault, PIECE, Rig};
use futures_util::StreamExt as _;
use stowage_cloud::{Hash, seal};
use stowage_transfer::{OutgoingError, Password, Pieces, Transfers};

/// The bytes that came, and whether they came to an end without an error.
async fn all(mut pieces: Pieces) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(_) => return (bytes, false),
        }
    }
    (bytes, true)
}

async fn read(transfers: &Transfers, hash: &Hash, range: std::ops::Range<u64>) -> (Vec<u8>, bool) {
    let blob = transfers.blob(hash).await.unwrap().unwrap();
    all(blob.read(range).await.unwrap()).await
}

fn content(len_bytes: usize) -> Vec<u8> {
    (0..len_bytes).map(|i| (i * 7 % 251) as u8).collect()
}

fn password(text: &str) -> Password {
    Password::from(text.to_owned())
}

#[tokio::test]
async fn a_blob_is_read_from_the_space_or_from_the_temp_files() {
    for rig in [Rig::new().await, Rig::on_directory().await] {
        let (transfers, _) = rig.open();
        let (stored, temporary) = (content(2_500_000), content(300));
        rig.blob("a", &stored).await;
        rig.temp("b", &temporary);
        for bytes in [&stored, &temporary] {
            let (hash, size) = (Hash::of(bytes), bytes.len() as u64);
            assert_eq!(transfers.blob(&hash).await.unwrap().unwrap().size(), size);
            assert_eq!(read(&transfers, &hash, 0..size).await, (bytes.clone(), true));
            assert_eq!(read(&transfers, &hash, 7..251).await, (bytes[7..251].to_vec(), true));
            assert_eq!(
                read(&transfers, &hash, size - 1..size).await.0,
                bytes[bytes.len() - 1..]
            );
        }
        assert!(transfers.blob(&Hash::of(b"none")).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn nobody_gets_all_bytes_of_a_wrong_blob() {
    let rig = Rig::new().await;
    let (transfers, _) = rig.open();
    let bytes = content(3 * PIECE);
    rig.blob("a", &bytes).await;
    let hash = Hash::of(&bytes);
    for fault in [Fault::FlipAt(0), Fault::FlipAt(bytes.len() as u64 - 1)] {
        rig.objects.set(fault);
        let (read, whole) = read(&transfers, &hash, 0..bytes.len() as u64).await;
        assert!(!whole && read.len() < bytes.len(), "{fault:?}: {} bytes", read.len());
    }
}

#[tokio::test]
async fn a_protected_blob_is_opened_with_its_password() {
    let rig = Rig::new().await;
    let (transfers, _) = rig.open();
    let mut hash = Hash::of(b"");
    // Each password takes a while.
    for size in [0, 700_000] {
        let bytes = content(size);
        let mut sealed = Vec::new();
        seal(&bytes[..], &mut sealed, "stowage").unwrap();
        rig.blob("a", &sealed).await;
        hash = Hash::of(&sealed);
        let blob = transfers.blob(&hash).await.unwrap().unwrap();
        let opened = blob.open(&password("stowage")).await.unwrap();
        assert_eq!(opened.size, size as u64);
        assert_eq!(all(opened.pieces).await, (bytes, true));
    }
    let blob = transfers.blob(&hash).await.unwrap().unwrap();
    let wrong = blob.open(&password("Stowage")).await;
    assert!(matches!(wrong, Err(OutgoingError::WrongPassword)));
}

#[tokio::test]
async fn the_end_of_a_protected_blob_that_was_changed_is_not_given() {
    let rig = Rig::new().await;
    let (transfers, _) = rig.open();
    let bytes = content(3 * 65_536);
    let mut sealed = Vec::new();
    seal(&bytes[..], &mut sealed, "stowage").unwrap();
    // Cut off between two chunks: each chunk that is left is right.
    let cut = sealed[..sealed.len() - 65_536 - 16].to_vec();
    let mut flipped = sealed.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for sealed in [cut, flipped] {
        rig.blob("a", &sealed).await;
        let blob = transfers.blob(&Hash::of(&sealed)).await.unwrap().unwrap();
        let opened = blob.open(&password("stowage")).await.unwrap();
        let size = opened.size;
        let (read, whole) = all(opened.pieces).await;
        assert!(!whole && (read.len() as u64) < size, "{} of {size} bytes", read.len());
    }
}

#[tokio::test]
async fn a_blob_that_is_no_age_file_is_not_opened() {
    let rig = Rig::new().await;
    let (transfers, _) = rig.open();
    for bytes in [Vec::new(), b"plain".to_vec(), content(200_000)] {
        rig.blob("a", &bytes).await;
        let blob = transfers.blob(&Hash::of(&bytes)).await.unwrap().unwrap();
        let opened = blob.open(&password("stowage")).await;
        assert!(matches!(opened, Err(OutgoingError::NotSealed)), "{} bytes", bytes.len());
    }
}
