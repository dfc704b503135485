//! Uploads: whether there is room, and the rows that name the uploaded blob.

use stowage_sdk::bindings::transfer::UploadRequest;
use stowage_sdk::rows::{
    DEFAULT_FOLDER_ID, FAVORITES, Favorite, STORAGE_FILES, StoredFile, TEMP_FILES, TEMP_FOLDERS, TempFile,
    default_folder,
};
use stowage_sdk::{Blobs, Context, Kind, Writer, base58_sha256, capped_size};

use crate::bindings::upload_hook::Refusal;
use crate::space_info::Usage;

/// The collection of an uploaded file.
enum Target {
    Favorite,
    Storage,
}

impl Target {
    /// The collection of a request's platform. Other platforms are refused.
    fn of(request: &UploadRequest) -> Result<Self, Refusal> {
        match request.platform {
            2 => Ok(Self::Favorite),
            3 => Ok(Self::Storage),
            _ => Err(Refusal::Gone),
        }
    }

    /// Whether the row of the upload exists already.
    fn is_done(&self, ctx: &dyn Context, request: &UploadRequest, source: &TempFile) -> bool {
        match self {
            Self::Favorite => FAVORITES.contains(ctx, &favorite_identity(source)),
            Self::Storage => STORAGE_FILES.contains(ctx, &request.file.hash),
        }
    }
}

/// Admits an upload if its temp file exists, and if the space has room for it or has the row
/// already.
///
/// # Errors
/// `gone` without the temp file; `no-space` if the remaining space is less than its size.
pub fn admit(ctx: &dyn Context, request: &UploadRequest) -> Result<(), Refusal> {
    let target = Target::of(request)?;
    let source = source(ctx, request)?;
    if target.is_done(ctx, request, &source) || request.file.size <= Usage::now(ctx).remaining() {
        Ok(())
    } else {
        Err(Refusal::NoSpace)
    }
}

/// Writes the row that names the uploaded blob, here and in the space. If the row exists, nothing
/// changes.
///
/// # Errors
/// `gone` without the temp file.
pub fn finished(ctx: &dyn Context, request: &UploadRequest) -> Result<(), Refusal> {
    let target = Target::of(request)?;
    // The identity of a favourite depends on the temp file; that of a storage row does not.
    if matches!(target, Target::Storage) && STORAGE_FILES.contains(ctx, &request.file.hash) {
        return Ok(());
    }
    let source = source(ctx, request)?;
    if target.is_done(ctx, request, &source) {
        return Ok(());
    }
    let is_kept = match target {
        Target::Favorite => keep_favorite(ctx, request, source),
        Target::Storage => keep_stored(ctx, request, source),
    };
    // A row that is too large to be stored was, but for a few bytes, too large to be a temp file.
    if is_kept { Ok(()) } else { Err(Refusal::Gone) }
}

/// The temp file of the upload, if it still has the same hash.
fn source(ctx: &dyn Context, request: &UploadRequest) -> Result<TempFile, Refusal> {
    TEMP_FILES
        .get(ctx, &request.subject)
        .filter(|file| file.hash == request.file.hash)
        .ok_or(Refusal::Gone)
}

/// The identity of a favourite. The same file of the same message is always the same favourite.
fn favorite_identity(source: &TempFile) -> String {
    base58_sha256(&["favorite", &source.hash, &source.msg_id])
}

fn keep_favorite(ctx: &dyn Context, request: &UploadRequest, source: TempFile) -> bool {
    default_folder(ctx);
    let favorite = Favorite {
        unique: favorite_identity(&source),
        folder: DEFAULT_FOLDER_ID.to_owned(),
        msg_id: source.msg_id,
        msg_content: source.msg_content,
        msg_type: source.msg_type,
        hash: source.hash,
        name: source.name,
        size: capped_size(Some(request.file.size)),
        time: ctx.now_ms().div_euclid(1000),
        node_address: TEMP_FOLDERS
            .get(ctx, &source.parent)
            .map(|folder| folder.node_address)
            .unwrap_or_default(),
        origin_nickname: String::new(),
        protected: source.protected,
        kind: source.kind,
    };
    let is_kept = Writer::scope(ctx, Blobs::Keep, |writer| writer.put(&FAVORITES, &favorite));
    if is_kept {
        ctx.put_row(FAVORITES.name, &favorite.unique, &favorite.cloud_fields());
    }
    is_kept
}

fn keep_stored(ctx: &dyn Context, request: &UploadRequest, source: TempFile) -> bool {
    let file = StoredFile {
        thumb: source.thumb(),
        kind: Kind::of("", &source.name, &source.ext) as u8,
        hash: source.hash,
        name: source.name,
        size: capped_size(Some(request.file.size)),
        time: ctx.now_ms(),
        path: String::new(),
        ext: source.ext,
        protected: source.protected,
    };
    let is_kept = Writer::scope(ctx, Blobs::Keep, |writer| writer.put(&STORAGE_FILES, &file));
    if is_kept {
        ctx.put_row(STORAGE_FILES.name, &file.hash, &file.cloud_fields());
    }
    is_kept
}
