//! A client that calls every method of both APIs, again and again, and leaves nothing behind.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::client::Client;
use super::operation::PASSWORD;
use crate::fixture::{hash_of, hex_of, noise};

/// How long a task may take. The link to the space cuts transfers.
const TASK_PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of an ordinary file.
const FILE_BYTES: usize = 200_000;
/// Bytes of a file whose transfers are cut on the way.
const LARGE_BYTES: usize = 5 << 20;

/// The methods that were called, of all visitors.
pub type Called = Arc<Mutex<BTreeSet<String>>>;

/// A visitor.
#[derive(Debug)]
pub struct Visitor {
    client: Client,
    number: usize,
    round: u64,
    data: PathBuf,
    files: PathBuf,
    called: Called,
    /// Calls that were answered.
    pub calls: u64,
}

impl Visitor {
    /// A visitor of the server at this address, with this data directory. It uploads files from
    /// `files`.
    pub fn new(address: SocketAddr, number: usize, data: &Path, files: &Path, called: Called) -> Visitor {
        Visitor {
            client: Client::new(address),
            number,
            round: 0,
            data: data.to_owned(),
            files: files.to_owned(),
            called,
            calls: 0,
        }
    }

    /// Calls every method once or more.
    ///
    /// # Errors
    /// The first call that was lost or refused.
    pub async fn round(&mut self) -> Result<(), String> {
        self.round += 1;
        self.favorites().await?;
        self.temp_files().await?;
        self.backups().await?;
        self.storage().await?;
        self.passwords().await?;
        self.transfer().await?;
        self.limits().await
    }

    fn tag(&self) -> String {
        format!("visitor {} {}", self.number, self.round)
    }

    /// A hash that no one else has, with its bytes.
    fn bytes(&self, len: usize, salt: u64) -> (String, Vec<u8>) {
        let bytes = noise(len, salt << 48 ^ (self.number as u64) << 32 ^ self.round);
        (hash_of(&bytes), bytes)
    }

    async fn ok(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.called
            .lock()
            .insert(method.rsplit('/').next().unwrap_or(method).to_owned());
        match self.client.call(method, &params).await {
            Ok(answer) if answer.status == 200 && answer.code == 200 => {
                self.calls += 1;
                Ok(answer.data)
            }
            other => Err(format!("{method} {params}: {other:?}")),
        }
    }

