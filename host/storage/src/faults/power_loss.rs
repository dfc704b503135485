//! Power losses under both files of a store: the database and the log.
//!
//! A run is a random history on a simulated disk. The power fails at a random operation, also
//! while the store recovers from the failure before. Each time, the disk keeps what was synced, and
//! any part of what was not. A sync may also fail alone: what it did not write, no later sync
//! writes. The same seed gives the same run: the flusher takes its steps between
//! those of the caller.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::disk::{Disk, Fault, Kind, Name};
use crate::backend::flusher::FlushMode;
use crate::backend::opener::Opener;
use crate::backend::redb::RedbBackend;
use crate::backend::{Backend as _, BackendSnapshot};
use crate::random::Random;
use crate::stored;

/// What a run has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PowerLoss {
    /// Batches that were acknowledged.
    pub acknowledged: u64,
    /// Batches that were there at the end. Each acknowledged one is among them.
    pub kept: u64,
    /// How often the power failed, or the process was killed.
    pub crashes: u32,
    /// How many of them were while the store recovered.
    pub crashes_in_recovery: u32,
    /// How often a sync failed alone, and the files were opened again.
    pub failed_syncs: u32,
}

/// Runs one seed, and checks after each crash that
///
/// - the store opens,
/// - every acknowledged batch is there, and of the others a prefix,
/// - all rows are those of the last batch that is there, so that no part of another one is,
/// - counters agree with the rows that they count,
/// - the store takes writes and can be closed and opened.
///
/// # Errors
///
/// What is wrong, with the seed. `run` with the same seed fails in the same way.
pub fn run(seed: u64) -> Result<PowerLoss, String> {
    run_on(seed, None)
}

