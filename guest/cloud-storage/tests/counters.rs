//! After any sequence of local calls and of changes of the space, index entries, counters and blob
//! references are those that the rows alone give.

use proptest::prelude::*;
use stowage_backups::bindings::{backup_folders, backups};
use stowage_cloud_storage::bindings::{dapp_files, storage_files, storage_folders};
use stowage_favorites::bindings::{favorite_folders, favorites};
use stowage_sdk::bindings::transfer::{File, UploadRequest};
use stowage_sdk::rows::{
    BACKUP_FOLDERS, BACKUPS, DAPP_FILES, FAVORITE_FOLDERS, FAVORITES, STORAGE_FILES, STORAGE_FOLDERS, TEMP_FILES,
    TEMP_FOLDERS, total_bytes,
};
use stowage_sdk::{Blobs, Collection, Context, Effect, MemoryContext, Writer, base58_sha256};
use stowage_temp_files::bindings::{temp_files, temp_folders};

/// One step: its kind, and numbers to choose its values from.
type Step = (u8, u8, u8, u8, u64);

fn id(n: u8) -> String {
    // Identifiers that an ambiguous key would confuse.
    ["1", "a", "a\0", "ab", "图", "\0"][usize::from(n) % 6].to_owned()
}

fn hash(n: u8) -> String {
    match n % 5 {
        0 => String::new(),
        1 => "3b5abc1c760a08bf6f635f861e9df1cae7de5c8577bdfb7498845e68150fcdc6".to_owned(),
        n => base58_sha256(&[&n.to_string()]),
    }
}

fn time(n: u8) -> i64 {
    i64::from(n % 4) - 1
}

fn favorite((_, a, b, c, size): Step) -> favorites::Row {
    favorites::Row {
        unique: id(a),
        folder: Some(id(b)),
        msg_id: Some(id(c)),
        msg_content: Some(if c % 2 == 0 {
            r#"{"text":"Hi"}"#.to_owned()
        } else {
            String::new()
        }),
        msg_type: Some(1),
        hash: Some(hash(c)),
        name: Some(format!("{b}.jpg")),
        size: Some(size),
        time: Some(time(c)),
        node_address: None,
        origin_nickname: None,
        protected: Some(c % 3 == 0),
    }
}

fn temp_file((_, a, b, c, size): Step) -> temp_files::Row {
    temp_files::Row {
        unique: id(a),
        parent: Some(id(b)),
        hash: Some(hash(c)),
        msg_id: Some(id(b)),
        msg_content: None,
        msg_type: None,
        ext: None,
        size: Some(size),
        name: Some(format!("{c}.mp4")),
        time: Some(time(b)),
        protected: None,
    }
}

fn backup((_, a, b, c, size): Step) -> backups::Row {
    backups::Row {
        unique: id(a),
        hash: Some(hash(c)),
        parent: Some(id(b)),
        node_id: None,
        type_: Some(i32::from(c % 3)),
        name: Some(format!("{c}.txt")),
        time: Some(time(c)),
        size: Some(size),
        message_num: Some(i64::from(b) - 3),
        nickname: None,
        domain_name: None,
        protected: None,
    }
}

fn upload((_, a, b, c, size): Step) -> UploadRequest {
    let file = File {
        hash: hash(c),
        name: String::new(),
        ext: String::new(),
        thumb: String::new(),
        size,
        path: String::new(),
        protected: false,
    };
    UploadRequest {
        platform: 2 + b % 2,
        file,
        subject: id(a),
    }
}

fn storage_file((_, a, b, c, size): Step) -> storage_files::Row {
    storage_files::Row {
        hash: hash(b),
        name: Some(format!("{c}.{}", if c % 2 == 0 { "png" } else { "txt" })),
        size: Some(size),
        time: Some(time(c)),
        path: Some(format!("{}/{}", id(a), id(c))),
        ext: None,
        thumb: None,
        protected: None,
    }
}

fn dapp_file((_, _, b, _, size): Step) -> dapp_files::Row {
    dapp_files::Row {
        hash: hash(b),
        name: None,
        size: Some(size),
        time: None,
        path: None,
        ext: None,
        thumb: None,
        protected: None,
    }
}

