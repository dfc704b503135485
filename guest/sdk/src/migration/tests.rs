//! Tests of migrations: what an earlier version stored becomes what this version would store.

use serde::{Deserialize, Serialize};

use super::*;
use crate::memory::MemoryContext;
use crate::rows::{STORAGE_FILES, StoredFile, TEMP_FILES, TempFile, migrate_stored_files};
use crate::{Keyword, Kind, Listing, base58_sha256};

/// Temp files as version 0 stored them: the text in simple case folding.
const OLD_TEMP_FILES: Collection<TempFile> = Collection {
    text: |file| file.name.to_lowercase().into_bytes(),
    ..TEMP_FILES
};

/// A file of the cloud storage as version 0 stored it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct OldFile {
    hash: String,
    name: String,
    size: u64,
    time: i64,
    path: String,
    ext: String,
    thumb: String,
    protected: bool,
}

const OLD_STORAGE_FILES: Collection<OldFile> = Collection {
    name: "storage-files",
    version: 1,
    identity: |file| &file.hash,
    derive: |file, derived| {
        derived.counted("totals", b"storage-files".to_vec(), file.size as i64);
        derived.refers(&file.hash);
    },
    text: |_| Vec::new(),
};

fn temp_file(unique: &str, name: &str) -> TempFile {
    TempFile {
        unique: unique.to_owned(),
        parent: "p".to_owned(),
        hash: base58_sha256(&[unique]),
        name: name.to_owned(),
        size: 7,
        time: 5,
        ..TempFile::default()
    }
}

fn old_file(of: &str, name: &str) -> OldFile {
    OldFile {
        hash: base58_sha256(&[of]),
        name: name.to_owned(),
        size: 7,
        time: 5,
        path: "a/b".to_owned(),
        ..OldFile::default()
    }
}

fn new_file(old: &OldFile) -> StoredFile {
    StoredFile {
        hash: old.hash.clone(),
        name: old.name.clone(),
        size: old.size,
        time: old.time,
        path: old.path.clone(),
        kind: Kind::of("", &old.name, "") as u8,
        ..StoredFile::default()
    }
}

fn step(ctx: &dyn Context, cursor: Option<Vec<u8>>) -> Step {
    let mut step = Migration::begin(ctx, cursor).expect("a cursor of a step");
    step.rewrite_texts(&TEMP_FILES);
    migrate_stored_files(&mut step);
    step.end()
}

/// Runs all steps. Returns the rows that each changed.
fn steps(ctx: &dyn Context) -> Vec<u64> {
    let mut rows = Vec::new();
    let mut cursor = None;
    loop {
        let step = step(ctx, cursor);
        rows.push(step.rows);
        cursor = step.cursor;
        if cursor.is_none() {
            return rows;
        }
    }
}

#[test]
fn an_old_store_becomes_what_this_version_would_store() {
    let (old, fresh) = (MemoryContext::new(), MemoryContext::new());
    let names = ["Straße.txt", "Cafe\u{301}.JPG", "ＡＢＣ.png", "plain.jpg"];
    let temp_files = names.map(|name| temp_file(name, name));
    OLD_TEMP_FILES.apply(&old, temp_files.clone(), &[]);
    TEMP_FILES.apply(&fresh, temp_files, &[]);
    let files = names.map(|name| old_file(name, name));
    STORAGE_FILES.apply(&fresh, files.iter().map(new_file), &[]);
    OLD_STORAGE_FILES.apply(&old, files, &[]);
    let found = |ctx: &MemoryContext| {
        Listing::new("temp-files-by-time", Vec::new())
            .containing(&Keyword::new(Some("STRASSE")))
            .all(ctx)
    };
    assert_eq!(found(&old), Vec::<String>::new());
    // The text of `plain.jpg` is the same in both versions.
    assert_eq!(steps(&old), [3 + 4]);
    assert_eq!(old.dump(), fresh.dump());
    assert_eq!(found(&old), ["Straße.txt"]);
    assert_eq!(steps(&old), [0], "a second time changes nothing");
    assert_eq!(old.dump(), fresh.dump());
    assert_eq!(old.take_effects(), []);
}

