//! What fuzzers call in this crate: settings, requests, and what comes on a websocket.
//!
//! Each target takes any bytes. It panics if a property of the code is violated. docs/fuzzing.md
//! lists all targets of the project.

use crate::server;
use crate::settings::Settings;

/// A file of settings: it is read, or the error has the line.
pub fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match toml::from_str::<Settings>(&text) {
        Ok(read) => {
            let whole = format!("{read:?}");
            let merged = Settings::default().over(read.clone());
            assert_eq!(format!("{merged:?}"), whole, "no setting is lost");
            assert_eq!(format!("{:?}", read.over(Settings::default())), whole);
        }
        Err(error) => assert!(!error.message().is_empty()),
    }
}

/// The bytes of a connection, as hyper and the gate read them: what comes back is HTTP, and each
/// refusal has an envelope.
pub fn http_connection(data: &[u8]) {
    server::fuzz::connection(data);
}

/// The bytes that a client sends on a websocket of the feed: they are bounded messages, or the
/// websocket ends.
pub fn websocket(data: &[u8]) {
    server::fuzz::websocket(data);
}

/// What a client says about a file, in the headers, the query, the metadata or the form.
pub fn file_request(data: &[u8]) {
    server::files::fuzz::request(data);
}
