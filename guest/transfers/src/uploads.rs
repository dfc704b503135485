//! Uploads of prepared files: how they begin, whether there is room, and the rows at their end.

use serde::{Deserialize, Serialize};
use stowage_cloud_storage::Usage;
use stowage_sdk::bindings::files::{PrepareError, Prepared, Source, UploadRequest};
use stowage_sdk::bindings::transfer::File;
use stowage_sdk::{Context, Error, base58_sha256, capped_size, code, dotted_extension};

use crate::bindings::files_hook::{Found, Refusal, Stored};
use crate::bindings::uploads as api;
use crate::blob::Blob;
use crate::fields::{Fields, Platform, checked_name};
use crate::folder_path::present_path;
use crate::parameters::non_empty;
use crate::password::{named_by, replace_blob};
use crate::row;

/// What an upload is for. The host keeps it as the text `subject`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Subject {
    /// A new row.
    NewRow(Box<Fields>),
    /// A blob that rows name in place of this one.
    InPlaceOf(String),
}

impl Subject {
    fn of(request: &UploadRequest) -> Result<Self, Refusal> {
        serde_json::from_str(&request.subject).map_err(|_| Refusal::Gone)
    }

    pub(crate) fn text(&self) -> String {
        // The subject has only texts and numbers.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The parameters of `uploadFile`.
#[derive(Debug, Clone, Default)]
pub struct Upload {
    /// The absolute path of the file.
    pub path: String,
    /// The platform that gets it.
    pub platform: u32,
    /// The password to encrypt it with.
    pub file_password: Option<String>,
    /// The fields of its row.
    pub fields: Fields,
}

/// Begins the upload of a file of this machine.
///
/// # Errors
/// 600 a parameter is wrong, 60000 no such folder, 60001 no such file, 500 it cannot be read.
pub fn upload_file(ctx: &dyn Context, upload: Upload) -> Result<api::Upload, Error> {
    let platform = Platform::of(upload.platform)?;
    if upload.path.is_empty() {
        return Err(Error::parameter("path", "the absolute path of a file"));
    }
    let fields = upload.fields.settled(ctx, platform)?;
    let password = non_empty(upload.file_password);
    let prepared = ctx
        .prepare(&Source::Path(upload.path.clone()), password.as_deref())
        .map_err(|error| refused(error, &upload.path))?;
    let begun = begin(ctx, ctx.new_id(), platform, fields, prepared)?;
    Ok(api::Upload {
        task_id: begun.task_id,
        hash: begun.hash,
    })
}

/// The error of a method whose file was not prepared.
pub(crate) fn refused(error: PrepareError, what: &str) -> Error {
    match error {
        // The text of the host begins with what it expected.
        PrepareError::Path(why) => Error {
            code: code::PARAMETER,
            message: format!("path: {why}"),
        },
        PrepareError::Missing => Error::no_file(what),
        PrepareError::Password => Error::wrong_password(),
        PrepareError::Failed(why) => Error::failure(&why),
    }
}

fn begin(
    ctx: &dyn Context,
    task_id: String,
    platform: Platform,
    mut fields: Fields,
    prepared: Prepared,
) -> Result<Stored, Error> {
    let name = match &fields.name {
        Some(name) => name.clone(),
        None => checked_name(&prepared.name)?,
    };
    fields.name = Some(name.clone());
    let ext = fields.ext.clone().unwrap_or_else(|| dotted_extension(&name));
    let hash = prepared.hash;
    ctx.upload_file(&UploadRequest {
        task_id: task_id.clone(),
        platform: platform as u8,
        file: File {
            hash: hash.clone(),
            name,
            ext,
            thumb: fields.thumb.clone().unwrap_or_default(),
            size: prepared.size,
            path: fields.folder(platform),
            protected: prepared.protected,
        },
        prepared: prepared.id,
        subject: Subject::NewRow(Box::new(fields)).text(),
    });
    Ok(Stored { task_id, hash })
}

/// Checks the fields of a file that a client is about to send.
///
/// # Errors
/// 600 a field is wrong, 60000 no such folder.
pub fn check(ctx: &dyn Context, platform: u8, fields: Fields) -> Result<(), Error> {
    let platform = Platform::of(u32::from(platform))?;
    fields.settled(ctx, platform).map(drop)
}

/// Begins the upload of a file that a client has sent. Task and row are named after the sending and
/// the bytes, so a repeated call makes neither again.
///
/// # Errors
/// As [`check`].
pub fn store(
    ctx: &dyn Context,
    id: &str,
    platform: u8,
    mut fields: Fields,
    prepared: Prepared,
) -> Result<Stored, Error> {
    let platform = Platform::of(u32::from(platform))?;
    let named = |what: &str| base58_sha256(&[what, " ", id, " ", &prepared.hash]);
    let unique = fields.unique.take().filter(|unique| !unique.is_empty());
    fields.unique = Some(unique.unwrap_or_else(|| named("row")));
    let (task_id, fields) = (named("task"), fields.settled(ctx, platform)?);
    begin(ctx, task_id, platform, fields, prepared)
}

/// The file with this hash, of a platform or of any.
///
/// # Errors
/// 600 a bad platform, 60001 no such file.
pub fn find(ctx: &dyn Context, hash: &str, platform: Option<u8>) -> Result<Found, Error> {
    use stowage_sdk::rows::BlobFile;
    let found = match platform {
        Some(platform) => {
            let platform = crate::parameters::platform(u32::from(platform))?;
            BlobFile::find(ctx, u32::from(platform), hash)
        }
        None => (0..=4).find_map(|platform| BlobFile::find(ctx, platform, hash)),
    };
    let file = File::from(found.ok_or_else(|| Error::no_file(hash))?);
    Ok(Found {
        name: file.name,
        protected: file.protected,
    })
}

/// Whether the space has room for an upload. What it replaces makes room.
///
/// # Errors
/// `no-space`; `gone` if no row can be written any more.
pub fn admit(ctx: &dyn Context, request: &UploadRequest) -> Result<(), Refusal> {
    let platform = Platform::of(u32::from(request.platform)).map_err(|_| Refusal::Gone)?;
    let (rows, replaced) = match Subject::of(request)? {
        Subject::NewRow(fields) => {
            let fields = settled_again(ctx, platform, *fields)?;
            let identity = match platform {
                Platform::Storage => Some(&request.file.hash),
                _ => fields.unique.as_ref(),
            };
            (1, identity.map_or(0, |identity| platform.bytes_of(ctx, identity)))
        }
        Subject::InPlaceOf(hash) => named_by(ctx, platform, &hash, &request.file.hash)?,
    };
    let needed = capped_size(Some(request.file.size)).saturating_mul(rows);
    if needed <= Usage::now(ctx).remaining().saturating_add(replaced) {
        Ok(())
    } else {
        Err(Refusal::NoSpace)
    }
}

/// The fields of an upload that was accepted earlier. Its folder may have been moved since.
fn settled_again(ctx: &dyn Context, platform: Platform, mut fields: Fields) -> Result<Fields, Refusal> {
    if let Some(path) = &mut fields.storage_path {
        *path = present_path(ctx, path);
    }
    fields.settled(ctx, platform).map_err(|_| Refusal::Gone)
}

/// Writes the rows that name an uploaded blob. Calling it again changes nothing.
///
/// # Errors
/// `gone` if the folder of the row, or every row to change, was deleted meanwhile.
pub fn finished(ctx: &dyn Context, request: &UploadRequest) -> Result<(), Refusal> {
    let platform = Platform::of(u32::from(request.platform)).map_err(|_| Refusal::Gone)?;
    let blob = Blob {
        hash: request.file.hash.clone(),
        size: capped_size(Some(request.file.size)),
        protected: request.file.protected,
    };
    match Subject::of(request)? {
        Subject::NewRow(fields) => {
            let fields = settled_again(ctx, platform, *fields)?;
            row::write(ctx, platform, fields, blob).map_err(|_| Refusal::Gone)
        }
        Subject::InPlaceOf(hash) => replace_blob(ctx, platform, &hash, &blob),
    }
}