/// Runs a step as the host does. A refused step changes nothing.
fn run(ctx: &MemoryContext, step: Step) {
    let (what, a, b, c, _) = step;
    let gone = vec![id(a)];
    let folders: Vec<_> = ctx
        .keys("favorite-folders")
        .into_iter()
        .filter_map(|key| String::from_utf8(key).ok())
        .collect();
    let folder = folders.get(usize::from(a)).cloned().unwrap_or_else(|| id(a));
    let _refusals_are_fine = ctx.call(|ctx| {
        match what % 17 {
            0 => stowage_favorites::apply_favorites(ctx, vec![favorite(step)], &[]),
            1 => stowage_favorites::apply_favorites(ctx, vec![], &gone),
            2 => {
                let row = favorite_folders::Row {
                    id: id(a),
                    name: Some(id(b)),
                    time: Some(time(c)),
                };
                stowage_favorites::apply_folders(ctx, vec![row], vec![id(c)]);
            }
            3 => stowage_favorites::create(ctx, &id(b)).map(drop)?,
            4 => stowage_favorites::rename(ctx, &folder, &id(b)).map(drop)?,
            5 => stowage_favorites::delete(ctx, &folder).map(drop)?,
            6 => stowage_temp_files::apply_files(ctx, vec![temp_file(step)], &[]),
            7 => stowage_temp_files::apply_files(ctx, vec![], &gone),
            8 => {
                let row = temp_folders::Row {
                    unique: id(a),
                    node_address: Some(id(b)),
                    type_: Some(1),
                    time: Some(time(c)),
                };
                stowage_temp_files::apply_folders(ctx, vec![row], &[id(c)]);
            }
            9 => stowage_backups::apply_backups(ctx, vec![backup(step)], &[]),
            10 => stowage_backups::apply_backups(ctx, vec![], &gone),
            11 => {
                let row = backup_folders::Row {
                    unique: id(a),
                    parent: Some(id(b)),
                    name: Some(id(c)),
                    time: Some(time(c)),
                };
                stowage_backups::apply_folders(ctx, vec![row], &[id(c)]);
            }
            12 => stowage_backups::delete(ctx, &id(a), c % 2 == 0).map(drop)?,
            13 => stowage_cloud_storage::apply_storage_files(ctx, vec![storage_file(step)], &[hash(c)]),
            14 => stowage_cloud_storage::apply_dapp_files(ctx, vec![dapp_file(step)], &[hash(c)]),
            15 => {
                let row = storage_folders::Row {
                    id: id(a),
                    name: Some(id(b)),
                    time: Some(time(c)),
                    path: Some(id(c)),
                };
                stowage_cloud_storage::apply_storage_folders(ctx, vec![row], &[id(c)]);
            }
            _ => {
                let done = stowage_cloud_storage::finished(ctx, &upload(step));
                done.map_err(|_| stowage_sdk::Error::no_file("temp"))?;
            }
        }
        Ok::<_, stowage_sdk::Error>(())
    });
}

fn rows<R: serde::Serialize + serde::de::DeserializeOwned>(ctx: &MemoryContext, collection: &Collection<R>) -> Vec<R> {
    let identities: Vec<_> = ctx
        .keys(collection.name)
        .into_iter()
        .map(|key| String::from_utf8(key).expect("an identity"))
        .collect();
    let rows = collection.get_all(ctx, &identities);
    assert_eq!(rows.len(), identities.len());
    rows
}

fn copy<R: serde::Serialize + serde::de::DeserializeOwned>(
    from: &MemoryContext,
    to: &MemoryContext,
    collection: &Collection<R>,
) {
    Writer::scope(to, Blobs::Keep, |writer| {
        for row in rows(from, collection) {
            assert!(writer.put(collection, &row));
        }
    });
}

fn dump(ctx: &MemoryContext) -> Vec<String> {
    ctx.dump()
        .into_iter()
        .filter(|line| !line.starts_with("schema "))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counters_and_indexes_are_what_the_rows_give(
        steps in proptest::collection::vec((0..17u8, 0..6u8, 0..6u8, 0..12u8, prop_oneof![0..5000u64, Just(u64::MAX)]), 0..60)
    ) {
        let ctx = MemoryContext::new();
        for step in steps {
            run(&ctx, step);
            for effect in ctx.take_effects() {
                if let Effect::DeleteBlob(hash) = effect {
                    prop_assert_eq!(ctx.counter("blobs", hash.as_bytes()), 0, "a blob that a row names was released");
                }
            }
        }
        let fresh = MemoryContext::new();
        copy(&ctx, &fresh, &FAVORITE_FOLDERS);
        copy(&ctx, &fresh, &FAVORITES);
        copy(&ctx, &fresh, &TEMP_FOLDERS);
        copy(&ctx, &fresh, &TEMP_FILES);
        copy(&ctx, &fresh, &BACKUP_FOLDERS);
        copy(&ctx, &fresh, &BACKUPS);
        copy(&ctx, &fresh, &STORAGE_FOLDERS);
        copy(&ctx, &fresh, &STORAGE_FILES);
        copy(&ctx, &fresh, &DAPP_FILES);
        prop_assert_eq!(dump(&ctx), dump(&fresh));
        // And the counters are the sums.
        prop_assert_eq!(total_bytes(&ctx, &FAVORITES), rows(&ctx, &FAVORITES).iter().map(|row| row.size).sum::<u64>());
        prop_assert_eq!(total_bytes(&ctx, &TEMP_FILES), rows(&ctx, &TEMP_FILES).iter().map(|row| row.size).sum::<u64>());
        prop_assert_eq!(total_bytes(&ctx, &BACKUPS), rows(&ctx, &BACKUPS).iter().map(|row| row.size).sum::<u64>());
        prop_assert_eq!(total_bytes(&ctx, &STORAGE_FILES), rows(&ctx, &STORAGE_FILES).iter().map(|row| row.size).sum::<u64>());
    }
}
