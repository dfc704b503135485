//! Folders of the cloud storage: making, renaming and moving them, and deleting them with their
//! contents.

use stowage_sdk::rows::{STORAGE_FILES, STORAGE_FOLDERS, total_bytes};
use stowage_sdk::{Effect, MemoryContext};
use stowage_transfers::bindings::storage::StorageEntry;
use stowage_transfers::{create_folder, delete_stored, get_stored, move_stored, rename_stored};

use crate::scene::{NOW_MS, because, effects, folder, hash, refused, storage, stored, texts, wrong};

fn create(ctx: &MemoryContext, path: Option<&str>, name: &str) -> Result<StorageEntry, stowage_sdk::Error> {
    ctx.call(|ctx| create_folder(ctx, path, name))
}

fn move_to(ctx: &MemoryContext, unique: &str, path: &str) -> Result<bool, stowage_sdk::Error> {
    ctx.call(|ctx| move_stored(ctx, unique, Some(path)))
}

fn delete(ctx: &MemoryContext, uniques: &[&str]) -> Result<bool, stowage_sdk::Error> {
    ctx.call(|ctx| delete_stored(ctx, texts(uniques)))
}

fn folder_path(ctx: &MemoryContext, id: &str) -> String {
    STORAGE_FOLDERS.get(ctx, id).expect("a folder").path
}

fn file_path(ctx: &MemoryContext, name: &str) -> String {
    STORAGE_FILES.get(ctx, &hash(name)).expect("a file").path
}

#[test]
fn a_folder_is_made_here_and_in_the_space() {
    let ctx = MemoryContext::new();
    let made = create(&ctx, None, " 图片 ").expect("made");
    let entry = StorageEntry {
        unique: made.unique.clone(),
        is_folder: true,
        name: "图片".to_owned(),
        hash: String::new(),
        path: String::new(),
        ext: String::new(),
        thumb: String::new(),
        size: String::new(),
        time: NOW_MS,
        type_: 0,
        is_crypt: 0,
    };
    assert_eq!(made, entry);
    assert_eq!(made.unique.len(), 36);
    assert_eq!(get_stored(&ctx, &made.unique), Ok(entry));
    assert_eq!(effects(&ctx), [format!("put storage-folders/{}", made.unique)]);
    let path = format!("/{}/", made.unique);
    let inner = create(&ctx, Some(&path), "图片").expect("made");
    assert_eq!(inner.path, made.unique, "without the slashes");
}

#[test]
fn a_name_is_taken_by_a_file_or_a_folder_of_the_same_folder_only() {
    let ctx = storage([folder("a", ""), folder("b", "a")], [stored("a.txt", "", 1, 1)]);
    assert_eq!(refused(create(&ctx, None, "a")), because(60002));
    assert_eq!(refused(create(&ctx, None, "  a.txt ")), because(60002));
    assert_eq!(refused(create(&ctx, Some("a"), "b")), because(60002));
    assert!(create(&ctx, Some("a"), "a.txt").is_ok());
    assert!(create(&ctx, Some("a"), "a").is_ok());
    assert!(create(&ctx, None, "A").is_ok(), "another name");
    for bad in ["", "  ", "a\0", &"x".repeat(256)] {
        assert_eq!(refused(create(&ctx, None, bad)), wrong("name"));
    }
}

#[test]
fn a_path_is_that_of_an_existing_folder() {
    let ctx = storage([folder("a", ""), folder("b", "a")], []);
    for path in ["x", "b", "a/x", "a//b", "a/b/x", "b/a", &"x".repeat(5000)] {
        assert_eq!(refused(create(&ctx, Some(path), "new")), because(60000), "{path}");
    }
    for path in ["a/b", "/a/b", "a/b/"] {
        assert_eq!(create(&ctx, Some(path), path).expect("made").path, "a/b");
    }
    for path in ["", "/", "//"] {
        assert_eq!(create(&ctx, Some(path), &format!("at {path}")).expect("made").path, "");
    }
}

