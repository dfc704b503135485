//! The rules of local temp files.

use stowage_sdk::bindings::transfer::{File, UploadRequest};
use stowage_sdk::rows::{TEMP_FILES, total_bytes};
use stowage_sdk::{Effect, MemoryContext, Order, base58_sha256};
use stowage_temp_files::bindings::{api, temp_files, temp_folders};
use stowage_temp_files::{List, apply_files, apply_folders, list, list_folders, search, upload};

fn folder(unique: &str, time: i64) -> temp_folders::Row {
    temp_folders::Row {
        unique: unique.to_owned(),
        node_address: Some(unique.to_owned()),
        type_: Some(1),
        time: Some(time),
    }
}

fn file(unique: &str, parent: &str, name: &str, size: u64, time: i64) -> temp_files::Row {
    temp_files::Row {
        unique: unique.to_owned(),
        parent: Some(parent.to_owned()),
        hash: Some(hash(unique)),
        msg_id: None,
        msg_content: None,
        msg_type: None,
        ext: None,
        size: Some(size),
        name: Some(name.to_owned()),
        time: Some(time),
        protected: None,
    }
}

fn hash(of: &str) -> String {
    base58_sha256(&[of])
}

fn all() -> List<'static> {
    List {
        page: 1,
        page_size: 1000,
        ..List::default()
    }
}

fn uniques(ctx: &MemoryContext, folder: &str, which: &List<'_>) -> Vec<String> {
    list(ctx, folder, which)
        .expect("a list")
        .into_iter()
        .map(|file| file.unique)
        .collect()
}

fn found(ctx: &MemoryContext, keyword: &str) -> (Vec<String>, Vec<String>) {
    let api::TempSearch { folders, files } = search(ctx, Some(keyword));
    (
        folders.into_iter().map(|row| row.unique).collect(),
        files.into_iter().map(|row| row.unique).collect(),
    )
}

/// The two conversations of the documented search.
fn documented() -> MemoryContext {
    let ctx = MemoryContext::new();
    let image = r#"{"imageInfoArray":[{"type":1}],"thumb":"FKBg-ecb4"}"#;
    let file = |unique: &str, parent: &str, name: &str, size, time| temp_files::Row {
        hash: Some(unique.to_owned()),
        ext: Some(".other".to_owned()),
        msg_type: Some(6),
        msg_content: Some(image.to_owned()),
        ..file(unique, parent, name, size, time)
    };
    apply_files(
        &ctx,
        vec![
            file(
                "Hyp5ScwB8cAwCBqZhJsDj18iRuno97y25U6uNMq4Fsts",
                "BBFdS4CSgvHZbXNUmhS1v45vHTFQ7KN4XSbbWh5Rye6b",
                "xuanxuan-image.png",
                4246,
                1_744_250_785_749,
            ),
            file(
                "FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz",
                "7tWEXUwKBECLd1ngu4XKusc2N3JLsM5oZwBG9JK1sKuj",
                "0c0f869d-da79-481e-936f-a05650995f781744250766561325.JPG",
                12_542_638,
                1_744_250_766_514,
            ),
        ],
        &[],
    );
    apply_folders(
        &ctx,
        vec![
            folder("BBFdS4CSgvHZbXNUmhS1v45vHTFQ7KN4XSbbWh5Rye6b", 1_744_250_785_749),
            folder("7tWEXUwKBECLd1ngu4XKusc2N3JLsM5oZwBG9JK1sKuj", 1_744_250_766_514),
        ],
        &[],
    );
    ctx
}

#[test]
fn the_documented_search_is_answered_as_documented() {
    let ctx = documented();
    let api::TempSearch { folders, files } = search(&ctx, Some(""));
    let folder = |unique: &str, time, size: &str| api::TempFolder {
        unique: unique.to_owned(),
        node_address: unique.to_owned(),
        type_: 1,
        file_num: 1,
        time,
        size: size.to_owned(),
    };
    assert_eq!(
        folders,
        [
            folder(
                "7tWEXUwKBECLd1ngu4XKusc2N3JLsM5oZwBG9JK1sKuj",
                1_744_250_766_514,
                "11.96 MB"
            ),
            folder(
                "BBFdS4CSgvHZbXNUmhS1v45vHTFQ7KN4XSbbWh5Rye6b",
                1_744_250_785_749,
                "4.15 KB"
            ),
        ]
    );
    assert_eq!(files.len(), 2);
    assert_eq!(
        files[0].name,
        "0c0f869d-da79-481e-936f-a05650995f781744250766561325.JPG"
    );
    assert_eq!(
        (files[1].size.as_str(), files[1].ext.as_str(), files[1].msg_type),
        ("4.15 KB", ".other", 6)
    );
    assert_eq!(search(&ctx, None), search(&ctx, Some("")));
}

