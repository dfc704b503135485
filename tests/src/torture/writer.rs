//! A writer: it chooses changes, asks for one after another, and keeps a manifest of what was
//! acknowledged.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::client::{Client, Lost};
use super::operation::{Blob, Operation, blob_row, text_row};
use super::state::{State, Stored, World, conversation, difference, prefix};
use crate::fixture::{hash_of, noise};
use crate::random::Random;

/// The most rows of a kind that a writer keeps. Beyond it, it deletes.
const MOST_ROWS: usize = 24;
/// The deepest folder of the cloud storage that it makes.
const MOST_DEPTH: usize = 4;
/// The most uploads of a writer that have not ended.
const MOST_UPLOADS: usize = 6;

/// An upload that was asked for.
#[derive(Clone, Debug)]
struct Upload {
    hash: String,
    file: PathBuf,
    acknowledged: bool,
}

/// A writer.
#[derive(Debug)]
pub struct Writer {
    number: usize,
    random: Random,
    files: PathBuf,
    blobs: Vec<Blob>,
    /// For names: what fails says in which cycle it was made.
    cycle: u64,
    /// The number of the last name. Other writers on the same data had lower ones before.
    names: u64,
    /// What is acknowledged.
    state: State,
    ids: BTreeMap<String, String>,
    /// The call whose answer was lost.
    in_flight: Option<Operation>,
    /// Uploads whose rows have not been seen.
    uploads: BTreeMap<String, Upload>,
    /// Files whose password was asked for, and whether that was acknowledged.
    sealing: BTreeMap<String, bool>,
    /// Downloads that were acknowledged.
    downloads: BTreeMap<String, Blob>,
    /// Changes that were acknowledged, of all cycles.
    pub acknowledged: u64,
    /// Calls whose answer was lost, and that had their effect.
    pub survived: u64,
}

impl Writer {
    /// A writer that begins with what the server has of it.
    pub fn new(number: usize, seed: u64, files: &Path, blobs: &[Blob], world: &World) -> Writer {
        let mut writer = Writer {
            number,
            random: Random::seeded(seed ^ (number as u64) << 48),
            files: files.to_owned(),
            blobs: blobs.to_vec(),
            cycle: 0,
            names: microseconds(),
            state: world.states[number].clone(),
            ids: BTreeMap::new(),
            in_flight: None,
            uploads: BTreeMap::new(),
            sealing: BTreeMap::new(),
            downloads: BTreeMap::new(),
            acknowledged: 0,
            survived: 0,
        };
        writer.keep_ids(world);
        writer
    }

    /// Writes until the server is gone.
    ///
    /// # Panics
    /// When a call is refused: each of them is valid.
    pub async fn write(&mut self, address: SocketAddr, cycle: u64) {
        self.cycle = cycle;
        let mut client = Client::new(address);
        while self.write_one(&mut client).await.is_ok() {}
    }

    /// Writes so many changes, all of which are answered.
    ///
    /// # Panics
    /// When a call is refused or gets no answer.
    pub async fn write_some(&mut self, client: &mut Client, changes: u64) {
        self.cycle += 1;
        for _ in 0..changes {
            self.write_one(client).await.expect("the server answers");
        }
    }

    /// Asks for one change.
    ///
    /// # Errors
    /// There is no answer. The change may have been made.
    ///
    /// # Panics
    /// When the call is refused.
    pub async fn write_one(&mut self, client: &mut Client) -> Result<(), Lost> {
        let operation = self.choose();
        let (method, params) = operation.call(&self.ids, &self.state);
        self.begins(&operation);
        self.in_flight = Some(operation.clone());
        let answer = client.call(method, &params).await?;
        assert_eq!(answer.code, 200, "{operation:?} was refused: {answer:?}");
        self.in_flight = None;
        self.acknowledge(&operation);
        if let Some(id) = answer.data["unique"].as_str()
            && let Operation::CreateStorageFolder(name, _) = &operation
        {
            self.ids.insert(name.clone(), id.to_owned());
        }
        Ok(())
    }

