//! After any sequence of calls, index entries, counters and blob references are those that the rows
//! alone give, the space has the same rows, and a blob is released exactly when its last row goes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stowage_sdk::bindings::cloud::{Field, Scalar};
use stowage_sdk::bindings::files::UploadRequest;
use stowage_sdk::rows::{
    BACKUP_FOLDERS, BACKUPS, DEFAULT_FOLDER_ID, FAVORITE_FOLDERS, FAVORITES, STORAGE_FILES, STORAGE_FOLDERS,
    TEMP_FILES, TEMP_FOLDERS, total_bytes,
};
use stowage_sdk::{Blobs, Collection, Context, Effect, Error, MemoryContext, Writer};
use stowage_transfers::bindings::files_hook::Refusal;
use stowage_transfers::{
    Fields, Upload, add_backup, add_backup_folder, add_favorite, add_temp_file, create_folder, delete_favorites,
    delete_stored, delete_temp_files, delete_temp_folder, finished, move_favorites, move_stored, remove_password,
    rename_stored, set_password, upload_file,
};

use crate::scene::{hash, prepared, some};

/// One step: its kind, numbers to choose its values from, and a size.
type Step = (u8, u8, u8, u8, u64);

/// How many blobs there are.
const BLOBS: u8 = 5;

fn id(n: u8) -> String {
    ["1", "a", "ab", "图"][usize::from(n) % 4].to_owned()
}

fn blob(n: u8) -> String {
    hash(&format!("{}", n % BLOBS))
}

fn name(n: u8) -> String {
    ["a.jpg", "b.txt", "c"][usize::from(n) % 3].to_owned()
}

/// The identity of a row that exists, or an unknown one.
fn existing(ctx: &MemoryContext, tables: &[&str], n: u8) -> String {
    let keys: Vec<_> = tables.iter().flat_map(|table| ctx.keys(table)).collect();
    match keys.get(usize::from(n) % (keys.len() + 1)) {
        Some(key) => String::from_utf8(key.clone()).expect("an identity"),
        None => "unknown".to_owned(),
    }
}

/// The path of a storage folder that exists, or the root.
fn path(ctx: &MemoryContext, n: u8) -> String {
    let id = existing(ctx, &["storage-folders"], n);
    STORAGE_FOLDERS
        .get(ctx, &id)
        .map(|folder| folder.inner_path())
        .unwrap_or_default()
}