#[test]
fn a_search_finds_files_by_name_and_conversations_by_address_or_file() {
    let ctx = documented();
    let (xuan, other) = (
        "BBFdS4CSgvHZbXNUmhS1v45vHTFQ7KN4XSbbWh5Rye6b".to_owned(),
        "7tWEXUwKBECLd1ngu4XKusc2N3JLsM5oZwBG9JK1sKuj".to_owned(),
    );
    assert_eq!(
        found(&ctx, "XUANXUAN"),
        (
            vec![xuan.clone()],
            vec!["Hyp5ScwB8cAwCBqZhJsDj18iRuno97y25U6uNMq4Fsts".to_owned()]
        )
    );
    assert_eq!(found(&ctx, "7tweXU"), (vec![other], vec![]));
    assert_eq!(found(&ctx, "imageInfoArray"), (vec![], vec![]));
    assert_eq!(found(&ctx, "nothing"), (vec![], vec![]));
    assert_eq!(found(&ctx, "G").0.len(), 2, "both have a file or an address with it");
}

#[test]
fn a_search_returns_the_first_thousand_files_and_every_folder() {
    let ctx = MemoryContext::new();
    for batch in 0..3 {
        let rows = (0..500).map(|n| {
            file(
                &format!("{batch}{n:03}"),
                &format!("p{batch}"),
                "photo.jpg",
                1,
                batch * 1000 + n,
            )
        });
        apply_files(&ctx, rows.collect(), &[]);
    }
    apply_folders(
        &ctx,
        vec![folder("p2", 1), folder("p0", 2), folder("p1", 3), folder("empty", 4)],
        &[],
    );
    ctx.take_costs();
    let (folders, files) = found(&ctx, "photo");
    assert_eq!(folders, ["p2", "p0", "p1"]);
    assert_eq!(
        (files.len(), files[0].as_str(), files[999].as_str()),
        (1000, "0000", "1499")
    );
    let (calls, entries) = ctx.take_costs();
    assert!(calls < 30 && entries < 2000, "{calls} calls, {entries} entries");
}

#[test]
fn files_come_newest_first_and_ties_by_identifier() {
    let ctx = MemoryContext::new();
    apply_folders(&ctx, vec![folder("p", 1)], &[]);
    let rows = [("a", 5), ("b", 9), ("c", 5), ("d", 1)];
    apply_files(
        &ctx,
        rows.map(|(unique, time)| file(unique, "p", "x", 1, time)).into(),
        &[],
    );
    assert_eq!(uniques(&ctx, "p", &all()), ["b", "c", "a", "d"]);
    assert_eq!(
        uniques(
            &ctx,
            "p",
            &List {
                order: Some(Order::Asc),
                ..all()
            }
        ),
        ["d", "a", "c", "b"]
    );
    assert_eq!(
        uniques(
            &ctx,
            "p",
            &List {
                page: 2,
                page_size: 3,
                ..all()
            }
        ),
        ["d"]
    );
}

