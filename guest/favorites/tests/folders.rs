//! The rules of folders of favourites.

use stowage_favorites::bindings::{api, favorite_folders, favorites};
use stowage_favorites::{List, apply_favorites, apply_folders, create, delete, list, list_folders, rename};
use stowage_sdk::bindings::cloud::{Field, Scalar};
use stowage_sdk::rows::{FAVORITES, total_bytes};
use stowage_sdk::{Context, Effect, Error, MemoryContext, Order};

fn folder(id: &str, name: &str, time: i64) -> favorite_folders::Row {
    favorite_folders::Row {
        id: id.to_owned(),
        name: Some(name.to_owned()),
        time: Some(time),
    }
}

fn favorite(unique: &str, folder: &str, hash: &str, size: u64) -> favorites::Row {
    favorites::Row {
        unique: unique.to_owned(),
        folder: Some(folder.to_owned()),
        msg_id: None,
        msg_content: None,
        msg_type: None,
        hash: Some(hash.to_owned()),
        name: None,
        size: Some(size),
        time: Some(1),
        node_address: None,
        origin_nickname: None,
        protected: None,
    }
}

fn folders(ctx: &dyn Context) -> Vec<api::FavoriteFolder> {
    list_folders(ctx, None, 1, 1000).expect("a list")
}

