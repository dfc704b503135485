//! What each table means, and what its rows must be.
//!
//! | table | what must hold besides the form of its rows | where |
//! |---|---|---|
//! | indexes and counters of collections | they are exactly what follows from the rows | `derived` |
//! | `host.tasks`, `host.task-ids` | each names the other | `tasks` |
//! | `host.task-controls` | the task exists | `tasks` |
//! | `host.cloud-outbox`, `host.cloud-wanted` | each change that names a blob is wanted, and no other | `cloud` |
//! | `host.cloud-rows`, `host.cloud-blobs`, `host.cloud-places` | blobs and places are exactly those of the rows | `cloud` |
//! | `host.modules` | the bytes of each live module are there | `files` |
//! | `host.tasks` | a file that waits for its upload is there | `files` |

use serde::Deserialize;
use serde::de::IgnoredAny;
use stowage_cloud::audit::{implied_by_change, implied_by_mirror};
use stowage_sdk::audit::{DERIVED_TABLES, SCHEMA, collections};

use crate::live_modules::ModuleSet;
use crate::rows::{Kind, Row};

/// What a table means, and the form of its rows.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) meaning: &'static str,
    pub(super) form: Form,
}

/// The form of a row.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// Anything: a table of another module.
    Any,
    /// A value of any bytes.
    Value,
    /// A counter.
    Counter,
    /// A value without bytes.
    Empty,
    /// A MessagePack map.
    Map,
    /// A MessagePack integer.
    Integer,
    /// A number of 8 bytes as the key, and a MessagePack map.
    NumberedMap,
    /// A number of 8 bytes, big-endian.
    Number,
    /// A number of 4 bytes, big-endian.
    ShortNumber,
    /// A set of modules with their versions.
    Modules,
    /// A change of the space.
    Change,
    /// A row of the mirror.
    Mirror,
}

const fn rule(meaning: &'static str, form: Form) -> Rule {
    Rule { meaning, form }
}

/// The tables of the host.
const HOST: [(&str, Rule); 20] = [
    (
        "host.cloud-blobs",
        rule("blobs that the space's rows name", Form::Empty),
    ),
    (
        "host.cloud-outbox",
        rule("changes that are not in the space yet", Form::Change),
    ),
    (
        "host.cloud-places",
        rule("rows of the space outside their usual segment", Form::Empty),
    ),
    (
        "host.cloud-rows",
        rule("what is known of the space's rows", Form::Mirror),
    ),
    (
        "host.cloud-segments",
        rule("what is known of the space's segments", Form::Map),
    ),
    ("host.cloud-space", rule("which space it is", Form::Value)),
    (
        "host.cloud-wanted",
        rule("blobs that pending changes need", Form::Empty),
    ),
    ("host.incoming", rule("uploads that arrive in pieces", Form::Map)),
    ("host.module-history", rule("generations of modules", Form::Modules)),
    ("host.module-migration", rule("the migration that runs", Form::Map)),
    (
        "host.module-schemas",
        rule("data versions of modules", Form::ShortNumber),
    ),
    ("host.module-undo", rule("rows that a migration has changed", Form::Map)),
    ("host.module-undo-values", rule("what they held before", Form::Value)),
    ("host.modules", rule("the live modules", Form::Modules)),
    (
        "host.removed-tasks",
        rule("removed tasks whose files may still exist", Form::NumberedMap),
    ),
    (
        "host.task-controls",
        rule("what people want of tasks", Form::NumberedMap),
    ),
    ("host.task-ids", rule("tasks by identifier", Form::Number)),
    ("host.tasks", rule("transfers", Form::NumberedMap)),
    ("host.transfer-limits", rule("limits of all transfers", Form::Map)),
    (SCHEMA, rule("versions of the rows of collections", Form::Integer)),
];

/// The rule of a table that follows from rows.
fn rule_of_derived(name: &str) -> Option<Rule> {
    let table = DERIVED_TABLES.iter().find(|table| table.name == name)?;
    let form = match table.is_counters {
        true => Form::Counter,
        false => Form::Value,
    };
    Some(rule(table.meaning, form))
}

/// The rule of a table. One that nobody here knows is of another module.
pub(super) fn rule_of(name: &str) -> Rule {
    if let Some((_, rule)) = HOST.iter().find(|(known, _)| *known == name) {
        return *rule;
    }
    if collections().iter().any(|collection| collection.table() == name) {
        // Its rows are decoded by `derived`, if their version is known.
        return rule("rows of a collection", Form::Map);
    }
    rule_of_derived(name).unwrap_or(rule("rows of another module", Form::Any))
}

impl Form {
    /// Checks a row. The error says what was expected.
    pub(super) fn check(self, row: Row<'_>) -> Result<(), &'static str> {
        let is_value = row.kind == Kind::Value;
        let (ok, expected) = match self {
            Form::Any => (true, "anything"),
            Form::Value => (is_value, "a value, found a counter"),
            Form::Counter => (!is_value, "a counter, found a value"),
            Form::Empty => (is_value && row.value.is_empty(), "no bytes"),
            Form::Map => (is_value && is_map(row.value), "a MessagePack map"),
            Form::Integer => (
                is_value && rmp_serde::from_slice::<u64>(row.value).is_ok(),
                "a MessagePack integer",
            ),
            Form::NumberedMap => (
                is_value && row.key.len() == 8 && is_map(row.value),
                "a number of 8 bytes as the key, and a MessagePack map",
            ),
            Form::Number => (is_value && row.value.len() == 8, "a number of 8 bytes"),
            Form::ShortNumber => (is_value && row.value.len() == 4, "a number of 4 bytes"),
            Form::Modules => (
                is_value && rmp_serde::from_slice::<ModuleSet>(row.value).is_ok(),
                "a MessagePack map with a list of modules",
            ),
            Form::Change => (
                is_value && implied_by_change(row.key, row.value).is_some(),
                "a change of the space",
            ),
            Form::Mirror => (
                is_value && implied_by_mirror(row.key, row.value).is_some(),
                "a digest and a hash under collection, segment and identity",
            ),
        };
        if ok { Ok(()) } else { Err(expected) }
    }
}

/// Whether the bytes are one MessagePack map and nothing else.
fn is_map(bytes: &[u8]) -> bool {
    let is_marked = matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf));
    let mut decoder = rmp_serde::Deserializer::new(bytes);
    decoder.set_max_depth(128);
    is_marked && IgnoredAny::deserialize(&mut decoder).is_ok() && decoder.get_ref().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_is_known_once() {
        let mut names: Vec<_> = HOST.iter().map(|(name, _)| *name).collect();
        names.extend(DERIVED_TABLES.iter().map(|table| table.name));
        names.extend(collections().iter().map(|collection| collection.table()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(
            names
                .iter()
                .all(|name| !rule_of(name).meaning.contains("another module"))
        );
        assert!(rule_of("notes").meaning.contains("another module"));
    }

    #[test]
    fn a_map_is_whole_and_alone() {
        assert!(is_map(b"\x80") && is_map(b"\x81\xa1a\x01"));
        for bytes in [&b""[..], b"\x81\xa1a", b"\x80\x80", b"\xa1a", b"{}", &[0x81; 300]] {
            assert!(!is_map(bytes), "{bytes:?}");
        }
    }
}
