//! A day of an IM client: it fills an empty store, moves to a second device, and tidies up.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stowage_tests::feed::Feed;
use stowage_tests::fixture::{SpaceFixture, file, hash_of, noise};
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::wait::{eventually, until};

/// The bytes of each kind of file. They are so few that the API shows each byte.
const TEMP_BYTES: usize = 301;
const FAVORITE_BYTES: usize = 202;
const BACKUP_BYTES: usize = 103;
const STORED_BYTES: usize = 404;
/// A file that takes some time.
const LARGE_BYTES: usize = 24_000_000;
const PASSWORD: &str = "马 correct horse";

/// A client with a host of its own, and the files that it sends.
struct Client {
    host: TestHost,
    files: PathBuf,
}

impl Client {
    async fn new(dir: &Path, name: &str, space: &SpaceFixture) -> Client {
        let files = dir.join(format!("{name} files"));
        fs::create_dir(&files).unwrap();
        let launch = Launch::new(dir.join(name)).space(space.url());
        let host = launch.args(["--upload-root", files.to_str().unwrap()]).start().await;
        Client { host, files }
    }

    /// Calls a method of `transferApi` that succeeds.
    async fn transfer(&self, method: &str, params: Value) -> Value {
        self.host.ok(&format!("transferApi/{method}"), params).await
    }

    /// Uploads a new file with the fields of its row, and waits for its end. Returns its hash.
    async fn upload(&self, name: &str, bytes: &[u8], platform: u8, mut fields: Value) -> String {
        let path = file(&self.files, name, bytes);
        fields["path"] = json!(path);
        fields["platform"] = json!(platform);
        let mut feed = Feed::follow(&self.host, "uploads", 0, platform, None).await;
        let upload = self.transfer("uploadFile", fields).await;
        let hash = upload["hash"].as_str().unwrap();
        let row = feed.row(hash, 1).await;
        assert_eq!((&row["taskId"], &row["code"]), (&upload["taskId"], &json!(0)), "{row}");
        hash.to_owned()
    }

    /// The lists as a client shows them.
    async fn lists(&self, favorites: &str, backups: &str) -> [Value; 6] {
        let page = json!({"page": 1, "pageSize": 100});
        let with = |more: Value| {
            let mut params = page.clone();
            for (name, value) in more.as_object().unwrap() {
                params[name] = value.clone();
            }
            params
        };
        let temp = json!({"unique": "alice", "type": 0});
        let in_folder = json!({"favId": favorites, "type": 0});
        [
            self.host.ok("getLocalTempFolderList", page.clone()).await,
            self.host.ok("getLocalTempFileList", with(temp)).await,
            self.host.ok("getImFavoriteList", with(in_folder)).await,
            self.host.ok("getImBackupsFolderList", page.clone()).await,
            self.host
                .ok("getImBackupsFileList", with(json!({"parent": backups})))
                .await,
            self.transfer("listStorageFiles", page.clone()).await,
        ]
    }

    /// The used sizes: temp files, favourites, backups, cloud storage, and all.
    async fn sizes(&self) -> [String; 5] {
        let info = self.host.ok("getStorageSpaceInfo", json!({})).await;
        [
            "tempFilesSize",
            "collectSize",
            "backupsSize",
            "storageSize",
            "occupySize",
        ]
        .map(|field| info[field].as_str().unwrap().to_owned())
    }
}

fn names(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().unwrap();
    rows.iter().map(|row| row["name"].as_str().unwrap()).collect()
}

fn sizes(texts: [&str; 5]) -> [String; 5] {
    texts.map(str::to_owned)
}

