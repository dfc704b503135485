//! The migration of backups and their folders that an earlier version stored.

use stowage_backups::{migrate, search};
use stowage_sdk::rows::{BACKUP_FOLDERS, BACKUPS, Backup, BackupFolder};
use stowage_sdk::{Collection, MemoryContext, Step};

#[test]
fn a_search_finds_what_an_earlier_version_stored() {
    const OLD_FOLDERS: Collection<BackupFolder> = Collection {
        text: |folder| folder.name.to_lowercase().into_bytes(),
        ..BACKUP_FOLDERS
    };
    const OLD_BACKUPS: Collection<Backup> = Collection {
        text: |backup| backup.name.to_lowercase().into_bytes(),
        ..BACKUPS
    };
    let ctx = MemoryContext::new();
    let folder = BackupFolder {
        unique: "p".to_owned(),
        name: "ＡＢＣ".to_owned(),
        ..BackupFolder::default()
    };
    let backup = Backup {
        unique: "a".to_owned(),
        parent: "p".to_owned(),
        name: "Cafe\u{301}".to_owned(),
        ..Backup::default()
    };
    OLD_FOLDERS.apply(&ctx, [folder], &[]);
    OLD_BACKUPS.apply(&ctx, [backup], &[]);
    assert!(search(&ctx, Some("abc")).folders.is_empty());
    assert_eq!(migrate(&ctx, None), Ok(Step { cursor: None, rows: 2 }));
    assert_eq!(search(&ctx, Some("abc")).folders.len(), 1);
    let found = search(&ctx, Some("CAFÉ"));
    assert_eq!((found.folders.len(), found.files.len()), (1, 1));
}
