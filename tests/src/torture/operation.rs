//! One change that a writer asks for: the call, and what it does to the writer's rows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::state::{Row, State, Stored, conversation};

/// The password of every protected file.
pub const PASSWORD: &str = "a password of the tests";

/// A blob that is in the space from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its hash in base58.
    pub hash: String,
    /// Its length.
    pub len_bytes: u64,
}

/// A change. Folders and things of the cloud storage are told by name.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Makes a favourites folder.
    CreateFolder(String),
    /// Renames one.
    RenameFolder(String, String),
    /// Deletes one with its favourites.
    DeleteFolder(String),
    /// Adds a favourite to a folder; the empty name is the default folder.
    AddFavorite(String, Row, Option<Blob>),
    /// Moves favourites to a folder.
    MoveFavorites(Vec<String>, String),
    /// Deletes favourites.
    DeleteFavorites(Vec<String>),
    /// Adds a temp file.
    AddTempFile(String, Row, Option<Blob>),
    /// Deletes temp files.
    DeleteTempFiles(Vec<String>),
    /// Deletes the writer's conversation.
    DeleteConversation(String),
    /// Adds a folder of backups.
    AddBackupFolder(String),
    /// Adds a backup.
    AddBackup(String, Row),
    /// Deletes a backup.
    DeleteBackup(String),
    /// Deletes a folder of backups with its backups.
    DeleteBackupFolder(String),
    /// Makes a folder of the cloud storage in another one; the empty name is the root.
    CreateStorageFolder(String, String),
    /// Renames a file or a folder of the cloud storage.
    RenameStored(String, String),
    /// Moves one to a folder; the empty name is the root.
    MoveStored(String, String),
    /// Deletes one; a folder with all its contents.
    DeleteStored(String),
    /// Uploads a file of this machine to the cloud storage. It is there when its task has ended.
    Upload(String, PathBuf),
    /// Sets the password of a file. It is set when its task has ended.
    Seal(String),
    /// Downloads a blob under this task identifier. The file is there when its task has ended.
    Download(String, Blob),
}

impl Operation {
    /// The method and its parameters. `ids` has the identifiers of names.
    pub fn call(&self, ids: &BTreeMap<String, String>, state: &State) -> (&'static str, Value) {
        let id = |name: &String| match ids.get(name) {
            Some(id) => id.clone(),
            None if name.is_empty() => "1".to_owned(),
            None => panic!("the identifier of {name:?} is not known"),
        };
        match self {
            Operation::CreateFolder(name) => ("createImFavoriteFolder", json!({ "name": name })),
            Operation::RenameFolder(from, to) => ("renameImFavoriteFolder", json!({"id": id(from), "newName": to})),
            Operation::DeleteFolder(name) => ("deleteImFavoriteFolder", json!({"id": id(name)})),
            Operation::AddFavorite(unique, row, blob) => {
                let mut params = message(unique, row, blob);
                params["favId"] = id(&row.parent).into();
                ("transferApi/addImFavorite", params)
            }
            Operation::MoveFavorites(uniques, to) => (
                "transferApi/moveImFavorites",
                json!({"uniques": uniques, "favId": id(to)}),
            ),
            Operation::DeleteFavorites(uniques) => ("transferApi/deleteImFavorites", json!({ "uniques": uniques })),
            Operation::AddTempFile(unique, row, blob) => {
                let mut params = message(unique, row, blob);
                params["parent"] = row.parent.as_str().into();
                params["type"] = 1.into();
                ("transferApi/addLocalTempFile", params)
            }
            Operation::DeleteTempFiles(uniques) => ("transferApi/deleteLocalTempFiles", json!({ "uniques": uniques })),
            Operation::DeleteConversation(unique) => ("transferApi/deleteLocalTempFolder", json!({ "unique": unique })),
            Operation::AddBackupFolder(unique) => (
                "transferApi/addImBackupFolder",
                json!({"name": unique, "unique": unique}),
            ),
            Operation::AddBackup(unique, row) => (
                "transferApi/addImBackup",
                json!({"parent": row.parent, "hash": row.content, "unique": unique, "type": 1, "messageNum": 3}),
            ),
            Operation::DeleteBackup(unique) => ("deleteImBackups", json!({"unique": unique, "isFolder": false})),
            Operation::DeleteBackupFolder(unique) => ("deleteImBackups", json!({"unique": unique, "isFolder": true})),
            Operation::CreateStorageFolder(name, parent) => (
                "transferApi/createStorageFolder",
                json!({"name": name, "path": path(state, ids, parent)}),
            ),
            Operation::RenameStored(from, to) => (
                "transferApi/renameStorageFile",
                json!({"unique": id(from), "newName": to}),
            ),
            Operation::MoveStored(name, to) => (
                "transferApi/moveStorageFile",
                json!({"unique": id(name), "path": path(state, ids, to)}),
            ),
            Operation::DeleteStored(name) => ("transferApi/deleteStorageFiles", json!({"uniques": [id(name)]})),
            Operation::Upload(name, file) => (
                "transferApi/uploadFile",
                json!({"path": file, "platform": 3, "name": name}),
            ),
            Operation::Seal(name) => (
                "transferApi/setFilePassword",
                json!({"hash": id(name), "platform": 3, "password": PASSWORD}),
            ),
            Operation::Download(task, blob) => (
                "downloadStorageFileTask",
                json!({"hash": blob.hash, "platform": 4, "taskId": task}),
            ),
        }
    }

