//! A disk in memory with two files: it fails when told, and loses unsynced writes at a power loss.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::StorageBackend;

use crate::random::Random;

/// The unit in which space is counted.
const BLOCK: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Disk {
    state: Mutex<State>,
}

/// The files on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Database,
    Wal,
}

/// A kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Len,
    Read,
    SetLen,
    Sync,
    Write,
    Close,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Len,
        Self::Read,
        Self::SetLen,
        Self::Sync,
        Self::Write,
        Self::Close,
    ];
}

/// A failure of one kind of operation on one file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    /// Operations of this kind that succeed before.
    pub(crate) after: u64,
    pub(crate) error: io::ErrorKind,
    /// Whether all later ones fail as well, until the disk heals.
    pub(crate) is_lasting: bool,
    /// Whether a write leaves its first half.
    pub(crate) is_short: bool,
}

#[derive(Debug, Default)]
struct State {
    files: [File; 2],
    /// Changes until the power fails.
    working: Option<u64>,
    /// Whether the power has failed. What it interrupted may be on the disk, too; nothing after it.
    is_off: bool,
    has_failed: bool,
    fault: Option<Fault>,
    /// A file whose syncs do nothing and succeed.
    liar: Option<Name>,
    /// Blocks that can be used, and those that are.
    capacity: Option<usize>,
    used: BTreeSet<(usize, usize)>,
}

#[derive(Debug, Default, Clone)]
struct File {
    /// What a read returns.
    live: Vec<u8>,
    /// What was synced.
    durable: Vec<u8>,
    /// Changes since the last sync.
    unsynced: Vec<Change>,
    /// Writes that a failed sync did not do. They can be read, and no later sync does them.
    dropped: Vec<Change>,
}

/// How much of a failed write is there.
#[derive(Debug, Clone, Copy)]
enum Left {
    Nothing,
    Half,
    All,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

/// An open file of the disk.
#[derive(Debug)]
pub(crate) struct Attached(Arc<Disk>, Name);

impl Disk {
    pub(crate) fn attach(self: &Arc<Self>, name: Name) -> Attached {
        Attached(Arc::clone(self), name)
    }

    /// Makes everything fail after this many more changes.
    pub(crate) fn fail_after(&self, changes: u64) {
        self.state.lock().working = Some(changes);
    }

    /// Makes one kind of operation fail.
    pub(crate) fn fail(&self, fault: Fault) {
        self.state.lock().fault = Some(fault);
    }

    /// Makes the syncs of a file succeed without effect.
    pub(crate) fn lie(&self, name: Name) {
        self.state.lock().liar = Some(name);
    }

    /// Sets how many more blocks can be written.
    pub(crate) fn limit_space(&self, blocks: usize) {
        let mut state = self.state.lock();
        state.capacity = Some(state.used.len() + blocks);
    }

    /// Whether a few blocks are left.
    pub(crate) fn check_space(&self) -> io::Result<()> {
        let state = self.state.lock();
        match state.capacity.is_none_or(|capacity| state.used.len() + 4 <= capacity) {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    /// Ends all faults.
    pub(crate) fn heal(&self) {
        let mut state = self.state.lock();
        (state.working, state.fault, state.capacity) = (None, None, None);
        state.is_off = false;
    }

    /// Whether the power is off.
    pub(crate) fn is_off(&self) -> bool {
        self.state.lock().is_off
    }

    /// Forgets that an operation has failed.
    pub(crate) fn forgive(&self) {
        self.state.lock().has_failed = false;
    }

    /// Whether an operation has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.state.lock().has_failed
    }

    /// The disk after a power loss. Each file has what was synced. Of its later writes, any sector
    /// may be there or not. Its length is that after any of the later changes of the length,
    /// whether or not the data are there.
    pub(crate) fn after_power_loss(&self, random: &mut Random) -> Self {
        let state = self.state.lock();
        let files = [0, 1].map(|n| {
            // Some disks write whole pages, some sectors. Some lose nearly everything.
            let sector = [512, 4096][random.below(2) as usize];
            let survivors = [0, 1, 5, 9, 10][random.below(5) as usize];
            state.files[n].after_power_loss(random, sector, survivors)
        });
        Self::with_files(files)
    }

    /// The disk after the process was killed: everything that was written is there.
    pub(crate) fn after_kill(&self) -> Self {
        Self::with_files(self.state.lock().files.clone())
    }

    fn with_files(files: [File; 2]) -> Self {
        let mut state = State {
            files,
            ..State::default()
        };
        for (n, file) in state.files.iter().enumerate() {
            state
                .used
                .extend((0..file.live.len().div_ceil(BLOCK)).map(|block| (n, block)));
        }
        Self {
            state: Mutex::new(state),
        }
    }

    /// The bytes of a file.
    #[cfg(test)]
    pub(crate) fn bytes(&self, name: Name) -> Vec<u8> {
        self.state.lock().files[name as usize].live.clone()
    }

    /// Replaces the bytes of a file.
    #[cfg(test)]
    pub(crate) fn replace(&self, name: Name, bytes: Vec<u8>) {
        self.state.lock().files[name as usize] = File {
            live: bytes.clone(),
            durable: bytes,
            ..File::default()
        };
    }
}

impl File {
    fn after_power_loss(&self, random: &mut Random, sector: usize, survivors: u64) -> Self {
        let changes = || self.dropped.iter().chain(&self.unsynced);
        let lengths = changes().filter(|change| matches!(change, Change::SetLen(_))).count();
        let mut lengths_left = random.below(lengths as u64 + 1);
        let mut image = self.durable.clone();
        for change in changes() {
            match change {
                Change::SetLen(_) if lengths_left == 0 => {}
                Change::SetLen(len) => {
                    image.resize(*len, 0);
                    lengths_left -= 1;
                }
                Change::Write(offset, bytes) => {
                    for (at, piece) in sectors(*offset, bytes, sector) {
                        if random.below(10) < survivors
                            && let Some(place) = image.get_mut(at..)
                        {
                            let len = piece.len().min(place.len());
                            place[..len].copy_from_slice(&piece[..len]);
                        }
                    }
                }
            }
        }
        Self {
            live: image.clone(),
            durable: image,
            ..Self::default()
        }
    }

    fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            match change {
                Change::SetLen(len) => {
                    self.dropped.retain(|dropped| dropped.is_write_before(len));
                    self.durable.resize(len, 0);
                }
                Change::Write(offset, bytes) => {
                    let end = offset + bytes.len();
                    self.dropped.retain(|dropped| !dropped.writes_into(offset..end));
                    if end > self.durable.len() {
                        self.durable.resize(end, 0);
                    }
                    self.durable[offset..end].copy_from_slice(&bytes);
                }
            }
        }
    }

    fn write(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        if end > self.live.len() {
            self.live.resize(end, 0);
            self.unsynced.push(Change::SetLen(end));
        }
        self.live[offset..end].copy_from_slice(data);
        self.unsynced.push(Change::Write(offset, data.to_vec()));
    }
}

impl Change {
    fn range(&self) -> Option<Range<usize>> {
        match self {
            Self::Write(offset, bytes) => Some(*offset..offset + bytes.len()),
            Self::SetLen(_) => None,
        }
    }

    fn is_write_before(&self, len: usize) -> bool {
        self.range().is_some_and(|range| range.end <= len)
    }

    fn writes_into(&self, other: Range<usize>) -> bool {
        self.range()
            .is_some_and(|range| range.start < other.end && other.start < range.end)
    }
}

/// The parts of a write that reach the disk as a whole: where they are, and their bytes.
fn sectors(offset: usize, mut bytes: &[u8], sector: usize) -> Vec<(usize, &[u8])> {
    let mut at = offset;
    let mut parts = vec![];
    while !bytes.is_empty() {
        let (part, rest) = bytes.split_at((sector - at % sector).min(bytes.len()));
        parts.push((at, part));
        at += part.len();
        bytes = rest;
    }
    parts
}

impl State {
    /// Counts an operation. If it fails: the error, and how much of a write is there nevertheless.
    fn work(&mut self, name: Name, kind: Kind) -> Result<(), (io::Error, Left)> {
        let changes = matches!(kind, Kind::SetLen | Kind::Sync | Kind::Write);
        match &mut self.working {
            Some(0) => {
                let left = if self.is_off { Left::Nothing } else { Left::All };
                (self.has_failed, self.is_off) = (true, true);
                return Err((io::Error::other("the power is off"), left));
            }
            Some(left) if changes => *left -= 1,
            _ => {}
        }
        let Some(fault) = self
            .fault
            .as_mut()
            .filter(|fault| (fault.name, fault.kind) == (name, kind))
        else {
            return Ok(());
        };
        if fault.after > 0 {
            fault.after -= 1;
            return Ok(());
        }
        let left = if fault.is_short { Left::Half } else { Left::Nothing };
        let failed = (io::Error::from(fault.error), left);
        if !fault.is_lasting {
            self.fault = None;
        }
        self.has_failed = true;
        Err(failed)
    }

    /// How much of a write there is space for.
    fn take_space(&mut self, name: Name, offset: usize, len: usize) -> usize {
        let blocks = offset / BLOCK..(offset + len).div_ceil(BLOCK);
        for block in blocks {
            let place = (name as usize, block);
            let is_full = self.capacity.is_some_and(|capacity| self.used.len() >= capacity);
            if is_full && !self.used.contains(&place) {
                self.has_failed = true;
                return (block * BLOCK).saturating_sub(offset);
            }
            self.used.insert(place);
        }
        len
    }
}

impl StorageBackend for Attached {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.0.state.lock();
        state.work(self.1, Kind::Len).map_err(|(error, _)| error)?;
        Ok(state.files[self.1 as usize].live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.work(self.1, Kind::Read).map_err(|(error, _)| error)?;
        let offset = offset as usize;
        let Some(bytes) = state.files[self.1 as usize].live.get(offset..offset + out.len()) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.work(self.1, Kind::SetLen).map_err(|(error, _)| error)?;
        let file = &mut state.files[self.1 as usize];
        file.live.resize(len as usize, 0);
        file.unsynced.push(Change::SetLen(len as usize));
        let end = (len as usize).div_ceil(BLOCK);
        let name = self.1 as usize;
        state.used.retain(|(file, block)| *file != name || *block < end);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.state.lock();
        if let Err((error, _)) = state.work(self.1, Kind::Sync) {
            if !state.is_off {
                // The length is metadata, which the system does not forget.
                let file = &mut state.files[self.1 as usize];
                let (dropped, kept) = file.unsynced.drain(..).partition(|change| change.range().is_some());
                file.unsynced = kept;
                file.dropped.extend::<Vec<_>>(dropped);
            }
            return Err(error);
        }
        if state.liar != Some(self.1) {
            state.files[self.1 as usize].sync();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let offset = offset as usize;
        match state.work(self.1, Kind::Write) {
            Ok(()) => {}
            Err((error, left)) => {
                let written = match left {
                    Left::Nothing => 0,
                    Left::Half => data.len() / 2,
                    Left::All => data.len(),
                };
                state.files[self.1 as usize].write(offset, &data[..written]);
                return Err(error);
            }
        }
        let written = state.take_space(self.1, offset, data.len());
        state.files[self.1 as usize].write(offset, &data[..written]);
        match written == data.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn close(&self) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.work(self.1, Kind::Close).map_err(|(error, _)| error)
    }
}
