//! Temp files of a conversation.

use stowage_sdk::rows::{TEMP_FILES, TEMP_FILES_BY_FOLDER, TEMP_FILES_BY_KIND, TEMP_FOLDERS, TempFile};
use stowage_sdk::{
    Context, Error, Key, Keyword, Kind, Listing, Order, Paging, capped_size, dotted_extension, size_text,
};

use crate::bindings::{api, temp_files};

/// The extension of a file without an extension.
const OTHER: &str = ".other";

/// The parameters of `getLocalTempFileList`.
#[derive(Debug, Clone, Default)]
pub struct List<'a> {
    /// A part of the name or the text. Empty or absent: all.
    pub keyword: Option<&'a str>,
    /// 0 all, or a kind.
    pub kind: u32,
    /// Absent: newest first.
    pub order: Option<Order>,
    /// The page number, from 1.
    pub page: u32,
    /// 1 to 1000.
    pub page_size: u32,
}

/// A page of a conversation's files.
///
/// # Errors
/// 600 a bad type or page, 60000 no such conversation.
pub fn list(ctx: &dyn Context, folder: &str, list: &List<'_>) -> Result<Vec<api::TempFile>, Error> {
    let kind = Kind::filter(list.kind)?;
    let paging = Paging::new(list.page, list.page_size)?;
    if !TEMP_FOLDERS.contains(ctx, folder) {
        return Err(Error::no_folder(folder));
    }
    let key = Key::new().text(folder);
    let listing = match kind {
        None => Listing::new(TEMP_FILES_BY_FOLDER, key.prefix()),
        Some(kind) => Listing::new(TEMP_FILES_BY_KIND, key.byte(kind as u8).prefix()),
    };
    let rows = listing
        .order(list.order.unwrap_or(Order::Desc))
        .containing(&Keyword::new(list.keyword))
        .page(ctx, paging);
    Ok(TEMP_FILES.get_all(ctx, &rows).into_iter().map(to_api).collect())
}

/// The row of the API.
pub fn to_api(row: TempFile) -> api::TempFile {
    api::TempFile {
        unique: row.unique,
        parent: row.parent,
        hash: row.hash,
        msg_id: row.msg_id,
        msg_content: row.msg_content,
        msg_type: row.msg_type,
        ext: row.ext,
        size: size_text(row.size),
        name: row.name,
        time: row.time,
    }
}

/// Applies changes of temp files in the space. A file may come before its conversation; it is
/// stored and not listed until then.
pub fn apply_files(ctx: &dyn Context, upserts: Vec<temp_files::Row>, removals: &[String]) {
    TEMP_FILES.apply(ctx, upserts.into_iter().map(TempFile::from), removals);
}

impl From<temp_files::Row> for TempFile {
    fn from(row: temp_files::Row) -> Self {
        let msg_content = row.msg_content.unwrap_or_default();
        let name = row.name.unwrap_or_default();
        let mut ext = row.ext.unwrap_or_default();
        if ext.is_empty() {
            ext = dotted_extension(&name);
        }
        if ext.is_empty() {
            ext = OTHER.to_owned();
        }
        Self {
            kind: Kind::of(&msg_content, &name, &ext) as u8,
            unique: row.unique,
            parent: row.parent.unwrap_or_default(),
            hash: row.hash.unwrap_or_default(),
            msg_id: row.msg_id.unwrap_or_default(),
            msg_content,
            msg_type: row.msg_type.unwrap_or_default(),
            ext,
            size: capped_size(row.size),
            name,
            time: row.time.unwrap_or_default(),
            protected: row.protected.unwrap_or_default(),
        }
    }
}
