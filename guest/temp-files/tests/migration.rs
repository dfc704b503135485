//! The migration of temp files and conversations that an earlier version stored.

use stowage_sdk::rows::{TEMP_FILES, TEMP_FOLDERS, TempFile, TempFolder};
use stowage_sdk::{Collection, MemoryContext, Step};
use stowage_temp_files::{migrate, search};

#[test]
fn a_search_finds_what_an_earlier_version_stored() {
    const OLD_FOLDERS: Collection<TempFolder> = Collection {
        text: |folder| folder.node_address.to_lowercase().into_bytes(),
        ..TEMP_FOLDERS
    };
    const OLD_FILES: Collection<TempFile> = Collection {
        text: |file| file.name.to_lowercase().into_bytes(),
        ..TEMP_FILES
    };
    let ctx = MemoryContext::new();
    let folder = TempFolder {
        unique: "p".to_owned(),
        node_address: "ＮＯＤＥ".to_owned(),
        ..TempFolder::default()
    };
    let file = TempFile {
        unique: "a".to_owned(),
        parent: "p".to_owned(),
        name: "Straße.txt".to_owned(),
        ..TempFile::default()
    };
    OLD_FOLDERS.apply(&ctx, [folder], &[]);
    OLD_FILES.apply(&ctx, [file], &[]);
    assert!(search(&ctx, Some("node")).folders.is_empty());
    assert_eq!(migrate(&ctx, None), Ok(Step { cursor: None, rows: 2 }));
    assert_eq!(search(&ctx, Some("node")).folders.len(), 1);
    let found = search(&ctx, Some("strasse"));
    assert_eq!((found.folders.len(), found.files.len()), (1, 1));
}
