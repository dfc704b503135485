//! Uploads of temp files.

use std::collections::BTreeSet;

use stowage_sdk::bindings::transfer::UploadRequest;
use stowage_sdk::rows::{BlobFile, temp_file_by_hash};
use stowage_sdk::{Context, Error};

/// The platform of IM favourites.
pub const FAVORITES_PLATFORM: u8 = 2;

/// The platform of the cloud storage.
pub const STORAGE_PLATFORM: u8 = 3;

/// The most hashes of one call.
const MAX_HASHES: usize = 1000;

/// Begins an upload for each of these temp files. If one is unknown, none begins. A hash that is
/// named twice is one upload. The `subject` of an upload is the temp file's identity.
///
/// # Errors
/// 600 no hashes or more than 1000; 60001 a hash that no temp file has.
pub fn upload(ctx: &dyn Context, hashs: &[String], platform: u8) -> Result<bool, Error> {
    if !(1..=MAX_HASHES).contains(&hashs.len()) {
        return Err(Error::parameter("hashs", "1 to 1000 hashes"));
    }
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for hash in hashs.iter().filter(|hash| seen.insert(hash.as_str())) {
        files.push(temp_file_by_hash(ctx, hash).ok_or_else(|| Error::no_file(hash))?);
    }
    for file in files {
        let subject = file.unique.clone();
        // In the space the file has no folder. Its conversation exists only on this machine.
        let file = BlobFile {
            path: String::new(),
            ..BlobFile::from(file)
        };
        ctx.upload(&UploadRequest {
            platform,
            file: file.into(),
            subject,
        });
    }
    Ok(true)
}
