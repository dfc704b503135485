//! A batch that is being built: the writes of several transactions, folded in commit order.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::backend::{BackendSnapshot, KeyUpdate};
use crate::error::CommitError;
use crate::keys::Keys;
use crate::merge::{self, OnStoredValue};
use crate::stored::{self, COUNTER_LEN};
use crate::write_set::{Op, WriteSet};

/// What a key holds after the batch.
enum After<'a> {
    Value(&'a [u8]),
    Counter([u8; COUNTER_LEN]),
    Nothing,
    /// The same as before. The key was only touched.
    Unchanged,
}

impl After<'_> {
    /// The new stored value, or `Some(None)` if the key is removed. `None` if it is unchanged.
    fn change(&self) -> Option<Option<&[u8]>> {
        match self {
            Self::Value(stored) => Some(Some(stored)),
            Self::Counter(stored) => Some(Some(stored)),
            Self::Nothing => Some(None),
            Self::Unchanged => None,
        }
    }
}

/// The folded writes, by stored key. Values are borrowed from the transactions.
#[derive(Default)]
pub(crate) struct Batch<'a> {
    after: BTreeMap<&'a [u8], After<'a>>,
}

impl<'a> Batch<'a> {
    /// Whether the batch writes or touches a key.
    pub(crate) fn writes(&self, key: &[u8]) -> bool {
        self.after.contains_key(key)
    }

    /// Whether the batch writes or touches a key of the half-open range `start..end`. `start` is
    /// not after `end`.
    pub(crate) fn writes_between(&self, start: &[u8], end: &[u8]) -> bool {
        let bounds = (Bound::Included(start), Bound::Excluded(end));
        self.after.range::<[u8], _>(bounds).next().is_some()
    }

    /// The keys that are written or touched.
    pub(crate) fn keys(&self) -> Keys {
        Keys::copied(self.after.keys().copied())
    }

    /// Adds the writes of a transaction. If it adds to a value, all its writes are refused.
    ///
    /// # Errors
    ///
    /// [`CommitError::NotACounter`] concerns only this transaction. [`CommitError::Backend`] means
    /// that the state cannot be read.
    pub(crate) fn include(&mut self, state: &dyn BackendSnapshot, writes: &'a WriteSet) -> Result<(), CommitError> {
        let mut sums = Vec::new();
        for (key, op) in writes.ops() {
            if let Op::Add(delta) = op {
                sums.push(self.sum(state, key, *delta)?);
            }
        }
        let mut sums = sums.into_iter();
        for (key, op) in writes.ops() {
            let after = match op {
                Op::Put(stored) => After::Value(stored),
                Op::Delete => After::Nothing,
                Op::Counter(value) => After::Counter(stored::encode_counter(*value)),
                Op::Add(_) => After::Counter(stored::encode_counter(
                    sums.next().expect("the loop above made one sum for each Add"),
                )),
                Op::Touch => {
                    self.after.entry(key).or_insert(After::Unchanged);
                    continue;
                }
            };
            self.after.insert(key, after);
        }
        Ok(())
    }

    /// The updates, sorted by key. Touched keys are not among them.
    pub(crate) fn changes(&self) -> impl Iterator<Item = KeyUpdate<'_>> {
        self.after
            .iter()
            .filter_map(|(key, after)| Some((*key, after.change()?)))
    }

    fn sum(&self, state: &dyn BackendSnapshot, key: &[u8], delta: i64) -> Result<i64, CommitError> {
        let sum = match self.after.get(key).and_then(After::change) {
            Some(held) => merge::add_to(held, delta),
            None => merge::add_to(state.get(key)?.as_deref(), delta),
        };
        sum.map_err(|OnStoredValue| match stored::split_key(key) {
            Some((table, key)) => CommitError::NotACounter {
                table: table.to_owned(),
                key: key.to_vec(),
            },
            None => CommitError::Backend(merge::unknown_form()),
        })
    }
}
