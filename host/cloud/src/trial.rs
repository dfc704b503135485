//! A trial of a space, for a diagnosis: what its store can do, and how its clock goes.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutMode};

use crate::conditions::Conditions;
use crate::exclusion::Exclusion;
use crate::{Error, Space};

/// The time of an object has no parts of a second in some stores.
const STORE_CLOCK_STEP: Duration = Duration::from_secs(1);

/// How writers of a space exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterExclusion {
    /// By conditional puts.
    ConditionalPuts,
    /// By the operating system's lock on a file.
    FileLock,
    /// By a lock object with a lease.
    LockObject,
    /// Not at all: two writers at once lose changes.
    None,
}

/// How the clock of the store differs from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockDifference {
    /// By no more than can be measured.
    None,
    /// The store is ahead by this much.
    Ahead(Duration),
    /// The store is behind by this much.
    Behind(Duration),
}

/// What a trial found.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// The size of the space in bytes.
    pub total_bytes: u64,
    /// How long the store took to send `space.json`.
    pub round_trip: Duration,
    /// How writers exclude each other.
    pub exclusion: WriterExclusion,
    /// How the store treats conditions. `None` for a directory: its writers need none.
    pub conditions: Option<Conditions>,
    /// How its clock goes. `None` if it does not tell, or does not let us write.
    pub clock: Option<ClockDifference>,
}

impl Space {
    /// Tries the space. It writes objects `lists/.probe-UUID` and removes them.
    ///
    /// # Errors
    /// Those of [`Space::total_bytes`], and [`Error::Unreachable`], [`Error::Refused`],
    /// [`Error::Busy`] or [`Error::Full`] if the store gives no usable answer to a write.
    pub async fn trial(&self) -> Result<Trial, Error> {
        let begun = Instant::now();
        let total_bytes = self.total_bytes().await?;
        let round_trip = begun.elapsed();
        let exclusion = match self.exclusion().await? {
            Exclusion::Conditional => WriterExclusion::ConditionalPuts,
            Exclusion::File(_) => WriterExclusion::FileLock,
            Exclusion::Lease(_) => WriterExclusion::LockObject,
            Exclusion::Alone => WriterExclusion::None,
        };
        let conditions = match self.directory() {
            Some(_) => None,
            None => Some(Conditions::probe(self.objects()).await?),
        };
        let is_writable = conditions.is_none_or(|conditions| conditions.is_writable);
        Ok(Trial {
            total_bytes,
            round_trip,
            exclusion,
            conditions,
            clock: match is_writable {
                true => self.clock_difference().await?,
                false => None,
            },
        })
    }

    /// Compares the time that the store gives to a new object with ours. `None` if it gives none.
    async fn clock_difference(&self) -> Result<Option<ClockDifference>, Error> {
        let object = format!("lists/.probe-{}", uuid::Uuid::new_v4());
        let before = SystemTime::now();
        let put = self
            .objects()
            .put(&object, Bytes::from_static(b"1"), PutMode::Overwrite);
        put.await.map_err(|error| Error::unreachable(&object, error))?;
        let after = SystemTime::now();
        // A store that answers no HEAD is no failure: only the clock stays unknown.
        let made = match Path::parse(&object) {
            Ok(path) => self.objects().store().head(&path).await.ok(),
            Err(_) => None,
        };
        self.objects().delete(&object).await?;
        Ok(made.map(|meta| difference(before, meta.last_modified.into(), after)))
    }
}

/// The difference of a clock that showed `made` between our times `before` and `after`.
fn difference(before: SystemTime, made: SystemTime, after: SystemTime) -> ClockDifference {
    if let Ok(ahead) = made.duration_since(after)
        && !ahead.is_zero()
    {
        return ClockDifference::Ahead(ahead);
    }
    match before.duration_since(made + STORE_CLOCK_STEP) {
        Ok(behind) if !behind.is_zero() => ClockDifference::Behind(behind),
        _ => ClockDifference::None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::ObjectStore as _;
    use object_store::memory::InMemory;

    use super::*;
    use crate::{Condition, OpenOptions};

    const NEW: OpenOptions = OpenOptions {
        create: Some(7),
        unreachable_ok: false,
    };

    #[tokio::test]
    async fn a_store_with_conditions_honours_both_and_keeps_no_probe() {
        let store = Arc::new(InMemory::new());
        let space = Space::open_store(store.clone(), NEW).await.expect("made");
        let trial = space.trial().await.expect("tried");
        assert_eq!(
            (trial.exclusion, trial.total_bytes, trial.clock),
            (WriterExclusion::ConditionalPuts, 7, Some(ClockDifference::None))
        );
        let conditions = trial.conditions.expect("tried");
        assert_eq!(
            (conditions.if_absent, conditions.if_unchanged, conditions.is_writable),
            (Condition::Honoured, Condition::Honoured, true)
        );
        let left = store.list_with_delimiter(Some(&Path::from("lists"))).await;
        assert!(left.expect("memory is readable").objects.is_empty());
    }

    #[tokio::test]
    async fn a_directory_has_a_file_lock_and_needs_no_conditions() {
        let dir = tempfile::tempdir().expect("a directory");
        let url = format!("file://{}", dir.path().display());
        let space = Space::open(&url, NEW).await.expect("made");
        let trial = space.trial().await.expect("tried");
        assert_eq!((trial.exclusion, trial.conditions), (WriterExclusion::FileLock, None));
        assert_eq!(trial.clock, Some(ClockDifference::None));
        let left = std::fs::read_dir(dir.path().join("lists")).expect("readable");
        let names: Vec<_> = left.map(|entry| entry.expect("readable").file_name()).collect();
        assert_eq!(names, [".lock"]);
    }

    #[test]
    fn a_clock_differs_only_by_more_than_its_step() {
        let at = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        let (before, after) = (at(10_500), at(10_700));
        assert_eq!(difference(before, at(10_000), after), ClockDifference::None);
        assert_eq!(difference(before, at(10_600), after), ClockDifference::None);
        assert_eq!(
            difference(before, at(13_700), after),
            ClockDifference::Ahead(Duration::from_secs(3))
        );
        assert_eq!(
            difference(before, at(7_500), after),
            ClockDifference::Behind(Duration::from_secs(2))
        );
    }
}
