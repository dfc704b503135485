//! Folders of backups, and the search.

use stowage_sdk::rows::{
    BACKUP_FOLDERS, BACKUP_FOLDERS_BY_PARENT, BACKUP_FOLDERS_BY_TIME, BACKUPS, BACKUPS_BY_FOLDER, BACKUPS_BY_TIME,
    BackupFolder, BackupTotals,
};
use stowage_sdk::{
    Context, Error, Key, Keyword, Listing, Order, Paging, TimeRange, Unit, folders_matching, is_identity, size_text,
};

use crate::bindings::{api, backup_folders};

/// The parameters of `getImBackupsFolderList`.
#[derive(Debug, Clone, Default)]
pub struct List<'a> {
    /// Only folders in this folder. Empty or absent: all folders.
    pub parent: Option<&'a str>,
    /// The first time, in seconds or milliseconds.
    pub start_time: Option<i64>,
    /// The last time, in seconds or milliseconds.
    pub end_time: Option<i64>,
    /// Absent: oldest first.
    pub order: Option<Order>,
    /// From 1 on; absent means 1.
    pub page: Option<u32>,
    /// 1 to 1000; absent means 1000.
    pub page_size: Option<u32>,
}

/// A page of the folders.
///
/// # Errors
/// 600 a bad page.
pub fn list_folders(ctx: &dyn Context, list: &List<'_>) -> Result<Vec<api::BackupFolder>, Error> {
    let paging = Paging::optional(list.page, list.page_size)?;
    let listing = match list.parent.filter(|parent| !parent.is_empty()) {
        None => Listing::new(BACKUP_FOLDERS_BY_TIME, Vec::new()),
        Some(parent) if is_identity(parent) => Listing::new(BACKUP_FOLDERS_BY_PARENT, Key::new().text(parent).prefix()),
        // No folder has such an identity, so no folder is in it.
        Some(_) => return Ok(Vec::new()),
    };
    let folders = listing
        .times(TimeRange::new(list.start_time, list.end_time, Unit::Seconds))
        .order(list.order.unwrap_or(Order::Asc))
        .page(ctx, paging);
    Ok(BACKUP_FOLDERS
        .get_all(ctx, &folders)
        .into_iter()
        .map(|folder| to_api(ctx, folder))
        .collect())
}

/// Folders that match the keyword or contain a matching file, and the first 1000 matching files.
/// Both are oldest first.
pub fn search(ctx: &dyn Context, keyword: Option<&str>) -> api::BackupSearch {
    let keyword = Keyword::new(keyword);
    let folders = folders_matching(
        ctx,
        &BACKUP_FOLDERS,
        |folder| folder.time,
        BACKUP_FOLDERS_BY_TIME,
        BACKUPS_BY_FOLDER,
        &keyword,
    );
    let files = Listing::new(BACKUPS_BY_TIME, Vec::new())
        .containing(&keyword)
        .page(ctx, Paging::FIRST);
    api::BackupSearch {
        folders: folders.into_iter().map(|folder| to_api(ctx, folder)).collect(),
        files: BACKUPS
            .get_all(ctx, &files)
            .into_iter()
            .map(crate::backups::to_api)
            .collect(),
    }
}

/// The row of the API.
pub fn to_api(ctx: &dyn Context, folder: BackupFolder) -> api::BackupFolder {
    let totals = BackupTotals::of(ctx, &folder.unique);
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    api::BackupFolder {
        unique: folder.unique,
        parent: folder.parent,
        name: folder.name,
        time: folder.time,
        size: size_text(totals.bytes),
        single_chat_num: number(totals.single),
        group_chat_num: number(totals.group),
    }
}

/// Applies changes of folders in the space. The files of a removed folder stay until the space
/// removes them too.
pub fn apply_folders(ctx: &dyn Context, upserts: Vec<backup_folders::Row>, removals: &[String]) {
    let rows = upserts.into_iter().map(|row| BackupFolder {
        unique: row.unique,
        parent: row.parent.unwrap_or_default(),
        name: row.name.unwrap_or_default(),
        time: row.time.unwrap_or_default(),
    });
    BACKUP_FOLDERS.apply(ctx, rows, removals);
}
