//! The rules of chat backups.

use stowage_backups::bindings::{api, backup_folders, backups};
use stowage_backups::{List, apply_backups, apply_folders, delete, list, list_folders, search};
use stowage_sdk::rows::{BACKUPS, total_bytes};
use stowage_sdk::{Effect, MemoryContext, Order, base58_sha256};

fn folder(unique: &str, parent: &str, time: i64) -> backup_folders::Row {
    backup_folders::Row {
        unique: unique.to_owned(),
        parent: Some(parent.to_owned()),
        name: Some(unique.to_owned()),
        time: Some(time),
    }
}

fn file(unique: &str, parent: &str, kind: i32, messages: i64) -> backups::Row {
    backups::Row {
        unique: unique.to_owned(),
        hash: Some(hash(unique)),
        parent: Some(parent.to_owned()),
        node_id: None,
        type_: Some(kind),
        name: Some(format!("{unique}.txt")),
        time: Some(1),
        size: Some(1000),
        message_num: Some(messages),
        nickname: None,
        domain_name: None,
        protected: None,
    }
}

fn hash(of: &str) -> String {
    base58_sha256(&[of])
}

fn folders(ctx: &MemoryContext, which: &List<'_>) -> Vec<String> {
    list_folders(ctx, which)
        .expect("a list")
        .into_iter()
        .map(|folder| folder.unique)
        .collect()
}

fn files(ctx: &MemoryContext, parent: &str) -> Vec<String> {
    list(ctx, parent, None, None, None)
        .expect("a list")
        .into_iter()
        .map(|file| file.unique)
        .collect()
}

fn code<T: std::fmt::Debug>(result: Result<T, stowage_sdk::Error>) -> i32 {
    result.expect_err("an error").code
}

fn deleted(collection: &str, identity: &str) -> Effect {
    Effect::DeleteRow {
        collection: collection.to_owned(),
        identity: identity.to_owned(),
    }
}

/// The folder and the two files of the documented search.
fn documented() -> MemoryContext {
    let ctx = MemoryContext::new();
    let file = |unique: &str, hash: &str, name: &str, time, size, messages| backups::Row {
        hash: Some(hash.to_owned()),
        node_id: Some("J1DMCnxVqErdJUhQySxyumNjrcKYNNf7H22FSShMVUFZ".to_owned()),
        name: Some(name.to_owned()),
        time: Some(time),
        size: Some(size),
        nickname: Some("J1DMCnxV".to_owned()),
        domain_name: Some(String::new()),
        ..file(unique, "backup_20250402", 1, messages)
    };
    apply_backups(
        &ctx,
        vec![
            file(
                "BaMnhMU3R4uo9PAHhcikopBYVoXYyq5WeePWhNyNcdZj",
                "8efhJHFANcceN8uMJNfifXXNVNjhQuM9GavvEuwA2iU8",
                "BdboNrsuNce6Ha35dTo1-202504021740.txt",
                1_743_587_627,
                2386,
                2,
            ),
            file(
                "2DT5kTqEuQvmiu6wm7aJqBrboCJUnXA8vvpbzBK2yJ4T",
                "EbspHuYLRaSiNG28AenBiTQdnan4ZL5kpRiGS9b423LD",
                "BdboNrsuNce6Ha35dTo1-202504021700.txt",
                1_743_585_227,
                8520,
                7,
            ),
        ],
        &[],
    );
    apply_folders(&ctx, vec![folder("backup_20250402", "", 1_743_585_227)], &[]);
    ctx
}

