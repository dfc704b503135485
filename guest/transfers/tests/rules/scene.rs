//! What the tests share: hashes, contexts, and short forms of errors and effects.

use stowage_sdk::bindings::cloud::{Field, Scalar};
use stowage_sdk::bindings::files::{Prepared, UploadRequest};
use stowage_sdk::rows::{STORAGE_FILES, STORAGE_FOLDERS, StorageFolder, StoredFile};
use stowage_sdk::{Effect, Error, Kind, MemoryContext, base58_sha256, dotted_extension};

/// The time of [`MemoryContext`], in milliseconds.
pub const NOW_MS: i64 = 1_744_104_587_216;

/// The hash of a file.
pub fn hash(of: &str) -> String {
    base58_sha256(&[of])
}

/// A text that may be there.
pub fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Texts of a list.
pub fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The code of an error. For a wrong parameter also its field.
pub fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> (i32, String) {
    let error = result.expect_err("refused");
    let field = match error.code {
        600 => error.message.split(':').next().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    (error.code, field)
}

/// A wrong parameter, as [`refused`] returns it.
pub fn wrong(field: &str) -> (i32, String) {
    (600, field.to_owned())
}

/// Another error, as [`refused`] returns it.
pub fn because(code: i32) -> (i32, String) {
    (code, String::new())
}

/// A context with these blobs in the space.
pub fn with_blobs(blobs: &[(&str, u64)]) -> MemoryContext {
    let ctx = MemoryContext::new();
    for (of, size) in blobs {
        ctx.add_blob(&hash(of), *size, true);
    }
    ctx
}

/// A file of the cloud storage. Its hash is that of its name.
pub fn stored(name: &str, path: &str, time: i64, size: u64) -> StoredFile {
    let ext = dotted_extension(name);
    StoredFile {
        hash: hash(name),
        name: name.to_owned(),
        size,
        time,
        path: path.to_owned(),
        kind: Kind::of("", name, &ext) as u8,
        ext,
        ..StoredFile::default()
    }
}

/// A folder of the cloud storage. Its name is its identity.
pub fn folder(id: &str, path: &str) -> StorageFolder {
    StorageFolder {
        id: id.to_owned(),
        name: id.to_owned(),
        time: 1,
        path: path.to_owned(),
    }
}

/// A cloud storage with these folders and files.
pub fn storage(
    folders: impl IntoIterator<Item = StorageFolder>,
    files: impl IntoIterator<Item = StoredFile>,
) -> MemoryContext {
    let ctx = MemoryContext::new();
    STORAGE_FOLDERS.apply(&ctx, folders, &[]);
    STORAGE_FILES.apply(&ctx, files, &[]);
    ctx
}

/// The effects as short texts: `put favorites/a`, `delete favorites/a`, `blob HASH`.
pub fn effects(ctx: &MemoryContext) -> Vec<String> {
    let short = |effect: Effect| match effect {
        Effect::PutRow {
            collection, identity, ..
        } => format!("put {collection}/{identity}"),
        Effect::DeleteRow { collection, identity } => format!("delete {collection}/{identity}"),
        Effect::DeleteBlob(hash) => format!("blob {hash}"),
        Effect::UploadFile(request) => format!("upload {}", request.file.hash),
        other => format!("{other:?}"),
    };
    ctx.take_effects().into_iter().map(short).collect()
}

/// The fields of the only row that was put since the effects were last taken.
pub fn put_fields(ctx: &MemoryContext) -> Vec<Field> {
    let mut put = ctx.take_effects().into_iter().filter_map(|effect| match effect {
        Effect::PutRow { fields, .. } => Some(fields),
        _ => None,
    });
    let fields = put.next().expect("a row was put");
    assert!(put.next().is_none(), "several rows were put");
    fields
}

/// The value of a field.
pub fn value(fields: &[Field], name: &str) -> Option<Scalar> {
    let mut named = fields.iter().filter(|field| field.name == name);
    let value = named.next().map(|field| field.value.clone());
    assert!(named.next().is_none(), "{name} is named twice");
    value
}

/// A file that is ready to be uploaded. Its hash is that of its name.
pub fn prepared(name: &str, size: u64, protected: bool) -> Prepared {
    Prepared {
        id: format!("prepared {name}"),
        name: name.to_owned(),
        hash: hash(name),
        size,
        protected,
    }
}

/// The only upload that was asked for since the effects were last taken.
pub fn upload(ctx: &MemoryContext) -> UploadRequest {
    let mut uploads = ctx.take_effects().into_iter().filter_map(|effect| match effect {
        Effect::UploadFile(request) => Some(request),
        _ => None,
    });
    let request = uploads.next().expect("an upload");
    assert!(uploads.next().is_none(), "several uploads");
    request
}
