//! Collections: typed tables of rows, each with its indexes and counters.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec;
use crate::context::Context;
use crate::derived::Derived;
use crate::key::is_identity;

/// A typed table of rows. The key of a row is its identity.
#[derive(Debug)]
pub struct Collection<R> {
    /// The table, and the collection of the space.
    pub name: &'static str,
    /// The version of the row's fields. It is recorded in the table `schema`.
    pub version: u64,
    /// A row's identity.
    pub identity: fn(&R) -> &str,
    /// What follows from a row.
    pub derive: fn(&R, &mut Derived),
    /// The row's text in its listed index entries: what a keyword is searched in
    /// ([`searchable`](crate::searchable)), or what a list shows.
    pub text: fn(&R) -> Vec<u8>,
}

impl<R: Serialize + DeserializeOwned> Collection<R> {
    /// The row with this identity. A row that cannot be decoded counts as absent.
    pub fn get(&self, ctx: &dyn Context, identity: &str) -> Option<R> {
        self.value(ctx, identity).and_then(|value| codec::decode(&value))
    }

    /// The rows with these identities, in the same order. Absent rows are left out.
    pub fn get_all(&self, ctx: &dyn Context, identities: &[String]) -> Vec<R> {
        let mut rows = Vec::with_capacity(identities.len());
        // Storage copies what it returns into this module's memory: read a page at a time.
        for part in identities.chunks(1000) {
            let keys: Vec<_> = part.iter().map(|identity| identity.as_bytes().to_vec()).collect();
            rows.extend(
                ctx.get_many(self.name, &keys)
                    .into_iter()
                    .flatten()
                    .filter_map(|value| codec::decode::<R>(&value)),
            );
        }
        rows
    }

    /// Whether there is a row with this identity.
    pub fn contains(&self, ctx: &dyn Context, identity: &str) -> bool {
        self.value(ctx, identity).is_some()
    }

    /// The stored value of a row.
    pub(crate) fn value(&self, ctx: &dyn Context, identity: &str) -> Option<Vec<u8>> {
        if is_identity(identity) {
            ctx.get(self.name, identity.as_bytes())
        } else {
            None
        }
    }

    /// What follows from a row.
    pub(crate) fn derived(&self, row: &R) -> Derived {
        let mut derived = Derived::default();
        (self.derive)(row, &mut derived);
        derived
    }
}
