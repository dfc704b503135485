//! Passwords of files in the space: setting, changing and removing them.

use stowage_sdk::bindings::cloud::Scalar;
use stowage_sdk::bindings::files::PrepareError;
use stowage_sdk::rows::{BACKUPS, Backup, FAVORITES, Favorite, STORAGE_FILES, TEMP_FILES, TempFile, total_bytes};
use stowage_sdk::{Context, MemoryContext};
use stowage_transfers::bindings::files_hook::Refusal;
use stowage_transfers::{admit, delete_favorites, finished, remove_password, set_password};

use crate::scene::{because, effects, hash, prepared, put_fields, refused, some, stored, texts, upload, value, wrong};

fn favorite(unique: &str, of: &str, protected: bool) -> Favorite {
    Favorite {
        unique: unique.to_owned(),
        hash: hash(of),
        size: 100,
        protected,
        ..Favorite::default()
    }
}

/// A favourite of the file, which becomes `next` when it is prepared.
fn ready(protected: bool) -> MemoryContext {
    let ctx = MemoryContext::new();
    FAVORITES.apply(&ctx, [favorite("u", "now", protected)], &[]);
    ctx.set_prepared(&hash("now"), Ok(prepared("next", 110, true)));
    ctx
}

fn set(ctx: &MemoryContext, password: &str, new_password: Option<&str>) -> Result<bool, stowage_sdk::Error> {
    ctx.call(|ctx| {
        set_password(
            ctx,
            &hash("now"),
            2,
            password.to_owned(),
            new_password.map(str::to_owned),
        )
    })
}

#[test]
fn a_first_password_is_set_in_all_rows_of_the_platform() {
    let ctx = ready(false);
    FAVORITES.apply(&ctx, [favorite("v", "now", false), favorite("w", "other", false)], &[]);
    assert_eq!(set(&ctx, "secret", None), Ok(true));
    let request = upload(&ctx);
    assert_eq!(
        (request.file.hash.as_str(), request.file.size),
        (hash("next").as_str(), 110)
    );
    assert!(request.file.protected && !request.subject.contains("secret"));
    assert_eq!(
        FAVORITES.get(&ctx, "u").map(|row| row.hash),
        Some(hash("now")),
        "not yet"
    );
    assert_eq!(admit(&ctx, &request), Ok(()));
    assert_eq!(ctx.call(|ctx| finished(ctx, &request)), Ok(()));
    for unique in ["u", "v"] {
        let row = FAVORITES.get(&ctx, unique).expect("a row");
        assert_eq!((row.hash, row.size, row.protected), (hash("next"), 110, true));
    }
    assert_eq!(FAVORITES.get(&ctx, "w"), Some(favorite("w", "other", false)));
    assert_eq!(
        effects(&ctx),
        [
            "put favorites/u".to_owned(),
            "put favorites/v".to_owned(),
            format!("blob {}", hash("now"))
        ]
    );
    assert_eq!(total_bytes(&ctx, &FAVORITES), 320);
}

