//! The rows of the demo set: those of the API's examples, with the hashes of the sample files, and
//! a few more.

use anyhow::Context;
use serde_json::{Map, Value};
use stowage_cloud::{Collection, SpaceChange};

/// The rows of a collection under `host/demo-files/rows`: one JSON object a line, as in a segment.
macro_rules! list {
    ($collection:literal) => {
        (
            $collection,
            include_str!(concat!("../../demo-files/rows/", $collection, ".ndjson")),
        )
    };
}

/// Each collection with its rows. Folders come before what is in them.
const LISTS: [(&str, &str); 8] = [
    list!("favorite-folders"),
    list!("favorites"),
    list!("temp-folders"),
    list!("temp-files"),
    list!("backup-folders"),
    list!("backups"),
    list!("storage-files"),
    list!("dapp-files"),
];

/// The changes that put every row into a space.
///
/// # Errors
/// A row is malformed, which a test rules out.
pub(super) fn changes() -> anyhow::Result<Vec<SpaceChange>> {
    let mut changes = Vec::new();
    for (collection, rows) in LISTS {
        for row in rows.lines() {
            changes.push(put(collection, row).with_context(|| format!("a demo row of {collection}: {row}"))?);
        }
    }
    Ok(changes)
}

fn put(collection: &str, row: &str) -> anyhow::Result<SpaceChange> {
    let fields: Map<String, Value> = serde_json::from_str(row)?;
    let known = Collection::named(collection).context("the space format has no such collection")?;
    let identity = fields
        .get(known.identity)
        .and_then(Value::as_str)
        .context("the row has no identity")?
        .to_owned();
    Ok(SpaceChange::PutRow {
        collection: collection.to_owned(),
        identity,
        fields,
    })
}

#[cfg(test)]
mod tests {
    use super::super::file::{IN_SPACE, LOCAL_ONLY};
    use super::*;
    use std::collections::{HashMap, HashSet};

    fn list(name: &str) -> Vec<Value> {
        let found = LISTS.iter().find(|(collection, _)| *collection == name);
        let (_, rows) = found.expect("a collection of the set");
        rows.lines()
            .map(|row| serde_json::from_str(row).expect("JSON"))
            .collect()
    }

    /// The sizes of the rows of a parent, added up.
    fn size_in(name: &str, parent: &str) -> u64 {
        let rows = list(name);
        rows.iter()
            .filter(|row| row["parent"] == parent)
            .filter_map(|row| row["size"].as_u64())
            .sum()
    }

    #[test]
    fn every_row_is_one_of_its_collection() {
        assert_eq!(changes().expect("well-formed rows").len(), 27);
    }

    #[test]
    fn documented_sizes_come_out() {
        let temp = |parent| size_in("temp-files", parent);
        assert_eq!(temp("3UiVSDYfWejuuRSVxH42fekZnyW33R5WWiJXrCYdj4gP"), 12_542_638);
        assert_eq!(temp("GPqZSzxsBJJrNywBiv8ieAUn9xFZvJkbcyP3f6ynk3Yk"), 5_012_193);
        assert_eq!(temp("BBFdS4CSgvHZbXNUmhS1v45vHTFQ7KN4XSbbWh5Rye6b"), 4246);
        assert_eq!(size_in("backups", "backup_20250402"), 10_906);
    }

    #[test]
    fn every_row_has_its_own_identity_and_a_known_parent() {
        for (folders, files, link) in [
            ("favorite-folders", "favorites", "folder"),
            ("temp-folders", "temp-files", "parent"),
            ("backup-folders", "backups", "parent"),
        ] {
            let identity = |row: &Value| row.get("id").unwrap_or(&row["unique"]).to_string();
            let parents: HashSet<String> = list(folders).iter().map(identity).collect();
            let rows = list(files);
            assert_eq!(parents.len(), list(folders).len());
            assert_eq!(rows.iter().map(identity).collect::<HashSet<_>>().len(), rows.len());
            assert!(
                rows.iter().all(|row| parents.contains(&row[link].to_string())),
                "{files}"
            );
        }
    }

    #[test]
    fn a_row_with_a_size_names_a_sample_file_of_that_size() {
        let files: HashMap<String, u64> = IN_SPACE
            .iter()
            .chain(&LOCAL_ONLY)
            .map(|file| (file.hash().to_string(), file.len_bytes))
            .collect();
        let mut named = HashSet::new();
        for (collection, _) in LISTS {
            for row in list(collection).iter().filter(|row| row["size"].as_u64() > Some(0)) {
                let hash = row["hash"].as_str().expect("text").to_owned();
                assert_eq!(files.get(&hash), row["size"].as_u64().as_ref(), "{row}");
                named.insert(hash);
            }
        }
        assert_eq!(named.len(), files.len(), "every file is in a row");
    }

    #[test]
    fn hashes_in_messages_are_those_of_the_files() {
        for row in [list("favorites"), list("temp-files")].concat() {
            let content: Value = serde_json::from_str(row["msgContent"].as_str().expect("text")).expect("JSON");
            let hash = row["hash"].as_str().expect("text");
            let url = &content["imageInfoArray"][0]["url"];
            assert!(
                url.is_null() || url.as_str().is_some_and(|url| url.starts_with(hash)),
                "{row}"
            );
        }
    }

    #[test]
    fn names_that_the_examples_make_are_free() {
        for row in list("favorite-folders") {
            assert!(row["name"] != "图片" && row["name"] != "视频");
        }
    }
}
