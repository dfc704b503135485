//! Downloads of files that a password protects.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::fs;
use std::io::Write;

use age::secrecy::SecretString;
use common::{Fault, Rig, bytes, request};
use stowage_transfer::{Direction, DownloadRequest};

fn seal(content: &[u8], password: &str) -> Vec<u8> {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(password.to_owned()));
    recipient.set_work_factor(2);
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).unwrap();
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap();
    sealed
}

async fn protected(rig: &Rig, content: &[u8], password: Option<&str>) -> DownloadRequest {
    let sealed = seal(content, "secret");
    let mut blob = rig.blob("x.zip", &sealed).await;
    blob.protected = true;
    let mut request = request(&blob);
    request.task_id = Some("mine".into());
    request.password = password.map(|password| password.to_owned().into());
    request
}

#[tokio::test]
async fn the_right_password_brings_the_plain_content() {
    let rig = Rig::new().await;
    let content = bytes(300_000, 1);
    let request = protected(&rig, &content, Some("secret")).await;
    let running = rig.start();
    running.download(&request).await;
    let row = running.status("mine", 4).await;
    assert_eq!((row.is_crypt, row.progress), (1, 100));
    assert_eq!(fs::read(rig.downloads().join("x.zip")).unwrap(), content);
    assert_eq!(rig.names(), ["x.zip"], "no temporary file is left");
    running.stop().await;
    assert!(!format!("{:?}", rig.stored()).contains("secret"));
}

#[tokio::test]
async fn a_wrong_password_fails_and_the_right_one_needs_no_second_transfer() {
    let rig = Rig::new().await;
    let content = bytes(300_000, 2);
    let mut request = protected(&rig, &content, Some("wrong")).await;
    let running = rig.start();
    running.download(&request).await;
    assert_eq!(running.status("mine", 5).await.code, 60004);
    assert_eq!(rig.names().len(), 1, "the sealed bytes are kept");
    rig.objects.take_served();
    request.password = Some("secret".to_owned().into());
    running.download(&request).await;
    assert_eq!(running.status("mine", 4).await.code, 0);
    assert_eq!(rig.objects.take_served(), 0);
    assert_eq!(fs::read(rig.downloads().join("x.zip")).unwrap(), content);
}

#[tokio::test]
async fn a_missing_password_is_waited_for() {
    let rig = Rig::new().await;
    let content = bytes(1000, 3);
    let mut request = protected(&rig, &content, None).await;
    let running = rig.start();
    running.download(&request).await;
    assert_eq!(running.until("mine", |row| row.status == 2).await.code, 60004);
    request.password = Some("secret".to_owned().into());
    running.download(&request).await;
    running.status("mine", 4).await;
    assert_eq!(fs::read(rig.downloads().join("x.zip")).unwrap(), content);
}

#[tokio::test]
async fn after_a_restart_the_password_is_asked_for_and_the_download_goes_on() {
    let rig = Rig::new().await;
    let content = bytes(1 << 20, 4);
    let request = protected(&rig, &content, Some("secret")).await;
    rig.objects.set(Fault::StallAt(1 << 19));
    let running = rig.start();
    running.download(&request).await;
    running.until("mine", |row| row.progress >= 49).await;
    running.stop().await;
    rig.objects.set(Fault::None);
    rig.objects.take_served();
    let running = rig.start();
    let row = running.row("mine");
    assert_eq!((row.status, row.code), (2, 60004));
    running.download(&request).await;
    running.status("mine", 4).await;
    assert!(rig.objects.take_served() < 3 << 18);
    assert_eq!(fs::read(rig.downloads().join("x.zip")).unwrap(), content);
    assert_eq!(running.rows(Direction::Download).len(), 1);
}

#[tokio::test]
async fn a_file_that_claims_protection_and_is_not_sealed_fails() {
    let rig = Rig::new().await;
    let mut blob = rig.blob("x", b"plain text").await;
    blob.protected = true;
    let mut request = request(&blob);
    request.password = Some("secret".to_owned().into());
    let running = rig.start();
    let id = running.download(&request).await;
    assert_eq!(running.status(&id, 5).await.code, 500);
    assert!(!rig.names().contains(&"x".to_owned()));
}
