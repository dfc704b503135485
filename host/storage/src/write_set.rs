//! The writes of a transaction: one operation for each key, which sums up all that was done to it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::config::Limits;
use crate::error::Error;
use crate::stored;

/// What a commit does to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write<'a> {
    /// Sets this value.
    Put(&'a [u8]),
    /// Removes the key.
    Delete,
    /// Adds this to the counter, which starts at 0.
    Add(i64),
    /// Sets a counter to this value, whatever the key held: it was deleted, then added to.
    Counter(i64),
}

/// An operation on a key of the snapshot.
#[derive(Debug)]
pub(crate) enum Op {
    /// The stored form of a value.
    Put(Vec<u8>),
    Delete,
    Add(i64),
    Counter(i64),
    /// Changes nothing. But transactions that depend on the key conflict.
    Touch,
}

impl Op {
    fn len_bytes(&self) -> usize {
        match self {
            Self::Put(stored) => stored.len() - 1,
            Self::Delete | Self::Touch => 0,
            Self::Add(_) | Self::Counter(_) => stored::COUNTER_LEN - 1,
        }
    }
}

/// This transaction has put a value where it now adds.
pub(crate) struct OnValue;

/// The operations of a transaction, by stored key.
#[derive(Debug, Default)]
pub(crate) struct WriteSet {
    ops: BTreeMap<Vec<u8>, Op>,
    bytes: usize,
}

impl WriteSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Bytes of the keys and values that are written.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }

    pub(crate) fn ops(&self) -> &BTreeMap<Vec<u8>, Op> {
        &self.ops
    }

    /// Replaces the operation on a key.
    pub(crate) fn set(&mut self, key: &[u8], op: Op, limits: &Limits) -> Result<(), Error> {
        let added = op.len_bytes();
        // Checked before the insertion, because a refused write must change nothing.
        if let Some(held) = self.ops.get_mut(key) {
            let bytes = self.bytes - held.len_bytes() + added;
            check_bytes(bytes, limits)?;
            *held = op;
            self.bytes = bytes;
            return Ok(());
        }
        if self.ops.len() >= limits.writes {
            return Err(Error::TooManyWrites { limit: limits.writes });
        }
        let bytes = self.bytes + key.len() + added;
        check_bytes(bytes, limits)?;
        self.ops.insert(key.to_vec(), op);
        self.bytes = bytes;
        Ok(())
    }

    /// Marks a key as written without a change, unless it is written already.
    pub(crate) fn touch(&mut self, key: &[u8], limits: &Limits) -> Result<(), Error> {
        match self.ops.contains_key(key) {
            true => Ok(()),
            false => self.set(key, Op::Touch, limits),
        }
    }

    /// Adds to a counter. `Ok(Err(OnValue))` if this transaction put a value there.
    pub(crate) fn add(&mut self, key: &[u8], delta: i64, limits: &Limits) -> Result<Result<(), OnValue>, Error> {
        let op = match self.ops.get(key) {
            Some(Op::Put(_)) => return Ok(Err(OnValue)),
            Some(Op::Add(sum)) => Op::Add(sum.wrapping_add(delta)),
            Some(Op::Counter(value)) => Op::Counter(value.wrapping_add(delta)),
            Some(Op::Delete) => Op::Counter(delta),
            Some(Op::Touch) | None => Op::Add(delta),
        };
        self.set(key, op, limits).map(Ok)
    }

    /// Deletes existing keys. The limits are checked first, so that a refusal changes nothing.
    pub(crate) fn delete_all(&mut self, keys: Vec<Vec<u8>>, limits: &Limits) -> Result<(), Error> {
        let mut bytes = self.bytes;
        let mut len = self.ops.len();
        for key in &keys {
            match self.ops.get(key) {
                Some(held) => bytes -= held.len_bytes(),
                None => {
                    bytes += key.len();
                    len += 1;
                }
            }
        }
        check_bytes(bytes, limits)?;
        if len > limits.writes {
            return Err(Error::TooManyWrites { limit: limits.writes });
        }
        for key in keys {
            match self.ops.entry(key) {
                Entry::Occupied(mut held) => {
                    held.insert(Op::Delete);
                }
                Entry::Vacant(free) => {
                    free.insert(Op::Delete);
                }
            }
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Table, key and write of each written key, in the order of the stored keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8], Write<'_>)> {
        self.ops.iter().filter_map(|(stored, op)| {
            let (table, key) =
                stored::split_key(stored).expect("a stored key begins with a checked table name and a separator");
            let write = match op {
                Op::Put(stored) => Write::Put(&stored[..stored.len() - 1]),
                Op::Delete => Write::Delete,
                Op::Add(delta) => Write::Add(*delta),
                Op::Counter(value) => Write::Counter(*value),
                Op::Touch => return None,
            };
            Some((table, key, write))
        })
    }
}

fn check_bytes(bytes: usize, limits: &Limits) -> Result<(), Error> {
    if bytes > limits.write_bytes {
        return Err(Error::TransactionTooLarge {
            limit_bytes: limits.write_bytes,
        });
    }
    Ok(())
}
