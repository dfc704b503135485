//! Files that a client sends and asks for over HTTP.

use stowage_sdk::bindings::cloud::Scalar;
use stowage_sdk::rows::{DAPP_FILES, FAVORITES, Favorite, STORAGE_FILES, STORAGE_FOLDERS, TEMP_FILES, TempFile};
use stowage_sdk::{Error, MemoryContext};
use stowage_transfers::bindings::files_hook::Field;
use stowage_transfers::{Fields, check, fields, find, finished, store};

use crate::scene::{because, effects, folder, hash, prepared, refused, some, storage, stored, upload, wrong};

fn sent(fields_sent: &[(&str, &str)]) -> Result<Fields, Error> {
    let field = |(name, value): &(&str, &str)| Field {
        name: (*name).to_owned(),
        value: Scalar::Text((*value).to_owned()),
    };
    fields("a.jpg", fields_sent.iter().map(field).collect())
}

#[test]
fn every_field_of_a_row_can_be_sent() {
    let all = [
        ("unique", "u"),
        ("parent", "p"),
        ("favId", "f"),
        ("storagePath", "a/b"),
        ("msgId", "m"),
        ("msgContent", "{}"),
        ("msgType", "-6"),
        ("nodeAddress", "node"),
        ("originNickname", "origin"),
        ("nodeId", "id"),
        ("type", " 2 "),
        ("messageNum", "18446744073709551615"),
        ("nickname", "nick"),
        ("domainName", "domain"),
        ("thumb", "thumb"),
        ("ext", ".jpg"),
        ("time", "1744104587216"),
        ("unknown", "ignored"),
    ];
    let expected = Fields {
        unique: some("u"),
        parent: some("p"),
        fav_id: some("f"),
        storage_path: some("a/b"),
        msg_id: some("m"),
        msg_content: some("{}"),
        msg_type: Some(-6),
        node_address: some("node"),
        origin_nickname: some("origin"),
        node_id: some("id"),
        r#type: Some(2),
        message_num: Some(u64::MAX),
        nickname: some("nick"),
        domain_name: some("domain"),
        thumb: some("thumb"),
        ext: some(".jpg"),
        name: some("a.jpg"),
        time: Some(1_744_104_587_216),
    };
    assert_eq!(sent(&all), Ok(expected));
}

#[test]
fn a_field_that_is_not_a_number_is_named() {
    for (name, value) in [
        ("msgType", "image"),
        ("msgType", "2147483648"),
        ("type", "1.5"),
        ("messageNum", "-1"),
        ("time", ""),
    ] {
        assert_eq!(refused(sent(&[(name, value)])), wrong(name), "{name}={value}");
    }
    let boolean = Field {
        name: "time".to_owned(),
        value: Scalar::Boolean(true),
    };
    assert_eq!(refused(fields("", vec![boolean])), wrong("time"));
}