fn fields(ctx: &MemoryContext, (_, a, b, c, _): Step) -> Fields {
    Fields {
        unique: some(&id(a)),
        parent: some(&existing(ctx, &["backup-folders", "temp-folders"], b)),
        fav_id: some(&existing(ctx, &["favorite-folders"], b)),
        storage_path: some(&path(ctx, b)),
        msg_content: (c % 4 == 0).then(|| r#"{"text":"Hi"}"#.to_owned()),
        r#type: Some(i32::from(c % 3)),
        message_num: Some(u64::from(b)),
        name: some(&name(c)),
        time: Some(i64::from(c % 3) - 1),
        ..Fields::default()
    }
}

/// Runs a step as one call, as the host does. Uploads that it asks for are kept in `uploads`. A
/// refused step changes nothing.
fn run(ctx: &MemoryContext, step: Step, uploads: &mut [UploadRequest]) {
    let (what, a, b, c, size) = step;
    let fields = fields(ctx, step);
    let content = blob(c);
    ctx.add_blob(&content, size, c % 3 != 0);
    ctx.set_prepared("/file", Ok(prepared(&format!("{}", c % BLOBS), size, b % 2 == 0)));
    ctx.set_prepared(
        &content,
        Ok(prepared(&format!("{}", (c + 1 + b) % BLOBS), size, what % 2 == 0)),
    );
    let item = existing(ctx, &["storage-files", "storage-folders"], a);
    let is_crypt = Some(u32::from(b % 2));
    let _refusals_are_fine = ctx.call(|ctx| {
        match what % 20 {
            0 => add_favorite(ctx, fields, Some(content), is_crypt).map(drop),
            1 => move_favorites(ctx, vec![id(a), id(b)], &fields.fav_id.unwrap_or_default()).map(drop),
            2 => delete_favorites(ctx, vec![id(a), id(b)]).map(drop),
            3 => add_temp_file(ctx, fields, Some(content), is_crypt).map(drop),
            4 => delete_temp_files(ctx, vec![id(a)]).map(drop),
            5 => delete_temp_folder(ctx, &id(a)).map(drop),
            6 => add_backup_folder(ctx, &name(c), fields.parent, some(&id(a)), Some(1)).map(drop),
            7 => add_backup(ctx, fields, &content, is_crypt).map(drop),
            8 => stowage_backups::delete(ctx, &id(a), b % 2 == 0).map(drop),
            9 => create_folder(ctx, fields.storage_path.as_deref(), &name(c)).map(drop),
            10 => rename_stored(ctx, &item, &name(c)).map(drop),
            11 => move_stored(ctx, &item, fields.storage_path.as_deref()).map(drop),
            12 => delete_stored(ctx, vec![item, content]).map(drop),
            13 => stowage_favorites::create(ctx, &id(b)).map(drop),
            14 => stowage_favorites::delete(ctx, &fields.fav_id.unwrap_or_default()).map(drop),
            15 => set_password(
                ctx,
                &content,
                u32::from(a),
                "p".to_owned(),
                (b == 0).then(|| "n".to_owned()),
            )
            .map(drop),
            16 => remove_password(ctx, &content, u32::from(a), "p".to_owned()).map(drop),
            17 => {
                let upload = Upload {
                    path: "/file".to_owned(),
                    platform: u32::from(a),
                    file_password: None,
                    fields,
                };
                upload_file(ctx, upload).map(drop)
            }
            // Uploads end in any order, and more than once.
            _ => match uploads.get(usize::from(a) % uploads.len().max(1)) {
                Some(request) => finished(ctx, request).map_err(|refusal| match refusal {
                    Refusal::NoSpace => Error::no_room(0, 0),
                    Refusal::Gone => Error::no_file("gone"),
                }),
                None => Ok(()),
            },
        }
    });
}

/// The space, as the effects make it: collection and identity of each row, and its fields.
#[derive(Default)]
struct Space(BTreeMap<(String, String), BTreeMap<String, Scalar>>);

impl Space {
    /// Carries out an effect. Returns whether it may be carried out now: a blob must not go before
    /// the rows that name it.
    fn carry_out(&mut self, effect: &Effect) -> bool {
        match effect {
            Effect::PutRow {
                collection,
                identity,
                fields,
            } => {
                let row = self.0.entry((collection.clone(), identity.clone())).or_default();
                row.extend(fields.iter().map(|field| (field.name.clone(), field.value.clone())));
                true
            }
            Effect::DeleteRow { collection, identity } => {
                self.0.remove(&(collection.clone(), identity.clone())).is_some()
            }
            Effect::DeleteBlob(hash) => {
                let named = Scalar::Text(hash.clone());
                !self.0.values().any(|row| row.get("hash") == Some(&named))
            }
            _ => true,
        }
    }

    /// Its rows as text. A row that is not protected may say so or not.
    fn dump(&self) -> Vec<String> {
        let mut rows = self.0.clone();
        for row in rows.values_mut() {
            row.retain(|name, value| name != "protected" || *value != Scalar::Boolean(false));
        }
        rows.iter().map(|row| format!("{row:?}")).collect()
    }

    fn add<R: Serialize + DeserializeOwned>(
        &mut self,
        ctx: &MemoryContext,
        collection: &Collection<R>,
        fields: fn(&R) -> Vec<Field>,
    ) {
        for row in rows(ctx, collection) {
            let identity = (collection.identity)(&row).to_owned();
            // Every device has the default folder: the space is not told of it.
            if (collection.name, identity.as_str()) != (FAVORITE_FOLDERS.name, DEFAULT_FOLDER_ID) {
                let fields = fields(&row).into_iter().map(|field| (field.name, field.value));
                self.0.insert((collection.name.to_owned(), identity), fields.collect());
            }
        }
    }

    /// The space that has the rows of storage.
    fn of(ctx: &MemoryContext) -> Self {
        let mut space = Self::default();
        space.add(ctx, &FAVORITE_FOLDERS, |row| row.cloud_fields());
        space.add(ctx, &FAVORITES, |row| row.cloud_fields());
        space.add(ctx, &TEMP_FOLDERS, |row| row.cloud_fields());
        space.add(ctx, &TEMP_FILES, |row| row.cloud_fields());
        space.add(ctx, &BACKUP_FOLDERS, |row| row.cloud_fields());
        space.add(ctx, &BACKUPS, |row| row.cloud_fields());
        space.add(ctx, &STORAGE_FOLDERS, |row| row.cloud_fields());
        space.add(ctx, &STORAGE_FILES, |row| row.cloud_fields());
        space
    }
}

fn rows<R: Serialize + DeserializeOwned>(ctx: &MemoryContext, collection: &Collection<R>) -> Vec<R> {
    let identities: Vec<_> = ctx
        .keys(collection.name)
        .into_iter()
        .map(|key| String::from_utf8(key).expect("an identity"))
        .collect();
    let rows = collection.get_all(ctx, &identities);
    assert_eq!(rows.len(), identities.len());
    rows
}

fn copy<R: Serialize + DeserializeOwned>(from: &MemoryContext, to: &MemoryContext, collection: &Collection<R>) {
    Writer::scope(to, Blobs::Keep, |writer| {
        for row in rows(from, collection) {
            assert!(writer.put(collection, &row));
        }
    });
}

/// A context that has the same rows, each written once.
fn recounted(ctx: &MemoryContext) -> MemoryContext {
    let fresh = MemoryContext::new();
    copy(ctx, &fresh, &FAVORITE_FOLDERS);
    copy(ctx, &fresh, &FAVORITES);
    copy(ctx, &fresh, &TEMP_FOLDERS);
    copy(ctx, &fresh, &TEMP_FILES);
    copy(ctx, &fresh, &BACKUP_FOLDERS);
    copy(ctx, &fresh, &BACKUPS);
    copy(ctx, &fresh, &STORAGE_FOLDERS);
    copy(ctx, &fresh, &STORAGE_FILES);
    fresh
}

fn dump(ctx: &MemoryContext) -> Vec<String> {
    let lines = ctx.dump().into_iter();
    lines.filter(|line| !line.starts_with("schema ")).collect()
}

/// How many rows name each blob.
fn references(ctx: &MemoryContext) -> Vec<(String, i64)> {
    let count = |n| (blob(n), ctx.counter("blobs", blob(n).as_bytes()));
    (0..BLOBS).map(count).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counters_space_and_blobs_are_what_the_rows_give(
        steps in proptest::collection::vec((0..20u8, 0..4u8, 0..6u8, 0..12u8, prop_oneof![0..5000u64, Just(u64::MAX)]), 0..80)
    ) {
        let ctx = MemoryContext::new();
        ctx.set_total_bytes(1 << 50);
        let mut space = Space::default();
        let mut uploads = Vec::new();
        for step in steps {
            let before = references(&ctx);
            run(&ctx, step, &mut uploads);
            let effects = ctx.take_effects();
            for effect in &effects {
                prop_assert!(space.carry_out(effect), "{:?} is too early or too much", effect);
                if let Effect::UploadFile(request) = effect {
                    uploads.push(request.clone());
                }
            }
            for ((hash, before), (_, after)) in before.into_iter().zip(references(&ctx)) {
                let is_released = effects.contains(&Effect::DeleteBlob(hash));
                prop_assert_eq!(is_released, before > 0 && after == 0, "{} rows, then {}", before, after);
            }
        }
        prop_assert_eq!(dump(&ctx), dump(&recounted(&ctx)));
        prop_assert_eq!(space.dump(), Space::of(&ctx).dump());
        let bytes = |sizes: Vec<u64>| sizes.into_iter().sum::<u64>();
        prop_assert_eq!(total_bytes(&ctx, &FAVORITES), bytes(rows(&ctx, &FAVORITES).iter().map(|row| row.size).collect()));
        prop_assert_eq!(total_bytes(&ctx, &TEMP_FILES), bytes(rows(&ctx, &TEMP_FILES).iter().map(|row| row.size).collect()));
        prop_assert_eq!(total_bytes(&ctx, &BACKUPS), bytes(rows(&ctx, &BACKUPS).iter().map(|row| row.size).collect()));
        prop_assert_eq!(total_bytes(&ctx, &STORAGE_FILES), bytes(rows(&ctx, &STORAGE_FILES).iter().map(|row| row.size).collect()));
    }
}
