//! What one writer has in the store, as the writer knows it and as the server tells it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::client::Client;

/// The number of writers whose rows are told apart. A row of writer 3 has a name or an identity
/// that begins with `w3 `.
pub const WRITERS: usize = 4;

/// Reads until the totals were the same before and after one.
const READS: usize = 200;

/// The conversation, folder or content of a row, in words that the server's identifiers do not
/// change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name of the folder that the row is in; empty at the top.
    pub parent: String,
    /// What tells its content: a hash, or the text of a message.
    pub content: String,
}

/// A file or a folder of the cloud storage, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The name of the folder that it is in; empty at the top.
    pub parent: String,
    /// The hash of a file without a password.
    pub hash: Option<String>,
    /// Whether a password protects it.
    pub sealed: bool,
}

/// The rows of one writer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Favourites folders, by name.
    pub folders: BTreeSet<String>,
    /// Favourites, by identity.
    pub favorites: BTreeMap<String, Row>,
    /// Whether the writer's conversation exists.
    pub conversation: bool,
    /// Temp files, by identity.
    pub temp_files: BTreeMap<String, Row>,
    /// Folders of backups, by identity.
    pub backup_folders: BTreeSet<String>,
    /// Backups, by identity.
    pub backups: BTreeMap<String, Row>,
    /// Files and folders of the cloud storage, by name.
    pub stored: BTreeMap<String, Stored>,
}

/// Everything that the server told after a start.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The rows of each writer.
    pub states: Vec<State>,
    /// Names of favourites folders that no writer of [`State`] made.
    pub other_folders: Vec<String>,
    /// The identifiers of favourites folders and of things in the cloud storage, by name.
    pub ids: BTreeMap<String, String>,
    /// All rows as the server tells them, by collection of the space.
    pub rows: BTreeMap<&'static str, Vec<Value>>,
    /// The answer of `getStorageSpaceInfo`.
    pub info: Value,
    /// The writer whose rows are read. `None`: those of all.
    only: Option<usize>,
}

/// The prefix of everything that a writer makes.
pub fn prefix(writer: usize) -> String {
    format!("w{writer} ")
}

/// The conversation of a writer.
pub fn conversation(writer: usize) -> String {
    format!("w{writer} conversation")
}

fn writer_of(text: &str) -> Option<usize> {
    (0..WRITERS).find(|writer| text.starts_with(&prefix(*writer)))
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}

/// A row's hash, or the text of a message without a file.
fn content(row: &Value) -> String {
    match row["msgContent"].as_str() {
        Some(message) if !message.is_empty() => message.to_owned(),
        _ => text(row, "hash"),
    }
}

impl World {
    /// Reads everything, at a time when no task changes the totals.
    ///
    /// # Panics
    /// When a read fails, a row is there twice, or is of no writer, or the totals never rest.
    pub async fn read(client: &mut Client) -> World {
        let mut info = client.ok("getStorageSpaceInfo", json!({})).await;
        for _ in 0..READS {
            let mut world = World::read_rows(client, None).await;
            world.info = client.ok("getStorageSpaceInfo", json!({})).await;
            if world.info == info {
                return world;
            }
            info = world.info;
        }
        panic!("the totals changed during each of {READS} reads");
    }

    /// Reads the rows of one writer while others go on. Rows of others are left out: they change
    /// between two calls.
    ///
    /// # Panics
    /// When a read fails, or a row is there twice.
    pub async fn read_beside_others(client: &mut Client, writer: usize) -> World {
        World::read_rows(client, Some(writer)).await
    }

    /// Whether what has this name is left out: it is of others.
    fn is_left_out(&self, name: &str) -> bool {
        self.only.is_some_and(|writer| writer_of(name) != Some(writer))
    }

    async fn read_rows(client: &mut Client, only: Option<usize>) -> World {
        let mut world = World {
            only,
            states: vec![State::default(); WRITERS],
            ..World::default()
        };
        world.read_favorites(client).await;
        world.read_temp_files(client).await;
        world.read_backups(client).await;
        world.read_storage(client).await;
        world
    }

    fn state(&mut self, of: &str) -> &mut State {
        let writer = writer_of(of).unwrap_or_else(|| panic!("{of:?} was made by no writer"));
        &mut self.states[writer]
    }

    fn keep(&mut self, collection: &'static str, row: Value) {
        self.rows.entry(collection).or_default().push(row);
    }

    async fn read_favorites(&mut self, client: &mut Client) {
        for folder in client.pages("getImFavoriteFolders", json!({})).await {
            let (id, name) = (text(&folder, "id"), text(&folder, "name"));
            if id != "1" {
                if self.is_left_out(&name) {
                    continue;
                }
                assert!(
                    self.ids.insert(name.clone(), id.clone()).is_none(),
                    "two favourites folders have the name {name:?}"
                );
                match writer_of(&name) {
                    Some(writer) => drop(self.states[writer].folders.insert(name.clone())),
                    None => self.other_folders.push(name.clone()),
                }
                self.keep("favorite-folders", folder);
            }
            let parent = if id == "1" { String::new() } else { name };
            for mut favorite in client.pages("getImFavoriteList", json!({"favId": id, "type": 0})).await {
                let unique = text(&favorite, "unique");
                if self.is_left_out(&unique) {
                    continue;
                }
                let row = Row {
                    parent: parent.clone(),
                    content: content(&favorite),
                };
                let twice = self.state(&unique).favorites.insert(unique.clone(), row);
                assert_eq!(twice, None, "the favourite {unique} is in two folders");
                favorite["folder"] = id.as_str().into();
                self.keep("favorites", favorite);
            }
        }
    }