#[test]
fn kinds_and_keywords_filter_files() {
    let ctx = MemoryContext::new();
    apply_folders(&ctx, vec![folder("p", 1)], &[]);
    let text = temp_files::Row {
        msg_content: Some(r#"{"text":"Grüße"}"#.to_owned()),
        ..file("text", "p", "", 1, 1)
    };
    let ext_only = temp_files::Row {
        ext: Some(".PNG".to_owned()),
        ..file("ext", "p", "screenshot", 1, 5)
    };
    apply_files(
        &ctx,
        vec![
            text,
            file("pdf", "p", "GRÜSSE.pdf", 1, 2),
            file("mp4", "p", "grüße.MP4", 1, 3),
            file("amr", "p", "a.amr", 1, 4),
            ext_only,
        ],
        &[],
    );
    let of = |kind| uniques(&ctx, "p", &List { kind, ..all() });
    assert_eq!(of(1), ["ext", "mp4"]);
    assert_eq!(of(2), ["pdf"]);
    assert_eq!(of(3), ["text"]);
    assert_eq!(of(4), ["amr"]);
    assert_eq!(
        uniques(
            &ctx,
            "p",
            &List {
                keyword: Some("GRÜẞE"),
                ..all()
            }
        ),
        ["mp4", "pdf", "text"]
    );
    assert_eq!(
        uniques(
            &ctx,
            "p",
            &List {
                keyword: Some("grüße"),
                kind: 3,
                ..all()
            }
        ),
        ["text"]
    );
}

#[test]
fn an_extension_is_the_rows_or_the_names_or_other() {
    let ctx = MemoryContext::new();
    apply_folders(&ctx, vec![folder("p", 1)], &[]);
    let own = temp_files::Row {
        ext: Some(".other".to_owned()),
        ..file("a", "p", "x.JPG", 1, 1)
    };
    apply_files(
        &ctx,
        vec![own, file("b", "p", "x.JPG", 1, 2), file("c", "p", "README", 1, 3)],
        &[],
    );
    let files = list(
        &ctx,
        "p",
        &List {
            order: Some(Order::Asc),
            ..all()
        },
    )
    .expect("a list");
    assert_eq!(
        files.iter().map(|file| file.ext.as_str()).collect::<Vec<_>>(),
        [".other", ".jpg", ".other"]
    );
}

#[test]
fn bad_parameters_are_named_and_unknown_conversations_refused() {
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
    assert_eq!(
        field(List {
            page_size: 1001,
            ..all()
        }),
        (600, "pageSize".to_owned())
    );
    assert_eq!(field(all()).0, 60000);
    assert_eq!(list_folders(&ctx, None, 1, 0).map_err(|error| error.code), Err(600));
    assert_eq!(list_folders(&ctx, None, 1, 10), Ok(vec![]));
}

#[test]
fn conversations_count_the_files_in_them_now() {
    let ctx = MemoryContext::new();
    apply_folders(&ctx, vec![folder("old", 1), folder("new", 2)], &[]);
    apply_files(
        &ctx,
        vec![
            file("a", "old", "a", 1000, 1),
            file("b", "old", "b", 24, 1),
            file("c", "new", "c", 5, 1),
        ],
        &[],
    );
    let totals = |order| {
        let rows = list_folders(&ctx, order, 1, 10).expect("a list");
        rows.into_iter()
            .map(|row| (row.unique, row.file_num, row.size))
            .collect::<Vec<_>>()
    };
    let row = |unique: &str, count, size: &str| (unique.to_owned(), count, size.to_owned());
    assert_eq!(totals(None), [row("new", 1, "5 B"), row("old", 2, "1 KB")]);
    assert_eq!(totals(Some(Order::Asc)), [row("old", 2, "1 KB"), row("new", 1, "5 B")]);
    apply_files(&ctx, vec![file("a", "new", "a", 1000, 1)], &["b".to_owned()]);
    assert_eq!(totals(None), [row("new", 2, "1005 B"), row("old", 0, "0 B")]);
    assert_eq!(total_bytes(&ctx, &TEMP_FILES), 1005);
}

#[test]
fn files_wait_for_their_conversation_and_are_counted_when_it_comes() {
    let ctx = MemoryContext::new();
    apply_files(&ctx, vec![file("a", "later", "a", 7, 1)], &[]);
    assert_eq!(list(&ctx, "later", &all()).map_err(|error| error.code), Err(60000));
    apply_folders(&ctx, vec![folder("later", 1)], &[]);
    assert_eq!(uniques(&ctx, "later", &all()), ["a"]);
    assert_eq!(list_folders(&ctx, None, 1, 1).expect("a list")[0].file_num, 1);
}

#[test]
fn one_upload_begins_for_each_file() {
    let ctx = documented();
    let hashs = vec![
        "FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz".to_owned(),
        "Hyp5ScwB8cAwCBqZhJsDj18iRuno97y25U6uNMq4Fsts".to_owned(),
        "FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz".to_owned(),
    ];
    assert_eq!(ctx.call(|ctx| upload(ctx, &hashs, 3)), Ok(true));
    let effects = ctx.take_effects();
    assert_eq!(effects.len(), 2, "a hash named twice is one upload");
    let file = File {
        hash: hashs[0].clone(),
        name: "0c0f869d-da79-481e-936f-a05650995f781744250766561325.JPG".to_owned(),
        ext: ".other".to_owned(),
        thumb: "FKBg-ecb4".to_owned(),
        size: 12_542_638,
        path: String::new(),
        protected: false,
    };
    assert_eq!(
        effects[0],
        Effect::Upload(UploadRequest {
            platform: 3,
            file,
            subject: hashs[0].clone()
        })
    );
    assert_eq!(ctx.call(|ctx| upload(ctx, &hashs, 2)), Ok(true));
    assert!(matches!(&ctx.take_effects()[0], Effect::Upload(request) if request.platform == 2));
}

#[test]
fn uploads_are_all_or_nothing() {
    let ctx = documented();
    let known = "FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz".to_owned();
    for unknown in [
        hash("unknown"),
        String::new(),
        "x".repeat(5000),
        "not a hash".to_owned(),
    ] {
        let result = ctx.call(|ctx| upload(ctx, &[known.clone(), unknown], 3));
        assert_eq!(result.map_err(|error| error.code), Err(60001));
    }
    let refused = |hashs: &[String]| {
        let error = upload(&ctx, hashs, 3).expect_err("refused");
        assert!(error.message.starts_with("hashs:"));
        error.code
    };
    assert_eq!(refused(&[]), 600);
    assert_eq!(refused(&vec![known.clone(); 1001]), 600);
    assert_eq!(ctx.take_effects(), []);
    assert_eq!(upload(&ctx, &vec![known; 1000], 3), Ok(true));
    assert_eq!(ctx.take_effects().len(), 1);
}

#[test]
fn of_several_files_with_one_hash_the_first_is_uploaded() {
    let ctx = MemoryContext::new();
    let twin = |unique: &str| temp_files::Row {
        hash: Some(hash("same")),
        ..file(unique, "p", unique, 1, 1)
    };
    apply_files(&ctx, vec![twin("b"), twin("a")], &[]);
    assert_eq!(upload(&ctx, &[hash("same")], 3), Ok(true));
    assert!(matches!(&ctx.take_effects()[..], [Effect::Upload(request)] if request.subject == "a"));
    apply_files(&ctx, vec![], &["a".to_owned()]);
    assert_eq!(upload(&ctx, &[hash("same")], 3), Ok(true));
    assert!(matches!(&ctx.take_effects()[..], [Effect::Upload(request)] if request.subject == "b"));
}

#[test]
fn a_file_without_a_name_is_uploaded_under_its_hash() {
    let ctx = MemoryContext::new();
    apply_files(
        &ctx,
        vec![temp_files::Row {
            ext: Some(".jpg".to_owned()),
            ..file("a", "p", "", 1, 1)
        }],
        &[],
    );
    assert_eq!(upload(&ctx, &[hash("a")], 3), Ok(true));
    let name = format!("{}.jpg", hash("a"));
    assert!(matches!(&ctx.take_effects()[..], [Effect::Upload(request)] if request.file.name == name));
}

#[test]
fn applying_is_idempotent_in_any_order_and_tells_the_space_nothing() {
    let files = || {
        vec![
            file("a", "p", "a", 1, 1),
            file("b", "q", "b", 2, 2),
            file("", "q", "no identity", 2, 2),
        ]
    };
    let folders = || vec![folder("p", 1), folder("q", 2)];
    let ctx = MemoryContext::new();
    apply_folders(&ctx, folders(), &[]);
    apply_files(&ctx, files(), &["c".to_owned()]);
    let once = ctx.dump();
    apply_files(&ctx, files(), &["c".to_owned()]);
    apply_folders(&ctx, folders(), &["r".to_owned()]);
    assert_eq!(ctx.dump(), once);
    let other = MemoryContext::new();
    apply_files(&other, files().into_iter().rev().collect(), &[]);
    apply_folders(&other, folders().into_iter().rev().collect(), &[]);
    assert_eq!(other.dump(), once);
    assert_eq!(ctx.take_effects(), []);
}