#[test]
fn bytes_that_version_0_wrote_are_migrated() {
    let ctx = MemoryContext::new();
    let hash = "6DU6SgvdVxh3kCNxpjohuxBpHZr2FQKdmuMHXDrE1mhB";
    let mut row = vec![0x88, 0xa4];
    row.extend_from_slice(b"hash\xd9\x2c");
    row.extend_from_slice(hash.as_bytes());
    row.extend_from_slice(b"\xa4name\xaaSTRASSE.PY\xa4size\xcc\xae\xa4time\x05\xa4path\xa0\xa3ext\xa3.py\xa5thumb\xa0");
    row.extend_from_slice(b"\xa9protected\xc2");
    ctx.put("storage-files", hash.as_bytes(), &row);
    ctx.add("totals", b"storage-files", 174);
    ctx.add("blobs", hash.as_bytes(), 1);
    ctx.put("schema", b"storage-files", &[1]);
    assert_eq!(steps(&ctx), [1]);
    let fresh = MemoryContext::new();
    let file = StoredFile {
        hash: hash.to_owned(),
        name: "STRASSE.PY".to_owned(),
        size: 174,
        time: 5,
        ext: ".py".to_owned(),
        kind: Kind::File as u8,
        ..StoredFile::default()
    };
    STORAGE_FILES.apply(&fresh, [file], &[]);
    assert_eq!(ctx.dump(), fresh.dump());
}

#[test]
fn many_rows_take_several_steps() {
    let (old, fresh) = (MemoryContext::new(), MemoryContext::new());
    let temp_files: Vec<_> = (0..1200).map(|n| temp_file(&format!("{n:04}"), "ＡＢＣ")).collect();
    OLD_TEMP_FILES.apply(&old, temp_files.clone(), &[]);
    TEMP_FILES.apply(&fresh, temp_files, &[]);
    let files: Vec<_> = (0..1300).map(|n| old_file(&n.to_string(), "a.png")).collect();
    STORAGE_FILES.apply(&fresh, files.iter().map(new_file), &[]);
    OLD_STORAGE_FILES.apply(&old, files, &[]);
    // A step that was repeated, because its commit conflicted, changes nothing twice.
    let first = step(&old, None);
    assert_eq!(step(&old, None).cursor, first.cursor);
    assert_eq!(steps(&old), [0, 1000, 500]);
    assert_eq!(old.dump(), fresh.dump());
}

#[test]
fn large_rows_make_short_steps() {
    let old = MemoryContext::new();
    let content = format!("{{\"text\":\"{}\"}}", "AB".repeat(450_000));
    let files = (0..12).map(|n| TempFile {
        msg_content: content.clone(),
        ..temp_file(&n.to_string(), "a")
    });
    OLD_TEMP_FILES.apply(&old, files, &[]);
    let changed = steps(&old);
    assert_eq!(changed.iter().sum::<u64>(), 12);
    assert!(changed.len() > 4, "{changed:?}");
}

#[test]
fn an_empty_store_is_migrated_at_once() {
    let ctx = MemoryContext::new();
    assert_eq!(step(&ctx, None), Step { cursor: None, rows: 0 });
    assert_eq!(ctx.take_costs(), (3, 0), "one look at each collection");
    assert!(ctx.is_empty());
}

#[test]
fn entries_that_no_longer_belong_go_and_counters_follow() {
    const OLD: Collection<TempFile> = Collection {
        derive: |file, derived| {
            derived.indexed("by-name", file.name.clone().into_bytes());
            derived.counted("sums", b"files".to_vec(), 2);
            derived.refers(&file.hash);
        },
        ..TEMP_FILES
    };
    let (old, fresh) = (MemoryContext::new(), MemoryContext::new());
    let files = ["a", "b"].map(|name| temp_file(name, name));
    OLD.apply(&old, files.clone(), &[]);
    TEMP_FILES.apply(&fresh, files, &[]);
    old.put("temp-files", b"broken", b"\xc1");
    let mut step = Migration::begin(&old, None).expect("a first step");
    step.rederive(&TEMP_FILES, OLD.derive, |_| {});
    assert_eq!(step.end().rows, 2);
    old.delete("temp-files", b"broken");
    assert_eq!(old.dump(), fresh.dump());
}

#[test]
fn a_cursor_of_another_kind_is_refused() {
    assert!(Migration::begin(&MemoryContext::new(), Some(Vec::new())).is_err());
    let ctx = MemoryContext::new();
    let mut past = Migration::begin(&ctx, Some(vec![200])).expect("a cursor");
    past.rewrite_texts(&TEMP_FILES);
    assert_eq!(past.end(), Step { cursor: None, rows: 0 });
}
