//! Passwords of files that are in the space.

use stowage_sdk::bindings::files::{Blob as BlobSource, Prepared, Source, UploadRequest};
use stowage_sdk::bindings::transfer::File;
use stowage_sdk::rows::{BACKUPS, BlobFile, FAVORITES, STORAGE_FILES, TEMP_FILES, with_hash};
use stowage_sdk::{Blobs, Context, Error, Writer};

use crate::bindings::files_hook::Refusal;
use crate::blob::Blob;
use crate::parameters::non_empty;
use crate::row::Platform;
use crate::uploads::{Subject, refused};

/// Sets the password of a file, or changes it.
///
/// # Errors
/// 600 a parameter is wrong, 60001 no such file, 60004 a wrong password, 500 the space cannot be
/// reached.
pub fn set(
    ctx: &dyn Context,
    hash: &str,
    platform: u32,
    password: String,
    new_password: Option<String>,
) -> Result<bool, Error> {
    let platform = Platform::of(platform)?;
    let file = BlobFile::find(ctx, platform as u32, hash).ok_or_else(|| Error::no_file(hash))?;
    let password =
        non_empty(Some(password)).ok_or_else(|| Error::parameter("password", "a password that is not empty"))?;
    let (present, next) = match (file.protected, non_empty(new_password)) {
        (true, Some(next)) => (Some(password), next),
        (false, None) => (None, password),
        (true, None) => {
            return Err(Error::parameter(
                "newPassword",
                "the next password, because a password protects the file",
            ));
        }
        (false, Some(_)) => {
            return Err(Error::parameter(
                "newPassword",
                "no new password, because no password protects the file; password is its first one",
            ));
        }
    };
    begin(ctx, platform, file, present, Some(&next))
}

/// Removes the password of a file.
///
/// # Errors
/// As [`set`].
pub fn remove(ctx: &dyn Context, hash: &str, platform: u32, password: String) -> Result<bool, Error> {
    let platform = Platform::of(platform)?;
    let file = BlobFile::find(ctx, platform as u32, hash).ok_or_else(|| Error::no_file(hash))?;
    if !file.protected {
        return Ok(true);
    }
    begin(ctx, platform, file, Some(password), None)
}

/// Encrypts or decrypts the blob, and begins the upload of the result.
fn begin(
    ctx: &dyn Context,
    platform: Platform,
    file: BlobFile,
    present: Option<String>,
    next: Option<&str>,
) -> Result<bool, Error> {
    let source = Source::Blob(BlobSource {
        hash: file.hash.clone(),
        password: present,
    });
    let prepared = ctx.prepare(&source, next).map_err(|error| refused(error, &file.hash))?;
    let subject = Subject::InPlaceOf(file.hash.clone()).text();
    let Prepared {
        id,
        hash,
        size,
        protected,
        ..
    } = prepared;
    ctx.upload_file(&UploadRequest {
        task_id: ctx.new_id(),
        platform: platform as u8,
        file: File {
            hash,
            size,
            protected,
            ..file.into()
        },
        prepared: id,
        subject,
    });
    Ok(true)
}

/// Lets the rows of a platform name a new blob. The old one goes when no other row names it.
///
/// # Errors
/// `gone` if no row names either of them.
pub(crate) fn replace_blob(ctx: &dyn Context, platform: Platform, old: &str, blob: &Blob) -> Result<(), Refusal> {
    let number = platform as u32;
    let rows = with_hash(ctx, number, old);
    if rows.is_empty() && with_hash(ctx, number, &blob.hash).is_empty() {
        return Err(Refusal::Gone);
    }
    Writer::scope(ctx, Blobs::Release, |writer| {
        for unique in rows {
            replace_in_row(ctx, writer, platform, &unique, blob);
        }
    });
    Ok(())
}

fn replace_in_row(ctx: &dyn Context, writer: &mut Writer<'_>, platform: Platform, unique: &str, blob: &Blob) {
    // The space keeps a field that is not named, so `protected` is named also when it is false.
    let fields = |mut fields: Vec<stowage_sdk::bindings::cloud::Field>| {
        if !blob.protected {
            fields.push(stowage_sdk::rows::boolean("protected", false));
        }
        fields
    };
    macro_rules! replace {
        ($collection:expr) => {
            if let Some(mut row) = $collection.get(ctx, unique) {
                blob.hash.clone_into(&mut row.hash);
                (row.size, row.protected) = (blob.size, blob.protected);
                writer.put(&$collection, &row);
                ctx.put_row($collection.name, unique, &fields(row.cloud_fields()));
            }
        };
    }
    match platform {
        Platform::Backup => replace!(BACKUPS),
        Platform::Temp => replace!(TEMP_FILES),
        Platform::Favorite => replace!(FAVORITES),
        // Its hash is its identity, so it becomes another row.
        Platform::Storage => {
            if let Some(mut row) = writer.remove(&STORAGE_FILES, unique) {
                ctx.delete_row(STORAGE_FILES.name, unique);
                blob.hash.clone_into(&mut row.hash);
                (row.size, row.protected) = (blob.size, blob.protected);
                writer.put(&STORAGE_FILES, &row);
                ctx.put_row(STORAGE_FILES.name, &row.hash, &fields(row.cloud_fields()));
            }
        }
    }
}