fn names(ctx: &dyn Context) -> Vec<String> {
    folders(ctx).into_iter().map(|folder| folder.name).collect()
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> i32 {
    result.expect_err("an error").code
}

fn text(name: &str, value: &str) -> Field {
    Field {
        name: name.to_owned(),
        value: Scalar::Text(value.to_owned()),
    }
}

#[test]
fn the_default_folder_always_exists() {
    let ctx = MemoryContext::new();
    let default = api::FavoriteFolder {
        id: "1".to_owned(),
        name: "我的收藏".to_owned(),
        time: 1_744_104_587_216,
    };
    assert_eq!(folders(&ctx), std::slice::from_ref(&default));
    ctx.set_now_ms(1_800_000_000_000);
    assert_eq!(folders(&ctx), [default], "its time is that of the first need");
    apply_folders(&ctx, vec![], vec!["1".to_owned()]);
    assert_eq!(names(&ctx), ["我的收藏"]);
    assert_eq!(
        ctx.take_effects(),
        [],
        "every device has it: there is nothing to tell the space"
    );
}

#[test]
fn the_space_may_name_and_date_the_default_folder() {
    let ctx = MemoryContext::new();
    apply_folders(&ctx, vec![folder("1", "Mine", 5)], vec![]);
    assert_eq!(
        folders(&ctx)[0],
        api::FavoriteFolder {
            id: "1".to_owned(),
            name: "Mine".to_owned(),
            time: 5
        }
    );
    apply_folders(
        &ctx,
        vec![favorite_folders::Row {
            id: "1".to_owned(),
            name: None,
            time: None,
        }],
        vec![],
    );
    assert_eq!(
        folders(&ctx)[0],
        api::FavoriteFolder {
            id: "1".to_owned(),
            name: "我的收藏".to_owned(),
            time: 5
        }
    );
}

#[test]
fn a_folder_is_made_here_and_in_the_space() {
    let ctx = MemoryContext::new();
    assert_eq!(ctx.call(|ctx| create(ctx, "  图片 ")), Ok(true));
    let made = folders(&ctx).pop().expect("a folder");
    assert_eq!(made.name, "图片");
    assert_eq!(made.time, 1_744_104_587_216);
    assert_eq!(made.id.len(), 36);
    assert_eq!(made.id.as_bytes()[14], b'4', "a UUID v4: {}", made.id);
    let time = Field {
        name: "time".to_owned(),
        value: Scalar::Integer(made.time),
    };
    let fields = vec![text("id", &made.id), text("name", "图片"), time];
    assert_eq!(
        ctx.take_effects(),
        [Effect::PutRow {
            collection: "favorite-folders".to_owned(),
            identity: made.id,
            fields
        }]
    );
}

#[test]
fn names_are_unique_and_well_formed() {
    let ctx = MemoryContext::new();
    assert_eq!(create(&ctx, "视频"), Ok(true));
    assert_eq!(code(create(&ctx, " 视频 ")), 60002);
    assert_eq!(
        code(create(&ctx, "我的收藏")),
        60002,
        "the default folder's name is taken from the start"
    );
    assert_eq!(create(&ctx, &"图".repeat(255)), Ok(true), "a name longer than a key");
    assert_eq!(code(create(&ctx, &"图".repeat(255))), 60002);
    for bad in ["", "   ", "a\nb", "a\0", &"x".repeat(256)] {
        assert_eq!(code(create(&ctx, bad)), 600);
    }
    assert_eq!(names(&ctx).len(), 3);
}

#[test]
fn the_name_of_the_default_folder_is_taken_before_anyone_has_seen_it() {
    let ctx = MemoryContext::new();
    assert_eq!(code(ctx.call(|ctx| create(ctx, "我的收藏"))), 60002);
    assert!(ctx.is_empty(), "a refused call changes nothing");
}

#[test]
fn a_folder_is_renamed_here_and_in_the_space() {
    let ctx = MemoryContext::new();
    apply_folders(&ctx, vec![folder("a", "one", 1), folder("b", "two", 2)], vec![]);
    assert_eq!(rename(&ctx, "a", " 视频 "), Ok(true));
    assert_eq!(names(&ctx), ["我的收藏", "视频", "two"]);
    let time = Field {
        name: "time".to_owned(),
        value: Scalar::Integer(1),
    };
    let put = Effect::PutRow {
        collection: "favorite-folders".to_owned(),
        identity: "a".to_owned(),
        fields: vec![text("id", "a"), text("name", "视频"), time],
    };
    assert_eq!(ctx.take_effects(), [put]);
    assert_eq!(create(&ctx, "one"), Ok(true), "the old name is free");
}

#[test]
fn the_same_name_again_is_no_error_and_no_change() {
    let ctx = MemoryContext::new();
    apply_folders(&ctx, vec![folder("a", "one", 1)], vec![]);
    assert_eq!(rename(&ctx, "a", "one"), Ok(true));
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn a_rename_to_the_name_of_another_folder_or_of_an_unknown_one_is_refused() {
    let ctx = MemoryContext::new();
    apply_folders(&ctx, vec![folder("a", "one", 1), folder("b", "two", 2)], vec![]);
    assert_eq!(code(rename(&ctx, "a", "two")), 60002);
    assert_eq!(code(rename(&ctx, "a", "我的收藏")), 60002);
    assert_eq!(code(rename(&ctx, "c", "three")), 60000);
    assert_eq!(code(rename(&ctx, "", "three")), 60000);
    assert_eq!(code(rename(&ctx, &"x".repeat(5000), "three")), 60000);
    assert_eq!(code(rename(&ctx, "c", "")), 600);
}

#[test]
fn the_default_folder_can_be_renamed_and_its_old_name_is_free() {
    let ctx = MemoryContext::new();
    assert_eq!(rename(&ctx, "1", "Mine"), Ok(true));
    assert_eq!(names(&ctx), ["Mine"]);
    assert_eq!(create(&ctx, "我的收藏"), Ok(true));
    assert_eq!(code(rename(&ctx, "1", "我的收藏")), 60002);
}

#[test]
fn two_folders_of_the_space_with_one_name_are_both_kept() {
    let ctx = MemoryContext::new();
    apply_folders(
        &ctx,
        vec![folder("a", "same", 1), folder("b", "same", 2), folder("c", "same", 3)],
        vec![],
    );
    assert_eq!(names(&ctx), ["我的收藏", "same", "same", "same"]);
    assert_eq!(code(create(&ctx, "same")), 60002);
    assert_eq!(code(rename(&ctx, "1", "same")), 60002);
    assert_eq!(rename(&ctx, "c", "other"), Ok(true));
}

#[test]
fn deleting_the_default_folder_is_refused() {
    let ctx = MemoryContext::new();
    assert_eq!(code(delete(&ctx, "1")), 60003);
}

#[test]
fn deleting_an_unknown_folder_is_refused() {
    let ctx = MemoryContext::new();
    assert_eq!(code(delete(&ctx, "66053280-446f-488e-82f3-95884938a30c")), 60000);
    assert_eq!(code(delete(&ctx, "")), 60000);
}

#[test]
fn a_folder_goes_with_its_favourites_and_their_last_blobs() {
    let ctx = MemoryContext::new();
    let hash = |of: &str| stowage_sdk::base58_sha256(&[of]);
    apply_folders(&ctx, vec![folder("a", "one", 1)], vec![]);
    let text = "3b5abc1c760a08bf6f635f861e9df1cae7de5c8577bdfb7498845e68150fcdc6";
    apply_favorites(
        &ctx,
        vec![
            favorite("f1", "a", &hash("x"), 10),
            favorite("f2", "a", &hash("y"), 20),
            favorite("f3", "1", &hash("y"), 20),
            favorite("f4", "a", text, 0),
        ],
        &[],
    );
    assert_eq!(total_bytes(&ctx, &FAVORITES), 50);
    assert_eq!(delete(&ctx, "a"), Ok(true));
    let row = |collection: &str, identity: &str| Effect::DeleteRow {
        collection: collection.to_owned(),
        identity: identity.to_owned(),
    };
    assert_eq!(
        ctx.take_effects(),
        [
            row("favorites", "f1"),
            row("favorites", "f2"),
            row("favorites", "f4"),
            row("favorite-folders", "a"),
            Effect::DeleteBlob(hash("x")),
        ]
    );
    assert_eq!(total_bytes(&ctx, &FAVORITES), 20);
    assert_eq!(names(&ctx), ["我的收藏"]);
    assert_eq!(code(delete(&ctx, "a")), 60000);
    assert_eq!(
        code(list(
            &ctx,
            "a",
            &List {
                page: 1,
                page_size: 10,
                ..List::default()
            }
        )),
        60000
    );
}

#[test]
fn a_folder_of_many_favourites_goes_whole() {
    let ctx = MemoryContext::new();
    apply_folders(&ctx, vec![folder("a", "one", 1)], vec![]);
    for batch in 0..25 {
        let rows = (0..100)
            .map(|n| favorite(&format!("{batch}-{n}"), "a", "", 1))
            .collect();
        apply_favorites(&ctx, rows, &[]);
    }
    assert_eq!(delete(&ctx, "a"), Ok(true));
    assert_eq!(total_bytes(&ctx, &FAVORITES), 0);
    assert!(ctx.keys("favorites").is_empty());
    assert!(ctx.keys("favorites-by-folder").is_empty());
    assert!(ctx.keys("favorites-by-kind").is_empty());
}

#[test]
fn the_default_folder_comes_first_in_both_orders_and_on_every_page_size() {
    let ctx = MemoryContext::new();
    apply_folders(
        &ctx,
        vec![
            folder("c", "c", 2),
            folder("b", "b", 2),
            folder("a", "a", 3),
            folder("d", "d", -1),
        ],
        vec![],
    );
    for (order, expected) in [
        (Order::Asc, ["1", "d", "b", "c", "a"]),
        (Order::Desc, ["1", "a", "c", "b", "d"]),
    ] {
        for page_size in 1..=6 {
            let mut ids = Vec::new();
            for page in 1..=6 {
                let rows = list_folders(&ctx, Some(order), page, page_size).expect("a page");
                assert!(rows.len() <= page_size as usize);
                ids.extend(rows.into_iter().map(|folder| folder.id));
            }
            assert_eq!(ids, expected, "pages of {page_size}");
        }
    }
    assert_eq!(code(list_folders(&ctx, None, 0, 10)), 600);
    assert_eq!(code(list_folders(&ctx, None, 1, 1001)), 600);
    assert_eq!(list_folders(&ctx, None, u32::MAX, 1000), Ok(vec![]));
}

#[test]
fn applying_folders_is_idempotent_and_tells_the_space_nothing() {
    let ctx = MemoryContext::new();
    let rows = || {
        vec![
            folder("a", "one", 1),
            folder("b", "two", 2),
            folder("", "no identity", 3),
        ]
    };
    apply_folders(&ctx, rows(), vec!["c".to_owned()]);
    let once = ctx.dump();
    apply_folders(&ctx, rows(), vec!["c".to_owned()]);
    assert_eq!(ctx.dump(), once);
    apply_folders(&ctx, vec![], vec!["a".to_owned()]);
    assert_eq!(names(&ctx), ["我的收藏", "two"]);
    assert_eq!(ctx.take_effects(), []);
}