#[test]
fn folders_are_at_most_32_deep() {
    let ctx = MemoryContext::new();
    let mut path = String::new();
    for _ in 0..32 {
        let made = create(&ctx, Some(&path), "x").expect("made");
        path = [path.as_str(), &made.unique].join("/");
    }
    assert_eq!(refused(create(&ctx, Some(&path), "x")), wrong("path"));
    let two = create(&ctx, None, "top").expect("made").unique;
    create(&ctx, Some(&two), "inner").expect("made");
    let parent = |levels: usize| {
        let ids: Vec<_> = path.trim_matches('/').split('/').take(levels).collect();
        ids.join("/")
    };
    assert_eq!(
        refused(move_to(&ctx, &two, &parent(31))),
        wrong("path"),
        "its inner folder is too deep"
    );
    assert_eq!(move_to(&ctx, &two, &parent(30)), Ok(true));
}

#[test]
fn a_folder_is_renamed() {
    let ctx = storage(
        [folder("a", ""), folder("b", ""), folder("c", "a")],
        [stored("f.txt", "a", 1, 1)],
    );
    let rename = |unique: &str, name: &str| ctx.call(|ctx| rename_stored(ctx, unique, name));
    assert_eq!(rename("a", " new "), Ok(true));
    assert_eq!(
        STORAGE_FOLDERS.get(&ctx, "a").map(|row| row.name).as_deref(),
        Some("new")
    );
    assert_eq!(effects(&ctx), ["put storage-folders/a"]);
    assert_eq!(rename("a", "new "), Ok(true), "its own name");
    assert_eq!(effects(&ctx), [""; 0]);
    assert_eq!(refused(rename("a", "b")), because(60002));
    assert_eq!(refused(rename("c", "f.txt")), because(60002));
    assert_eq!(rename("c", "b"), Ok(true), "it is in another folder");
    assert_eq!(refused(rename("unknown", "x")), because(60001));
    assert_eq!(refused(rename("", "x")), because(60001));
    assert_eq!(refused(rename("a", " ")), wrong("newName"));
}

/// The space may have the same name twice. Then its own name is still no error.
#[test]
fn one_of_two_folders_with_one_name_keeps_it() {
    let mut twin = folder("b", "");
    twin.name = "a".to_owned();
    let ctx = storage([folder("a", ""), twin], []);
    assert_eq!(rename_stored(&ctx, "b", "a"), Ok(true));
    assert_eq!(rename_stored(&ctx, "b", "other"), Ok(true));
    assert_eq!(refused(rename_stored(&ctx, "b", "a")), because(60002));
}

#[test]
fn a_folder_is_moved_with_all_its_contents() {
    let ctx = storage(
        [
            folder("a", ""),
            folder("b", "a"),
            // Another host may write slashes at the ends.
            folder("c", "/a/b/"),
            folder("aa", ""),
            folder("to", ""),
        ],
        [
            stored("1", "a", 1, 10),
            stored("2", "/a/b/", 1, 20),
            stored("3", "a/b/c", 1, 30),
            stored("4", "aa", 1, 40),
            stored("5", "", 1, 50),
        ],
    );
    assert_eq!(move_to(&ctx, "a", "to"), Ok(true));
    assert_eq!(folder_path(&ctx, "a"), "to");
    assert_eq!(folder_path(&ctx, "b"), "to/a");
    assert_eq!(folder_path(&ctx, "c"), "to/a/b");
    assert_eq!(file_path(&ctx, "1"), "to/a");
    assert_eq!(file_path(&ctx, "2"), "to/a/b");
    assert_eq!(file_path(&ctx, "3"), "to/a/b/c");
    assert_eq!(
        (file_path(&ctx, "4"), file_path(&ctx, "5")),
        ("aa".to_owned(), String::new())
    );
    let mut put = effects(&ctx);
    put.sort();
    let file = |name: &str| format!("put storage-files/{}", hash(name));
    let folder = |id: &str| format!("put storage-folders/{id}");
    let mut all = vec![file("1"), file("2"), file("3"), folder("a"), folder("b"), folder("c")];
    all.sort();
    assert_eq!(put, all);
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 150);
    assert_eq!(move_to(&ctx, "b", ""), Ok(true));
    assert_eq!(file_path(&ctx, "3"), "b/c");
    assert_eq!(move_to(&ctx, "b", "to/a"), Ok(true), "and back");
    assert_eq!(file_path(&ctx, "3"), "to/a/b/c");
}

