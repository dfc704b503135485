//! What a writer changes next: always something that is valid in its present state.

use std::fs;

use super::operation::{Blob, Operation, blob_row, text_row};
use super::state::{conversation, prefix};
use super::writer::Writer;
use crate::fixture::noise;

/// The most rows of a kind that a writer keeps. Beyond it, it deletes.
const MOST_ROWS: usize = 24;
/// The deepest folder of the cloud storage that it makes.
const MOST_DEPTH: usize = 4;
/// The most uploads of a writer that have not ended.
const MOST_UPLOADS: usize = 6;

impl Writer {
    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{}{kind} {} {}", prefix(self.number), self.cycle, self.names)
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.random.below(len as u64)).unwrap_or(0)
    }

    fn pick<T: Clone>(&mut self, among: &[T]) -> Option<T> {
        (!among.is_empty()).then(|| among[self.index(among.len())].clone())
    }

    /// A folder of favourites whose identifier is known, or the default one.
    fn folder(&mut self) -> String {
        let known: Vec<String> = self.known(self.state.folders.iter());
        match self.random.below(3) {
            0 => String::new(),
            _ => self.pick(&known).unwrap_or_default(),
        }
    }

    fn known<'a>(&self, names: impl Iterator<Item = &'a String>) -> Vec<String> {
        names.filter(|name| self.ids.contains_key(*name)).cloned().collect()
    }

    /// Things of the cloud storage that nothing is happening to.
    fn quiet(&self, folders: bool) -> Vec<String> {
        let busy = |name: &String| self.sealing.contains_key(name);
        let quiet = self
            .state
            .stored
            .iter()
            .filter(|(name, stored)| (stored.hash.is_none() && !stored.sealed) == folders && !busy(name));
        self.known(quiet.map(|(name, _)| name))
    }

    fn depth(&self, name: &str) -> usize {
        let parent = self.state.stored.get(name).map_or("", |stored| stored.parent.as_str());
        if name.is_empty() { 0 } else { 1 + self.depth(parent) }
    }

    /// Whether a file whose password is being set is in this folder, or deeper.
    fn holds_busy(&self, folder: &str) -> bool {
        self.sealing.keys().any(|name| {
            let mut at = name.as_str();
            while let Some(stored) = self.state.stored.get(at) {
                if stored.parent == folder {
                    return true;
                }
                at = &stored.parent;
            }
            false
        })
    }

    /// The next change. It is valid in the present state.
    pub(super) fn choose(&mut self) -> Operation {
        loop {
            let chosen = match self.random.below(40) {
                0..=5 => self.choose_folder(),
                6..=16 => self.choose_favorite(),
                17..=24 => self.choose_temp_file(),
                25..=30 => self.choose_backup(),
                31..=36 => self.choose_stored(),
                _ => self.choose_transfer(),
            };
            if let Some(operation) = chosen {
                return operation;
            }
        }
    }

    fn choose_folder(&mut self) -> Option<Operation> {
        let known = self.known(self.state.folders.iter());
        if self.state.folders.len() < MOST_ROWS && self.random.below(3) > 0 {
            return Some(Operation::CreateFolder(self.name("folder")));
        }
        let folder = self.pick(&known)?;
        Some(match self.random.below(2) {
            0 => Operation::RenameFolder(folder, self.name("renamed")),
            _ => Operation::DeleteFolder(folder),
        })
    }

    fn choose_favorite(&mut self) -> Option<Operation> {
        let uniques: Vec<String> = self.state.favorites.keys().cloned().collect();
        if uniques.len() < 2 * MOST_ROWS && self.random.below(3) > 0 {
            let (unique, parent) = (self.name("favourite"), self.folder());
            return Some(match self.random.below(2) {
                0 => {
                    let blob = self.blob();
                    Operation::AddFavorite(unique, blob_row(&parent, &blob), Some(blob))
                }
                _ => {
                    let row = text_row(&parent, &unique);
                    Operation::AddFavorite(unique, row, None)
                }
            });
        }
        let some = self.some_of(&uniques)?;
        Some(match self.random.below(2) {
            0 => Operation::MoveFavorites(some, self.folder()),
            _ => Operation::DeleteFavorites(some),
        })
    }

    fn choose_temp_file(&mut self) -> Option<Operation> {
        let uniques: Vec<String> = self.state.temp_files.keys().cloned().collect();
        let parent = conversation(self.number);
        if uniques.len() < MOST_ROWS && self.random.below(3) > 0 {
            let unique = self.name("temp");
            return Some(match self.random.below(2) {
                0 => {
                    let blob = self.blob();
                    Operation::AddTempFile(unique, blob_row(&parent, &blob), Some(blob))
                }
                _ => {
                    let row = text_row(&parent, &unique);
                    Operation::AddTempFile(unique, row, None)
                }
            });
        }
        if self.state.conversation && self.random.below(12) == 0 {
            return Some(Operation::DeleteConversation(parent));
        }
        Some(Operation::DeleteTempFiles(self.some_of(&uniques)?))
    }

    fn choose_backup(&mut self) -> Option<Operation> {
        let folders: Vec<String> = self.state.backup_folders.iter().cloned().collect();
        let backups: Vec<String> = self.state.backups.keys().cloned().collect();
        Some(match self.random.below(6) {
            0 if folders.len() < MOST_ROWS / 4 => Operation::AddBackupFolder(self.name("backups")),
            1 if folders.len() > 2 => Operation::DeleteBackupFolder(self.pick(&folders)?),
            2 => Operation::DeleteBackup(self.pick(&backups)?),
            _ if backups.len() < MOST_ROWS => {
                let (unique, blob) = (self.name("backup"), self.blob());
                let parent = self.pick(&folders)?;
                Operation::AddBackup(unique, blob_row(&parent, &blob))
            }
            _ => return None,
        })
    }

    fn choose_stored(&mut self) -> Option<Operation> {
        let (folders, files) = (self.quiet(true), self.quiet(false));
        let somewhere = match self.random.below(2) {
            0 => String::new(),
            _ => self.pick(&folders).unwrap_or_default(),
        };
        match self.random.below(6) {
            0 | 1 if folders.len() < MOST_ROWS / 2 => {
                let deep = self.depth(&somewhere) >= MOST_DEPTH;
                let parent = if deep { String::new() } else { somewhere };
                Some(Operation::CreateStorageFolder(self.name("stored"), parent))
            }
            2 => Some(Operation::MoveStored(self.pick(&files)?, somewhere)),
            3 => {
                let of = if self.random.below(2) == 0 { &folders } else { &files };
                let from = self.pick(of)?;
                // A password that is being set knows its file by hash, not by name or place.
                Some(Operation::RenameStored(from, self.name("stored")))
            }
            4 => Some(Operation::DeleteStored(self.pick(&files)?)),
            _ => {
                let folder = self.pick(&folders)?;
                (folders.len() > 3 && !self.holds_busy(&folder)).then_some(Operation::DeleteStored(folder))
            }
        }
    }

    fn choose_transfer(&mut self) -> Option<Operation> {
        match self.random.below(8) {
            0 => {
                let plain: Vec<String> = self
                    .quiet(false)
                    .into_iter()
                    .filter(|name| !self.state.stored[name].sealed)
                    .collect();
                Some(Operation::Seal(self.pick(&plain)?))
            }
            1 | 2 => {
                let (task, blob) = (self.name("task"), self.blob());
                Some(Operation::Download(task, blob))
            }
            _ if self.uploads.len() < MOST_UPLOADS && self.state.stored.len() < 2 * MOST_ROWS => {
                let name = self.name("upload");
                let len = 1000 + self.index(40_000);
                let bytes = noise(len, self.random.below(u64::MAX - 1));
                let file = self.files.join(format!("{name}.bin"));
                fs::write(&file, bytes).expect("a writable directory");
                Some(Operation::Upload(name, file))
            }
            _ => None,
        }
    }

    fn blob(&mut self) -> Blob {
        let index = self.index(self.blobs.len());
        self.blobs[index].clone()
    }

    /// One to three of these.
    fn some_of(&mut self, all: &[String]) -> Option<Vec<String>> {
        let mut some = Vec::new();
        for _ in 0..=self.random.below(3) {
            let one = self.pick(all)?;
            if !some.contains(&one) {
                some.push(one);
            }
        }
        Some(some)
    }
}
