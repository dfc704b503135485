//! Favourites of a folder.

use stowage_sdk::rows::{
    DEFAULT_FOLDER_ID, FAVORITE_FOLDERS, FAVORITES, FAVORITES_BY_FOLDER, FAVORITES_BY_KIND, Favorite,
};
use stowage_sdk::{Context, Error, Key, Keyword, Kind, Listing, Order, Paging, TimeRange, Unit, capped_size};

use crate::bindings::{api, favorites};

/// The parameters of `getImFavoriteList`.
#[derive(Debug, Clone, Default)]
pub struct List<'a> {
    /// A part of the name, the text or the nickname. Empty or absent: all.
    pub keyword: Option<&'a str>,
    /// The first time, in seconds or milliseconds.
    pub start_time: Option<i64>,
    /// The last time, in seconds or milliseconds.
    pub end_time: Option<i64>,
    /// 0 all, or a kind.
    pub kind: u32,
    /// Absent: oldest first.
    pub order: Option<Order>,
    /// The page number, from 1.
    pub page: u32,
    /// 1 to 1000.
    pub page_size: u32,
}

/// A page of a folder's favourites.
///
/// # Errors
/// 600 a bad type or page, 60000 no such folder.
pub fn list(ctx: &dyn Context, folder: &str, list: &List<'_>) -> Result<Vec<api::Favorite>, Error> {
    let kind = Kind::filter(list.kind)?;
    let paging = Paging::new(list.page, list.page_size)?;
    if folder != DEFAULT_FOLDER_ID && !FAVORITE_FOLDERS.contains(ctx, folder) {
        return Err(Error::no_folder(folder));
    }
    let key = Key::new().text(folder);
    let listing = match kind {
        None => Listing::new(FAVORITES_BY_FOLDER, key.prefix()),
        Some(kind) => Listing::new(FAVORITES_BY_KIND, key.byte(kind as u8).prefix()),
    };
    let rows = listing
        .times(TimeRange::new(list.start_time, list.end_time, Unit::Seconds))
        .order(list.order.unwrap_or(Order::Asc))
        .containing(&Keyword::new(list.keyword))
        .page(ctx, paging);
    Ok(FAVORITES.get_all(ctx, &rows).into_iter().map(to_api).collect())
}

/// The row of the API.
pub fn to_api(row: Favorite) -> api::Favorite {
    api::Favorite {
        unique: row.unique,
        msg_id: row.msg_id,
        msg_content: row.msg_content,
        msg_type: row.msg_type,
        hash: row.hash,
        name: row.name,
        time: row.time,
        node_address: row.node_address,
        origin_nickname: row.origin_nickname,
    }
}

/// Applies changes of favourites in the space. A favourite may come before its folder; it is stored
/// and not listed until then.
pub fn apply_favorites(ctx: &dyn Context, upserts: Vec<favorites::Row>, removals: &[String]) {
    FAVORITES.apply(ctx, upserts.into_iter().map(Favorite::from), removals);
}

impl From<favorites::Row> for Favorite {
    fn from(row: favorites::Row) -> Self {
        let msg_content = row.msg_content.unwrap_or_default();
        let name = row.name.unwrap_or_default();
        Self {
            kind: Kind::of(&msg_content, &name, "") as u8,
            unique: row.unique,
            folder: row.folder.unwrap_or_default(),
            msg_id: row.msg_id.unwrap_or_default(),
            msg_content,
            msg_type: row.msg_type.unwrap_or_default(),
            hash: row.hash.unwrap_or_default(),
            name,
            size: capped_size(row.size),
            time: row.time.unwrap_or_default(),
            node_address: row.node_address.unwrap_or_default(),
            origin_nickname: row.origin_nickname.unwrap_or_default(),
            protected: row.protected.unwrap_or_default(),
        }
    }
}
