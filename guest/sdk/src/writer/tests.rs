//! Tests of rows, their index entries, counters and blobs.

use super::*;
use crate::key::MAX_IDENTITY_BYTES;
use crate::memory::{Effect, MemoryContext};
use crate::rows::{
    BACKUPS, BACKUPS_BY_FOLDER, Backup, STORAGE_FILES, StoredFile, TEMP_FILES, TempFile, TempTotals, total_bytes,
};

fn hash(of: &str) -> String {
    crate::base58_sha256(&[of])
}

fn file(unique: &str, parent: &str, size: u64) -> TempFile {
    let name = format!("{unique}.JPG");
    TempFile {
        unique: unique.to_owned(),
        parent: parent.to_owned(),
        hash: hash(unique),
        size,
        name,
        time: 5,
        ..TempFile::default()
    }
}

fn put(ctx: &dyn Context, row: &TempFile) -> bool {
    Writer::scope(ctx, Blobs::Keep, |writer| writer.put(&TEMP_FILES, row))
}

fn remove(ctx: &dyn Context, unique: &str) {
    Writer::scope(ctx, Blobs::Release, |writer| writer.remove(&TEMP_FILES, unique));
}

fn without_schema(ctx: &MemoryContext) -> Vec<String> {
    ctx.dump()
        .into_iter()
        .filter(|line| !line.starts_with("schema "))
        .collect()
}

#[test]
fn removing_a_row_removes_exactly_what_adding_it_added() {
    let ctx = MemoryContext::new();
    assert!(put(&ctx, &file("a", "p", 100)));
    let with_one = ctx.dump();
    assert!(put(&ctx, &file("b", "p", 7)));
    assert_eq!(total_bytes(&ctx, &TEMP_FILES), 107);
    assert_eq!(TempTotals::of(&ctx, "p"), TempTotals { files: 2, bytes: 107 });
    remove(&ctx, "b");
    assert_eq!(ctx.dump(), with_one);
    remove(&ctx, "a");
    remove(&ctx, "a");
    assert_eq!(without_schema(&ctx), Vec::<String>::new());
}

#[test]
fn a_changed_row_moves_its_entries_and_its_share_of_the_counters() {
    let ctx = MemoryContext::new();
    put(&ctx, &file("a", "p", 100));
    put(
        &ctx,
        &TempFile {
            time: -3,
            kind: 2,
            hash: hash("z"),
            ..file("a", "q", 40)
        },
    );
    let fresh = MemoryContext::new();
    put(
        &fresh,
        &TempFile {
            time: -3,
            kind: 2,
            hash: hash("z"),
            ..file("a", "q", 40)
        },
    );
    assert_eq!(ctx.dump(), fresh.dump());
}

#[test]
fn the_same_row_again_writes_nothing() {
    let ctx = MemoryContext::new();
    put(&ctx, &file("a", "p", 100));
    ctx.take_costs();
    assert!(put(&ctx, &file("a", "p", 100)));
    assert_eq!(ctx.take_costs(), (1, 0), "one look at the row there is");
}

#[test]
fn a_new_name_reaches_the_searchable_text() {
    let ctx = MemoryContext::new();
    put(&ctx, &file("a", "p", 1));
    put(
        &ctx,
        &TempFile {
            name: "Neu.png".to_owned(),
            ..file("a", "p", 1)
        },
    );
    assert!(
        ctx.dump()
            .iter()
            .any(|line| line.starts_with("temp-files-by-time ") && line.ends_with("neu.png"))
    );
    assert!(!ctx.dump().iter().any(|line| line.ends_with("a.jpg")));
}

#[test]
fn fields_of_another_version_of_the_module_are_kept() {
    #[derive(serde::Serialize)]
    struct Newer {
        unique: &'static str,
        name: &'static str,
        colour: &'static str,
    }
    let ctx = MemoryContext::new();
    let newer = Newer {
        unique: "a",
        name: "old",
        colour: "红",
    };
    ctx.put("temp-files", b"a", &codec::encode(&newer, None));
    put(&ctx, &file("a", "p", 1));
    assert!(
        ctx.get("temp-files", b"a")
            .is_some_and(|value| value.windows(3).any(|part| part == "红".as_bytes()))
    );
    assert_eq!(TEMP_FILES.get(&ctx, "a"), Some(file("a", "p", 1)));
}

#[test]
fn a_row_that_cannot_be_stored_is_skipped_and_never_traps() {
    let ctx = MemoryContext::new();
    let long = "x".repeat(MAX_IDENTITY_BYTES + 1);
    for row in [
        file("", "p", 1),
        file(&long, "p", 1),
        file("a", &"p".repeat(1024), 1),
        file("a", &"p".repeat(70_000), 1),
        TempFile {
            msg_content: "m".repeat(MAX_ROW_BYTES),
            ..file("a", "p", 1)
        },
    ] {
        assert!(!put(&ctx, &row));
    }
    assert!(ctx.is_empty());
    let longest = "图".repeat(MAX_IDENTITY_BYTES / 3);
    assert!(put(&ctx, &file(&longest, &longest, 1)));
    assert!(TEMP_FILES.contains(&ctx, &longest));
    assert!(TEMP_FILES.get(&ctx, &long).is_none());
    assert!(TEMP_FILES.get(&ctx, "").is_none());
}

