//! The rules of the cloud storage: its use, and what is uploaded to it.

use stowage_cloud_storage::bindings::upload_hook::Refusal;
use stowage_cloud_storage::bindings::{api, dapp_files, storage_files, storage_folders};
use stowage_cloud_storage::{
    VERSION, admit, apply_dapp_files, apply_storage_files, apply_storage_folders, finished, migrate, space_info,
};
use stowage_sdk::bindings::cloud::{Field, Scalar};
use stowage_sdk::bindings::transfer::{File, UploadRequest};
use stowage_sdk::rows::{
    BACKUPS, Backup, FAVORITE_FOLDERS, FAVORITES, Favorite, STORAGE_FILES, STORAGE_FILES_BY_KIND, STORAGE_FOLDERS,
    STORAGE_FOLDERS_BY_PATH, StoredFile, TEMP_FILES, TEMP_FOLDERS, TempFile, TempFolder, storage_folders_named,
    storage_path_key, total_bytes,
};
use stowage_sdk::{Collection, Effect, Kind, Listing, MemoryContext, Step, base58_sha256};

fn hash(of: &str) -> String {
    base58_sha256(&[of])
}

fn stored(of: &str, size: u64) -> storage_files::Row {
    storage_files::Row {
        hash: hash(of),
        name: None,
        size: Some(size),
        time: None,
        path: None,
        ext: None,
        thumb: None,
        protected: None,
    }
}

fn dapp(of: &str, size: u64) -> dapp_files::Row {
    let storage_files::Row {
        hash,
        name,
        size,
        time,
        path,
        ext,
        thumb,
        protected,
    } = stored(of, size);
    dapp_files::Row {
        hash,
        name,
        size,
        time,
        path,
        ext,
        thumb,
        protected,
    }
}

fn backup(unique: &str, size: u64) -> Backup {
    Backup {
        unique: unique.to_owned(),
        size,
        ..Backup::default()
    }
}

#[test]
fn the_documented_space_is_answered_as_documented() {
    let ctx = MemoryContext::new();
    apply_storage_files(&ctx, vec![stored("a", 12_542_638)], &[]);
    BACKUPS.apply(&ctx, [backup("b", 6072)], &[]);
    let expected = api::SpaceInfo {
        storage_size: "11.96 MB".to_owned(),
        storage_scale: 1.0,
        collect_size: "0 B".to_owned(),
        collect_scale: 0.0,
        backups_size: "5.93 KB".to_owned(),
        backups_scale: 1.0,
        dapp_size: "0 B".to_owned(),
        temp_files_size: "0 B".to_owned(),
        occupy_size: "11.97 MB".to_owned(),
        remaining_size: "9.99 GB".to_owned(),
        total_size: "10 GB".to_owned(),
        remaining_scale: 98.0,
    };
    assert_eq!(space_info(&ctx), expected);
}

#[test]
fn an_empty_space_is_all_there() {
    let info = space_info(&MemoryContext::new());
    assert_eq!(
        (info.occupy_size.as_str(), info.remaining_size.as_str()),
        ("0 B", "10 GB")
    );
    assert_eq!((info.storage_scale, info.remaining_scale), (0.0, 100.0));
}

#[test]
fn shares_are_rounded_up_and_nothing_is_below_zero() {
    let ctx = MemoryContext::new();
    ctx.set_total_bytes(1000);
    apply_storage_files(&ctx, vec![stored("a", 500), stored("b", 1)], &[]);
    assert_eq!(space_info(&ctx).storage_scale, 51.0);
    apply_storage_files(&ctx, vec![stored("b", 0)], &[]);
    assert_eq!(space_info(&ctx).storage_scale, 50.0, "an exact share is not rounded");
    apply_storage_files(&ctx, vec![stored("b", 5000)], &[]);
    let info = space_info(&ctx);
    assert_eq!((info.remaining_size.as_str(), info.remaining_scale), ("0 B", 0.0));
    ctx.set_total_bytes(0);
    assert_eq!(space_info(&ctx).storage_scale, 100.0);
    apply_storage_files(&ctx, vec![stored("b", u64::MAX)], &[]);
    assert_eq!(space_info(&ctx).storage_size, "256 TB");
}

