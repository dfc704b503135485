//! Fetches segments, several at once.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::list::{ListedSegment, Version};
use crate::segment::Segment;
use crate::{Error, Space};

/// Segments fetched at once.
const FETCHES_AT_ONCE: usize = 8;
/// The most MiB of segments in memory at once. A larger segment is fetched alone.
const FETCH_LIMIT_MIB: u32 = 256;
/// A modification time in whole seconds may belong to two states for this long.
const SETTLE_MS: i64 = 3_000;

/// A segment that differs from its state in the mirror.
pub(super) struct StaleSegment {
    pub listed: ListedSegment,
    /// Whether a module keeps the collection.
    pub kept: bool,
}

/// A segment as it was fetched.
pub(super) struct FetchedSegment {
    pub stale: StaleSegment,
    /// `None` if the segment is no longer there. The version is `None` if it cannot be relied on.
    pub content: Result<Option<(Segment, Option<Version>)>, Error>,
    /// Counts towards the limit until the segment is dropped.
    pub permit: OwnedSemaphorePermit,
}

/// The fetches of one pass. Dropping it stops them.
pub(super) struct Fetches {
    space: Space,
    waiting: std::vec::IntoIter<StaleSegment>,
    running: JoinSet<Result<FetchedSegment, Error>>,
    room_mib: Arc<Semaphore>,
}

impl Fetches {
    pub(super) fn new(space: &Space, stale: Vec<StaleSegment>) -> Self {
        Self {
            space: space.clone(),
            waiting: stale.into_iter(),
            running: JoinSet::new(),
            room_mib: Arc::new(Semaphore::new(FETCH_LIMIT_MIB as usize)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.len() == 0 && self.running.is_empty()
    }

    pub(super) async fn next(&mut self) -> Result<Option<FetchedSegment>, Error> {
        while self.running.len() < FETCHES_AT_ONCE
            && let Some(stale) = self.waiting.next()
        {
            self.running
                .spawn(fetch(self.space.clone(), stale, Arc::clone(&self.room_mib)));
        }
        match self.running.join_next().await {
            Some(fetched) => fetched.map_err(|error| Error::unreachable("lists", error))?.map(Some),
            None => Ok(None),
        }
    }
}

async fn fetch(space: Space, stale: StaleSegment, room_mib: Arc<Semaphore>) -> Result<FetchedSegment, Error> {
    let mib = u32::try_from(stale.listed.len_bytes >> 20)
        .unwrap_or(u32::MAX)
        .saturating_add(1)
        .min(FETCH_LIMIT_MIB);
    let permit = room_mib
        .acquire_many_owned(mib)
        .await
        .map_err(|error| Error::unreachable("lists", error))?;
    let listed = &stale.listed;
    let content = match space.read_segment(listed.collection, &listed.segment).await {
        Ok((segment, meta)) => {
            let version = match () {
                // The segment may have changed since it was listed.
                () if listed.version.is_tag() => Some(Version::of(&meta)),
                () if is_settled(listed.modified_ms) => Some(listed.version.clone()),
                () => None,
            };
            Ok(Some((segment, version)))
        }
        Err(Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    Ok(FetchedSegment { stale, content, permit })
}

/// Whether no later state can have this modification time. It has milliseconds, or it is old.
fn is_settled(modified_ms: i64) -> bool {
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_millis() as i64);
    modified_ms % 1000 != 0 || now_ms - modified_ms > SETTLE_MS
}
