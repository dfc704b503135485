//! Adding backups and their folders.

use stowage_sdk::MemoryContext;
use stowage_sdk::rows::{BACKUP_FOLDERS, BACKUPS, BackupFolder, BackupTotals, total_bytes};
use stowage_transfers::bindings::backups::{BackupFile, BackupFolder as Answer};
use stowage_transfers::{Fields, add_backup, add_backup_folder};

use crate::scene::{NOW_MS, because, effects, hash, refused, some, with_blobs, wrong};

fn row(unique: &str, parent: &str) -> BackupFolder {
    BackupFolder {
        unique: unique.to_owned(),
        parent: parent.to_owned(),
        name: unique.to_owned(),
        time: 1,
    }
}

fn in_folder(parent: &str, unique: &str) -> Fields {
    Fields {
        parent: some(parent),
        unique: some(unique),
        ..Fields::default()
    }
}

fn add(ctx: &MemoryContext, fields: Fields, of: &str) -> BackupFile {
    ctx.call(|ctx| add_backup(ctx, fields, &hash(of), None)).expect("added")
}

#[test]
fn a_folder_is_added_at_the_top_or_in_another_one() {
    let ctx = MemoryContext::new();
    let top = ctx
        .call(|ctx| add_backup_folder(ctx, " 备份 ", None, some("top"), Some(1_743_585_227)))
        .expect("added");
    let answer = Answer {
        unique: "top".to_owned(),
        parent: String::new(),
        name: "备份".to_owned(),
        time: 1_743_585_227,
        size: "0 B".to_owned(),
        single_chat_num: 0,
        group_chat_num: 0,
    };
    assert_eq!(top, answer);
    let inner = add_backup_folder(&ctx, "inner", some("top"), None, None).expect("added");
    assert_eq!((inner.parent.as_str(), inner.time), ("top", NOW_MS / 1000));
    assert_eq!(inner.unique.len(), 36);
    assert_eq!(
        effects(&ctx),
        [
            "put backup-folders/top".to_owned(),
            format!("put backup-folders/{}", inner.unique)
        ]
    );
}

