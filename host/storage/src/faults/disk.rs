//! A disk in memory that fails when told, and loses unsynced writes at a power loss.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

use crate::random::Random;

/// The largest part of a write that reaches the disk as a whole, in bytes.
const SECTOR: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Disk {
    state: Mutex<State>,
}

/// The files on the disk.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name {
    Database,
    Wal,
}

#[derive(Debug, Default)]
struct State {
    files: [File; 2],
    /// Operations until all further ones fail.
    working: Option<u64>,
    has_failed: bool,
}

#[derive(Debug, Default)]
struct File {
    /// What a read returns.
    live: Vec<u8>,
    /// What was synced.
    durable: Vec<u8>,
    /// Writes since the last sync.
    unsynced: Vec<(usize, Vec<u8>)>,
}

/// An open file of the disk.
#[derive(Debug)]
pub(super) struct Attached(Arc<Disk>, Name);

impl Disk {
    pub(super) fn attach(self: &Arc<Self>, name: Name) -> Attached {
        Attached(Arc::clone(self), name)
    }

    /// Makes all writes and syncs fail after this many more.
    pub(super) fn fail_after(&self, operations: u64) {
        self.state.lock().unwrap().working = Some(operations);
    }

    pub(super) fn heal(&self) {
        self.state.lock().unwrap().working = None;
    }

    /// Whether an operation has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.state.lock().unwrap().has_failed
    }

    /// The disk after a power loss: what was synced, and any part of the later writes, in any
    /// order.
    pub(super) fn after_power_loss(&self, seed: u64) -> Self {
        let state = self.state.lock().unwrap();
        let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let files = [0, 1].map(|n| state.files[n].after_power_loss(&mut random));
        Self {
            state: Mutex::new(State {
                files,
                ..State::default()
            }),
        }
    }
}

impl File {
    fn after_power_loss(&self, random: &mut Random) -> Self {
        let mut image = self.durable.clone();
        image.resize(self.live.len().max(image.len()), 0);
        let mut sectors: Vec<(usize, &[u8])> = vec![];
        for (offset, bytes) in &self.unsynced {
            let pieces = bytes.chunks(SECTOR).enumerate();
            sectors.extend(pieces.map(|(n, piece)| (offset + n * SECTOR, piece)));
        }
        for (offset, piece) in sectors {
            if random.below(2) == 0 {
                image[offset..offset + piece.len()].copy_from_slice(piece);
            }
        }
        Self {
            live: image.clone(),
            durable: image,
            unsynced: vec![],
        }
    }
}

impl State {
    fn work(&mut self) -> io::Result<()> {
        match &mut self.working {
            Some(0) => {
                self.has_failed = true;
                Err(io::Error::other("the disk fails"))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl StorageBackend for Attached {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.state.lock().unwrap().files[self.1 as usize].live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.state.lock().unwrap();
        let offset = offset as usize;
        let Some(bytes) = state.files[self.1 as usize].live.get(offset..offset + out.len()) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.state.lock().unwrap();
        state.work()?;
        let file = &mut state.files[self.1 as usize];
        file.live.resize(len as usize, 0);
        let len = file.live.len();
        file.unsynced.retain_mut(|(offset, bytes)| {
            bytes.truncate(len.saturating_sub(*offset));
            !bytes.is_empty()
        });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.state.lock().unwrap();
        state.work()?;
        let file = &mut state.files[self.1 as usize];
        file.durable = file.live.clone();
        file.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.state.lock().unwrap();
        state.work()?;
        let file = &mut state.files[self.1 as usize];
        let offset = offset as usize;
        let end = offset + data.len();
        if end > file.live.len() {
            file.live.resize(end, 0);
        }
        file.live[offset..end].copy_from_slice(data);
        file.unsynced.push((offset, data.to_vec()));
        Ok(())
    }
}
