//! A writer: it chooses changes, asks for one after another, and keeps a manifest of what was
//! acknowledged.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::client::{Client, Lost};
use super::operation::{Blob, Operation};
use super::state::{State, Stored, World, difference, prefix};
use crate::fixture::hash_of;
use crate::random::Random;

/// An upload that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    hash: String,
    file: PathBuf,
    acknowledged: bool,
}

/// A writer.
#[derive(Debug)]
pub struct Writer {
    pub(super) number: usize,
    pub(super) random: Random,
    pub(super) files: PathBuf,
    pub(super) blobs: Vec<Blob>,
    /// For names: what fails says in which cycle it was made.
    pub(super) cycle: u64,
    /// The number of the last name. Other writers on the same data had lower ones before.
    pub(super) names: u64,
    /// What is acknowledged.
    pub(super) state: State,
    pub(super) ids: BTreeMap<String, String>,
    /// The call whose answer was lost.
    in_flight: Option<Operation>,
    /// Uploads whose rows have not been seen.
    pub(super) uploads: BTreeMap<String, Upload>,
    /// Files whose password was asked for, and whether that was acknowledged.
    pub(super) sealing: BTreeMap<String, bool>,
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
                return Err(format!(
                    "the upload of {name:?} was acknowledged, and its row is missing"
                ));
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
}

fn microseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX / 2)
}
