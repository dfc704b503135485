//! Passwords of files that are in the space.

use stowage_sdk::bindings::cloud::Field;
use stowage_sdk::bindings::files::{Blob as BlobSource, Prepared, Source, UploadRequest};
use stowage_sdk::bindings::transfer::File;
use stowage_sdk::rows::{BACKUPS, BlobFile, FAVORITES, STORAGE_FILES, TEMP_FILES, boolean, with_hash};
use stowage_sdk::{Blobs, Context, Error, Writer};

use crate::bindings::files_hook::Refusal;
use crate::blob::Blob;
use crate::fields::Platform;
use crate::parameters::non_empty;
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
    named_by(ctx, platform, old, &blob.hash)?;
    if old == blob.hash {
        return Ok(());
    }
    Writer::scope(ctx, Blobs::Release, |writer| {
        loop {
            // A row leaves the index when it names the new blob. So the next ones are found.
            let rows = with_hash(ctx, platform as u32, old);
            let replaced = rows
                .iter()
                .map(|unique| replace_in_row(ctx, writer, platform, unique, blob));
            if !replaced.fold(false, |any, one| any | one) {
                return Ok(());
            }
        }
    })
}

/// How many rows of a platform name a blob that is replaced, at most 1000, and their bytes.
///
/// # Errors
/// `gone` if no row names it or the new one.
pub(crate) fn named_by(ctx: &dyn Context, platform: Platform, old: &str, new: &str) -> Result<(u64, u64), Refusal> {
    let rows = with_hash(ctx, platform as u32, old);
    if rows.is_empty() && with_hash(ctx, platform as u32, new).is_empty() {
        return Err(Refusal::Gone);
    }
    let bytes = rows.iter().map(|unique| platform.bytes_of(ctx, unique)).sum();
    Ok((rows.len() as u64, bytes))
}

/// Lets a row name the new blob. Returns whether the row is there.
fn replace_in_row(ctx: &dyn Context, writer: &mut Writer<'_>, platform: Platform, unique: &str, blob: &Blob) -> bool {
    // The space keeps a field that is not named, so `protected` is named also when it is false.
    let space_fields = |mut fields: Vec<Field>| {
        if !blob.protected {
            fields.push(boolean("protected", false));
        }
        fields
    };
    macro_rules! replace {
        ($collection:expr) => {
            $collection.get(ctx, unique).map(|mut row| {
                blob.hash.clone_into(&mut row.hash);
                (row.size, row.protected) = (blob.size, blob.protected);
                writer.put(&$collection, &row);
                ctx.put_row($collection.name, unique, &space_fields(row.cloud_fields()));
            })
        };
    }
    let replaced = match platform {
        Platform::Backup => replace!(BACKUPS),
        Platform::Temp => replace!(TEMP_FILES),
        Platform::Favorite => replace!(FAVORITES),
        // Its hash is its identity, so it becomes another row.
        Platform::Storage => writer.remove(&STORAGE_FILES, unique).map(|mut row| {
            ctx.delete_row(STORAGE_FILES.name, unique);
            blob.hash.clone_into(&mut row.hash);
            (row.size, row.protected) = (blob.size, blob.protected);
            writer.put(&STORAGE_FILES, &row);
            ctx.put_row(STORAGE_FILES.name, &row.hash, &space_fields(row.cloud_fields()));
        }),
    };
    replaced.is_some()
}