#[test]
fn being_told_twice_changes_nothing_more() {
    let ctx = ready(false);
    assert_eq!(set(&ctx, "secret", None), Ok(true));
    let request = upload(&ctx);
    assert_eq!(finished(&ctx, &request), Ok(()));
    effects(&ctx);
    let once = ctx.dump();
    assert_eq!(admit(&ctx, &request), Ok(()));
    assert_eq!(finished(&ctx, &request), Ok(()));
    assert_eq!(ctx.dump(), once);
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn the_rows_of_other_platforms_keep_the_old_blob() {
    let ctx = ready(false);
    let mut file = stored("now", "", 1, 100);
    file.hash = hash("now");
    STORAGE_FILES.apply(&ctx, [file], &[]);
    assert_eq!(set(&ctx, "secret", None), Ok(true));
    let request = upload(&ctx);
    assert_eq!(finished(&ctx, &request), Ok(()));
    assert_eq!(effects(&ctx), ["put favorites/u"], "a row names the old blob");
    assert!(STORAGE_FILES.contains(&ctx, &hash("now")));
}

#[test]
fn a_password_is_changed_with_the_present_one() {
    let ctx = ready(true);
    assert_eq!(refused(set(&ctx, "now", None)), wrong("newPassword"));
    assert_eq!(refused(set(&ctx, "now", Some(""))), wrong("newPassword"));
    assert_eq!(set(&ctx, "now", Some("next")), Ok(true));
    assert!(upload(&ctx).file.protected);
    ctx.set_prepared(&hash("now"), Err(PrepareError::Password));
    assert_eq!(refused(set(&ctx, "wrong", Some("next"))), because(60004));
    ctx.set_prepared(&hash("now"), Err(PrepareError::Failed("no network".to_owned())));
    assert_eq!(refused(set(&ctx, "now", Some("next"))), because(500));
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn wrong_parameters_are_named() {
    let ctx = ready(false);
    let set = |of: &str, platform, password: &str, new: Option<String>| {
        refused(ctx.call(|ctx| set_password(ctx, of, platform, password.to_owned(), new)))
    };
    assert_eq!(set(&hash("now"), 4, "secret", None), wrong("platform"));
    assert_eq!(set(&hash("now"), 2, "", None), wrong("password"));
    assert_eq!(set(&hash("now"), 2, "secret", some("next")), wrong("newPassword"));
    assert_eq!(
        set(&hash("now"), 3, "secret", None),
        because(60001),
        "it is not in the storage"
    );
    assert_eq!(set(&hash("unknown"), 2, "secret", None), because(60001));
    assert_eq!(set("no hash", 2, "secret", None), because(60001));
    let remove = |of: &str, platform| refused(remove_password(&ctx, of, platform, "x".to_owned()));
    assert_eq!(remove(&hash("now"), 4), wrong("platform"));
    assert_eq!(remove(&hash("unknown"), 2), because(60001));
    assert_eq!(effects(&ctx), [""; 0]);
}

/// The space keeps a field that a put does not name. So `protected` must be named when it ends.
#[test]
fn a_removed_password_is_removed_in_the_space_too() {
    let ctx = ready(true);
    ctx.set_prepared(&hash("now"), Ok(prepared("plain", 90, false)));
    assert_eq!(remove_password(&ctx, &hash("now"), 2, "secret".to_owned()), Ok(true));
    let request = upload(&ctx);
    assert!(!request.file.protected);
    assert_eq!(finished(&ctx, &request), Ok(()));
    let row = FAVORITES.get(&ctx, "u").expect("a row");
    assert_eq!(
        (row.hash.as_str(), row.size, row.protected),
        (hash("plain").as_str(), 90, false)
    );
    assert_eq!(value(&put_fields(&ctx), "protected"), Some(Scalar::Boolean(false)));
}

#[test]
fn a_file_without_a_password_stays_as_it_is() {
    let ctx = ready(false);
    assert_eq!(remove_password(&ctx, &hash("now"), 2, "any".to_owned()), Ok(true));
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn a_stored_file_gets_another_identity_and_keeps_its_name_and_place() {
    let ctx = MemoryContext::new();
    STORAGE_FILES.apply(&ctx, [stored("now", "a", 5, 100)], &[]);
    ctx.set_prepared(&hash("now"), Ok(prepared("next", 110, true)));
    assert_eq!(set_password(&ctx, &hash("now"), 3, "secret".to_owned(), None), Ok(true));
    let request = upload(&ctx);
    assert_eq!((request.file.name.as_str(), request.file.path.as_str()), ("now", "a"));
    assert_eq!(finished(&ctx, &request), Ok(()));
    let row = STORAGE_FILES.get(&ctx, &hash("next")).expect("a row");
    assert_eq!((row.name.as_str(), row.path.as_str(), row.time), ("now", "a", 5));
    assert!(!STORAGE_FILES.contains(&ctx, &hash("now")));
    assert_eq!(
        effects(&ctx),
        [
            format!("delete storage-files/{}", hash("now")),
            format!("put storage-files/{}", hash("next")),
            format!("blob {}", hash("now"))
        ]
    );
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 110);
}

#[test]
fn backups_and_temp_files_have_passwords_too() {
    for platform in [0, 1] {
        let ctx = MemoryContext::new();
        if platform == 0 {
            let row = Backup {
                unique: "u".to_owned(),
                hash: hash("now"),
                ..Backup::default()
            };
            BACKUPS.apply(&ctx, [row], &[]);
        } else {
            let row = TempFile {
                unique: "u".to_owned(),
                hash: hash("now"),
                ..TempFile::default()
            };
            TEMP_FILES.apply(&ctx, [row], &[]);
        }
        ctx.set_prepared(&hash("now"), Ok(prepared("next", 110, true)));
        assert_eq!(
            set_password(&ctx, &hash("now"), platform, "secret".to_owned(), None),
            Ok(true)
        );
        assert_eq!(finished(&ctx, &upload(&ctx)), Ok(()));
        let table = ["backups", "temp-files"][platform as usize];
        assert_eq!(
            effects(&ctx),
            [format!("put {table}/u"), format!("blob {}", hash("now"))]
        );
        assert_eq!(total_bytes(&ctx, &BACKUPS) + total_bytes(&ctx, &TEMP_FILES), 110);
    }
}

#[test]
fn a_row_that_was_deleted_meanwhile_gets_no_password() {
    let ctx = ready(false);
    assert_eq!(set(&ctx, "secret", None), Ok(true));
    let request = upload(&ctx);
    assert_eq!(delete_favorites(&ctx, texts(&["u"])), Ok(true));
    effects(&ctx);
    assert_eq!(admit(&ctx, &request), Err(Refusal::Gone));
    assert_eq!(ctx.call(|ctx| finished(ctx, &request)), Err(Refusal::Gone));
    assert_eq!(effects(&ctx), [""; 0]);
}

/// The old blob makes room: a file of more than half of the space can get a password.
#[test]
fn only_the_growth_needs_room() {
    let ctx = ready(false);
    FAVORITES.apply(&ctx, [favorite("v", "now", false)], &[]);
    assert_eq!(set(&ctx, "secret", None), Ok(true));
    let request = upload(&ctx);
    ctx.set_total_bytes(220);
    assert_eq!(admit(&ctx, &request), Ok(()));
    ctx.set_total_bytes(219);
    assert_eq!(admit(&ctx, &request), Err(Refusal::NoSpace));
}

/// A sticker may be in thousands of favourites. All of them get the new blob.
#[test]
fn more_rows_than_a_page_get_the_new_blob() {
    let ctx = ready(false);
    let rows = (0..2500).map(|n| favorite(&format!("{n}"), "now", false));
    FAVORITES.apply(&ctx, rows, &[]);
    assert_eq!(set(&ctx, "secret", None), Ok(true));
    let request = upload(&ctx);
    assert_eq!(finished(&ctx, &request), Ok(()));
    assert_eq!(ctx.counter("blobs", hash("now").as_bytes()), 0);
    assert_eq!(ctx.counter("blobs", hash("next").as_bytes()), 2501);
    assert_eq!(effects(&ctx).last(), Some(&format!("blob {}", hash("now"))));
    assert_eq!(total_bytes(&ctx, &FAVORITES), 2501 * 110);
}