#[test]
fn every_collection_counts_and_the_cost_does_not_grow() {
    let ctx = MemoryContext::new();
    apply_dapp_files(&ctx, vec![dapp("d", 1024)], &[]);
    FAVORITES.apply(
        &ctx,
        [Favorite {
            unique: "f".to_owned(),
            size: 2048,
            ..Favorite::default()
        }],
        &[],
    );
    TEMP_FILES.apply(
        &ctx,
        [TempFile {
            unique: "t".to_owned(),
            size: 4096,
            ..TempFile::default()
        }],
        &[],
    );
    let info = space_info(&ctx);
    assert_eq!(
        (
            info.dapp_size.as_str(),
            info.collect_size.as_str(),
            info.temp_files_size.as_str()
        ),
        ("1 KB", "2 KB", "4 KB")
    );
    assert_eq!(info.occupy_size, "7 KB");
    assert_eq!(
        info.remaining_scale, 99.0,
        "only storage, favourites and backups have shares"
    );
    BACKUPS.apply(&ctx, (0..2000).map(|n| backup(&n.to_string(), 1)), &[]);
    ctx.take_costs();
    space_info(&ctx);
    assert_eq!(ctx.take_costs(), (5, 0));
    apply_dapp_files(&ctx, vec![], &[hash("d")]);
    assert_eq!(space_info(&ctx).dapp_size, "0 B");
}

fn source() -> TempFile {
    TempFile {
        unique: "temp".to_owned(),
        parent: "node".to_owned(),
        hash: hash("photo"),
        msg_id: "m-1".to_owned(),
        msg_content: r#"{"imageInfoArray":[],"thumb":"address"}"#.to_owned(),
        msg_type: 6,
        ext: ".jpg".to_owned(),
        size: 300,
        name: "照片.jpg".to_owned(),
        time: 5,
        protected: false,
        kind: 1,
    }
}

fn ready() -> MemoryContext {
    let ctx = MemoryContext::new();
    ctx.set_now_ms(1_744_161_323_999);
    TEMP_FILES.apply(&ctx, [source()], &[]);
    let folder = TempFolder {
        unique: "node".to_owned(),
        node_address: "3UiV".to_owned(),
        ..TempFolder::default()
    };
    TEMP_FOLDERS.apply(&ctx, [folder], &[]);
    ctx
}

fn request(platform: u8) -> UploadRequest {
    let file = File {
        hash: hash("photo"),
        name: "照片.jpg".to_owned(),
        ext: ".jpg".to_owned(),
        thumb: "address".to_owned(),
        size: 300,
        path: String::new(),
        protected: false,
    };
    UploadRequest {
        platform,
        file,
        subject: "temp".to_owned(),
    }
}

fn text(name: &str, value: &str) -> Field {
    Field {
        name: name.to_owned(),
        value: Scalar::Text(value.to_owned()),
    }
}

fn integer(name: &str, value: i64) -> Field {
    Field {
        name: name.to_owned(),
        value: Scalar::Integer(value),
    }
}

#[test]
fn a_finished_upload_becomes_a_storage_file_here_and_in_the_space() {
    let ctx = ready();
    assert_eq!(finished(&ctx, &request(3)), Ok(()));
    let fields = vec![
        text("hash", &hash("photo")),
        text("name", "照片.jpg"),
        integer("size", 300),
        integer("time", 1_744_161_323_999),
        text("path", ""),
        text("ext", ".jpg"),
        text("thumb", "address"),
    ];
    let put = Effect::PutRow {
        collection: "storage-files".to_owned(),
        identity: hash("photo"),
        fields,
    };
    assert_eq!(ctx.take_effects(), [put]);
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 300);
}

