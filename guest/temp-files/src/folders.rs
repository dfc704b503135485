//! Conversations with temp files, and the search.

use stowage_sdk::rows::{
    TEMP_FILES, TEMP_FILES_BY_FOLDER, TEMP_FILES_BY_TIME, TEMP_FOLDERS, TEMP_FOLDERS_BY_TIME, TempFolder, TempTotals,
};
use stowage_sdk::{Context, Error, Keyword, Listing, Order, Paging, folders_matching, size_text};

use crate::bindings::{api, temp_folders};

/// A page of the conversations.
///
/// # Errors
/// 600 a bad page.
pub fn list_folders(
    ctx: &dyn Context,
    order: Option<Order>,
    page: u32,
    page_size: u32,
) -> Result<Vec<api::TempFolder>, Error> {
    let paging = Paging::new(page, page_size)?;
    let folders = Listing::new(TEMP_FOLDERS_BY_TIME, Vec::new())
        .order(order.unwrap_or(Order::Desc))
        .page(ctx, paging);
    Ok(TEMP_FOLDERS
        .get_all(ctx, &folders)
        .into_iter()
        .map(|folder| to_api(ctx, folder))
        .collect())
}

/// Conversations that match the keyword or contain a matching file, and the first 1000 matching
/// files. Both are oldest first.
pub fn search(ctx: &dyn Context, keyword: Option<&str>) -> api::TempSearch {
    let keyword = Keyword::new(keyword);
    let folders = folders_matching(
        ctx,
        &TEMP_FOLDERS,
        |folder| folder.time,
        TEMP_FOLDERS_BY_TIME,
        TEMP_FILES_BY_FOLDER,
        &keyword,
    );
    let files = Listing::new(TEMP_FILES_BY_TIME, Vec::new())
        .containing(&keyword)
        .page(ctx, Paging::FIRST);
    api::TempSearch {
        folders: folders.into_iter().map(|folder| to_api(ctx, folder)).collect(),
        files: TEMP_FILES
            .get_all(ctx, &files)
            .into_iter()
            .map(crate::files::to_api)
            .collect(),
    }
}

fn to_api(ctx: &dyn Context, folder: TempFolder) -> api::TempFolder {
    let totals = TempTotals::of(ctx, &folder.unique);
    api::TempFolder {
        unique: folder.unique,
        node_address: folder.node_address,
        type_: folder.r#type,
        file_num: i64::try_from(totals.files).unwrap_or(i64::MAX),
        time: folder.time,
        size: size_text(totals.bytes),
    }
}

/// Applies changes of conversations in the space. The files of a removed conversation stay until
/// the space removes them too.
pub fn apply_folders(ctx: &dyn Context, upserts: Vec<temp_folders::Row>, removals: &[String]) {
    let rows = upserts.into_iter().map(|row| TempFolder {
        unique: row.unique,
        node_address: row.node_address.unwrap_or_default(),
        r#type: row.type_.unwrap_or_default(),
        time: row.time.unwrap_or_default(),
    });
    TEMP_FOLDERS.apply(ctx, rows, removals);
}