    /// Asks until an answer is as wanted.
    async fn until(
        &mut self,
        what: &str,
        method: &str,
        params: Value,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let begun = std::time::Instant::now();
        loop {
            let answer = self.client.call(method, &params).await;
            match answer {
                Ok(answer) if answer.code == 200 && wanted(&answer.data) => return Ok(answer.data),
                // What is waited for may not exist yet.
                Ok(answer) if answer.code == 200 || answer.code == 60001 => {
                    if begun.elapsed() > TASK_PATIENCE {
                        return Err(format!("{what}: not within {TASK_PATIENCE:?}, but {answer:?}"));
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                other => return Err(format!("{what}: {other:?}")),
            }
        }
    }

    async fn favorites(&mut self) -> Result<(), String> {
        let tag = self.tag();
        self.ok("createImFavoriteFolder", json!({ "name": tag })).await?;
        let folders = self
            .ok(
                "getImFavoriteFolders",
                json!({"order": "desc", "page": 1, "pageSize": 1000}),
            )
            .await?;
        let folder = folders
            .as_array()
            .and_then(|rows| rows.iter().find(|row| row["name"] == tag.as_str()))
            .ok_or_else(|| format!("the folder {tag} was made, and is not listed"))?["id"]
            .clone();
        self.ok(
            "renameImFavoriteFolder",
            json!({"id": folder, "newName": format!("{tag} renamed")}),
        )
        .await?;
        let uniques = [format!("{tag} a"), format!("{tag} b")];
        for unique in &uniques {
            let text = json!({"text": unique}).to_string();
            let params = json!({"unique": unique, "favId": folder, "msgId": unique, "msgType": 1, "msgContent": text});
            self.ok("transferApi/addImFavorite", params).await?;
        }
        let params = json!({"favId": folder, "keyword": "visitor", "type": 0, "page": 1, "pageSize": 10});
        let listed = self.ok("getImFavoriteList", params).await?;
        if listed.as_array().map(Vec::len) != Some(2) {
            return Err(format!("two favourites were added to {tag}, and listed are {listed}"));
        }
        self.ok(
            "transferApi/moveImFavorites",
            json!({"uniques": [uniques[0]], "favId": "1"}),
        )
        .await?;
        self.ok("transferApi/deleteImFavorites", json!({ "uniques": uniques }))
            .await?;
        self.ok("deleteImFavoriteFolder", json!({"id": folder})).await.map(drop)
    }

    async fn temp_files(&mut self) -> Result<(), String> {
        let tag = self.tag();
        let (hash, bytes) = self.bytes(FILE_BYTES, 1);
        let dir = self.data.join("temp");
        fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
        fs::write(dir.join(hex_of(&hash)), bytes).map_err(|error| error.to_string())?;
        let params =
            json!({"parent": tag, "type": 1, "unique": tag, "msgId": "m", "msgType": 6, "hash": hash, "name": tag});
        self.ok("transferApi/addLocalTempFile", params).await?;
        let text = json!({"parent": tag, "unique": format!("{tag} text"), "msgId": "t", "msgType": 1, "msgContent": "{\"text\":\"x\"}"});
        self.ok("transferApi/addLocalTempFile", text).await?;
        self.ok("getLocalTempFolderList", json!({"page": 1, "pageSize": 10}))
            .await?;
        self.ok(
            "getLocalTempFileList",
            json!({"unique": tag, "type": 0, "page": 1, "pageSize": 10}),
        )
        .await?;
        self.ok("searchLocalTempFile", json!({ "keyword": tag })).await?;
        self.ok("localTempFileToStorage", json!({"hashs": [hash]})).await?;
        self.until(
            "a temp file is stored",
            "transferApi/getStorageFile",
            json!({"unique": hash}),
            |_| true,
        )
        .await?;
        self.ok("localTempFileToFavorite", json!({"hashs": [hash]})).await?;
        let list = json!({"favId": "1", "keyword": tag, "type": 0, "order": "desc", "page": 1, "pageSize": 1000});
        let found = self
            .until("a temp file is a favourite", "getImFavoriteList", list, |rows| {
                rows.as_array()
                    .is_some_and(|rows| rows.iter().any(|row| row["hash"] == hash.as_str()))
            })
            .await?;
        let rows = found.as_array().into_iter().flatten();
        let uniques: Vec<&Value> = rows
            .filter(|row| row["hash"] == hash.as_str())
            .map(|row| &row["unique"])
            .collect();
        self.ok("transferApi/deleteImFavorites", json!({ "uniques": uniques }))
            .await?;
        self.ok("transferApi/deleteStorageFiles", json!({"uniques": [hash]}))
            .await?;
        self.ok(
            "transferApi/deleteLocalTempFiles",
            json!({"uniques": [format!("{tag} text")]}),
        )
        .await?;
        self.ok("transferApi/deleteLocalTempFolder", json!({ "unique": tag }))
            .await?;
        let _ = fs::remove_file(dir.join(hex_of(&hash)));
        self.forget(&hash).await
    }

    async fn backups(&mut self) -> Result<(), String> {
        let tag = self.tag();
        let (hash, _) = self.upload(FILE_BYTES, 2, json!({})).await?;
        self.ok("transferApi/addImBackupFolder", json!({"name": tag, "unique": tag}))
            .await?;
        let params = json!({"parent": tag, "hash": hash, "unique": format!("{tag} b"), "type": 1, "name": "b.txt"});
        self.ok("transferApi/addImBackup", params).await?;
        self.ok("getImBackupsFolderList", json!({"page": 1, "pageSize": 100}))
            .await?;
        self.ok(
            "getImBackupsFileList",
            json!({"parent": tag, "page": 1, "pageSize": 10}),
        )
        .await?;
        self.ok("searchImBackupsList", json!({ "keyword": tag })).await?;
        self.ok(
            "deleteImBackups",
            json!({"unique": format!("{tag} b"), "isFolder": false}),
        )
        .await?;
        self.ok("deleteImBackups", json!({"unique": tag, "isFolder": true}))
            .await?;
        self.ok("transferApi/deleteStorageFiles", json!({"uniques": [hash]}))
            .await?;
        self.forget(&hash).await
    }

    async fn storage(&mut self) -> Result<(), String> {
        let tag = self.tag();
        let folder = self
            .ok("transferApi/createStorageFolder", json!({ "name": tag }))
            .await?["unique"]
            .clone();
        let (hash, name) = self.upload(FILE_BYTES, 3, json!({"storagePath": folder})).await?;
        let list = json!({"path": folder, "page": 1, "pageSize": 10});
        let listed = self.ok("transferApi/listStorageFiles", list).await?;
        if listed[0]["hash"] != hash.as_str() || listed[0]["name"] != name.as_str() {
            return Err(format!("{name} was stored in {tag}, and listed is {listed}"));
        }
        self.ok(
            "transferApi/renameStorageFile",
            json!({"unique": hash, "newName": format!("{name} 2")}),
        )
        .await?;
        self.ok("transferApi/moveStorageFile", json!({"unique": hash, "path": ""}))
            .await?;
        self.ok("transferApi/getStorageFile", json!({"unique": hash})).await?;
        self.ok("transferApi/deleteStorageFiles", json!({"uniques": [hash, folder]}))
            .await?;
        self.forget(&hash).await
    }

    async fn passwords(&mut self) -> Result<(), String> {
        let (hash, name) = self.upload(FILE_BYTES, 4, json!({})).await?;
        let set = json!({"hash": hash, "platform": 3, "password": PASSWORD});
        self.ok("transferApi/setFilePassword", set).await?;
        let sealed = self.stored(&name, 1).await?;
        let remove = json!({"hash": sealed, "platform": 3, "password": PASSWORD});
        self.ok("transferApi/removeFilePassword", remove).await?;
        let opened = self.stored(&name, 0).await?;
        if opened != hash {
            return Err(format!(
                "{name} had the hash {hash}, and has {opened} after its password came and went"
            ));
        }
        self.ok("transferApi/deleteStorageFiles", json!({"uniques": [hash]}))
            .await?;
        self.forget(&hash).await?;
        self.forget(&sealed).await
    }

    /// The hash of a stored file, when it is protected or not.
    async fn stored(&mut self, name: &str, is_crypt: u64) -> Result<String, String> {
        let list = json!({"path": "", "keyword": name, "page": 1, "pageSize": 10});
        let is_it = move |rows: &Value| rows[0]["isCrypt"] == is_crypt;
        let rows = self
            .until(
                "a password is set or removed",
                "transferApi/listStorageFiles",
                list,
                is_it,
            )
            .await?;
        Ok(rows[0]["hash"].as_str().unwrap_or_default().to_owned())
    }

    /// A large file goes to the space and back, through a link that cuts, with all controls.
    async fn transfer(&mut self) -> Result<(), String> {
        let task = self.tag();
        let (hash, name) = self.upload(LARGE_BYTES, 5, json!({})).await?;
        let download = json!({"hash": hash, "platform": 3, "taskId": task});
        self.ok("downloadStorageFileTask", download).await?;
        for (method, more) in [
            ("pauseTask", json!({})),
            ("setTaskPriority", json!({"priority": 9})),
            ("setTaskLimit", json!({"bytesPerSecond": 50_000_000})),
            ("resumeTask", json!({})),
            ("markTaskViewed", json!({})),
            ("cancelTask", json!({})),
            ("retryTask", json!({})),
        ] {
            let mut params = more;
            params["taskId"] = task.as_str().into();
            self.ok(&format!("transferApi/{method}"), params).await?;
        }
        let list = json!({"type": 1, "platform": 3, "page": 1, "pageSize": 100});
        let found = self
            .until("a download is complete", "transferApi/listTasks", list, |rows| {
                let rows = rows.as_array().into_iter().flatten();
                rows.filter(|row| row["taskId"] == task.as_str())
                    .any(|row| row["status"] == 4)
            })
            .await?;
        self.ok("transferApi/listTasks", json!({"type": 1, "page": 1, "pageSize": 10}))
            .await?;
        let row = found
            .as_array()
            .into_iter()
            .flatten()
            .find(|row| row["taskId"] == task.as_str())
            .cloned();
        let path = row
            .map(|row| row["folderPath"].as_str().unwrap_or_default().to_owned())
            .unwrap_or_default();
        let file = [
            PathBuf::from(&path),
            Path::new(&path).join(&name),
            self.data.join("downloads/3").join(&name),
        ]
        .into_iter()
        .find(|file| file.is_file());
        let landed = file.as_ref().and_then(|file| fs::read(file).ok()).unwrap_or_default();
        if hash_of(&landed) != hash {
            return Err(format!(
                "{file:?} has {} bytes that are not those of {hash}",
                landed.len()
            ));
        }
        self.ok("transferApi/removeTask", json!({ "taskIds": [task] })).await?;
        if let Some(file) = file {
            let _ = fs::remove_file(file);
        }
        self.ok("transferApi/deleteStorageFiles", json!({"uniques": [hash]}))
            .await?;
        self.forget(&hash).await
    }

    async fn limits(&mut self) -> Result<(), String> {
        self.ok("transferApi/setLimits", json!({"maxUploads": 4})).await?;
        self.ok("transferApi/getLimits", json!({})).await?;
        // No one has tasks of this platform.
        self.ok("transferApi/pauseAll", json!({"type": 0, "platform": 0}))
            .await?;
        self.ok("transferApi/resumeAll", json!({"type": 0, "platform": 0}))
            .await?;
        self.ok("getStorageSpaceInfo", json!({})).await?;
        let key = format!("visitor {}", self.number);
        let follow = json!({"type": 1, "platform": 3, "key": key});
        self.ok("getAllDownloadOrUploadFileProgress", follow).await?;
        self.ok("initStorage$IMDataFromSdk", json!({})).await.map(drop)
    }

    /// Uploads a file to the cloud storage, and waits until its row is there. Returns its hash and
    /// name.
    async fn upload(&mut self, len: usize, salt: u64, mut params: Value) -> Result<(String, String), String> {
        let name = format!("{} {salt}", self.tag());
        let (hash, bytes) = self.bytes(len, salt);
        let file = self.files.join(&name);
        fs::write(&file, bytes).map_err(|error| error.to_string())?;
        params["path"] = json!(file);
        params["platform"] = 3.into();
        params["name"] = name.as_str().into();
        self.ok("transferApi/uploadFile", params).await?;
        self.until(
            "an upload is stored",
            "transferApi/getStorageFile",
            json!({"unique": hash}),
            |_| true,
        )
        .await?;
        let _ = fs::remove_file(file);
        Ok((hash, name))
    }

    /// Forgets the tasks of a hash, which have ended.
    async fn forget(&mut self, hash: &str) -> Result<(), String> {
        let tasks = self
            .ok("transferApi/listTasks", json!({"page": 1, "pageSize": 1000}))
            .await?;
        let rows = tasks.as_array().into_iter().flatten();
        let ids: Vec<&Value> = rows
            .filter(|row| row["hash"] == hash)
            .map(|row| &row["taskId"])
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        self.ok("transferApi/removeTask", json!({ "taskIds": ids }))
            .await
            .map(drop)
    }
}