    /// Does to the rows what the call does. Uploads, passwords and downloads change rows later.
    pub fn apply(&self, state: &mut State) {
        match self {
            Operation::CreateFolder(name) => drop(state.folders.insert(name.clone())),
            Operation::RenameFolder(from, to) => {
                state.folders.remove(from);
                state.folders.insert(to.clone());
                for row in state.favorites.values_mut().filter(|row| row.parent == *from) {
                    row.parent.clone_from(to);
                }
            }
            Operation::DeleteFolder(name) => {
                state.folders.remove(name);
                state.favorites.retain(|_, row| row.parent != *name);
            }
            Operation::AddFavorite(unique, row, _) => drop(state.favorites.insert(unique.clone(), row.clone())),
            Operation::MoveFavorites(uniques, to) => {
                for unique in uniques {
                    if let Some(row) = state.favorites.get_mut(unique) {
                        row.parent.clone_from(to);
                    }
                }
            }
            Operation::DeleteFavorites(uniques) => state.favorites.retain(|unique, _| !uniques.contains(unique)),
            Operation::AddTempFile(unique, row, _) => {
                state.conversation = true;
                state.temp_files.insert(unique.clone(), row.clone());
            }
            Operation::DeleteTempFiles(uniques) => state.temp_files.retain(|unique, _| !uniques.contains(unique)),
            Operation::DeleteConversation(_) => {
                state.conversation = false;
                state.temp_files.clear();
            }
            Operation::AddBackupFolder(unique) => drop(state.backup_folders.insert(unique.clone())),
            Operation::AddBackup(unique, row) => drop(state.backups.insert(unique.clone(), row.clone())),
            Operation::DeleteBackup(unique) => drop(state.backups.remove(unique)),
            Operation::DeleteBackupFolder(unique) => {
                state.backup_folders.remove(unique);
                state.backups.retain(|_, row| row.parent != *unique);
            }
            Operation::CreateStorageFolder(name, parent) => {
                let folder = Stored {
                    parent: parent.clone(),
                    hash: None,
                    sealed: false,
                };
                state.stored.insert(name.clone(), folder);
            }
            Operation::RenameStored(from, to) => {
                if let Some(moved) = state.stored.remove(from) {
                    state.stored.insert(to.clone(), moved);
                }
                for stored in state.stored.values_mut().filter(|stored| stored.parent == *from) {
                    stored.parent.clone_from(to);
                }
            }
            Operation::MoveStored(name, to) => {
                if let Some(stored) = state.stored.get_mut(name) {
                    stored.parent.clone_from(to);
                }
            }
            Operation::DeleteStored(name) => {
                let mut gone = vec![name.clone()];
                while let Some(name) = gone.pop() {
                    state.stored.remove(&name);
                    let below = state.stored.iter().filter(|(_, stored)| stored.parent == name);
                    gone.extend(below.map(|(name, _)| name.clone()).collect::<Vec<_>>());
                }
            }
            Operation::Upload(..) | Operation::Seal(_) | Operation::Download(..) => {}
        }
    }
}

/// The parameters of a message: a text, or a file with a blob.
fn message(unique: &str, row: &Row, blob: &Option<Blob>) -> Value {
    match blob {
        Some(blob) => json!({"unique": unique, "msgId": unique, "msgType": 6, "hash": blob.hash, "name": "a.bin"}),
        None => json!({"unique": unique, "msgId": unique, "msgType": 1, "msgContent": row.content}),
    }
}

/// The path of a folder of the cloud storage: the identifiers that lead to it.
fn path(state: &State, ids: &BTreeMap<String, String>, name: &str) -> String {
    let mut parts = Vec::new();
    let mut name = name;
    while !name.is_empty() {
        parts.push(ids.get(name).map_or("", String::as_str));
        name = state.stored.get(name).map_or("", |stored| stored.parent.as_str());
    }
    parts.reverse();
    parts.join("/")
}

/// The row of a text message.
pub fn text_row(parent: &str, words: &str) -> Row {
    Row {
        parent: parent.to_owned(),
        content: json!({ "text": words }).to_string(),
    }
}

/// The row of a message with a file.
pub fn blob_row(parent: &str, blob: &Blob) -> Row {
    Row {
        parent: parent.to_owned(),
        content: blob.hash.clone(),
    }
}

/// The parent of a writer's temp files.
pub fn temp_parent(writer: usize) -> String {
    conversation(writer)
}