#[tokio::test]
async fn a_client_fills_an_empty_store_changes_the_device_and_tidies_up() {
    let dir = tempfile::tempdir().unwrap();
    let space = SpaceFixture::create(&dir.path().join("space"));
    let one = Client::new(dir.path(), "one", &space).await;
    one.host.init().await;
    assert_eq!(one.sizes().await, sizes(["0 B"; 5]));

    // A conversation: a text and a file.
    let text = json!({"text": "你好"}).to_string();
    let row = one
        .transfer(
            "addLocalTempFile",
            json!({"parent": "alice", "msgId": "m1", "msgContent": text, "msgType": 1, "nodeAddress": "alice", "type": 1}),
        )
        .await;
    assert_eq!(
        (&row["parent"], &row["msgContent"]),
        (&json!("alice"), &json!(text)),
        "{row}"
    );
    let temp = noise(TEMP_BYTES, 1);
    let hash = one
        .upload("照片.jpg", &temp, 1, json!({"parent": "alice", "msgId": "m2"}))
        .await;
    assert_eq!(hash, hash_of(&temp));

    // Favourites: a text, and a file that moves to a folder.
    let row = one
        .transfer(
            "addImFavorite",
            json!({"msgId": "m3", "msgContent": text, "msgType": 1}),
        )
        .await;
    assert!(row["time"].as_i64().unwrap() < 100_000_000_000, "seconds: {row}");
    one.host.ok("createImFavoriteFolder", json!({"name": "旅行"})).await;
    let folders = one
        .host
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
        .await;
    let travel = folders[1]["id"].as_str().unwrap().to_owned();
    let favorite = noise(FAVORITE_BYTES, 2);
    one.upload("map.pdf", &favorite, 2, json!({"unique": "map", "msgId": "m4"}))
        .await;
    one.transfer(
        "moveImFavorites",
        json!({"uniques": ["map", row["unique"]], "favId": travel}),
    )
    .await;

    // A backup, and files of the cloud storage.
    let folder = one
        .transfer("addImBackupFolder", json!({"name": "backup_20261130"}))
        .await;
    let backups = folder["unique"].as_str().unwrap().to_owned();
    let fields = json!({"parent": backups, "type": 1, "messageNum": 12, "nickname": "Alice"});
    one.upload("alice.txt", &noise(BACKUP_BYTES, 3), 0, fields).await;
    let documents = one.transfer("createStorageFolder", json!({"name": "文件"})).await;
    let stored = one
        .upload(
            "plan.txt",
            &noise(STORED_BYTES, 4),
            3,
            json!({"storagePath": documents["unique"]}),
        )
        .await;

    // Every byte is accounted for: 301 + 202 + 103 + 404 = 1010.
    let used = sizes(["301 B", "202 B", "103 B", "404 B", "1010 B"]);
    assert_eq!(one.sizes().await, used);
    let lists = one.lists(&travel, &backups).await;
    assert_eq!(names(&lists[2]), ["", "map.pdf"]);
    assert_eq!(
        (&lists[3][0]["singleChatNum"], &lists[3][0]["groupChatNum"]),
        (&json!(12), &json!(0))
    );
    assert_eq!(names(&lists[5]), ["文件"]);

    // All of it is there after a restart, and on a second device.
    let Client { host, files } = one;
    let one = Client {
        host: host.restart().await,
        files,
    };
    assert_eq!(one.lists(&travel, &backups).await, lists);
    assert_eq!(one.sizes().await, used);
    one.host.init().await;
    let two = Client::new(dir.path(), "two", &space).await;
    two.host.init().await;
    assert_eq!(two.lists(&travel, &backups).await, lists);
    assert_eq!(two.sizes().await, used);

    // A large file with a password goes from one to the other.
    let large = noise(LARGE_BYTES, 5);
    let sealed = one
        .upload("film.mkv", &large, 3, json!({"filePassword": PASSWORD}))
        .await;
    assert_ne!(sealed, hash_of(&large), "the space has sealed bytes");
    one.host.init().await;
    two.host.init().await;
    let two = paused_and_resumed(two, &sealed, &large).await;

    // What is deleted frees its bytes, here, on the other device and in the space.
    two.transfer("deleteImFavorites", json!({"uniques": ["map"]})).await;
    two.transfer("deleteLocalTempFolder", json!({"unique": "alice"})).await;
    two.transfer(
        "renameStorageFile",
        json!({"unique": stored, "newName": "old plan.txt"}),
    )
    .await;
    two.transfer("moveStorageFile", json!({"unique": stored})).await;
    two.transfer("deleteStorageFiles", json!({"uniques": [documents["unique"], sealed]}))
        .await;
    let files = two
        .transfer("listStorageFiles", json!({"page": 1, "pageSize": 10}))
        .await;
    assert_eq!(names(&files), ["old plan.txt"]);
    two.host
        .ok("deleteImBackups", json!({"unique": backups, "isFolder": true}))
        .await;
    let left = sizes(["0 B", "0 B", "0 B", "404 B", "404 B"]);
    assert_eq!(two.sizes().await, left);
    two.host.init().await;
    one.host.init().await;
    assert_eq!(one.sizes().await, left);
    until("only the stored blob is in the space", || {
        let hashes = [hash_of(&temp), hash_of(&favorite), sealed.clone()];
        hashes.iter().all(|hash| !space.blob_path(hash).exists()) && space.blob_path(&stored).exists()
    })
    .await;
    one.host.stop().await;
    two.host.stop().await;
}