#[test]
fn a_folder_is_not_moved_into_itself_nor_onto_a_name() {
    let mut other = folder("other", "to");
    other.name = "a".to_owned();
    let ctx = storage(
        [folder("a", ""), folder("b", "a"), folder("to", ""), other],
        [stored("b", "to", 1, 1)],
    );
    let before = ctx.dump();
    assert_eq!(refused(move_to(&ctx, "a", "a")), wrong("path"));
    assert_eq!(refused(move_to(&ctx, "a", "a/b")), wrong("path"));
    assert_eq!(refused(move_to(&ctx, "a", "to")), because(60002), "of a folder");
    assert_eq!(refused(move_to(&ctx, "b", "to")), because(60002), "of a file");
    assert_eq!(refused(move_to(&ctx, "a", "unknown")), because(60000));
    assert_eq!(refused(move_to(&ctx, "unknown", "to")), because(60001));
    assert_eq!(move_to(&ctx, "b", "/a"), Ok(true), "it is there");
    assert_eq!(
        ctx.call(|ctx| move_stored(ctx, "a", None)),
        Ok(true),
        "the root is the default"
    );
    assert_eq!(ctx.dump(), before);
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn a_folder_goes_with_all_its_contents() {
    let ctx = storage(
        [folder("a", ""), folder("b", "a"), folder("keep", "")],
        [
            stored("1", "a", 1, 10),
            stored("2", "a/b", 1, 20),
            stored("3", "keep", 1, 40),
        ],
    );
    // A file in the folder, and a folder in it, are in the list too.
    assert_eq!(delete(&ctx, &["a", &hash("1"), "b", "a"]), Ok(true));
    let mut gone = effects(&ctx);
    // All rows go before the first blob.
    let first_blob = gone.iter().position(|effect| effect.starts_with("blob"));
    assert_eq!(first_blob, Some(4), "{gone:?}");
    gone.sort();
    let mut all = vec![
        format!("delete storage-files/{}", hash("1")),
        format!("delete storage-files/{}", hash("2")),
        "delete storage-folders/a".to_owned(),
        "delete storage-folders/b".to_owned(),
        format!("blob {}", hash("1")),
        format!("blob {}", hash("2")),
    ];
    all.sort();
    assert_eq!(gone, all);
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 40);
    assert_eq!(ctx.keys("storage-folders"), [b"keep"]);
}

#[test]
fn deleting_is_all_or_nothing() {
    let ctx = storage([folder("a", "")], [stored("1", "a", 1, 10)]);
    let before = ctx.dump();
    assert_eq!(refused(delete(&ctx, &["a", "unknown"])), because(60001));
    assert_eq!(refused(delete(&ctx, &["a", ""])), because(60001));
    assert_eq!(refused(delete(&ctx, &[])), wrong("uniques"));
    let many = vec!["a".to_owned(); 1001];
    assert_eq!(refused(ctx.call(|ctx| delete_stored(ctx, many))), wrong("uniques"));
    assert_eq!(ctx.dump(), before);
    assert_eq!(ctx.take_effects(), Vec::<Effect>::new());
    assert_eq!(delete(&ctx, &["a"]), Ok(true));
    assert_eq!(refused(delete(&ctx, &["a"])), because(60001));
}

/// Another host may write any identity. The path of what is in the folder `/` would be the root:
/// deleting it must neither delete everything nor go on for ever.
#[test]
fn a_folder_of_the_space_with_a_slash_in_its_identity_has_no_contents() {
    let ctx = storage(
        [
            folder("/", ""),
            folder("a/", "a"),
            folder("a", ""),
            folder("a/b", ""),
            folder("b", "a"),
        ],
        [stored("1", "", 1, 1), stored("2", "a", 1, 2), stored("3", "a/b", 1, 4)],
    );
    assert_eq!(delete(&ctx, &["/", "a/b"]), Ok(true));
    assert_eq!(
        effects(&ctx),
        ["delete storage-folders//", "delete storage-folders/a/b"]
    );
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 7);
    assert_eq!(delete(&ctx, &["a"]), Ok(true), "with the folder a/ in it");
    assert_eq!(ctx.keys("storage-folders").len(), 0);
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 1);
}

/// The space may contain folders that are in each other. They can be moved out and deleted.
#[test]
fn folders_that_are_in_each_other_can_be_deleted() {
    let ctx = storage([folder("a", "b"), folder("b", "a")], [stored("1", "b/a", 1, 1)]);
    assert_eq!(move_to(&ctx, "b", ""), Ok(true));
    assert_eq!(folder_path(&ctx, "b"), "");
    assert_eq!(delete(&ctx, &["b"]), Ok(true));
    assert_eq!(
        (ctx.keys("storage-folders").len(), ctx.keys("storage-files").len()),
        (0, 0)
    );
}
