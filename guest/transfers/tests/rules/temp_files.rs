//! Adding and deleting temp files.

use stowage_sdk::MemoryContext;
use stowage_sdk::rows::{TEMP_FILES, TEMP_FOLDERS, TempFolder, TempTotals, total_bytes};
use stowage_transfers::bindings::temp_files::TempFile as Answer;
use stowage_transfers::{Fields, add_temp_file, delete_temp_files, delete_temp_folder};

use crate::scene::{NOW_MS, because, effects, hash, refused, some, texts, with_blobs, wrong};

fn fields(parent: &str, unique: &str) -> Fields {
    Fields {
        parent: some(parent),
        unique: some(unique),
        ..Fields::default()
    }
}

/// Adds a temp file of a blob as one call.
fn add(ctx: &MemoryContext, fields: Fields, of: &str) -> Answer {
    ctx.call(|ctx| add_temp_file(ctx, fields, Some(hash(of)), None))
        .expect("added")
}

#[test]
fn a_file_is_added_and_its_conversation_is_made() {
    let ctx = with_blobs(&[("photo", 4246)]);
    let fields = Fields {
        msg_id: some("m"),
        msg_content: some(r#"{"imageInfoArray":[]}"#),
        msg_type: Some(6),
        name: some("照片.JPG"),
        time: Some(1_744_250_785_749),
        node_address: some("node"),
        r#type: Some(2),
        ..fields("talk", "u")
    };
    let answer = Answer {
        unique: "u".to_owned(),
        parent: "talk".to_owned(),
        hash: hash("photo"),
        msg_id: "m".to_owned(),
        msg_content: r#"{"imageInfoArray":[]}"#.to_owned(),
        msg_type: 6,
        ext: ".jpg".to_owned(),
        size: "4.15 KB".to_owned(),
        name: "照片.JPG".to_owned(),
        time: 1_744_250_785_749,
    };
    assert_eq!(add(&ctx, fields, "photo"), answer);
    let folder = TempFolder {
        unique: "talk".to_owned(),
        node_address: "node".to_owned(),
        r#type: 2,
        time: 1_744_250_785_749,
    };
    assert_eq!(TEMP_FOLDERS.get(&ctx, "talk"), Some(folder));
    assert_eq!(effects(&ctx), ["put temp-folders/talk", "put temp-files/u"]);
    assert_eq!(TempTotals::of(&ctx, "talk"), TempTotals { files: 1, bytes: 4246 });
}

#[test]
fn a_known_conversation_stays_as_it_is() {
    let ctx = with_blobs(&[("a", 1)]);
    let first = Fields {
        node_address: some("node"),
        r#type: Some(1),
        ..fields("talk", "u")
    };
    add(&ctx, first, "a");
    effects(&ctx);
    let second = Fields {
        node_address: some("other"),
        r#type: Some(2),
        ..fields("talk", "v")
    };
    let before = TEMP_FOLDERS.get(&ctx, "talk");
    add(&ctx, second, "a");
    assert_eq!(TEMP_FOLDERS.get(&ctx, "talk"), before);
    assert_eq!(effects(&ctx), ["put temp-files/v"]);
}

#[test]
fn the_extension_is_the_one_given_or_that_of_the_name_or_other() {
    let ctx = with_blobs(&[("a", 1)]);
    let ext = |ext: Option<&str>, name: Option<&str>| {
        let fields = Fields {
            ext: ext.map(str::to_owned),
            name: name.map(str::to_owned),
            ..fields("talk", "u")
        };
        add(&ctx, fields, "a").ext
    };
    assert_eq!(ext(Some(".png"), Some("a.jpg")), ".png");
    assert_eq!(ext(Some("png"), None), ".png", "with its dot");
    assert_eq!(ext(Some(""), Some("a.JPG")), ".jpg");
    assert_eq!(ext(None, Some("a")), ".other");
    assert_eq!(ext(None, None), ".other");
}

#[test]
fn a_blob_of_this_machine_is_enough() {
    let ctx = MemoryContext::new();
    ctx.add_blob(&hash("here"), 5, false);
    let added = add(&ctx, fields("talk", ""), "here");
    assert_eq!((added.unique.len(), added.time), (36, NOW_MS));
    assert_eq!(total_bytes(&ctx, &TEMP_FILES), 5);
    let unknown = ctx.call(|ctx| add_temp_file(ctx, fields("talk", "v"), Some(hash("unknown")), None));
    assert_eq!(refused(unknown), because(60001));
}

#[test]
fn wrong_fields_are_named_and_change_nothing() {
    let ctx = with_blobs(&[("a", 1)]);
    let add = |fields: Fields, hash: Option<String>| refused(ctx.call(|ctx| add_temp_file(ctx, fields, hash, None)));
    assert_eq!(add(Fields::default(), Some(hash("a"))), wrong("parent"));
    assert_eq!(add(fields("", "u"), Some(hash("a"))), wrong("parent"));
    assert_eq!(add(fields("a\0b", "u"), Some(hash("a"))), wrong("parent"));
    assert_eq!(add(fields(&"p".repeat(481), "u"), Some(hash("a"))), wrong("parent"));
    assert_eq!(add(fields("talk", &"u".repeat(481)), Some(hash("a"))), wrong("unique"));
    assert_eq!(add(fields("talk", "u"), None), wrong("hash"));
    assert!(ctx.is_empty());
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn a_text_message_needs_no_blob_and_a_full_space_takes_it() {
    let ctx = with_blobs(&[("a", 1)]);
    ctx.set_total_bytes(0);
    let full = ctx.call(|ctx| add_temp_file(ctx, fields("talk", "u"), Some(hash("a")), None));
    assert_eq!(refused(full), because(700));
    assert!(ctx.is_empty(), "the conversation is not made");
    let text = Fields {
        msg_content: some(r#"{"text":"123"}"#),
        ..fields("talk", "u")
    };
    let added = add_temp_file(&ctx, text, None, None).expect("added");
    assert_eq!((added.size.as_str(), added.ext.as_str()), ("0 B", ".other"));
    assert_eq!(TEMP_FILES.get(&ctx, "u").map(|row| row.kind), Some(3));
}

#[test]
fn the_same_unique_moves_a_file_to_another_conversation() {
    let ctx = with_blobs(&[("old", 10), ("new", 3)]);
    add(&ctx, fields("one", "u"), "old");
    effects(&ctx);
    add(&ctx, fields("two", "u"), "new");
    assert_eq!(
        effects(&ctx),
        [
            "put temp-folders/two".to_owned(),
            "put temp-files/u".to_owned(),
            format!("blob {}", hash("old"))
        ]
    );
    assert_eq!(TempTotals::of(&ctx, "one"), TempTotals { files: 0, bytes: 0 });
    assert_eq!(TempTotals::of(&ctx, "two"), TempTotals { files: 1, bytes: 3 });
}

#[test]
fn deleting_is_all_or_nothing() {
    let ctx = with_blobs(&[("a", 5), ("b", 6)]);
    for (unique, of) in [("u", "a"), ("v", "b"), ("w", "b")] {
        add(&ctx, fields("talk", unique), of);
    }
    effects(&ctx);
    let before = ctx.dump();
    let delete = |uniques: &[&str]| ctx.call(|ctx| delete_temp_files(ctx, texts(uniques)));
    assert_eq!(refused(delete(&["u", "unknown"])), because(60001));
    assert_eq!(refused(delete(&[])), wrong("uniques"));
    assert_eq!(ctx.dump(), before);
    assert_eq!(effects(&ctx), [""; 0]);
    assert_eq!(delete(&["u", "v", "u"]), Ok(true));
    assert_eq!(
        effects(&ctx),
        [
            "delete temp-files/u".to_owned(),
            "delete temp-files/v".to_owned(),
            format!("blob {}", hash("a"))
        ]
    );
    assert_eq!(TempTotals::of(&ctx, "talk"), TempTotals { files: 1, bytes: 6 });
    assert!(TEMP_FOLDERS.contains(&ctx, "talk"), "the conversation stays");
}

#[test]
fn a_conversation_goes_with_all_its_files() {
    let ctx = with_blobs(&[("a", 5), ("b", 6)]);
    for (parent, unique, of) in [("talk", "u", "a"), ("talk", "v", "b"), ("talk2", "w", "b")] {
        add(&ctx, fields(parent, unique), of);
    }
    effects(&ctx);
    let delete = |unique: &str| ctx.call(|ctx| delete_temp_folder(ctx, unique));
    assert_eq!(delete("talk"), Ok(true));
    assert_eq!(
        effects(&ctx),
        [
            "delete temp-files/u".to_owned(),
            "delete temp-files/v".to_owned(),
            "delete temp-folders/talk".to_owned(),
            format!("blob {}", hash("a"))
        ]
    );
    assert_eq!(total_bytes(&ctx, &TEMP_FILES), 6);
    assert_eq!(refused(delete("talk")), because(60000));
    assert_eq!(refused(delete("")), because(60000));
    assert_eq!(refused(delete(&"x".repeat(5000))), because(60000));
    assert!(TEMP_FOLDERS.contains(&ctx, "talk2"));
}
