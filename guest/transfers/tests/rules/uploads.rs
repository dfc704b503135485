//! Uploads of files of this machine: how they begin, whether there is room, and the rows at their
//! end.

use stowage_sdk::MemoryContext;
use stowage_sdk::bindings::files::{PrepareError, UploadRequest};
use stowage_sdk::bindings::transfer::File;
use stowage_sdk::rows::{
    BACKUP_FOLDERS, BACKUPS, BackupFolder, FAVORITE_FOLDERS, FAVORITES, FavoriteFolder, STORAGE_FILES, STORAGE_FOLDERS,
    TEMP_FILES, TEMP_FOLDERS, total_bytes,
};
use stowage_transfers::bindings::files_hook::Refusal;
use stowage_transfers::{Fields, Upload, admit, delete_stored, finished, move_stored, upload_file};

use crate::scene::{NOW_MS, because, effects, folder, hash, prepared, refused, some, stored, texts, upload, wrong};

const PATH: &str = "/home/me/照片.jpg";

/// A context with one folder for each platform, and the file that is uploaded, of 300 bytes.
fn ready() -> MemoryContext {
    let ctx = MemoryContext::new();
    let backups = BackupFolder {
        unique: "backups".to_owned(),
        ..BackupFolder::default()
    };
    BACKUP_FOLDERS.apply(&ctx, [backups], &[]);
    let favorites = FavoriteFolder {
        id: "favorites".to_owned(),
        ..FavoriteFolder::default()
    };
    FAVORITE_FOLDERS.apply(&ctx, [favorites], &[]);
    STORAGE_FOLDERS.apply(&ctx, [folder("a", ""), folder("b", "a")], &[]);
    ctx.set_prepared(PATH, Ok(prepared("照片.jpg", 300, false)));
    ctx
}

fn fields(platform: u32) -> Fields {
    match platform {
        0 => Fields {
            parent: some("backups"),
            ..Fields::default()
        },
        1 => Fields {
            parent: some("talk"),
            ..Fields::default()
        },
        2 => Fields {
            fav_id: some("favorites"),
            ..Fields::default()
        },
        _ => Fields {
            storage_path: some("/a/b/"),
            ..Fields::default()
        },
    }
}

/// Begins an upload as one call, and returns what the host is asked for.
fn begun(ctx: &MemoryContext, platform: u32, fields: Fields) -> UploadRequest {
    let upload_of = Upload {
        path: PATH.to_owned(),
        platform,
        file_password: None,
        fields,
    };
    let begun = ctx.call(|ctx| upload_file(ctx, upload_of)).expect("begun");
    let request = upload(ctx);
    assert_eq!((&begun.task_id, &begun.hash), (&request.task_id, &request.file.hash));
    request
}

fn try_upload(ctx: &MemoryContext, path: &str, platform: u32, fields: Fields) -> (i32, String) {
    let upload = Upload {
        path: path.to_owned(),
        platform,
        file_password: None,
        fields,
    };
    refused(ctx.call(|ctx| upload_file(ctx, upload)))
}

fn rows(ctx: &MemoryContext) -> [usize; 4] {
    ["backups", "temp-files", "favorites", "storage-files"].map(|table| ctx.keys(table).len())
}

#[test]
fn an_upload_begins_with_the_prepared_file() {
    let ctx = ready();
    let request = begun(&ctx, 3, fields(3));
    let file = File {
        hash: hash("照片.jpg"),
        name: "照片.jpg".to_owned(),
        ext: ".jpg".to_owned(),
        thumb: String::new(),
        size: 300,
        path: "a/b".to_owned(),
        protected: false,
    };
    assert_eq!(request.file, file);
    assert_eq!((request.platform, request.prepared.as_str()), (3, "prepared 照片.jpg"));
    assert_eq!(request.task_id.len(), 36);
    assert_eq!(rows(&ctx), [0; 4], "the row comes when the bytes are durable");
}