#[test]
fn a_folder_that_cannot_be_is_refused() {
    let ctx = MemoryContext::new();
    let add = |name: &str, parent: &str, unique: &str| {
        refused(ctx.call(|ctx| add_backup_folder(ctx, name, some(parent), some(unique), None)))
    };
    for name in ["", "  ", "a\nb", &"x".repeat(256)] {
        assert_eq!(add(name, "", ""), wrong("name"));
    }
    assert_eq!(add("a", "unknown", ""), because(60000));
    assert_eq!(add("a", "", &"u".repeat(481)), wrong("unique"));
    assert_eq!(add("a", "", "a\0b"), wrong("unique"));
    assert!(ctx.is_empty());
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn a_known_folder_is_replaced_and_keeps_its_files() {
    let ctx = with_blobs(&[("a", 6072)]);
    BACKUP_FOLDERS.apply(&ctx, [row("top", ""), row("other", "")], &[]);
    let fields = Fields {
        message_num: Some(7),
        r#type: Some(1),
        ..in_folder("top", "u")
    };
    add(&ctx, fields, "a");
    let replaced = add_backup_folder(&ctx, "new", some("other"), some("top"), Some(2)).expect("replaced");
    assert_eq!((replaced.parent.as_str(), replaced.name.as_str()), ("other", "new"));
    assert_eq!((replaced.size.as_str(), replaced.single_chat_num), ("5.93 KB", 7));
    effects(&ctx);
    assert!(add_backup_folder(&ctx, "new", some("other"), some("top"), Some(2)).is_ok());
    assert_eq!(effects(&ctx), [""; 0], "the same folder again changes nothing");
}

#[test]
fn a_folder_is_never_in_itself() {
    let ctx = MemoryContext::new();
    BACKUP_FOLDERS.apply(
        &ctx,
        [row("a", ""), row("b", "a"), row("c", "b"), row("orphan", "d")],
        &[],
    );
    let add = |unique: &str, parent: &str| {
        ctx.call(|ctx| add_backup_folder(ctx, "x", some(parent), some(unique), None))
            .map(drop)
    };
    assert_eq!(refused(add("a", "a")), wrong("parent"));
    assert_eq!(refused(add("a", "c")), wrong("parent"));
    assert_eq!(refused(add("d", "orphan")), wrong("parent"), "its parent came back");
    assert_eq!(add("c", "a"), Ok(()));
    // The space may contain folders that are in each other.
    BACKUP_FOLDERS.apply(&ctx, [row("m", "n"), row("n", "m")], &[]);
    assert_eq!(add("new", "m"), Ok(()));
    assert_eq!(refused(add("m", "n")), wrong("parent"));
}

#[test]
fn a_backup_is_added_with_its_fields() {
    let ctx = with_blobs(&[("backup", 8520)]);
    BACKUP_FOLDERS.apply(&ctx, [row("top", "")], &[]);
    let fields = Fields {
        node_id: some("node"),
        r#type: Some(2),
        name: some("a.txt"),
        time: Some(1_743_585_227),
        message_num: Some(7),
        nickname: some("nick"),
        domain_name: some("domain"),
        ..in_folder("top", "u")
    };
    let answer = BackupFile {
        unique: "u".to_owned(),
        hash: hash("backup"),
        parent: "top".to_owned(),
        node_id: "node".to_owned(),
        type_: 2,
        name: "a.txt".to_owned(),
        time: 1_743_585_227,
        size: "8.32 KB".to_owned(),
        message_num: 7,
        nickname: "nick".to_owned(),
        domain_name: "domain".to_owned(),
    };
    assert_eq!(add(&ctx, fields, "backup"), answer);
    let totals = BackupTotals {
        bytes: 8520,
        single: 0,
        group: 7,
    };
    assert_eq!(BackupTotals::of(&ctx, "top"), totals);
    assert_eq!(effects(&ctx), ["put backups/u"]);
}

#[test]
fn absurd_counts_are_capped() {
    let ctx = with_blobs(&[("a", 1)]);
    BACKUP_FOLDERS.apply(&ctx, [row("top", "")], &[]);
    let fields = Fields {
        message_num: Some(u64::MAX),
        ..in_folder("top", "u")
    };
    assert_eq!(add(&ctx, fields, "a").message_num, 1 << 48);
}

#[test]
fn a_backup_needs_its_folder_and_a_blob_of_the_space() {
    let ctx = with_blobs(&[("a", 10)]);
    BACKUP_FOLDERS.apply(&ctx, [row("top", "")], &[]);
    ctx.add_blob(&hash("here"), 1, false);
    let before = ctx.dump();
    let add = |fields: Fields, hash: &str| refused(ctx.call(|ctx| add_backup(ctx, fields, hash, None)));
    assert_eq!(add(in_folder("", ""), &hash("a")), wrong("parent"));
    assert_eq!(add(in_folder("unknown", ""), &hash("a")), because(60000));
    assert_eq!(add(in_folder("top", ""), &hash("unknown")), because(60001));
    assert_eq!(add(in_folder("top", ""), &hash("here")), because(60001));
    assert_eq!(add(in_folder("top", ""), ""), because(60001));
    ctx.set_total_bytes(9);
    assert_eq!(add(in_folder("top", ""), &hash("a")), because(700));
    assert_eq!(ctx.dump(), before);
    assert_eq!(effects(&ctx), [""; 0]);
}

#[test]
fn the_same_unique_replaces_a_backup_in_another_folder() {
    let ctx = with_blobs(&[("old", 10), ("new", 3)]);
    BACKUP_FOLDERS.apply(&ctx, [row("one", ""), row("two", "")], &[]);
    let fields = |folder: &str| Fields {
        message_num: Some(4),
        ..in_folder(folder, "u")
    };
    add(&ctx, fields("one"), "old");
    effects(&ctx);
    add(&ctx, fields("two"), "new");
    assert_eq!(
        effects(&ctx),
        ["put backups/u".to_owned(), format!("blob {}", hash("old"))]
    );
    let of = |bytes, single| BackupTotals {
        bytes,
        single,
        group: 0,
    };
    assert_eq!(BackupTotals::of(&ctx, "one"), of(0, 0));
    assert_eq!(BackupTotals::of(&ctx, "two"), of(3, 4));
    assert_eq!(total_bytes(&ctx, &BACKUPS), 3);
}
