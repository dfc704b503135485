//! Backup files of a folder.

use stowage_sdk::rows::{BACKUP_FOLDERS, BACKUPS, BACKUPS_BY_FOLDER, Backup};
use stowage_sdk::{Context, Error, Key, Listing, Order, Paging, capped_count, capped_size, size_text};

use crate::bindings::{api, backups};

/// A page of a folder's files, oldest first unless `order` says otherwise. The default page is the
/// first 1000.
///
/// # Errors
/// 600 a bad page, 60000 no such folder.
pub fn list(
    ctx: &dyn Context,
    parent: &str,
    order: Option<Order>,
    page: Option<u32>,
    page_size: Option<u32>,
) -> Result<Vec<api::BackupFile>, Error> {
    let paging = Paging::optional(page, page_size)?;
    if !BACKUP_FOLDERS.contains(ctx, parent) {
        return Err(Error::no_folder(parent));
    }
    let listing = Listing::new(BACKUPS_BY_FOLDER, Key::new().text(parent).prefix());
    let rows = listing.order(order.unwrap_or(Order::Asc)).page(ctx, paging);
    Ok(BACKUPS.get_all(ctx, &rows).into_iter().map(to_api).collect())
}

/// The row of the API.
pub fn to_api(row: Backup) -> api::BackupFile {
    api::BackupFile {
        unique: row.unique,
        hash: row.hash,
        parent: row.parent,
        node_id: row.node_id,
        type_: row.r#type,
        name: row.name,
        time: row.time,
        size: size_text(row.size),
        message_num: row.message_num,
        nickname: row.nickname,
        domain_name: row.domain_name,
    }
}

/// Applies changes of backup files in the space. A file may come before its folder; it is stored
/// and not listed until then.
pub fn apply_backups(ctx: &dyn Context, upserts: Vec<backups::Row>, removals: &[String]) {
    BACKUPS.apply(ctx, upserts.into_iter().map(Backup::from), removals);
}

impl From<backups::Row> for Backup {
    fn from(row: backups::Row) -> Self {
        Self {
            unique: row.unique,
            hash: row.hash.unwrap_or_default(),
            parent: row.parent.unwrap_or_default(),
            node_id: row.node_id.unwrap_or_default(),
            r#type: row.type_.unwrap_or_default(),
            name: row.name.unwrap_or_default(),
            time: row.time.unwrap_or_default(),
            size: capped_size(row.size),
            message_num: capped_count(row.message_num),
            nickname: row.nickname.unwrap_or_default(),
            domain_name: row.domain_name.unwrap_or_default(),
            protected: row.protected.unwrap_or_default(),
        }
    }
}