#[test]
fn a_finished_upload_becomes_a_favourite_in_the_default_folder() {
    let ctx = ready();
    assert_eq!(finished(&ctx, &request(2)), Ok(()));
    let unique = base58_sha256(&["favorite", &hash("photo"), "m-1"]);
    let favorite = Favorite {
        unique: unique.clone(),
        folder: "1".to_owned(),
        msg_id: "m-1".to_owned(),
        msg_content: source().msg_content,
        msg_type: 6,
        hash: hash("photo"),
        name: "照片.jpg".to_owned(),
        size: 300,
        time: 1_744_161_323,
        node_address: "3UiV".to_owned(),
        origin_nickname: String::new(),
        protected: false,
        kind: 1,
    };
    assert_eq!(FAVORITES.get(&ctx, &unique), Some(favorite.clone()));
    assert!(FAVORITE_FOLDERS.contains(&ctx, "1"));
    let fields = favorite.cloud_fields();
    assert!(fields.contains(&text("folder", "1")) && fields.contains(&integer("size", 300)));
    assert!(
        !fields.iter().any(|field| field.name == "kind"),
        "the kind is ours alone"
    );
    assert_eq!(
        ctx.take_effects(),
        [Effect::PutRow {
            collection: "favorites".to_owned(),
            identity: unique,
            fields
        }]
    );
}

#[test]
fn being_told_twice_changes_nothing_more() {
    for platform in [2, 3] {
        let ctx = ready();
        assert_eq!(finished(&ctx, &request(platform)), Ok(()));
        ctx.take_effects();
        let once = ctx.dump();
        ctx.set_now_ms(2_000_000_000_000);
        assert_eq!(finished(&ctx, &request(platform)), Ok(()));
        assert_eq!(ctx.dump(), once);
        assert_eq!(ctx.take_effects(), []);
    }
}

#[test]
fn the_same_file_of_two_messages_is_two_favourites() {
    let ctx = ready();
    TEMP_FILES.apply(
        &ctx,
        [TempFile {
            unique: "other".to_owned(),
            msg_id: "m-2".to_owned(),
            ..source()
        }],
        &[],
    );
    assert_eq!(finished(&ctx, &request(2)), Ok(()));
    assert_eq!(
        finished(
            &ctx,
            &UploadRequest {
                subject: "other".to_owned(),
                ..request(2)
            }
        ),
        Ok(())
    );
    assert_eq!(ctx.keys("favorites").len(), 2);
}

#[test]
fn an_upload_whose_temp_file_is_gone_or_another_is_refused() {
    for platform in [2, 3] {
        let ctx = ready();
        TEMP_FILES.apply(
            &ctx,
            [TempFile {
                hash: hash("another"),
                ..source()
            }],
            &[],
        );
        assert_eq!(admit(&ctx, &request(platform)), Err(Refusal::Gone));
        assert_eq!(finished(&ctx, &request(platform)), Err(Refusal::Gone));
        TEMP_FILES.apply(&ctx, [], &["temp".to_owned()]);
        assert_eq!(admit(&ctx, &request(platform)), Err(Refusal::Gone));
        assert_eq!(finished(&ctx, &request(platform)), Err(Refusal::Gone));
        assert_eq!(ctx.take_effects(), []);
    }
}

#[test]
fn an_upload_of_a_platform_that_takes_none_is_refused() {
    for platform in [0, 1, 4, 255] {
        assert_eq!(admit(&ready(), &request(platform)), Err(Refusal::Gone));
        assert_eq!(finished(&ready(), &request(platform)), Err(Refusal::Gone));
    }
}

#[test]
fn there_must_be_room_unless_the_row_is_there_already() {
    let ctx = ready();
    // The temp file itself takes 300.
    ctx.set_total_bytes(600);
    assert_eq!(admit(&ctx, &request(3)), Ok(()), "exactly enough");
    ctx.set_total_bytes(599);
    assert_eq!(admit(&ctx, &request(3)), Err(Refusal::NoSpace));
    assert_eq!(admit(&ctx, &request(2)), Err(Refusal::NoSpace));
    assert_eq!(finished(&ctx, &request(3)), Ok(()), "what is durable is kept");
    assert_eq!(admit(&ctx, &request(3)), Ok(()));
    assert_eq!(
        admit(&ctx, &request(2)),
        Err(Refusal::NoSpace),
        "the favourite is not there"
    );
    ctx.set_total_bytes(0);
    assert_eq!(admit(&ctx, &request(2)), Err(Refusal::NoSpace));
}

