//! The rules of lists of favourites.

use stowage_favorites::bindings::{api, favorite_folders, favorites};
use stowage_favorites::{List, apply_favorites, apply_folders, list};
use stowage_sdk::{MemoryContext, Order};

const IMAGE: &str = r#"{"imageFormat":255,"imageInfoArray":[{"type":1,"fileName":"hidden-name.jpg"}]}"#;

fn row(unique: &str, time: i64) -> favorites::Row {
    favorites::Row {
        unique: unique.to_owned(),
        folder: Some("1".to_owned()),
        msg_id: None,
        msg_content: None,
        msg_type: None,
        hash: None,
        name: None,
        size: None,
        time: Some(time),
        node_address: None,
        origin_nickname: None,
        protected: None,
    }
}

fn with(unique: &str, time: i64, name: &str, content: &str, nickname: &str) -> favorites::Row {
    favorites::Row {
        name: Some(name.to_owned()),
        msg_content: Some(content.to_owned()),
        origin_nickname: Some(nickname.to_owned()),
        ..row(unique, time)
    }
}

fn all() -> List<'static> {
    List {
        page: 1,
        page_size: 1000,
        ..List::default()
    }
}

fn uniques(ctx: &MemoryContext, which: &List<'_>) -> Vec<String> {
    list(ctx, "1", which)
        .expect("a list")
        .into_iter()
        .map(|favorite| favorite.unique)
        .collect()
}

