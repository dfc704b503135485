//! Marks: who works at a place of backups now.
//!
//! A backup reuses chunks that are there, and a prune removes chunks that no manifest names. So
//! they must not work at the same time. Each writes its mark first, and then looks for the marks of
//! others: at least one of two sees the other. A backup that sees a prune waits or gives up. A
//! prune that sees a backup removes no chunks.
//!
//! A mark of a program that died is removed by others after [`STALE_MS`], by the clock of the
//! store. If the program was only asleep, it notices: a backup looks for its mark after its
//! manifest is written, and removes the manifest if the mark is gone. A prune looks for its mark
//! before each step.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::Error;
use crate::hash::ContentHash;
use crate::manifest::Host;
use crate::target::{MARKS, Target, file_name};

/// How the name of a backup's mark begins; the name of its host follows.
const BACKUP: &str = "backup-";
/// How the name of a prune's mark begins.
const PRUNE: &str = "prune-";
/// A mark that was not renewed for this long is one of a program that died.
pub(crate) const STALE_MS: i64 = 60 * 60 * 1000;
/// How often a mark is renewed.
pub(crate) const RENEWED: Duration = Duration::from_secs(5 * 60);
/// How long a backup waits for a prune.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// The mark of a program that works at the place. Call [`Mark::remove`] at its end.
#[derive(Debug)]
pub(crate) struct Mark {
    target: Target,
    object: String,
}

/// The marks of others.
struct Others {
    /// The time of the store.
    now_ms: i64,
    /// Names and times.
    marks: Vec<(String, i64)>,
}

impl Others {
    /// The marks of a kind, split into those of running and of dead programs.
    fn split(&self, kind: &str) -> (Vec<&str>, Vec<&str>) {
        let (mut live, mut dead) = (Vec::new(), Vec::new());
        for (name, written_ms) in &self.marks {
            if !name.starts_with(kind) {
                continue;
            }
            let is_dead = self.now_ms.saturating_sub(*written_ms) >= STALE_MS;
            let marks = if is_dead { &mut dead } else { &mut live };
            marks.push(name.as_str());
        }
        (live, dead)
    }
}

impl Mark {
    async fn write(target: &Target, name: String) -> Result<Mark, Error> {
        let object = format!("{MARKS}/{name}");
        target.put(&object, Bytes::from_static(b"{}")).await?;
        Ok(Mark {
            target: target.clone(),
            object,
        })
    }

    /// The mark of a backup. No prune removes chunks while it is there.
    ///
    /// # Errors
    /// [`Error::Pruning`] if a prune runs for too long, [`Error::Cancelled`], [`Error::Store`].
    pub(crate) async fn of_backup(target: &Target, host: &Host, stop: &CancellationToken) -> Result<Mark, Error> {
        let host = fingerprint(host);
        let mark = Mark::write(target, new_name(BACKUP, &host)).await?;
        match mark.until_alone(&host, stop).await {
            Ok(()) => Ok(mark),
            Err(error) => {
                mark.remove().await;
                Err(error)
            }
        }
    }

    async fn until_alone(&self, host: &str, stop: &CancellationToken) -> Result<(), Error> {
        let started = Instant::now();
        loop {
            let others = self.others(host).await?;
            let (live, dead) = others.split(PRUNE);
            self.bury(&dead).await?;
            let Some(prune) = live.first() else { return Ok(()) };
            if started.elapsed() > PATIENCE {
                return Err(Error::Pruning {
                    place: self.target.name().to_owned(),
                    object: format!("{MARKS}/{prune}"),
                });
            }
            if stop.run_until_cancelled(sleep(PAUSE)).await.is_none() {
                return Err(Error::Cancelled);
            }
        }
    }

    /// The mark of a prune, and whether it may remove chunks: not while a backup or another prune
    /// is at work.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn of_prune(target: &Target, host: &Host) -> Result<(Mark, bool), Error> {
        let host = fingerprint(host);
        let mark = Mark::write(target, new_name(PRUNE, &host)).await?;
        match mark.is_alone(&host).await {
            Ok(alone) => Ok((mark, alone)),
            Err(error) => {
                mark.remove().await;
                Err(error)
            }
        }
    }

    async fn is_alone(&self, host: &str) -> Result<bool, Error> {
        let others = self.others(host).await?;
        let mut alone = true;
        for kind in [BACKUP, PRUNE] {
            let (live, dead) = others.split(kind);
            alone &= live.is_empty();
            // Before the manifests are read: a backup that was only asleep finds its mark gone.
            self.bury(&dead).await?;
        }
        Ok(alone)
    }

    /// Removes the marks of programs that died.
    async fn bury(&self, dead: &[&str]) -> Result<(), Error> {
        for name in dead {
            tracing::warn!(
                mark = name,
                "a program that worked at the backups has died; its mark is removed"
            );
            self.target.remove(&format!("{MARKS}/{name}")).await?;
        }
        Ok(())
    }

    /// The marks of others, and the time by the clock that marked them: that of this mark. Marks
    /// that earlier programs of the same host left behind are removed: one program has a data
    /// directory.
    async fn others(&self, host: &str) -> Result<Others, Error> {
        self.renew().await?;
        let mut others = Others {
            now_ms: i64::MIN,
            marks: Vec::new(),
        };
        for (object, present) in self.target.list(MARKS).await? {
            match file_name(&object) {
                _ if object == self.object => others.now_ms = present.written_ms,
                name if is_of_host(name, host) => self.target.remove(&object).await?,
                name => others.marks.push((name.to_owned(), present.written_ms)),
            }
        }
        match others.now_ms {
            i64::MIN => Err(self.lost()),
            _ => Ok(others),
        }
    }

    /// Tells others that the program is alive.
    pub(crate) async fn renew(&self) -> Result<(), Error> {
        self.target.put(&self.object, Bytes::from_static(b"{}")).await
    }

    /// Fails if others took the program for dead. Otherwise tells them that it is alive.
    pub(crate) async fn renew_if_there(&self) -> Result<(), Error> {
        self.check().await?;
        self.renew().await
    }

    /// The time of the store: when the mark was written, which it is now.
    pub(crate) async fn written_ms(&self) -> Result<i64, Error> {
        self.renew_if_there().await?;
        match self.target.get(&self.object).await? {
            Some(got) => Ok(got.meta.last_modified.timestamp_millis()),
            None => Err(self.lost()),
        }
    }

    /// Fails if others took the program for dead.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        match self.target.get(&self.object).await? {
            Some(_) => Ok(()),
            None => Err(self.lost()),
        }
    }

    fn lost(&self) -> Error {
        Error::Lost {
            place: self.target.name().to_owned(),
            what: format!("its mark {}", self.object),
        }
    }

    /// Ends the work. If that fails, others remove the mark when it is stale.
    pub(crate) async fn remove(self) {
        if let Err(error) = self.target.remove(&self.object).await {
            tracing::warn!(%error, "a mark of this program stays for an hour");
        }
    }
}

fn new_name(kind: &str, host: &str) -> String {
    format!("{kind}{host}-{}", Uuid::new_v4().simple())
}

/// Whether a mark is of this host.
fn is_of_host(name: &str, host: &str) -> bool {
    let of_kind = name.strip_prefix(BACKUP).or_else(|| name.strip_prefix(PRUNE));
    of_kind.is_some_and(|rest| rest.starts_with(host))
}

/// A short name of a host.
fn fingerprint(host: &Host) -> String {
    let mut text = ContentHash::of(format!("{}\0{}", host.name, host.data).as_bytes()).to_string();
    text.truncate(16);
    text
}