#[test]
fn the_documented_search_is_answered_as_documented() {
    let ctx = documented();
    let api::BackupSearch { folders, files } = search(&ctx, Some("2"));
    let expected = api::BackupFolder {
        unique: "backup_20250402".to_owned(),
        parent: String::new(),
        name: "backup_20250402".to_owned(),
        time: 1_743_585_227,
        size: "10.65 KB".to_owned(),
        single_chat_num: 9,
        group_chat_num: 0,
    };
    assert_eq!(folders, [expected]);
    let first = api::BackupFile {
        unique: "2DT5kTqEuQvmiu6wm7aJqBrboCJUnXA8vvpbzBK2yJ4T".to_owned(),
        hash: "EbspHuYLRaSiNG28AenBiTQdnan4ZL5kpRiGS9b423LD".to_owned(),
        parent: "backup_20250402".to_owned(),
        node_id: "J1DMCnxVqErdJUhQySxyumNjrcKYNNf7H22FSShMVUFZ".to_owned(),
        type_: 1,
        name: "BdboNrsuNce6Ha35dTo1-202504021700.txt".to_owned(),
        time: 1_743_585_227,
        size: "8.32 KB".to_owned(),
        message_num: 7,
        nickname: "J1DMCnxV".to_owned(),
        domain_name: String::new(),
    };
    assert_eq!(files[0], first);
    assert_eq!((files.len(), files[1].size.as_str()), (2, "2.33 KB"));
    assert_eq!(
        list(&ctx, "backup_20250402", None, Some(1), Some(10)).expect("a list"),
        files
    );
}

#[test]
fn a_search_finds_folders_by_name_or_by_the_files_in_them() {
    let ctx = documented();
    apply_folders(&ctx, vec![folder("Архив", "", 5)], &[]);
    apply_backups(
        &ctx,
        vec![file("x", "Архив", 1, 1), file("waiting", "nowhere", 1, 1)],
        &[],
    );
    let found = |keyword| {
        let api::BackupSearch { folders, files } = search(&ctx, keyword);
        (
            folders.into_iter().map(|row| row.unique).collect::<Vec<_>>(),
            files.len(),
        )
    };
    assert_eq!(found(Some("архив")), (vec!["Архив".to_owned()], 0));
    assert_eq!(found(Some("X.TXT")), (vec!["Архив".to_owned()], 1));
    assert_eq!(found(Some("waiting")), (vec![], 1), "its folder has not come yet");
    assert_eq!(found(Some("J1DMCnxV")), (vec![], 0), "backups are found by file names");
    assert_eq!(found(None), (vec!["Архив".to_owned(), "backup_20250402".to_owned()], 4));
    assert_eq!(found(Some("")), found(None));
}

#[test]
fn folders_are_listed_by_parent_time_and_order() {
    let ctx = MemoryContext::new();
    let rows = vec![
        folder("c", "a", 30),
        folder("a", "", 10),
        folder("b", "a", 30),
        folder("d", "c", 5),
    ];
    apply_folders(&ctx, rows, &[]);
    let all = List::default;
    let long = "x".repeat(70_000);
    let cases: [(List<'_>, &[&str]); 11] = [
        (all(), &["d", "a", "b", "c"]),
        (in_parent(""), &["d", "a", "b", "c"]),
        (in_parent("a"), &["b", "c"]),
        (in_parent("unknown"), &[]),
        (in_parent(&long), &[]),
        (
            List {
                order: Some(Order::Desc),
                ..all()
            },
            &["c", "b", "a", "d"],
        ),
        (
            List {
                start_time: Some(10),
                end_time: Some(30),
                ..all()
            },
            &["a", "b", "c"],
        ),
        (
            List {
                end_time: Some(9),
                ..all()
            },
            &["d"],
        ),
        (
            List {
                start_time: Some(30_000),
                ..in_parent("a")
            },
            &[],
        ),
        (
            List {
                page: Some(2),
                page_size: Some(3),
                ..all()
            },
            &["c"],
        ),
        (
            List {
                page_size: Some(1),
                ..all()
            },
            &["d"],
        ),
    ];
    for (list, expected) in cases {
        assert_eq!(folders(&ctx, &list), expected, "{list:?}");
    }
}

fn in_parent(parent: &str) -> List<'_> {
    List {
        parent: Some(parent),
        ..List::default()
    }
}

#[test]
fn folder_times_in_milliseconds_are_understood() {
    let ctx = documented();
    let count = |start_time, end_time| {
        folders(
            &ctx,
            &List {
                start_time,
                end_time,
                ..List::default()
            },
        )
        .len()
    };
    assert_eq!(count(Some(1_743_585_227_000), Some(1_743_585_227_999)), 1);
    assert_eq!(count(Some(1_743_585_227_001), None), 0);
}

