//! The keys of clients, and how long each is remembered.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::filter::Filter;

/// How long a key is remembered while no connection claims it.
pub const KEY_LIFETIME: Duration = Duration::from_secs(60);

/// The most keys remembered at once.
pub const MAX_KEYS: usize = 4096;

/// The allowed length of a key, in characters.
const KEY_CHARS: std::ops::RangeInclusive<usize> = 1..=128;

/// Why a key cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The key is empty or too long.
    #[error("expected a key of 1 to 128 characters, got {chars}")]
    KeyLength {
        /// The length of the key in characters.
        chars: usize,
    },
    /// Every remembered key is claimed by a connection.
    #[error("expected fewer than {limit} keys in use; close a connection first")]
    TooManyKeys {
        /// The most keys remembered at once.
        limit: usize,
    },
}

pub(super) struct Key {
    pub(super) filter: Filter,
    /// Distinguishes the subscriptions of one key.
    pub(super) generation: u64,
    /// The time since which no connection claims it. `None` while one does.
    unclaimed: Option<Instant>,
}

#[derive(Default)]
pub(super) struct Keys {
    keys: HashMap<String, Key>,
    /// The connections that claim a key by name, also a key not subscribed yet.
    claims: HashMap<String, Vec<u64>>,
    /// The connections that claim every key.
    claims_of_all: Vec<u64>,
    generation: u64,
}

impl Keys {
    pub(super) fn get(&self, key: &str) -> Option<&Key> {
        self.keys.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Key)> {
        self.keys.iter().map(|(name, key)| (name.as_str(), key))
    }

    pub(super) fn subscribe(&mut self, name: &str, filter: Filter, now: Instant) -> Result<(), SubscribeError> {
        let chars = name.chars().count();
        if !KEY_CHARS.contains(&chars) {
            return Err(SubscribeError::KeyLength { chars });
        }
        self.expire(now);
        if !self.keys.contains_key(name) && self.keys.len() >= MAX_KEYS {
            self.forget_oldest()?;
        }
        self.generation += 1;
        let claimed = self.claimants(name).next().is_some();
        let key = Key {
            filter,
            generation: self.generation,
            unclaimed: (!claimed).then_some(now),
        };
        self.keys.insert(name.to_owned(), key);
        Ok(())
    }

    /// The connections that claim a key.
    pub(super) fn claimants(&self, name: &str) -> impl Iterator<Item = u64> {
        let by_name = self.claims.get(name).into_iter().flatten();
        by_name.chain(&self.claims_of_all).copied()
    }

    /// A connection claims these keys, or with `None` every key. No name comes twice.
    pub(super) fn claim(&mut self, connection: u64, names: Option<&[String]>, now: Instant) {
        self.expire(now);
        match names {
            None => {
                self.claims_of_all.push(connection);
                self.keys.values_mut().for_each(|key| key.unclaimed = None);
            }
            Some(names) => {
                for name in names {
                    self.claims.entry(name.clone()).or_default().push(connection);
                    if let Some(key) = self.keys.get_mut(name) {
                        key.unclaimed = None;
                    }
                }
            }
        }
    }

    /// A connection ends. The names are those that it has claimed.
    pub(super) fn release(&mut self, connection: u64, names: Option<&[String]>, now: Instant) {
        match names {
            None => {
                self.claims_of_all.retain(|other| *other != connection);
                if self.claims_of_all.is_empty() {
                    for (name, key) in &mut self.keys {
                        key.unclaimed = (!self.claims.contains_key(name)).then_some(now);
                    }
                }
            }
            Some(names) => {
                for name in names {
                    if let Some(claims) = self.claims.get_mut(name) {
                        claims.retain(|other| *other != connection);
                        if claims.is_empty() {
                            self.claims.remove(name);
                        }
                    }
                    if self.claimants(name).next().is_none()
                        && let Some(key) = self.keys.get_mut(name)
                    {
                        key.unclaimed = Some(now);
                    }
                }
            }
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.keys
            .retain(|_, key| key.unclaimed.is_none_or(|at| now - at < KEY_LIFETIME));
    }

    /// Forgets the key that is unclaimed for the longest time. If all are claimed, forgets the
    /// oldest one without a claim by name. A connection that claims every key does not protect a
    /// key.
    fn forget_oldest(&mut self) -> Result<(), SubscribeError> {
        let oldest = self
            .keys
            .iter()
            .filter(|(name, _)| !self.claims.contains_key(*name))
            .min_by_key(|(_, key)| (key.unclaimed.is_none(), key.unclaimed, key.generation))
            .map(|(name, _)| name.clone())
            .ok_or(SubscribeError::TooManyKeys { limit: MAX_KEYS })?;
        self.keys.remove(&oldest);
        Ok(())
    }
}
