//! Adding, moving and deleting favourites.

use stowage_sdk::bindings::cloud::Scalar;
use stowage_sdk::rows::{FAVORITE_FOLDERS, FAVORITES, Favorite, FavoriteFolder, STORAGE_FILES, total_bytes};
use stowage_sdk::{Context, MemoryContext};
use stowage_transfers::bindings::favorites::Favorite as Answer;
use stowage_transfers::{Fields, add_favorite, delete_favorites, move_favorites};

use crate::scene::{
    NOW_MS, because, effects, hash, put_fields, refused, some, stored, texts, value, with_blobs, wrong,
};

fn folder(id: &str) -> FavoriteFolder {
    FavoriteFolder {
        id: id.to_owned(),
        name: id.to_owned(),
        time: 1,
    }
}

fn unique(unique: &str) -> Fields {
    Fields {
        unique: some(unique),
        ..Fields::default()
    }
}

/// Adds a favourite of a blob as one call.
fn add(ctx: &MemoryContext, fields: Fields, of: &str) -> Answer {
    ctx.call(|ctx| add_favorite(ctx, fields, Some(hash(of)), None))
        .expect("added")
}

#[test]
fn a_favourite_of_a_blob_is_added_with_its_fields() {
    let ctx = with_blobs(&[("photo", 300)]);
    FAVORITE_FOLDERS.apply(&ctx, [folder("f")], &[]);
    let fields = Fields {
        fav_id: some("f"),
        unique: some("u"),
        msg_id: some("m"),
        msg_content: some(r#"{"imageInfoArray":[]}"#),
        msg_type: Some(6),
        name: some("照片.jpg"),
        time: Some(1_744_161_323),
        node_address: some("node"),
        origin_nickname: some("nick"),
        ..Fields::default()
    };
    let answer = Answer {
        unique: "u".to_owned(),
        msg_id: "m".to_owned(),
        msg_content: r#"{"imageInfoArray":[]}"#.to_owned(),
        msg_type: 6,
        hash: hash("photo"),
        name: "照片.jpg".to_owned(),
        time: 1_744_161_323,
        node_address: "node".to_owned(),
        origin_nickname: "nick".to_owned(),
    };
    assert_eq!(add(&ctx, fields, "photo"), answer);
    let row = FAVORITES.get(&ctx, "u").expect("a row");
    assert_eq!((row.folder.as_str(), row.size, row.kind), ("f", 300, 1));
    assert_eq!(total_bytes(&ctx, &FAVORITES), 300);
    assert_eq!(put_fields(&ctx), row.cloud_fields());
}

#[test]
fn what_is_absent_has_its_default_and_empty_texts_are_absent() {
    let ctx = with_blobs(&[("a", 1)]);
    let fields = Fields {
        fav_id: some(""),
        unique: some(""),
        name: some("  "),
        ..Fields::default()
    };
    let added = add(&ctx, fields, "a");
    assert_eq!(added.unique.len(), 36, "a UUID: {}", added.unique);
    assert_eq!((added.time, added.name.as_str()), (NOW_MS / 1000, ""));
    let row = FAVORITES.get(&ctx, &added.unique).expect("a row");
    assert_eq!(row.folder, "1");
    assert!(FAVORITE_FOLDERS.contains(&ctx, "1"), "the default folder is made");
}

#[test]
fn a_text_message_needs_no_blob() {
    let ctx = MemoryContext::new();
    let text = |hash: Option<String>, msg_id: &str| {
        let fields = Fields {
            msg_id: some(msg_id),
            msg_content: some(r#"{"text":"123"}"#),
            ..Fields::default()
        };
        add_favorite(&ctx, fields, hash, None)
    };
    let chosen = text(some("any text"), "m").expect("added");
    assert_eq!(chosen.hash, "any text");
    assert_eq!(text(None, "m").expect("added").hash, "m", "as that of the message");
    assert_eq!(text(some(""), "").expect("added").hash, "");
    assert_eq!(
        text(None, &hash("message")).expect("added").hash,
        "",
        "a message must not look like a blob"
    );
    assert_eq!(refused(text(some(&"x".repeat(481)), "")), wrong("hash"));
    assert_eq!(
        FAVORITES.get(&ctx, &chosen.unique).map(|row| (row.size, row.kind)),
        Some((0, 3))
    );
    assert_eq!(total_bytes(&ctx, &FAVORITES), 0);
    ctx.take_effects();
    assert_eq!(
        ctx.call(|ctx| delete_favorites(ctx, vec![chosen.unique.clone()])),
        Ok(true)
    );
    assert_eq!(
        effects(&ctx),
        [format!("delete favorites/{}", chosen.unique)],
        "there is no blob"
    );
}

#[test]
fn every_other_favourite_needs_a_blob_of_the_space() {
    let ctx = MemoryContext::new();
    ctx.add_blob(&hash("here"), 5, false);
    let add = |hash: Option<String>| ctx.call(|ctx| add_favorite(ctx, Fields::default(), hash, None));
    assert_eq!(refused(add(None)), wrong("hash"));
    assert_eq!(refused(add(some(""))), wrong("hash"));
    assert_eq!(refused(add(some("no hash"))), because(60001));
    assert_eq!(refused(add(Some(hash("unknown")))), because(60001));
    let error = add(Some(hash("here"))).expect_err("refused");
    assert_eq!(error.code, 60001);
    assert!(
        error.message.contains("uploadFile"),
        "it says what to do: {}",
        error.message
    );
    assert!(ctx.is_empty());
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn wrong_fields_are_named_and_change_nothing() {
    let ctx = with_blobs(&[("a", 1)]);
    let add = |fields: Fields, is_crypt: Option<u32>| {
        refused(ctx.call(|ctx| add_favorite(ctx, fields, Some(hash("a")), is_crypt)))
    };
    let name = |name: &str| Fields {
        name: some(name),
        ..Fields::default()
    };
    assert_eq!(add(name("a\nb"), None), wrong("name"));
    assert_eq!(add(name(&"图".repeat(256)), None), wrong("name"));
    assert_eq!(add(unique(&"u".repeat(481)), None), wrong("unique"));
    // The space has no such identity, so the call would fail at its end.
    assert_eq!(add(unique("a\0b"), None), wrong("unique"));
    assert_eq!(add(Fields::default(), Some(2)), wrong("isCrypt"));
    let unknown = Fields {
        fav_id: some("unknown"),
        ..Fields::default()
    };
    assert_eq!(add(unknown, None), because(60000));
    assert!(ctx.is_empty());
    assert_eq!(effects(&ctx), [""; 0]);
}

/// A row of the space has at most 1 MiB. A larger one must not fail with 500 when it is put.
#[test]
fn a_row_that_the_space_cannot_hold_is_refused() {
    let ctx = with_blobs(&[("a", 1)]);
    let content = |bytes: usize| Fields {
        msg_content: Some("\u{1}".repeat(bytes)),
        ..Fields::default()
    };
    let add = |fields| ctx.call(|ctx| add_favorite(ctx, fields, Some(hash("a")), None));
    // In JSON each of these characters takes six bytes.
    assert_eq!(refused(add(content(175_000))), wrong("msgContent"));
    assert!(add(content(174_000)).is_ok());
}

#[test]
fn another_row_knows_whether_a_password_protects_the_blob() {
    let ctx = with_blobs(&[("a", 1), ("b", 1)]);
    let protected = |unique: &str| FAVORITES.get(&ctx, unique).map(|row| row.protected);
    let add = |name: &str, of: &str, is_crypt| add_favorite(&ctx, unique(name), Some(hash(of)), is_crypt).map(drop);
    assert_eq!(add("u", "a", Some(1)), Ok(()));
    assert_eq!(protected("u"), Some(true));
    assert_eq!(add("v", "a", Some(0)), Ok(()));
    assert_eq!(protected("v"), Some(true), "as in the other row");
    assert_eq!(add("w", "b", None), Ok(()));
    assert_eq!(protected("w"), Some(false));
}

#[test]
fn the_same_unique_replaces_the_favourite_and_releases_its_blob() {
    let ctx = with_blobs(&[("old", 100), ("new", 7)]);
    FAVORITE_FOLDERS.apply(&ctx, [folder("f")], &[]);
    let in_folder = Fields {
        fav_id: some("f"),
        ..unique("u")
    };
    add(&ctx, in_folder, "old");
    effects(&ctx);
    add(&ctx, unique("u"), "new");
    // The row is put first: the space keeps a blob that one of its rows names.
    assert_eq!(
        effects(&ctx),
        ["put favorites/u".to_owned(), format!("blob {}", hash("old"))]
    );
    let row = FAVORITES.get(&ctx, "u").expect("a row");
    assert_eq!((row.folder.as_str(), row.size), ("1", 7));
    assert_eq!(total_bytes(&ctx, &FAVORITES), 7);
    assert_eq!(ctx.keys("favorites-by-folder").len(), 1, "it left its folder");
}

#[test]
fn a_blob_that_another_row_names_stays() {
    let ctx = with_blobs(&[("a.txt", 100), ("new", 7)]);
    STORAGE_FILES.apply(&ctx, [stored("a.txt", "", 1, 100)], &[]);
    add(&ctx, unique("u"), "a.txt");
    add(&ctx, unique("u"), "new");
    assert_eq!(effects(&ctx), ["put favorites/u", "put favorites/u"]);
}

#[test]
fn the_same_favourite_again_changes_nothing() {
    let ctx = with_blobs(&[("a", 1)]);
    add(&ctx, unique("u"), "a");
    ctx.take_effects();
    let before = ctx.dump();
    add(&ctx, unique("u"), "a");
    assert_eq!(ctx.dump(), before);
    assert_eq!(effects(&ctx), [""; 0]);
}

/// The space keeps a field that a put does not name. So `protected` must be named when it ends.
#[test]
fn a_plain_blob_in_place_of_a_protected_one_is_plain_in_the_space_too() {
    let ctx = with_blobs(&[("sealed", 2), ("plain", 1)]);
    assert!(add_favorite(&ctx, unique("u"), Some(hash("sealed")), Some(1)).is_ok());
    assert_eq!(value(&put_fields(&ctx), "protected"), Some(Scalar::Boolean(true)));
    add(&ctx, unique("u"), "plain");
    assert_eq!(value(&put_fields(&ctx), "protected"), Some(Scalar::Boolean(false)));
}

#[test]
fn there_must_be_room_and_a_replaced_row_makes_room() {
    let ctx = with_blobs(&[("a", 100), ("b", 101)]);
    ctx.set_total_bytes(100);
    let add = |name: &str, of: &str| ctx.call(|ctx| add_favorite(ctx, unique(name), Some(hash(of)), None));
    assert!(add("u", "a").is_ok(), "exactly enough");
    assert_eq!(refused(add("v", "a")), because(700));
    assert!(add("u", "a").is_ok(), "the same row takes no more");
    assert_eq!(refused(add("u", "b")), because(700));
    assert_eq!(total_bytes(&ctx, &FAVORITES), 100);
    let text = Fields {
        msg_content: some(r#"{"text":"123"}"#),
        ..unique("t")
    };
    assert!(add_favorite(&ctx, text, None, None).is_ok(), "a text takes none");
}

#[test]
fn favourites_are_moved_here_and_in_the_space() {
    let ctx = with_blobs(&[("a", 1)]);
    FAVORITE_FOLDERS.apply(&ctx, [folder("f")], &[]);
    add(&ctx, unique("u"), "a");
    add(&ctx, unique("v"), "a");
    effects(&ctx);
    let moved = |uniques: &[&str], to: &str| ctx.call(|ctx| move_favorites(ctx, texts(uniques), to));
    assert_eq!(moved(&["u", "u", "v"], "f"), Ok(true));
    assert_eq!(effects(&ctx), ["put favorites/u", "put favorites/v"]);
    assert_eq!(FAVORITES.get(&ctx, "u").map(|row| row.folder).as_deref(), Some("f"));
    assert_eq!(moved(&["u", "v"], "f"), Ok(true), "they are there already");
    assert_eq!(effects(&ctx), [""; 0]);
    assert_eq!(moved(&["u"], "1"), Ok(true));
    assert_eq!(effects(&ctx), ["put favorites/u"]);
    assert_eq!(total_bytes(&ctx, &FAVORITES), 2);
}

#[test]
fn a_move_is_all_or_nothing() {
    let ctx = with_blobs(&[("a", 1)]);
    FAVORITE_FOLDERS.apply(&ctx, [folder("f")], &[]);
    add(&ctx, unique("u"), "a");
    ctx.take_effects();
    let before = ctx.dump();
    let moved = |uniques: Vec<String>, to: &str| refused(ctx.call(|ctx| move_favorites(ctx, uniques, to)));
    assert_eq!(moved(texts(&["u", "unknown"]), "f"), because(60001));
    assert_eq!(moved(texts(&["u", ""]), "f"), because(60001));
    assert_eq!(moved(texts(&["u"]), "unknown"), because(60000));
    assert_eq!(moved(texts(&["u"]), ""), because(60000));
    assert_eq!(moved(texts(&[]), "f"), wrong("uniques"));
    assert_eq!(moved(vec!["u".to_owned(); 1001], "f"), wrong("uniques"));
    assert_eq!(ctx.dump(), before);
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn a_move_to_the_default_folder_makes_it() {
    let ctx = MemoryContext::new();
    let row = Favorite {
        unique: "u".to_owned(),
        folder: "f".to_owned(),
        ..Favorite::default()
    };
    FAVORITES.apply(&ctx, [row], &[]);
    assert!(!FAVORITE_FOLDERS.contains(&ctx, "1"));
    assert_eq!(move_favorites(&ctx, texts(&["u"]), "1"), Ok(true));
    assert!(FAVORITE_FOLDERS.contains(&ctx, "1"));
}

#[test]
fn a_deleted_favourite_goes_with_its_last_blob() {
    let ctx = with_blobs(&[("a", 5), ("b", 6)]);
    for (name, of) in [("u", "a"), ("v", "a"), ("w", "b")] {
        add(&ctx, unique(name), of);
    }
    effects(&ctx);
    let delete = |uniques: &[&str]| ctx.call(|ctx| delete_favorites(ctx, texts(uniques)));
    assert_eq!(delete(&["u", "w", "u"]), Ok(true));
    assert_eq!(
        effects(&ctx),
        [
            "delete favorites/u".to_owned(),
            "delete favorites/w".to_owned(),
            format!("blob {}", hash("b"))
        ]
    );
    assert_eq!(total_bytes(&ctx, &FAVORITES), 5);
    let before = ctx.dump();
    assert_eq!(refused(delete(&["v", "u"])), because(60001));
    assert_eq!(ctx.dump(), before, "nothing is deleted");
    assert_eq!(effects(&ctx), [""; 0]);
    assert_eq!(refused(delete(&[])), wrong("uniques"));
    assert_eq!(delete(&["v"]), Ok(true));
    assert_eq!(
        effects(&ctx),
        ["delete favorites/v".to_owned(), format!("blob {}", hash("a"))]
    );
    assert_eq!(total_bytes(&ctx, &FAVORITES), 0);
}

#[test]
fn a_thousand_favourites_are_deleted_in_one_call() {
    let ctx = with_blobs(&[("a", 1)]);
    let names: Vec<String> = (0..1000).map(|n| format!("{n}")).collect();
    let rows = names.iter().map(|name| Favorite {
        unique: name.clone(),
        hash: hash("a"),
        size: 1,
        ..Favorite::default()
    });
    FAVORITES.apply(&ctx, rows, &[]);
    let too_many = [names.clone(), vec!["0".to_owned()]].concat();
    assert_eq!(
        refused(ctx.call(|ctx| delete_favorites(ctx, too_many))),
        wrong("uniques")
    );
    assert_eq!(ctx.call(|ctx| delete_favorites(ctx, names)), Ok(true));
    assert_eq!(total_bytes(&ctx, &FAVORITES), 0);
    let effects = effects(&ctx);
    assert_eq!(effects.len(), 1001);
    assert_eq!(effects.last(), Some(&format!("blob {}", hash("a"))));
    assert_eq!(ctx.counter("blobs", hash("a").as_bytes()), 0);
}