#[test]
fn a_finished_upload_is_a_row_of_its_platform() {
    for platform in 0..4 {
        let ctx = ready();
        let fields = Fields {
            name: some("名.png"),
            msg_id: some("m"),
            msg_type: Some(6),
            node_address: some("node"),
            r#type: Some(2),
            message_num: Some(5),
            thumb: some("thumb"),
            ..fields(platform)
        };
        let request = begun(&ctx, platform, fields);
        ctx.set_now_ms(NOW_MS + 60_000);
        assert_eq!(admit(&ctx, &request), Ok(()));
        assert_eq!(ctx.call(|ctx| finished(ctx, &request)), Ok(()));
        let mut counts = [0; 4];
        counts[platform as usize] = 1;
        assert_eq!(rows(&ctx), counts);
        let only = |table: &str| String::from_utf8(ctx.keys(table)[0].clone()).expect("an identity");
        match platform {
            0 => {
                let row = BACKUPS.get(&ctx, &only("backups")).expect("a row");
                assert_eq!((row.parent.as_str(), row.message_num, row.r#type), ("backups", 5, 2));
                assert_eq!((row.time, row.size), (NOW_MS / 1000, 300));
                assert_eq!(effects(&ctx), [format!("put backups/{}", row.unique)]);
            }
            1 => {
                let row = TEMP_FILES.get(&ctx, &only("temp-files")).expect("a row");
                assert_eq!(
                    (row.parent.as_str(), row.msg_id.as_str(), row.msg_type),
                    ("talk", "m", 6)
                );
                assert_eq!((row.time, row.size, row.ext.as_str()), (NOW_MS, 300, ".png"));
                let talk = TEMP_FOLDERS.get(&ctx, "talk").expect("a conversation");
                assert_eq!((talk.node_address.as_str(), talk.r#type), ("node", 2));
                let put = [
                    "put temp-folders/talk".to_owned(),
                    format!("put temp-files/{}", row.unique),
                ];
                assert_eq!(effects(&ctx), put);
            }
            2 => {
                let row = FAVORITES.get(&ctx, &only("favorites")).expect("a row");
                assert_eq!((row.folder.as_str(), row.kind), ("favorites", 1));
                assert_eq!((row.time, row.size), (NOW_MS / 1000, 300));
                assert_eq!(effects(&ctx), [format!("put favorites/{}", row.unique)]);
            }
            _ => {
                let row = STORAGE_FILES.get(&ctx, &hash("照片.jpg")).expect("a row");
                assert_eq!(
                    (row.path.as_str(), row.name.as_str(), row.thumb.as_str()),
                    ("a/b", "名.png", "thumb")
                );
                assert_eq!(
                    (row.time, row.size, row.kind),
                    (NOW_MS, 300, 1),
                    "the time that it was asked for"
                );
                assert_eq!(effects(&ctx), [format!("put storage-files/{}", row.hash)]);
            }
        }
    }
}

#[test]
fn being_told_twice_changes_nothing_more() {
    for platform in 0..4 {
        let ctx = ready();
        let request = begun(&ctx, platform, fields(platform));
        assert_eq!(finished(&ctx, &request), Ok(()));
        effects(&ctx);
        let once = ctx.dump();
        ctx.set_now_ms(NOW_MS + 1);
        assert_eq!(admit(&ctx, &request), Ok(()));
        assert_eq!(finished(&ctx, &request), Ok(()));
        assert_eq!(ctx.dump(), once);
        assert_eq!(effects(&ctx), [""; 0]);
    }
}

#[test]
fn an_upload_whose_folder_was_deleted_is_refused() {
    for platform in [0, 2, 3] {
        let ctx = ready();
        let request = begun(&ctx, platform, fields(platform));
        BACKUP_FOLDERS.apply(&ctx, [], &texts(&["backups"]));
        FAVORITE_FOLDERS.apply(&ctx, [], &texts(&["favorites"]));
        assert_eq!(ctx.call(|ctx| delete_stored(ctx, texts(&["a"]))), Ok(true));
        effects(&ctx);
        assert_eq!(admit(&ctx, &request), Err(Refusal::Gone));
        assert_eq!(ctx.call(|ctx| finished(ctx, &request)), Err(Refusal::Gone));
        assert_eq!(rows(&ctx), [0; 4]);
        assert_eq!(effects(&ctx), [""; 0]);
    }
}

/// A person may move the folder while the bytes are on their way.
#[test]
fn an_upload_follows_a_folder_that_was_moved() {
    let ctx = ready();
    let request = begun(&ctx, 3, fields(3));
    assert_eq!(move_stored(&ctx, "b", None), Ok(true));
    assert_eq!(admit(&ctx, &request), Ok(()));
    assert_eq!(finished(&ctx, &request), Ok(()));
    let row = STORAGE_FILES.get(&ctx, &hash("照片.jpg")).expect("a row");
    assert_eq!(row.path, "b");
}

#[test]
fn there_must_be_room_and_what_is_replaced_makes_room() {
    for platform in 0..4 {
        let ctx = ready();
        let fields = Fields {
            unique: some("u"),
            ..fields(platform)
        };
        let request = begun(&ctx, platform, fields);
        ctx.set_total_bytes(299);
        assert_eq!(admit(&ctx, &request), Err(Refusal::NoSpace));
        ctx.set_total_bytes(300);
        assert_eq!(admit(&ctx, &request), Ok(()), "exactly enough");
        assert_eq!(finished(&ctx, &request), Ok(()));
        assert_eq!(admit(&ctx, &request), Ok(()), "its row is there already");
        let mut larger = request.clone();
        larger.file.size = 301;
        assert_eq!(admit(&ctx, &larger), Err(Refusal::NoSpace));
    }
}

#[test]
fn what_is_durable_is_kept_even_without_room() {
    let ctx = ready();
    let request = begun(&ctx, 3, fields(3));
    ctx.set_total_bytes(0);
    assert_eq!(finished(&ctx, &request), Ok(()));
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 300);
}

/// The same bytes are one file of the cloud storage.
#[test]
fn bytes_that_are_there_already_get_the_new_name_and_place() {
    let ctx = ready();
    let mut known = stored("照片.jpg", "", 1, 300);
    known.name = "old.txt".to_owned();
    known.thumb = "thumb".to_owned();
    STORAGE_FILES.apply(&ctx, [known], &[]);
    let request = begun(&ctx, 3, fields(3));
    assert_eq!(finished(&ctx, &request), Ok(()));
    let row = STORAGE_FILES.get(&ctx, &hash("照片.jpg")).expect("a row");
    assert_eq!((row.name.as_str(), row.path.as_str()), ("照片.jpg", "a/b"));
    assert_eq!(row.thumb, "thumb", "an upload without one keeps it");
    assert_eq!((total_bytes(&ctx, &STORAGE_FILES), rows(&ctx)), (300, [0, 0, 0, 1]));
    assert_eq!(
        effects(&ctx),
        [format!("put storage-files/{}", row.hash)],
        "no blob is released"
    );
}

#[test]
fn an_upload_with_a_known_unique_releases_the_old_blob() {
    let ctx = ready();
    let unique = |of: &str| {
        ctx.set_prepared(PATH, Ok(prepared(of, 10, false)));
        let fields = Fields {
            unique: some("u"),
            ..fields(2)
        };
        begun(&ctx, 2, fields)
    };
    let (old, new) = (unique("old"), unique("new"));
    assert_eq!(finished(&ctx, &old), Ok(()));
    effects(&ctx);
    assert_eq!(finished(&ctx, &new), Ok(()));
    assert_eq!(
        effects(&ctx),
        ["put favorites/u".to_owned(), format!("blob {}", hash("old"))]
    );
    assert_eq!(total_bytes(&ctx, &FAVORITES), 10);
}

#[test]
fn a_password_is_given_to_the_host_alone() {
    let ctx = ready();
    ctx.set_prepared(PATH, Ok(prepared("sealed", 500, true)));
    let with_password = Upload {
        path: PATH.to_owned(),
        platform: 3,
        file_password: some("open sesame"),
        fields: fields(3),
    };
    upload_file(&ctx, with_password).expect("begun");
    let request = upload(&ctx);
    assert!(request.file.protected);
    assert!(!request.subject.contains("sesame"));
    assert_eq!(finished(&ctx, &request), Ok(()));
    assert_eq!(
        STORAGE_FILES.get(&ctx, &hash("sealed")).map(|row| row.protected),
        Some(true)
    );
}

#[test]
fn what_is_wrong_is_refused_before_the_file_is_read() {
    let ctx = MemoryContext::new();
    assert_eq!(try_upload(&ctx, PATH, 4, fields(3)), wrong("platform"));
    assert_eq!(try_upload(&ctx, PATH, u32::MAX, fields(3)), wrong("platform"));
    assert_eq!(try_upload(&ctx, "", 3, Fields::default()), wrong("path"));
    assert_eq!(try_upload(&ctx, PATH, 0, Fields::default()), wrong("parent"));
    assert_eq!(try_upload(&ctx, PATH, 1, Fields::default()), wrong("parent"));
    for platform in [0, 2, 3] {
        assert_eq!(try_upload(&ctx, PATH, platform, fields(platform)), because(60000));
    }
    let named = Fields {
        name: some("a\nb"),
        ..Fields::default()
    };
    assert_eq!(try_upload(&ctx, PATH, 3, named), wrong("name"));
    let long = Fields {
        msg_content: Some("x".repeat(1 << 20)),
        ..Fields::default()
    };
    assert_eq!(try_upload(&ctx, PATH, 2, long), wrong("msgContent"));
    assert!(ctx.is_empty());
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn a_file_that_cannot_be_prepared_is_refused() {
    let ctx = ready();
    for (error, code) in [
        (PrepareError::Path("a path in /uploads".to_owned()), wrong("path")),
        (PrepareError::Missing, because(60001)),
        (PrepareError::Password, because(60004)),
        (PrepareError::Failed("the disk is full".to_owned()), because(500)),
    ] {
        ctx.set_prepared(PATH, Err(error));
        assert_eq!(try_upload(&ctx, PATH, 3, fields(3)), code);
    }
    assert_eq!(try_upload(&ctx, "/unknown", 3, fields(3)), because(60001));
    assert_eq!(effects(&ctx), [""; 0]);
}

/// A file system takes names that the API does not. Such a file must be refused at once, not after
/// its bytes are in the space.
#[test]
fn a_file_with_an_impossible_name_needs_another_one() {
    let ctx = ready();
    ctx.set_prepared(PATH, Ok(prepared("a\nb.txt", 1, false)));
    assert_eq!(try_upload(&ctx, PATH, 3, fields(3)), wrong("name"));
    let named = Fields {
        name: some("a b.txt"),
        ..fields(3)
    };
    let request = begun(&ctx, 3, named);
    assert_eq!(request.file.name, "a b.txt");
    assert_eq!(finished(&ctx, &request), Ok(()));
}

#[test]
fn a_request_that_is_not_of_this_module_is_gone() {
    let ctx = ready();
    let request = begun(&ctx, 3, fields(3));
    for platform in [4, 255] {
        let other = UploadRequest {
            platform,
            ..request.clone()
        };
        assert_eq!(admit(&ctx, &other), Err(Refusal::Gone));
        assert_eq!(finished(&ctx, &other), Err(Refusal::Gone));
    }
    for subject in ["", "{}", "temp-file", r#"{"inPlaceOf":7}"#] {
        let other = UploadRequest {
            subject: subject.to_owned(),
            ..request.clone()
        };
        assert_eq!(admit(&ctx, &other), Err(Refusal::Gone));
        assert_eq!(finished(&ctx, &other), Err(Refusal::Gone));
    }
    assert_eq!(rows(&ctx), [0; 4]);
}

/// The subject is stored in the task. A later version of this module must still read it.
#[test]
fn a_stored_subject_with_fewer_or_more_fields_is_read() {
    let ctx = ready();
    let request = UploadRequest {
        subject: r#"{"newRow":{"unique":"u","favId":"favorites","time":5,"later":1}}"#.to_owned(),
        ..begun(&ctx, 2, fields(2))
    };
    assert_eq!(finished(&ctx, &request), Ok(()));
    let row = FAVORITES.get(&ctx, "u").expect("a row");
    assert_eq!((row.folder.as_str(), row.time), ("favorites", 5));
}