    /// Changes that have their effect later are noted before they are asked for.
    fn begins(&mut self, operation: &Operation) {
        match operation {
            Operation::Upload(name, file) => {
                let hash = hash_of(&fs::read(file).expect("the file was just written"));
                let upload = Upload {
                    hash,
                    file: file.clone(),
                    acknowledged: false,
                };
                self.uploads.insert(name.clone(), upload);
            }
            Operation::Seal(name) => drop(self.sealing.insert(name.clone(), false)),
            _ => {}
        }
    }

    fn acknowledge(&mut self, operation: &Operation) {
        self.acknowledged += 1;
        operation.apply(&mut self.state);
        match operation {
            Operation::Upload(name, _) => {
                if let Some(upload) = self.uploads.get_mut(name) {
                    upload.acknowledged = true;
                }
            }
            Operation::Seal(name) => drop(self.sealing.insert(name.clone(), true)),
            Operation::Download(task, blob) => drop(self.downloads.insert(task.clone(), blob.clone())),
            Operation::RenameFolder(from, to) | Operation::RenameStored(from, to) => {
                if let Some(id) = self.ids.remove(from) {
                    self.ids.insert(to.clone(), id);
                }
            }
            _ => {}
        }
    }

    /// Compares what the server has with what it acknowledged: all of that, and of the call whose
    /// answer was lost all or nothing. Then the writer goes on from there.
    ///
    /// # Errors
    /// Says what was lost, or what is there that nobody wrote.
    pub fn compare(&mut self, world: &World) -> Result<(), String> {
        let found = &world.states[self.number];
        let mut wanted = self.state.clone();
        // Uploads and passwords whose tasks have ended meanwhile.
        let mut ended = Vec::new();
        for (name, upload) in &self.uploads {
            if found.stored.contains_key(name) {
                let stored = Stored {
                    parent: String::new(),
                    hash: Some(upload.hash.clone()),
                    sealed: false,
                };
                wanted.stored.insert(name.clone(), stored);
                ended.push(name.clone());
            }
        }
        for name in &ended {
            self.uploads.remove(name);
        }
        let sealed: Vec<String> = self
            .sealing
            .keys()
            .filter(|name| found.stored.get(*name).is_some_and(|stored| stored.sealed))
            .cloned()
            .collect();
        for name in sealed {
            if let Some(stored) = wanted.stored.get_mut(&name) {
                (stored.hash, stored.sealed) = (None, true);
            }
            self.sealing.remove(&name);
        }
        if wanted != *found {
            let mut with_lost = wanted.clone();
            if let Some(operation) = &self.in_flight {
                operation.apply(&mut with_lost);
            }
            if with_lost != *found {
                return Err(format!(
                    "writer {}, whose last call {:?} got no answer: {}",
                    self.number,
                    self.in_flight,
                    difference(&wanted, found)
                ));
            }
            self.survived += 1;
        }
        self.in_flight = None;
        self.state = found.clone();
        self.keep_ids(world);
        Ok(())
    }

    fn keep_ids(&mut self, world: &World) {
        let own = prefix(self.number);
        self.ids = world
            .ids
            .iter()
            .filter(|(name, _)| name.starts_with(&own))
            .map(|(name, id)| (name.clone(), id.clone()))
            .collect();
    }

    /// After all tasks have ended: what was acknowledged has had its effect.
    ///
    /// # Errors
    /// Names what has not.
    pub fn settled(&mut self) -> Result<Vec<(String, Blob)>, String> {
        for (name, upload) in &self.uploads {
            if upload.acknowledged {
                return Err(format!("the upload of {name:?} was acknowledged, and its row is missing"));
            }
        }
        for (name, acknowledged) in &self.sealing {
            if *acknowledged {
                return Err(format!("the password of {name:?} was acknowledged, and is not set"));
            }
        }
        for upload in std::mem::take(&mut self.uploads).into_values() {
            // It is in the way of nobody.
            let _ = fs::remove_file(upload.file);
        }
        self.sealing.clear();
        Ok(std::mem::take(&mut self.downloads).into_iter().collect())
    }

    /// Whether a name or an identifier is one of this writer's.
    pub fn is_own(&self, name: &str) -> bool {
        name.starts_with(&prefix(self.number))
    }

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
    fn choose(&mut self) -> Operation {
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

fn microseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX / 2)
}
