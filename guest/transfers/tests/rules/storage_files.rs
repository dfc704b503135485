//! Files of the cloud storage: reading, renaming, moving and deleting them.

use stowage_sdk::rows::{FAVORITES, Favorite, STORAGE_FILES, total_bytes};
use stowage_transfers::bindings::storage::StorageEntry;
use stowage_transfers::{delete_stored, get_stored, move_stored, rename_stored};

use crate::scene::{because, effects, folder, hash, put_fields, refused, storage, stored, wrong};

#[test]
fn a_file_is_read_by_its_hash() {
    let mut file = stored("照片.jpg", "a", 5, 4246);
    file.thumb = "address".to_owned();
    file.protected = true;
    let ctx = storage([folder("a", "")], [file]);
    let entry = StorageEntry {
        unique: hash("照片.jpg"),
        is_folder: false,
        name: "照片.jpg".to_owned(),
        hash: hash("照片.jpg"),
        path: "a".to_owned(),
        ext: ".jpg".to_owned(),
        thumb: "address".to_owned(),
        size: "4.15 KB".to_owned(),
        time: 5,
        type_: 1,
        is_crypt: 1,
    };
    assert_eq!(get_stored(&ctx, &hash("照片.jpg")), Ok(entry));
    for unknown in ["", "unknown", &hash("unknown"), &"x".repeat(5000)] {
        assert_eq!(refused(get_stored(&ctx, unknown)), because(60001));
    }
}

#[test]
fn a_file_is_renamed_and_its_kind_follows() {
    let ctx = storage(
        [folder("a", "")],
        [stored("1.jpg", "", 1, 3), stored("2.txt", "", 1, 4)],
    );
    let rename = |name: &str, new: &str| ctx.call(|ctx| rename_stored(ctx, &hash(name), new));
    assert_eq!(rename("1.jpg", " notes.TXT "), Ok(true));
    let row = STORAGE_FILES.get(&ctx, &hash("1.jpg")).expect("a row");
    assert_eq!(
        (row.name.as_str(), row.ext.as_str(), row.kind),
        ("notes.TXT", ".txt", 2)
    );
    assert_eq!(put_fields(&ctx), row.cloud_fields());
    assert_eq!(rename("1.jpg", "no extension"), Ok(true));
    let row = STORAGE_FILES.get(&ctx, &hash("1.jpg")).expect("a row");
    assert_eq!((row.ext.as_str(), row.kind), (".txt", 2), "it is still what it was");
    assert_eq!(refused(rename("1.jpg", "2.txt ")), because(60002));
    assert_eq!(refused(rename("1.jpg", "a")), because(60002), "of a folder");
    assert_eq!(refused(rename("unknown", "x")), because(60001));
    for bad in ["", "\t", "a\nb", &"图".repeat(256)] {
        assert_eq!(refused(rename("1.jpg", bad)), wrong("newName"));
    }
    effects(&ctx);
    assert_eq!(rename("2.txt", "2.txt"), Ok(true));
    assert_eq!(effects(&ctx), [""; 0], "its own name changes nothing");
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 7);
}

#[test]
fn a_file_is_moved() {
    let mut twin = stored("twin", "", 1, 1);
    twin.name = "1.jpg".to_owned();
    let ctx = storage(
        [folder("a", ""), folder("b", "a")],
        [stored("1.jpg", "a/b", 1, 3), twin],
    );
    let file = hash("1.jpg");
    let moved = |path: Option<&str>| ctx.call(|ctx| move_stored(ctx, &file, path));
    assert_eq!(refused(moved(None)), because(60002));
    assert_eq!(refused(moved(Some("b"))), because(60000));
    assert_eq!(moved(Some("a/b")), Ok(true), "it is there");
    assert_eq!(effects(&ctx), [""; 0]);
    assert_eq!(moved(Some("/a/")), Ok(true));
    assert_eq!(STORAGE_FILES.get(&ctx, &file).map(|row| row.path).as_deref(), Some("a"));
    assert_eq!(effects(&ctx), [format!("put storage-files/{file}")]);
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 4);
}

#[test]
fn a_deleted_file_leaves_a_blob_that_a_favourite_names() {
    let ctx = storage([], [stored("1", "", 1, 3), stored("2", "", 1, 4)]);
    let favorite = Favorite {
        unique: "u".to_owned(),
        hash: hash("1"),
        size: 3,
        ..Favorite::default()
    };
    FAVORITES.apply(&ctx, [favorite], &[]);
    let all = vec![hash("1"), hash("2"), hash("1")];
    assert_eq!(ctx.call(|ctx| delete_stored(ctx, all)), Ok(true));
    assert_eq!(
        effects(&ctx),
        [
            format!("delete storage-files/{}", hash("1")),
            format!("delete storage-files/{}", hash("2")),
            format!("blob {}", hash("2"))
        ]
    );
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 0);
}