#[test]
fn every_field_is_answered_and_unknown_ones_are_empty() {
    let ctx = MemoryContext::new();
    let full = favorites::Row {
        unique: "Ey6QuPViXoARu8CWH5K9GrNprzcjkGtEoezubhxCUA4c".to_owned(),
        folder: Some("1".to_owned()),
        msg_id: Some("3b5abc1c760a08bf6f635f861e9df1ca".to_owned()),
        msg_content: Some(r#"{"text":"123123"}"#.to_owned()),
        msg_type: Some(2),
        hash: Some("3b5abc1c760a08bf6f635f861e9df1ca".to_owned()),
        name: Some(String::new()),
        size: Some(u64::MAX),
        time: Some(1_744_161_323),
        node_address: Some("GPqZSzxsBJJrNywBiv8ieAUn9xFZvJkbcyP3f6ynk3Yk".to_owned()),
        origin_nickname: Some("GPqZSzx".to_owned()),
        protected: Some(false),
    };
    apply_favorites(
        &ctx,
        vec![
            full,
            favorites::Row {
                time: None,
                ..row("bare", 0)
            },
        ],
        &[],
    );
    let empty = api::Favorite {
        unique: "bare".to_owned(),
        msg_id: String::new(),
        msg_content: String::new(),
        msg_type: 0,
        hash: String::new(),
        name: String::new(),
        time: 0,
        node_address: String::new(),
        origin_nickname: String::new(),
    };
    let text = api::Favorite {
        unique: "Ey6QuPViXoARu8CWH5K9GrNprzcjkGtEoezubhxCUA4c".to_owned(),
        msg_id: "3b5abc1c760a08bf6f635f861e9df1ca".to_owned(),
        msg_content: r#"{"text":"123123"}"#.to_owned(),
        msg_type: 2,
        hash: "3b5abc1c760a08bf6f635f861e9df1ca".to_owned(),
        name: String::new(),
        time: 1_744_161_323,
        node_address: "GPqZSzxsBJJrNywBiv8ieAUn9xFZvJkbcyP3f6ynk3Yk".to_owned(),
        origin_nickname: "GPqZSzx".to_owned(),
    };
    assert_eq!(list(&ctx, "1", &all()), Ok(vec![empty, text]));
}

#[test]
fn favourites_come_oldest_first_and_ties_by_identifier() {
    let ctx = MemoryContext::new();
    apply_favorites(&ctx, vec![row("c", 5), row("a", 9), row("b", 5), row("d", -2)], &[]);
    assert_eq!(uniques(&ctx, &all()), ["d", "b", "c", "a"]);
    assert_eq!(
        uniques(
            &ctx,
            &List {
                order: Some(Order::Desc),
                ..all()
            }
        ),
        ["a", "c", "b", "d"]
    );
    assert_eq!(
        uniques(
            &ctx,
            &List {
                page: 2,
                page_size: 3,
                ..all()
            }
        ),
        ["a"]
    );
    assert_eq!(
        uniques(
            &ctx,
            &List {
                page: 3,
                page_size: 2,
                ..all()
            }
        ),
        Vec::<String>::new()
    );
}

#[test]
fn keywords_match_what_a_person_sees() {
    let ctx = MemoryContext::new();
    apply_favorites(
        &ctx,
        vec![
            with("name", 1, "Отчёт.PDF", "{}", ""),
            with("text", 2, "", r#"{"text":"Hello 世界\nline"}"#, ""),
            with("nick", 3, "", "", "GPqZSzx"),
            with("image", 4, "photo.jpg", IMAGE, "Ann"),
        ],
        &[],
    );
    let found = |keyword| {
        uniques(
            &ctx,
            &List {
                keyword: Some(keyword),
                ..all()
            },
        )
    };
    assert_eq!(found("отчёт.pdf"), ["name"]);
    assert_eq!(found("世界"), ["text"]);
    assert_eq!(found("HELLO"), ["text"]);
    assert_eq!(found("gpqzs"), ["nick"]);
    assert_eq!(
        found("imageInfoArray"),
        Vec::<String>::new(),
        "raw JSON is nothing a person sees"
    );
    assert_eq!(found("hidden-name"), Vec::<String>::new());
    assert_eq!(found("jpgann"), Vec::<String>::new(), "no match across two fields");
    assert_eq!(found("").len(), 4);
}

#[test]
fn kinds_times_and_keywords_are_combined() {
    let ctx = MemoryContext::new();
    apply_favorites(
        &ctx,
        vec![
            with("image", 10, "a.jpg", IMAGE, ""),
            with("video", 11, "a.mp4", "not json", ""),
            with("file", 12, "a.pdf", "{}", ""),
            with("text", 13, "", r#"{"text":"a"}"#, ""),
            with("voice", 14, "", r#"{"soundElem":{"url":"a"}}"#, "a"),
        ],
        &[],
    );
    let of = |kind| uniques(&ctx, &List { kind, ..all() });
    assert_eq!(of(0), ["image", "video", "file", "text", "voice"]);
    assert_eq!(of(1), ["image", "video"]);
    assert_eq!(of(2), ["file"]);
    assert_eq!(of(3), ["text"]);
    assert_eq!(of(4), ["voice"]);
    let which = List {
        kind: 1,
        keyword: Some("A."),
        start_time: Some(11),
        end_time: Some(11),
        ..all()
    };
    assert_eq!(uniques(&ctx, &which), ["video"]);
}

#[test]
fn time_ranges_are_inclusive_in_either_unit() {
    let ctx = MemoryContext::new();
    apply_favorites(
        &ctx,
        [1_744_106_170, 1_744_106_171, 1_744_106_172]
            .map(|t| row(&t.to_string(), t))
            .into(),
        &[],
    );
    let count = |start_time, end_time| {
        uniques(
            &ctx,
            &List {
                start_time,
                end_time,
                ..all()
            },
        )
        .len()
    };
    assert_eq!(count(Some(1_744_106_171), Some(1_744_106_171)), 1);
    assert_eq!(count(Some(1_744_106_171_000), Some(1_744_106_171_000)), 1);
    assert_eq!(count(Some(1_744_106_170_001), None), 2);
    assert_eq!(count(None, Some(1_744_106_171_999)), 2);
    assert_eq!(count(Some(1_744_106_172), Some(1_744_106_171)), 0);
    assert_eq!(count(Some(i64::MIN), Some(i64::MAX)), 3);
}

#[test]
fn bad_parameters_are_named_before_the_folder_is_looked_for() {
    let ctx = MemoryContext::new();
    let field = |which: List<'_>| {
        let error = list(&ctx, "unknown", &which).expect_err("refused");
        (
            error.code,
            error.message.split(':').next().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(field(List { kind: 5, ..all() }), (600, "type".to_owned()));
    assert_eq!(field(List { page: 0, ..all() }), (600, "page".to_owned()));
    assert_eq!(field(List { page_size: 0, ..all() }), (600, "pageSize".to_owned()));
    assert_eq!(
        field(List {
            page_size: 1001,
            ..all()
        }),
        (600, "pageSize".to_owned())
    );
    assert_eq!(field(all()).0, 60000);
}

#[test]
fn the_default_folder_can_be_listed_before_anything_is_there() {
    let ctx = MemoryContext::new();
    assert_eq!(uniques(&ctx, &all()), Vec::<String>::new());
    assert!(ctx.is_empty());
}

#[test]
fn favourites_wait_for_their_folder() {
    let ctx = MemoryContext::new();
    let waiting = favorites::Row {
        folder: Some("later".to_owned()),
        ..row("a", 1)
    };
    apply_favorites(&ctx, vec![waiting], &[]);
    assert_eq!(list(&ctx, "later", &all()).map_err(|error| error.code), Err(60000));
    let folder = favorite_folders::Row {
        id: "later".to_owned(),
        name: None,
        time: None,
    };
    apply_folders(&ctx, vec![folder], vec![]);
    assert_eq!(list(&ctx, "later", &all()).map(|rows| rows.len()), Ok(1));
    apply_folders(&ctx, vec![], vec!["later".to_owned()]);
    assert_eq!(list(&ctx, "later", &all()).map_err(|error| error.code), Err(60000));
}

#[test]
fn applying_favourites_is_idempotent_in_any_order_and_tells_the_space_nothing() {
    let rows = || vec![with("a", 1, "a.jpg", IMAGE, "n"), row("b", 2), row("c", 3)];
    let ctx = MemoryContext::new();
    apply_favorites(&ctx, rows(), &["d".to_owned()]);
    let once = ctx.dump();
    apply_favorites(&ctx, rows(), &["d".to_owned()]);
    assert_eq!(ctx.dump(), once);
    let other = MemoryContext::new();
    for row in rows().into_iter().rev() {
        apply_favorites(&other, vec![row], &[]);
    }
    assert_eq!(other.dump(), once);
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn a_page_of_a_large_folder_costs_a_page() {
    let ctx = MemoryContext::new();
    for batch in 0..10 {
        apply_favorites(&ctx, (0..500).map(|n| row(&format!("{batch}-{n}"), n)).collect(), &[]);
    }
    ctx.take_costs();
    assert_eq!(
        uniques(
            &ctx,
            &List {
                page: 200,
                page_size: 10,
                ..all()
            }
        )
        .len(),
        10
    );
    let (calls, entries) = ctx.take_costs();
    assert!(calls <= 3 && entries == 10, "{calls} calls, {entries} entries");
}