#[test]
fn a_protected_file_stays_protected() {
    let ctx = ready();
    TEMP_FILES.apply(
        &ctx,
        [TempFile {
            protected: true,
            ..source()
        }],
        &[],
    );
    assert_eq!(finished(&ctx, &request(3)), Ok(()));
    let protected = Field {
        name: "protected".to_owned(),
        value: Scalar::Boolean(true),
    };
    assert!(matches!(&ctx.take_effects()[..], [Effect::PutRow { fields, .. }] if fields.contains(&protected)));
    assert!(
        STORAGE_FILES
            .get(&ctx, &hash("photo"))
            .is_some_and(|file| file.protected)
    );
}

#[test]
fn an_uploaded_file_is_listed_with_its_kind() {
    let ctx = ready();
    assert_eq!(finished(&ctx, &request(3)), Ok(()));
    let key = storage_path_key("").byte(Kind::Media as u8).prefix();
    assert_eq!(Listing::new(STORAGE_FILES_BY_KIND, key).all(&ctx), [hash("photo")]);
}

#[test]
fn files_that_an_earlier_version_stored_are_listed_after_the_migration() {
    let ctx = MemoryContext::new();
    // As version 0 stored it: without a kind, and in no index.
    const OLD: Collection<StoredFile> = Collection {
        derive: |file, derived| {
            derived.counted("totals", b"storage-files".to_vec(), file.size as i64);
            derived.refers(&file.hash);
        },
        ..STORAGE_FILES
    };
    let file = StoredFile {
        hash: hash("a"),
        name: "a.png".to_owned(),
        size: 7,
        path: "f".to_owned(),
        ..StoredFile::default()
    };
    OLD.apply(&ctx, [file], &[]);
    apply_dapp_files(&ctx, vec![dapp("d", 1)], &[]);
    assert_eq!(VERSION, 1);
    assert_eq!(migrate(&ctx, None), Ok(Step { cursor: None, rows: 1 }));
    let key = storage_path_key("f").byte(Kind::Media as u8).prefix();
    assert_eq!(Listing::new(STORAGE_FILES_BY_KIND, key).all(&ctx), [hash("a")]);
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 7);
    assert_eq!(migrate(&ctx, None), Ok(Step { cursor: None, rows: 0 }));
    assert!(migrate(&ctx, Some(Vec::new())).is_err());
}

#[test]
fn folders_come_and_go_with_the_space() {
    let ctx = MemoryContext::new();
    let row = |name: Option<&str>| storage_folders::Row {
        id: "f".to_owned(),
        name: name.map(str::to_owned),
        time: None,
        path: None,
    };
    apply_storage_folders(&ctx, vec![row(Some("Photos"))], &[]);
    assert_eq!(storage_folders_named(&ctx, "", "Photos"), ["f"]);
    let once = ctx.dump();
    apply_storage_folders(&ctx, vec![row(Some("Photos"))], &["gone".to_owned()]);
    assert_eq!(ctx.dump(), once);
    apply_storage_folders(&ctx, vec![row(None)], &[]);
    assert_eq!(
        STORAGE_FOLDERS.get(&ctx, "f").map(|folder| folder.name),
        Some(String::new())
    );
    apply_storage_folders(&ctx, vec![], &["f".to_owned()]);
    assert_eq!(
        Listing::new(STORAGE_FOLDERS_BY_PATH, storage_path_key("").prefix()).all(&ctx),
        Vec::<String>::new()
    );
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn applying_is_idempotent_and_keeps_the_two_collections_apart() {
    let ctx = MemoryContext::new();
    let apply = || {
        apply_storage_files(&ctx, vec![stored("a", 1), stored("b", 2)], &[hash("c")]);
        apply_dapp_files(&ctx, vec![dapp("a", 4)], &[hash("b")]);
    };
    apply();
    let once = ctx.dump();
    apply();
    assert_eq!(ctx.dump(), once);
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 3);
    assert_eq!(ctx.take_effects(), []);
    let nameless = storage_files::Row {
        hash: String::new(),
        ..stored("x", 1)
    };
    let odd = storage_files::Row {
        hash: "not a hash".to_owned(),
        ..stored("x", 8)
    };
    apply_storage_files(&ctx, vec![nameless, odd], &[]);
    assert_eq!(total_bytes(&ctx, &STORAGE_FILES), 11);
}