#[test]
fn without_paging_the_first_thousand_are_listed() {
    let ctx = MemoryContext::new();
    for batch in 0..3 {
        let rows = (0..400).map(|n| file(&format!("{batch}{n:03}"), "p", 1, 1)).collect();
        apply_backups(&ctx, rows, &[]);
        let rows = (0..400).map(|n| folder(&format!("{batch}{n:03}"), "p", 1)).collect();
        apply_folders(&ctx, rows, &[]);
    }
    apply_folders(&ctx, vec![folder("p", "", 0)], &[]);
    assert_eq!(files(&ctx, "p").len(), 1000);
    assert_eq!(
        folders(
            &ctx,
            &List {
                parent: Some("p"),
                ..List::default()
            }
        )
        .len(),
        1000
    );
    assert_eq!(
        list(&ctx, "p", Some(Order::Desc), Some(2), None).map(|rows| rows.len()),
        Ok(200)
    );
}

#[test]
fn bad_parameters_are_named_and_unknown_folders_refused() {
    let ctx = MemoryContext::new();
    let field = |page, page_size| {
        let error = list(&ctx, "unknown", None, page, page_size).expect_err("refused");
        let other = list_folders(
            &ctx,
            &List {
                page,
                page_size,
                ..List::default()
            },
        )
        .expect_err("refused");
        assert_eq!(error, other);
        (
            error.code,
            error.message.split(':').next().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(field(Some(0), None), (600, "page".to_owned()));
    assert_eq!(field(None, Some(0)), (600, "pageSize".to_owned()));
    assert_eq!(field(Some(1), Some(1001)), (600, "pageSize".to_owned()));
    assert_eq!(code(list(&ctx, "unknown", None, None, None)), 60000);
    assert_eq!(code(list(&ctx, "", None, None, None)), 60000);
}

#[test]
fn messages_are_summed_by_kind_of_chat() {
    let ctx = MemoryContext::new();
    apply_folders(&ctx, vec![folder("p", "", 1)], &[]);
    let absurd = [file("d", "p", 1, -50), file("e", "p", 2, i64::MAX)];
    apply_backups(
        &ctx,
        vec![file("a", "p", 1, 7), file("b", "p", 2, 40), file("c", "p", 1, 2)],
        &[],
    );
    let totals = || {
        let row = list_folders(&ctx, &List::default()).expect("a list").remove(0);
        (row.single_chat_num, row.group_chat_num, row.size)
    };
    assert_eq!(totals(), (9, 40, "2.93 KB".to_owned()));
    apply_backups(&ctx, absurd.into(), &[]);
    assert_eq!(totals().0, 9, "a negative count counts nothing");
    apply_backups(&ctx, vec![], &["d".to_owned(), "e".to_owned()]);
    assert_eq!(totals(), (9, 40, "2.93 KB".to_owned()));
}

#[test]
fn a_file_is_deleted_here_and_in_the_space_with_its_last_blob() {
    let ctx = documented();
    let unique = "2DT5kTqEuQvmiu6wm7aJqBrboCJUnXA8vvpbzBK2yJ4T";
    assert_eq!(ctx.call(|ctx| delete(ctx, unique, false)), Ok(true));
    let blob = Effect::DeleteBlob("EbspHuYLRaSiNG28AenBiTQdnan4ZL5kpRiGS9b423LD".to_owned());
    assert_eq!(ctx.take_effects(), [deleted("backups", unique), blob]);
    let row = &list_folders(&ctx, &List::default()).expect("a list")[0];
    assert_eq!((row.size.as_str(), row.single_chat_num), ("2.33 KB", 2));
    assert_eq!(code(delete(&ctx, unique, false)), 60001);
}

#[test]
fn a_folder_is_no_file_and_a_file_no_folder() {
    let ctx = documented();
    assert_eq!(code(delete(&ctx, "backup_20250402", false)), 60001);
    assert_eq!(
        code(delete(&ctx, "2DT5kTqEuQvmiu6wm7aJqBrboCJUnXA8vvpbzBK2yJ4T", true)),
        60000
    );
    assert_eq!(code(delete(&ctx, "", true)), 60000);
    assert_eq!(code(delete(&ctx, &"x".repeat(2000), false)), 60001);
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn a_folder_goes_with_all_below_it() {
    let ctx = MemoryContext::new();
    apply_folders(
        &ctx,
        vec![
            folder("a", "", 1),
            folder("b", "a", 1),
            folder("c", "b", 1),
            folder("z", "", 1),
        ],
        &[],
    );
    let shared = backups::Row {
        hash: Some(hash("1")),
        ..file("4", "z", 1, 1)
    };
    apply_backups(
        &ctx,
        vec![file("1", "a", 1, 1), file("2", "b", 1, 1), file("3", "c", 2, 1), shared],
        &[],
    );
    assert_eq!(delete(&ctx, "a", true), Ok(true));
    let effects = ctx.take_effects();
    for (collection, identity) in [
        ("backups", "1"),
        ("backups", "2"),
        ("backups", "3"),
        ("backup-folders", "a"),
        ("backup-folders", "c"),
    ] {
        assert!(effects.contains(&deleted(collection, identity)), "{identity}");
    }
    assert!(effects.contains(&Effect::DeleteBlob(hash("2"))));
    assert!(
        !effects.contains(&Effect::DeleteBlob(hash("1"))),
        "a file elsewhere still has it"
    );
    assert_eq!(effects.len(), 3 + 3 + 2);
    assert_eq!(folders(&ctx, &List::default()), ["z"]);
    assert_eq!(files(&ctx, "z"), ["4"]);
    assert_eq!(total_bytes(&ctx, &BACKUPS), 1000);
}

#[test]
fn folders_that_are_in_each_other_are_deleted_once() {
    let ctx = MemoryContext::new();
    apply_folders(
        &ctx,
        vec![folder("a", "b", 1), folder("b", "a", 1), folder("self", "self", 1)],
        &[],
    );
    apply_backups(&ctx, vec![file("1", "a", 1, 1), file("2", "b", 1, 1)], &[]);
    assert_eq!(delete(&ctx, "a", true), Ok(true));
    assert_eq!(delete(&ctx, "self", true), Ok(true));
    assert!(folders(&ctx, &List::default()).is_empty());
    assert!(ctx.keys("backups").is_empty());
}

#[test]
fn a_folder_at_the_bottom_of_a_very_deep_tree_costs_no_stack() {
    let ctx = MemoryContext::new();
    for batch in 0..20 {
        let rows = (0..500)
            .map(|n| batch * 500 + n)
            .map(|n| folder(&(n + 1).to_string(), &n.to_string(), 1));
        apply_folders(&ctx, rows.collect(), &[]);
    }
    assert_eq!(delete(&ctx, "1", true), Ok(true));
    assert!(ctx.keys("backup-folders").is_empty());
}

#[test]
fn files_wait_for_their_folder_and_outlive_it() {
    let ctx = MemoryContext::new();
    apply_backups(&ctx, vec![file("a", "later", 1, 3)], &[]);
    assert_eq!(code(list(&ctx, "later", None, None, None)), 60000);
    apply_folders(&ctx, vec![folder("later", "", 1)], &[]);
    assert_eq!(files(&ctx, "later"), ["a"]);
    assert_eq!(
        list_folders(&ctx, &List::default()).expect("a list")[0].single_chat_num,
        3
    );
    apply_folders(&ctx, vec![], &["later".to_owned()]);
    assert_eq!(code(list(&ctx, "later", None, None, None)), 60000);
    apply_folders(&ctx, vec![folder("later", "", 1)], &[]);
    assert_eq!(files(&ctx, "later"), ["a"]);
}

#[test]
fn applying_is_idempotent_in_any_order_and_tells_the_space_nothing() {
    let rows = || {
        vec![
            file("a", "p", 1, 1),
            file("b", "q", 2, 2),
            file(&"x".repeat(481), "q", 2, 2),
        ]
    };
    let parents = || vec![folder("p", "", 1), folder("q", "p", 2)];
    let ctx = MemoryContext::new();
    apply_folders(&ctx, parents(), &[]);
    apply_backups(&ctx, rows(), &["c".to_owned()]);
    let once = ctx.dump();
    apply_backups(&ctx, rows(), &["c".to_owned()]);
    apply_folders(&ctx, parents(), &["r".to_owned()]);
    assert_eq!(ctx.dump(), once);
    let other = MemoryContext::new();
    apply_backups(&other, rows().into_iter().rev().collect(), &[]);
    apply_folders(&other, parents().into_iter().rev().collect(), &[]);
    assert_eq!(other.dump(), once);
    assert_eq!(ctx.take_effects(), []);
}
