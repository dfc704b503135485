//! The thread that reads all rows of one moment, and cuts and compresses them.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use stowage_storage::Checkpoint;
use tokio::sync::{mpsc, oneshot};

use crate::background::in_background;
use crate::chunk::{Chunk, Cutter};
use crate::digest::TableDigest;
use crate::error::Error;
use crate::hash::ContentHash;
use crate::live_modules;
use crate::manifest::Table;
use crate::progress::Progress;
use crate::rows::Moment as _;
use crate::target::Present;

/// A chunk that the place does not have.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) hash: ContentHash,
    /// What is stored.
    pub(crate) bytes: Bytes,
}

/// All rows of one moment.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) tables: Vec<Table>,
    /// The live modules, by name and version.
    pub(crate) live_modules: Vec<(String, ContentHash)>,
}

/// Starts the thread. It sends the chunks that are not `present`, and ends early if nobody takes
/// them.
pub(crate) fn start(
    checkpoint: Checkpoint,
    present: Arc<HashMap<ContentHash, Present>>,
    pieces: mpsc::Sender<Piece>,
    progress: Arc<Progress>,
) -> Result<oneshot::Receiver<Result<Read, Error>>, Error> {
    let (done, result) = oneshot::channel();
    let mut reader = Reader {
        present,
        sent: HashSet::new(),
        pieces,
        progress,
    };
    let spawned = in_background("backup-reader", move || {
        let read = reader.read(&checkpoint);
        drop(reader);
        // Nobody waits for it if the backup was cancelled.
        let _ = done.send(read);
    });
    spawned.map_err(|source| Error::File {
        path: "the thread that reads rows".into(),
        source,
    })?;
    Ok(result)
}

struct Reader {
    present: Arc<HashMap<ContentHash, Present>>,
    /// Chunks that this backup has sent.
    sent: HashSet<ContentHash>,
    pieces: mpsc::Sender<Piece>,
    progress: Arc<Progress>,
}

impl Reader {
    fn read(&mut self, checkpoint: &Checkpoint) -> Result<Read, Error> {
        let live_modules = live_modules::live(checkpoint)?.into_iter().collect();
        let mut tables = Vec::new();
        for name in checkpoint.tables()? {
            let (mut cutter, mut digest, mut chunks) = (Cutter::default(), TableDigest::default(), Vec::new());
            let cancelled = checkpoint.walk_table(&name, |row| {
                digest.push(row);
                match cutter.push(row).map(|chunk| self.send(&chunk)) {
                    None => ControlFlow::Continue(()),
                    Some(Some(hash)) => {
                        chunks.push(hash);
                        ControlFlow::Continue(())
                    }
                    Some(None) => ControlFlow::Break(()),
                }
            })?;
            if cancelled.is_some() {
                return Err(Error::Cancelled);
            }
            if let Some(rest) = cutter.finish() {
                chunks.push(self.send(&rest).ok_or(Error::Cancelled)?);
            }
            tables.push(Table {
                summary: digest.finish(&name),
                chunks,
            });
        }
        Ok(Read { tables, live_modules })
    }

    /// Sends a chunk if the place does not have it. `None` if nobody takes it.
    fn send(&mut self, chunk: &Chunk) -> Option<ContentHash> {
        let hash = chunk.hash();
        self.progress.add_rows(chunk.rows, chunk.bytes.len() as u64);
        if self.pieces.is_closed() {
            return None;
        }
        if !self.present.contains_key(&hash) && self.sent.insert(hash) {
            let bytes = chunk.compressed().into();
            self.pieces.blocking_send(Piece { hash, bytes }).ok()?;
        }
        Some(hash)
    }
}