/// [`run`] with a disk whose syncs of one file do nothing.
pub(super) fn run_on(seed: u64, liar: Option<Name>) -> Result<PowerLoss, String> {
    let mut run = Run::new(seed, liar);
    run.live().map_err(|problem| format!("seed {seed}: {problem}"))?;
    Ok(run.counts)
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

struct Run {
    random: Random,
    disk: Arc<Disk>,
    liar: Option<Name>,
    half_bytes: usize,
    fill_bytes: usize,
    chunk_keys: usize,
    /// The rows after each batch, from batch 0 on.
    states: Vec<Rows>,
    /// The last batch that was acknowledged.
    acknowledged: u64,
    counts: PowerLoss,
}

impl Run {
    fn new(seed: u64, liar: Option<Name>) -> Self {
        // Neighbouring seeds must differ.
        let mut random = Random::new(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.below(2);
        }
        let half_bytes = [300, 4 << 10, 16 << 10, 64 << 10][random.below(4) as usize];
        let fill_bytes = match random.below(2) {
            0 => half_bytes,
            _ => 1 + random.below(half_bytes as u64) as usize,
        };
        let run = Self {
            disk: Arc::default(),
            liar,
            half_bytes,
            fill_bytes,
            chunk_keys: [2, 7, 16, 64][random.below(4) as usize],
            random,
            states: vec![Rows::new()],
            acknowledged: 0,
            counts: PowerLoss::default(),
        };
        run.lie();
        run
    }

    fn lie(&self) {
        if let Some(name) = self.liar {
            self.disk.lie(name);
        }
    }

    fn live(&mut self) -> Result<(), String> {
        for _ in 0..1 + self.random.below(3) {
            if self.one_in(4) {
                // In the creation or recovery, which the next one repeats.
                self.fail_soon(16);
            }
            if let Some(backend) = self.open()? {
                self.work(backend)?;
            }
            self.crash();
            for _ in 0..self.random.below(3) {
                // In the opening, or in the flush of recovery.
                let most = [24, 100][self.random.below(2) as usize];
                self.fail_soon(most);
                let opened = self.open()?;
                self.counts.crashes_in_recovery += u32::from(opened.is_none());
                if let Some(mut backend) = opened
                    && self.one_in(2)
                {
                    // It fails if the power does.
                    let _ = backend.close();
                }
                self.crash();
            }
        }
        self.disk.heal();
        let mut backend = self.reopen()?;
        for _ in 0..3 {
            self.write(&mut backend)
                .map_err(|error| format!("writing at the end: {error}"))?;
        }
        backend
            .close()
            .map_err(|error| format!("closing at the end: {error}"))?;
        let mut backend = self.reopen()?;
        backend.close().map_err(|error| format!("closing again: {error}"))?;
        self.counts.kept = self.states.len() as u64 - 1;
        Ok(())
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.random.below(n) == 0
    }

    /// Makes the power fail after some changes.
    fn fail_soon(&mut self, most: u64) {
        let changes = self.random.below(most);
        self.disk.fail_after(changes);
    }

    /// Ends this life of the disk.
    fn crash(&mut self) {
        self.counts.crashes += 1;
        let is_kill = self.one_in(4);
        let after = match is_kill {
            true => self.disk.after_kill(),
            false => self.disk.after_power_loss(&mut self.random),
        };
        self.disk = Arc::new(after);
        self.lie();
        // A killed process leaves what is not synced. A sync that fails then has much to forget.
        if is_kill && self.one_in(2) {
            self.fail_a_sync(Name::Wal, 1);
        }
    }

    /// Opens the store and checks all rows. If a sync fails alone, it is opened again. `None` if
    /// the power failed meanwhile.
    fn open(&mut self) -> Result<Option<RedbBackend>, String> {
        let opened = self.open_once()?;
        match opened.is_none() && !self.disk.is_off() {
            true => {
                self.counts.failed_syncs += 1;
                self.disk.forgive();
                self.open_once()
            }
            false => Ok(opened),
        }
    }

    fn open_once(&mut self) -> Result<Option<RedbBackend>, String> {
        let (database, wal, space) = (Arc::clone(&self.disk), Arc::clone(&self.disk), Arc::clone(&self.disk));
        let opener = Opener {
            database: Box::new(move || Ok(Box::new(database.attach(Name::Database)))),
            wal: Box::new(move || Ok(Box::new(wal.attach(Name::Wal)))),
            has_space: Box::new(move || space.check_space()),
            cache_size_bytes: 1 << 20,
            half_bytes: self.half_bytes,
            fill_bytes: self.fill_bytes,
            flush_mode: FlushMode::Steps(self.random.below(u64::MAX)),
            chunk_keys: self.chunk_keys,
            first_retry: Duration::ZERO,
            heal_interval: Duration::ZERO,
        };
        match RedbBackend::open_with(Path::new("disk"), opener) {
            Ok(backend) => {
                self.check_recovery(&backend)?;
                Ok(Some(backend))
            }
            Err(_) if self.disk.has_failed() => Ok(None),
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                Err(format!("it does not open: {error} {}", source.unwrap_or_default()))
            }
        }
    }

    fn reopen(&mut self) -> Result<RedbBackend, String> {
        self.open()?
            .ok_or_else(|| "it does not open without a fault".to_owned())
    }

    /// After an opening: the last batch is one that may be there, and all rows are its rows.
    fn check_recovery(&mut self, backend: &RedbBackend) -> Result<(), String> {
        let batch = backend.batch().ok_or("it is not open")?;
        let attempted = self.states.len() as u64 - 1;
        if !(self.acknowledged..=attempted).contains(&batch) {
            let acknowledged = self.acknowledged;
            return Err(format!(
                "batch {batch} is the last, of {acknowledged} acknowledged and {attempted} attempted"
            ));
        }
        self.states.truncate(batch as usize + 1);
        // A caller may have read it: from now on it must stay.
        self.acknowledged = batch;
        self.check_rows(backend)
    }

    fn check_rows(&self, backend: &RedbBackend) -> Result<(), String> {
        let Ok(snapshot) = backend.snapshot() else {
            return Err("it has no snapshot".to_owned());
        };
        let Some(expected) = self.states.last() else {
            return Err("no state is left".to_owned());
        };
        match read_all(&*snapshot) {
            Ok(found) if found == *expected => Ok(()),
            Ok(found) => Err(format!(
                "batch {}: {}",
                self.states.len() - 1,
                difference(expected, &found)
            )),
            Err(_) if self.disk.has_failed() => Ok(()),
            Err(error) => Err(format!("it cannot be read: {error}")),
        }
    }

    /// Writes until the power fails, or for some time.
    fn work(&mut self, mut backend: RedbBackend) -> Result<(), String> {
        let most = [8, 40, 150][self.random.below(3) as usize];
        if !self.one_in(5) {
            self.fail_soon(most);
        }
        if self.one_in(3) {
            let name = [Name::Database, Name::Wal][self.random.below(2) as usize];
            self.fail_a_sync(name, 12);
        }
        for _ in 0..1 + self.random.below(60) {
            let done = match self.random.below(20) {
                0 | 1 => backend.maintain().map(drop).map_err(|error| error.to_string()),
                // Freezes the memtable, as its age would.
                2 => backend.checkpoint().map(drop).map_err(|error| format!("{error:?}")),
                3 if self.one_in(3) => {
                    let closed = backend.close().map_err(|error| error.to_string());
                    if closed.is_ok() {
                        match self.open()? {
                            Some(opened) => backend = opened,
                            None => return Ok(()),
                        }
                    }
                    closed
                }
                _ => self.write(&mut backend),
            };
            match done {
                Ok(()) if self.one_in(12) => self.check_rows(&backend)?,
                Ok(()) => {}
                Err(error) if !self.disk.has_failed() => return Err(format!("it fails without a fault: {error}")),
                Err(_) if self.disk.is_off() => return Ok(()),
                Err(_) => {
                    // What could not be read while the power is off counts as damaged.
                    if backend.reopen().is_err() || self.disk.is_off() {
                        return Ok(());
                    }
                    self.counts.failed_syncs += 1;
                    self.disk.forgive();
                    self.check_recovery(&backend)?;
                    if self.one_in(2) {
                        // The power fails before the next write.
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes one of the next syncs of a file fail.
    fn fail_a_sync(&mut self, name: Name, most: u64) {
        let after = self.random.below(most);
        self.disk.fail(Fault {
            name,
            kind: Kind::Sync,
            after,
            error: std::io::ErrorKind::Other,
            is_lasting: false,
            is_short: false,
        });
    }

    /// Writes a batch.
    fn write(&mut self, backend: &mut RedbBackend) -> Result<(), String> {
        let batch = self.states.len();
        let mut rows = self.states.last().cloned().unwrap_or_default();
        let mut updates = BTreeMap::new();
        if self.one_in(25) {
            let gone = rows.keys().filter(|key| key.starts_with(b"t1\0"));
            updates.extend(gone.map(|key| (key.clone(), None)));
        }
        let keys = match self.random.below(12) {
            0 => 60,
            _ => 1 + self.random.below(8),
        };
        for _ in 0..keys {
            let key = format!("t{}\0{:02}", self.random.below(3), self.random.below(40)).into_bytes();
            let value = match self.random.below(5) {
                0 => None,
                _ => Some(self.value(batch)),
            };
            updates.insert(key, value);
        }
        for (key, value) in &updates {
            match value {
                Some(value) => drop(rows.insert(key.clone(), value.clone())),
                None => drop(rows.remove(key)),
            }
        }
        let count = rows.keys().filter(|key| key.starts_with(b"t")).count();
        for (key, counter) in [(&b"n\0batches"[..], batch), (b"n\0rows", count)] {
            let stored = stored::encode_counter(counter as i64).to_vec();
            updates.insert(key.to_vec(), Some(stored.clone()));
            rows.insert(key.to_vec(), stored);
        }
        // Before the attempt: the batch may be there although it failed.
        self.states.push(rows);
        let applied = backend.apply(&mut updates.iter().map(|(key, value)| (&key[..], value.as_deref())));
        match applied {
            Ok(_) => {
                self.acknowledged = batch as u64;
                self.counts.acknowledged += 1;
                Ok(())
            }
            Err(error) => Err(format!("{error:?}")),
        }
    }

    fn value(&mut self, batch: usize) -> Vec<u8> {
        let len = match self.random.below(40) {
            0 => 9000,
            1 => 4090,
            _ => self.random.below(120),
        };
        let mut value = vec![batch as u8; len as usize];
        value.extend_from_slice(&batch.to_le_bytes());
        stored::encode_value(value)
    }
}

fn read_all(snapshot: &dyn BackendSnapshot) -> Result<Rows, crate::BackendError> {
    let mut found = Rows::new();
    snapshot.walk(&[], &[0xff], false, &mut |key, value| {
        found.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// The first difference of two states.
fn difference(expected: &Rows, found: &Rows) -> String {
    for (key, value) in expected {
        let shown = key.escape_ascii();
        match found.get(key) {
            None => return format!("the row {shown} is lost"),
            Some(other) if other != value => return format!("the row {shown} has other bytes"),
            Some(_) => {}
        }
    }
    let more = found.keys().find(|key| !expected.contains_key(*key));
    more.map_or_else(String::new, |key| {
        format!("the row {} should be gone", key.escape_ascii())
    })
}
