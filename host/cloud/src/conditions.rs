//! Whether a store honours the conditions of a put. Some ignore them without a word, so this is
//! tried with an object of its own, which is removed.

use bytes::Bytes;
use object_store::{Error as StoreError, PutMode, UpdateVersion};

use crate::Error;
use crate::objects::Objects;

/// How a store treats one condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It refuses a put whose condition does not hold.
    Honoured,
    /// It takes the put although the condition does not hold.
    Ignored,
    /// It has no such condition.
    Unsupported,
    /// It was not tried: the store did not let us write, or the trial before it failed.
    Untried,
}

/// What the trial of a store found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Put only if there is no object.
    pub if_absent: Condition,
    /// Put only if the object is the one that was read.
    pub if_unchanged: Condition,
    /// Whether the store lets us write.
    pub is_writable: bool,
}

impl Conditions {
    /// Tries both conditions.
    ///
    /// # Errors
    /// When the store gives no usable answer.
    pub(crate) async fn probe(objects: &Objects) -> Result<Self, Error> {
        let object = format!("lists/.probe-{}", uuid::Uuid::new_v4());
        let mut found = Conditions {
            if_absent: Condition::Untried,
            if_unchanged: Condition::Untried,
            is_writable: true,
        };
        let tried = found.try_on(objects, &object).await;
        let removed = objects.delete(&object).await;
        match tried {
            Ok(()) => removed.map(|()| found),
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => {
                for condition in [&mut found.if_absent, &mut found.if_unchanged] {
                    if *condition == Condition::Untried {
                        *condition = Condition::Unsupported;
                        break;
                    }
                }
                Ok(found)
            }
            Err(StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. }) => {
                found.is_writable = false;
                Ok(found)
            }
            Err(error) => Err(Error::unreachable(object, error)),
        }
    }

    /// Whether writers can rely on conditional puts alone. A host that may not write needs no
    /// protection from other writers.
    pub(crate) fn exclude(&self) -> bool {
        !self.is_writable || (self.if_absent == Condition::Honoured && self.if_unchanged == Condition::Honoured)
    }

    async fn try_on(&mut self, objects: &Objects, object: &str) -> Result<(), StoreError> {
        let text = Bytes::from_static;
        let first = objects.put(object, text(b"1"), PutMode::Create).await?;
        self.if_absent = match objects.put(object, text(b"2"), PutMode::Create).await {
            Err(StoreError::AlreadyExists { .. }) => Condition::Honoured,
            Ok(_) => Condition::Ignored,
            Err(error) => return Err(error),
        };
        if self.if_absent == Condition::Ignored {
            return Ok(());
        }
        let first = UpdateVersion {
            e_tag: first.e_tag,
            version: first.version,
        };
        if first.e_tag.is_none() && first.version.is_none() {
            self.if_unchanged = Condition::Unsupported;
            return Ok(());
        }
        objects.put(object, text(b"3"), PutMode::Update(first.clone())).await?;
        self.if_unchanged = match objects.put(object, text(b"4"), PutMode::Update(first)).await {
            Err(StoreError::Precondition { .. }) => Condition::Honoured,
            Ok(_) => Condition::Ignored,
            Err(error) => return Err(error),
        };
        Ok(())
    }
}
