//! What `space.json` says of a space.

use parking_lot::Mutex;
use serde_json::Value;

use crate::Error;
use crate::layout::{FORMAT, SPACE_JSON};

/// What `space.json` says of a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    /// The size of the space in bytes.
    pub(crate) total_bytes: u64,
    /// Tells this space from all others. Spaces that other programs made may have none.
    pub(crate) id: Option<String>,
}

impl Description {
    /// # Errors
    /// [`Error::Malformed`] or [`Error::NewerFormat`].
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Error> {
        let json: Value = serde_json::from_slice(text).map_err(|error| Error::malformed(SPACE_JSON, error))?;
        match json.get("format").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => return Err(Error::NewerFormat { found }),
            _ => return Err(Error::malformed(SPACE_JSON, "expected \"format\": 1")),
        }
        let total_bytes = json
            .get("totalBytes")
            .and_then(Value::as_u64)
            .ok_or_else(|| Error::malformed(SPACE_JSON, "expected \"totalBytes\", a whole number of bytes"))?;
        let id = json.get("id").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { total_bytes, id })
    }

    /// The text of a new `space.json`.
    pub(crate) fn of_new_space(total_bytes: u64) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        serde_json::json!({ "format": FORMAT, "totalBytes": total_bytes, "id": id }).to_string() + "\n"
    }
}

/// Which space this one is, by the `id` of its `space.json`.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    state: Mutex<IdentityState>,
}

#[derive(Debug, Default)]
struct IdentityState {
    /// The outer `None` is: not read yet.
    id: Option<Option<String>>,
    /// Whether another space was there when `space.json` was last read.
    is_other: bool,
}

impl Identity {
    /// Whether `space.json` was read, or the local database knows the space.
    pub(crate) fn is_known(&self) -> bool {
        self.state.lock().id.is_some()
    }

    /// The `id`, if it is known.
    pub(crate) fn id(&self) -> Option<String> {
        self.state.lock().id.clone().flatten()
    }

    /// Whether another space was there when `space.json` was last read.
    pub(crate) fn is_other(&self) -> bool {
        self.state.lock().is_other
    }

    /// From now on, only the space with this `id` counts. `false` if another one was seen already.
    pub(crate) fn expect(&self, id: &str) -> bool {
        let mut state = self.state.lock();
        let seen = state.id.replace(Some(id.to_owned()));
        state.is_other = seen.is_some_and(|seen| seen.as_deref() != Some(id));
        !state.is_other
    }

    /// Whether a space with this `id` can be the same one. Without an earlier `id` it is, and this
    /// one counts from now on.
    pub(crate) fn admits(&self, id: Option<&str>) -> bool {
        let mut state = self.state.lock();
        match &state.id {
            Some(Some(known)) => state.is_other = id != Some(known),
            _ => state.id = Some(id.map(str::to_owned)),
        }
        !state.is_other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_space_has_an_id_of_its_own() {
        let new = || Description::parse(Description::of_new_space(7).as_bytes()).expect("valid");
        let (one, other) = (new(), new());
        assert_eq!((one.total_bytes, other.total_bytes), (7, 7));
        assert!(one.id.is_some() && one.id != other.id);
    }

    #[test]
    fn an_id_counts_from_when_it_is_first_seen() {
        let identity = Identity::default();
        assert!(!identity.is_known());
        assert!(identity.admits(None), "a space of another program");
        assert!(identity.is_known());
        assert!(identity.admits(Some("a")));
        assert!(identity.admits(Some("a")));
        assert!(!identity.admits(Some("b")));
        assert!(!identity.admits(None) && identity.is_other());
        assert!(identity.admits(Some("a")) && !identity.is_other());
        assert_eq!(identity.id().as_deref(), Some("a"));
    }
}