#[test]
fn a_check_refuses_what_could_not_be_stored() {
    let ctx = storage([folder("a", "")], []);
    let checked = |platform, fields: &[(&str, &str)]| ctx.call(|ctx| check(ctx, platform, sent(fields)?));
    assert_eq!(checked(3, &[("storagePath", "a")]), Ok(()));
    assert_eq!(checked(2, &[]), Ok(()));
    assert_eq!(checked(1, &[("parent", "talk")]), Ok(()));
    assert_eq!(refused(checked(3, &[("storagePath", "b")])), because(60000));
    assert_eq!(refused(checked(2, &[("favId", "unknown")])), because(60000));
    assert_eq!(refused(checked(0, &[("parent", "unknown")])), because(60000));
    assert_eq!(refused(checked(0, &[])), wrong("parent"));
    assert_eq!(refused(checked(1, &[])), wrong("parent"));
    assert_eq!(refused(checked(2, &[("unique", "a\0b")])), wrong("unique"));
    assert_eq!(refused(checked(4, &[])), wrong("platform"));
    assert_eq!(refused(checked(255, &[])), wrong("platform"));
    let name = fields(&"x".repeat(256), Vec::new()).expect("fields");
    assert_eq!(refused(check(&ctx, 3, name)), wrong("name"));
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn a_file_that_was_received_is_uploaded_and_gets_its_row() {
    let ctx = storage([folder("a", "")], []);
    // The host does not know a name: the file is in its own directory.
    let mut file = prepared("", 7, false);
    file.hash = hash("received");
    let fields = sent(&[("storagePath", "a"), ("thumb", "address")]).expect("fields");
    let stored = ctx.call(|ctx| store(ctx, "s", 3, fields, file)).expect("stored");
    let request = upload(&ctx);
    assert_eq!(
        (stored.task_id, stored.hash),
        (request.task_id.clone(), hash("received"))
    );
    assert_eq!(
        (request.file.name.as_str(), request.file.ext.as_str()),
        ("a.jpg", ".jpg")
    );
    assert_eq!(
        (request.file.thumb.as_str(), request.file.path.as_str()),
        ("address", "a")
    );
    assert_eq!(finished(&ctx, &request), Ok(()));
    let row = STORAGE_FILES.get(&ctx, &hash("received")).expect("a row");
    assert_eq!((row.name.as_str(), row.path.as_str(), row.size), ("a.jpg", "a", 7));
}

/// The host asks again after a crash. A second favourite used to appear.
#[test]
fn a_file_that_is_stored_again_is_the_same_task_and_row() {
    let ctx = MemoryContext::new();
    let requests = ["s", "s", "other"].map(|id| {
        let stored = ctx.call(|ctx| store(ctx, id, 2, Fields::default(), prepared("a.jpg", 7, false)));
        let request = upload(&ctx);
        assert_eq!(stored.expect("stored").task_id, request.task_id);
        assert_eq!(finished(&ctx, &request), Ok(()));
        request.task_id
    });
    assert_eq!(requests[0], requests[1]);
    assert_ne!(requests[0], requests[2]);
    assert_eq!(ctx.keys("favorites").len(), 2, "one a sending");
}

#[test]
fn a_folder_that_was_deleted_meanwhile_is_refused() {
    let ctx = storage([folder("a", "")], []);
    let fields = sent(&[("storagePath", "a")]).expect("fields");
    assert_eq!(check(&ctx, 3, fields.clone()), Ok(()));
    STORAGE_FOLDERS.apply(&ctx, [], &["a".to_owned()]);
    let late = ctx.call(|ctx| store(ctx, "s", 3, fields, prepared("x", 1, false)));
    assert_eq!(refused(late.map(|stored| stored.hash)), because(60000));
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn a_file_is_found_by_hash_in_a_platform_or_in_any() {
    let ctx = MemoryContext::new();
    let favorite = Favorite {
        unique: "u".to_owned(),
        hash: hash("1.txt"),
        name: "favourite.txt".to_owned(),
        ..Favorite::default()
    };
    FAVORITES.apply(&ctx, [favorite], &[]);
    STORAGE_FILES.apply(&ctx, [stored("1.txt", "", 1, 1)], &[]);
    let mut dapp = stored("2.txt", "", 1, 1);
    dapp.protected = true;
    DAPP_FILES.apply(&ctx, [dapp], &[]);
    let nameless = TempFile {
        unique: "t".to_owned(),
        hash: hash("3"),
        ext: ".bin".to_owned(),
        ..TempFile::default()
    };
    TEMP_FILES.apply(&ctx, [nameless], &[]);
    let found = |of: &str, platform| find(&ctx, &hash(of), platform).map(|found| (found.name, found.protected));
    assert_eq!(found("1.txt", Some(2)), Ok(("favourite.txt".to_owned(), false)));
    assert_eq!(found("1.txt", Some(3)), Ok(("1.txt".to_owned(), false)));
    assert_eq!(found("1.txt", None), Ok(("favourite.txt".to_owned(), false)));
    assert_eq!(found("2.txt", None), Ok(("2.txt".to_owned(), true)));
    assert_eq!(found("2.txt", Some(4)), Ok(("2.txt".to_owned(), true)));
    let by_hash = format!("{}.bin", hash("3"));
    assert_eq!(
        found("3", None),
        Ok((by_hash, false)),
        "a file without a name is named by its hash"
    );
    assert_eq!(refused(found("2.txt", Some(3))), because(60001));
    assert_eq!(refused(found("unknown", None)), because(60001));
    assert_eq!(refused(found("1.txt", Some(5))), wrong("platform"));
    let none = find(&ctx, "no hash", None).map(|found| found.name);
    assert_eq!(refused(none), because(60001));
}
