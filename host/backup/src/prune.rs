//! Removing old backups, and what no backup names.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::hash::ContentHash;
use crate::manifest::Host;
use crate::marks::{Mark, STALE_MS};
use crate::target::{Kind, Target};

/// Objects that are removed between two looks for the mark.
const STEP: usize = 100;

/// What a prune has removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pruned {
    /// The identifiers of backups.
    pub backups: Vec<String>,
    /// Chunks and files that no backup names.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why chunks and files were not looked at.
    pub postponed: Option<String>,
}

/// Keeps the newest `keep` backups of a host, at least one, and removes its older ones. Then
/// removes what no backup names and what is older than `grace`. Backups of other hosts stay.
///
/// The backup `made` is one of those to keep, whatever a clock said. One of the future stays and is
/// none of them: else it would take the place of each new one until its time comes.
///
/// # Errors
/// [`Error::Store`], [`Error::Lost`] if others took it for dead, [`Error::Cancelled`] after `stop`
/// is cancelled.
pub async fn prune(
    target: &Target,
    host: &Host,
    keep: usize,
    made: Option<&str>,
    grace: Duration,
    stop: &CancellationToken,
) -> Result<Pruned, Error> {
    target.check().await?;
    let (mark, alone) = Mark::of_prune(target, host).await?;
    let prune = Prune {
        target,
        host,
        mark: &mark,
        made,
    };
    let pruned = tokio::select! {
        pruned = prune.run(keep.max(1), grace, alone) => pruned,
        () = stop.cancelled() => Err(Error::Cancelled),
    };
    mark.remove().await;
    pruned
}

struct Prune<'a> {
    target: &'a Target,
    host: &'a Host,
    mark: &'a Mark,
    /// The backup that was made a moment ago.
    made: Option<&'a str>,
}

/// What the backups name.
#[derive(Default)]
struct Named {
    chunks: HashSet<ContentHash>,
    files: HashSet<ContentHash>,
}

impl Prune<'_> {
    async fn run(&self, keep: usize, grace: Duration, alone: bool) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        let (mut named, mut unreadable) = (Named::default(), None);
        // How many may still be kept.
        let mut left = keep - usize::from(self.made.is_some());
        let now_ms = u64::try_from(self.mark.written_ms().await?).unwrap_or_default();
        // The newest first, so that those to be removed are known when they come.
        for id in self.target.ids().await?.into_iter().rev() {
            let manifest = match self.target.manifest(&id).await {
                Ok(manifest) => manifest,
                // Somebody removed it a moment ago.
                Err(Error::NoSuchBackup { .. }) => continue,
                Err(error @ (Error::Damaged { .. } | Error::NewerFormat { .. })) => {
                    tracing::warn!(%error, "a backup cannot be read; what it may name stays");
                    unreadable = Some(error.to_string());
                    continue;
                }
                Err(error) => return Err(error),
            };
            if manifest.host == *self.host && self.made != Some(&*id) {
                if manifest.is_of_future(now_ms) {
                    tracing::warn!(id, "a backup of the future is kept; remove it if a clock was wrong");
                } else if left == 0 {
                    pruned.backups.push(id);
                    continue;
                } else {
                    left -= 1;
                }
            }
            named.chunks.extend(manifest.chunks());
            named.files.extend(manifest.files.iter().map(|file| file.hash));
        }
        for id in &pruned.backups {
            self.mark.check().await?;
            self.target.withdraw(id).await?;
        }
        pruned.postponed = match (alone, unreadable) {
            (false, _) => Some("a backup is being made at this place".to_owned()),
            (true, unreadable) => unreadable,
        };
        if pruned.postponed.is_none() {
            self.sweep(Kind::Chunk, &named.chunks, grace, &mut pruned).await?;
            self.sweep(Kind::File, &named.files, grace, &mut pruned).await?;
            self.sweep_parts(&mut pruned).await?;
        }
        Ok(pruned)
    }

    /// Removes what programs were writing to a folder that died since then.
    async fn sweep_parts(&self, pruned: &mut Pruned) -> Result<(), Error> {
        let now_ms = self.mark.written_ms().await?;
        for (path, len_bytes) in self.target.parts(now_ms.saturating_sub(STALE_MS)).await? {
            match tokio::fs::remove_file(&path).await {
                Ok(()) => {
                    pruned.objects += 1;
                    pruned.bytes += len_bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::file(&path)(error)),
            }
        }
        Ok(())
    }

    /// Removes the objects of a kind that no backup names.
    async fn sweep(
        &self,
        kind: Kind,
        named: &HashSet<ContentHash>,
        grace: Duration,
        pruned: &mut Pruned,
    ) -> Result<(), Error> {
        let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        let now_ms = self.mark.written_ms().await?;
        let mut unnamed = self.target.present(kind).await?;
        unnamed.retain(|hash, there| !named.contains(hash) && now_ms.saturating_sub(there.written_ms) >= grace_ms);
        for (n, (hash, there)) in unnamed.into_iter().enumerate() {
            if n.is_multiple_of(STEP) {
                self.mark.renew_if_there().await?;
            }
            self.target.remove(&kind.object(hash)).await?;
            pruned.objects += 1;
            pruned.bytes += there.len_bytes;
        }
        Ok(())
    }
}