/// Downloads a protected file slowly, pauses it over a restart, and ends it at full speed.
async fn paused_and_resumed(client: Client, hash: &str, bytes: &[u8]) -> Client {
    let limits = client
        .transfer(
            "setLimits",
            json!({"downloadBytesPerSecond": 2_000_000, "maxDownloads": 2}),
        )
        .await;
    assert_eq!(limits["downloadBytesPerSecond"], 2_000_000, "{limits}");
    let params = |password: &str| json!({"hash": hash, "platform": 3, "taskId": "film", "filePassword": password});
    let host = &client.host;
    assert_eq!(host.code("downloadStorageFileTask", params("wrong")).await, 60004);
    host.ok("downloadStorageFileTask", params(PASSWORD)).await;
    let mut feed = Feed::follow(host, "k", 1, 3, None).await;
    feed.find("some progress", |frame| {
        let row = frame["data"].as_array().unwrap().first()?;
        assert_ne!(row["status"], 4, "the limit holds: {row}");
        (row["progress"].as_u64()? > 0).then_some(())
    })
    .await;
    client.transfer("pauseTask", json!({"taskId": "film"})).await;
    let paused = feed.row(hash, 2).await;
    assert_eq!((&paused["code"], &paused["speed"]), (&json!(0), &json!(0)), "{paused}");

    let Client { host, files } = client;
    let client = Client {
        host: host.restart().await,
        files,
    };
    let tasks = client
        .transfer("listTasks", json!({"type": 1, "page": 1, "pageSize": 10}))
        .await;
    assert_eq!(
        (&tasks[0]["taskId"], &tasks[0]["status"]),
        (&json!("film"), &json!(2)),
        "{tasks}"
    );
    let limits = client.transfer("getLimits", json!({})).await;
    assert_eq!(
        (&limits["downloadBytesPerSecond"], &limits["maxDownloads"]),
        (&json!(2_000_000), &json!(2))
    );
    client.transfer("setLimits", json!({"downloadBytesPerSecond": 0})).await;
    client.transfer("resumeTask", json!({"taskIds": ["film"]})).await;
    // Passwords are not stored: after a restart it is given again.
    client.host.ok("downloadStorageFileTask", params(PASSWORD)).await;
    let mut feed = Feed::follow(&client.host, "k", 1, 3, None).await;
    feed.row(hash, 4).await;
    let landed = fs::read(client.host.data().join("downloads/3/film.mkv")).unwrap();
    assert!(landed == bytes, "{} bytes", landed.len());
    client.transfer("markTaskViewed", json!({"taskIds": ["film"]})).await;
    eventually("the task is seen", || async {
        let tasks = client
            .transfer("listTasks", json!({"type": 1, "page": 1, "pageSize": 10}))
            .await;
        (tasks[0]["view"] == 1).then_some(())
    })
    .await;
    client.transfer("removeTask", json!({"taskId": "film"})).await;
    let tasks = client
        .transfer("listTasks", json!({"type": 1, "page": 1, "pageSize": 10}))
        .await;
    assert_eq!(tasks, json!([]));
    client
}