#[test]
fn the_largest_row_is_within_the_limits_of_storage() {
    let ctx = MemoryContext::new();
    // Folding makes two bytes three, and one character a phrase.
    for long in ["Ⱥ", "\u{fdfa}"] {
        let text = long.repeat((MAX_ROW_BYTES - 1000) / long.len());
        assert!(put(
            &ctx,
            &TempFile {
                msg_content: format!("{{\"text\":\"{text}\"}}"),
                ..file("a", "p", 1)
            }
        ));
    }
}

#[test]
fn a_row_that_can_no_longer_be_stored_is_removed() {
    let ctx = MemoryContext::new();
    TEMP_FILES.apply(&ctx, [file("a", "p", 1)], &[]);
    TEMP_FILES.apply(&ctx, [file("a", &"p".repeat(1024), 1)], &[]);
    assert_eq!(without_schema(&ctx), Vec::<String>::new());
}

#[test]
fn a_batch_may_name_a_row_twice_and_a_row_that_moved_stays() {
    let ctx = MemoryContext::new();
    TEMP_FILES.apply(
        &ctx,
        [file("a", "p", 1), file("a", "p", 2)],
        &["a".to_owned(), "b".to_owned()],
    );
    assert_eq!(TempTotals::of(&ctx, "p"), TempTotals { files: 1, bytes: 2 });
    let once = ctx.dump();
    TEMP_FILES.apply(&ctx, [file("a", "p", 2)], &["b".to_owned()]);
    assert_eq!(ctx.dump(), once);
}

#[test]
fn a_blob_is_deleted_with_its_last_reference_in_any_collection() {
    let ctx = MemoryContext::new();
    let backup = Backup {
        unique: "b".to_owned(),
        hash: hash("a"),
        ..Backup::default()
    };
    let stored = StoredFile {
        hash: hash("a"),
        ..StoredFile::default()
    };
    put(&ctx, &file("a", "p", 1));
    BACKUPS.apply(&ctx, [backup], &[]);
    STORAGE_FILES.apply(&ctx, [stored], &[]);
    remove(&ctx, "a");
    Writer::scope(&ctx, Blobs::Release, |writer| writer.remove(&BACKUPS, "b"));
    assert_eq!(ctx.take_effects(), []);
    Writer::scope(&ctx, Blobs::Release, |writer| writer.remove(&STORAGE_FILES, &hash("a")));
    assert_eq!(ctx.take_effects(), [Effect::DeleteBlob(hash("a"))]);
}

#[test]
fn only_hashes_are_references() {
    let ctx = MemoryContext::new();
    put(
        &ctx,
        &TempFile {
            hash: "3b5abc1c760a08bf6f635f861e9df1ca".to_owned(),
            ..file("a", "p", 1)
        },
    );
    put(
        &ctx,
        &TempFile {
            hash: String::new(),
            ..file("b", "p", 1)
        },
    );
    assert!(ctx.keys("blobs").is_empty());
    remove(&ctx, "a");
    remove(&ctx, "b");
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn a_sync_never_releases_blobs() {
    let ctx = MemoryContext::new();
    TEMP_FILES.apply(&ctx, [file("a", "p", 1)], &[]);
    TEMP_FILES.apply(&ctx, [], &["a".to_owned()]);
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn the_schema_version_is_recorded_and_never_lowered() {
    let ctx = MemoryContext::new();
    put(&ctx, &file("a", "p", 1));
    assert_eq!(ctx.get(SCHEMA, b"temp-files"), Some(vec![1]));
    ctx.put(SCHEMA, b"temp-files", &[9]);
    put(&ctx, &file("b", "p", 1));
    assert_eq!(ctx.get(SCHEMA, b"temp-files"), Some(vec![9]));
}

#[test]
fn a_value_that_is_not_a_row_counts_as_absent_and_can_be_replaced() {
    let ctx = MemoryContext::new();
    ctx.put("backups", b"b", b"\xc1 not MessagePack");
    assert!(BACKUPS.get(&ctx, "b").is_none());
    assert!(BACKUPS.get_all(&ctx, &["b".to_owned()]).is_empty());
    let backup = Backup {
        unique: "b".to_owned(),
        parent: "p".to_owned(),
        ..Backup::default()
    };
    BACKUPS.apply(&ctx, [backup.clone()], &[]);
    assert_eq!(BACKUPS.get(&ctx, "b"), Some(backup));
    assert_eq!(ctx.keys(BACKUPS_BY_FOLDER).len(), 1);
}

#[test]
fn absurd_sizes_are_counted_and_subtracted() {
    let ctx = MemoryContext::new();
    put(&ctx, &file("a", "p", crate::capped_size(Some(u64::MAX))));
    put(&ctx, &file("b", "p", 5));
    assert_eq!(total_bytes(&ctx, &TEMP_FILES), (1 << 48) + 5);
    remove(&ctx, "a");
    assert_eq!(total_bytes(&ctx, &TEMP_FILES), 5);
}