    async fn read_temp_files(&mut self, client: &mut Client) {
        for folder in client.pages("getLocalTempFolderList", json!({})).await {
            let parent = text(&folder, "unique");
            if self.is_left_out(&parent) {
                continue;
            }
            self.state(&parent).conversation = true;
            let files = client
                .pages("getLocalTempFileList", json!({"unique": parent, "type": 0}))
                .await;
            assert_eq!(
                folder["fileNum"].as_u64(),
                Some(files.len() as u64),
                "the count of {folder}"
            );
            self.keep("temp-folders", folder);
            for file in files {
                let unique = text(&file, "unique");
                let row = Row {
                    parent: parent.clone(),
                    content: content(&file),
                };
                let twice = self.state(&unique).temp_files.insert(unique.clone(), row);
                assert_eq!(twice, None, "the temp file {unique} is in two conversations");
                self.keep("temp-files", file);
            }
        }
    }

    async fn read_backups(&mut self, client: &mut Client) {
        for folder in client.pages("getImBackupsFolderList", json!({})).await {
            let parent = text(&folder, "unique");
            if self.is_left_out(&parent) {
                continue;
            }
            self.state(&parent).backup_folders.insert(parent.clone());
            let files = client.pages("getImBackupsFileList", json!({"parent": parent})).await;
            let messages: i64 = files.iter().filter_map(|file| file["messageNum"].as_i64()).sum();
            assert_eq!(
                folder["singleChatNum"].as_i64(),
                Some(messages),
                "the messages of {folder}"
            );
            self.keep("backup-folders", folder);
            for file in files {
                let unique = text(&file, "unique");
                let row = Row {
                    parent: parent.clone(),
                    content: text(&file, "hash"),
                };
                let twice = self.state(&unique).backups.insert(unique.clone(), row);
                assert_eq!(twice, None, "the backup {unique} is in two folders");
                self.keep("backups", file);
            }
        }
    }

    async fn read_storage(&mut self, client: &mut Client) {
        let mut paths = vec![(String::new(), String::new())];
        while let Some((path, parent)) = paths.pop() {
            for entry in client.pages("listStorageFiles", json!({ "path": path })).await {
                let (name, unique) = (text(&entry, "name"), text(&entry, "unique"));
                if self.is_left_out(&name) {
                    continue;
                }
                assert_eq!(entry["path"], path.as_str(), "the place of {entry}");
                let twice = self.ids.insert(name.clone(), unique.clone());
                assert_eq!(twice, None, "{name:?} is twice in the cloud storage");
                let is_folder = entry["isFolder"] == true;
                let sealed = entry["isCrypt"] == 1;
                let stored = Stored {
                    parent: parent.clone(),
                    hash: (!is_folder && !sealed).then(|| unique.clone()),
                    sealed,
                };
                self.state(&name).stored.insert(name.clone(), stored);
                if is_folder {
                    let below = if path.is_empty() {
                        unique
                    } else {
                        format!("{path}/{unique}")
                    };
                    paths.push((below, name));
                    self.keep("storage-folders", entry);
                } else {
                    self.keep("storage-files", entry);
                }
            }
        }
    }

    /// The rows of a collection.
    pub fn of(&self, collection: &str) -> &[Value] {
        self.rows.get(collection).map_or(&[], Vec::as_slice)
    }
}

/// What is different between two states, in a few lines.
pub fn difference(wanted: &State, found: &State) -> String {
    let mut lines = Vec::new();
    let mut compare = |what: &str, wanted: BTreeMap<String, String>, found: BTreeMap<String, String>| {
        for (key, value) in &wanted {
            match found.get(key) {
                None => lines.push(format!("{what} {key:?} is missing, was {value}")),
                Some(other) if other != value => lines.push(format!("{what} {key:?} is {other}, was {value}")),
                Some(_) => {}
            }
        }
        for (key, value) in &found {
            if !wanted.contains_key(key) {
                lines.push(format!("{what} {key:?} is a ghost, {value}"));
            }
        }
    };
    let names = |set: &BTreeSet<String>| set.iter().map(|name| (name.clone(), String::new())).collect();
    let rows = |map: &BTreeMap<String, Row>| map.iter().map(|(key, row)| (key.clone(), format!("{row:?}"))).collect();
    let stored =
        |map: &BTreeMap<String, Stored>| map.iter().map(|(key, row)| (key.clone(), format!("{row:?}"))).collect();
    compare("the favourites folder", names(&wanted.folders), names(&found.folders));
    compare("the favourite", rows(&wanted.favorites), rows(&found.favorites));
    compare("the temp file", rows(&wanted.temp_files), rows(&found.temp_files));
    compare(
        "the backup folder",
        names(&wanted.backup_folders),
        names(&found.backup_folders),
    );
    compare("the backup", rows(&wanted.backups), rows(&found.backups));
    compare("in the cloud storage", stored(&wanted.stored), stored(&found.stored));
    if wanted.conversation != found.conversation {
        lines.push(format!(
            "the conversation is there: {}, was: {}",
            found.conversation, wanted.conversation
        ));
    }
    lines.truncate(8);
    lines.join("; ")
}
