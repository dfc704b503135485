//! The rows of the demo set: those of the API's examples, with the hashes of the real files, and a few more.

use serde_json::{Value, json};

use super::file::{File, Files};

/// The default favourites folder.
const DEFAULT_FOLDER: &str = "1";
/// The folder that the examples rename and delete.
const TRAVEL_FOLDER: &str = "66053280-446f-488e-82f3-95884938a30c";
const WORK_FOLDER: &str = "3f0d0c52-8a57-4f0e-9d0b-6a1f5c2b7e41";

const PEER: &str = "3UiVSDYfWejuuRSVxH42fekZnyW33R5WWiJXrCYdj4gP";
const SECOND_PEER: &str = "GPqZSzxsBJJrNywBiv8ieAUn9xFZvJkbcyP3f6ynk3Yk";
const THIRD_PEER: &str = "BBFdS4CSgvHZbXNUmhS1v45vHTFQ7KN4XSbbWh5Rye6b";
const GROUP: &str = "7tWEXUwKBECLd1ngu4XKusc2N3JLsM5oZwBG9JK1sKuj";
const BACKUP_PEER: &str = "J1DMCnxVqErdJUhQySxyumNjrcKYNNf7H22FSShMVUFZ";

/// A collection's name and its rows.
pub(super) type List = (&'static str, Vec<Value>);

/// Every row, by collection; folders before what is in them.
pub(super) fn lists(files: &Files) -> [List; 8] {
    [
        ("favorite-folders", favorite_folders()),
        ("favorites", favorites(files)),
        ("temp-folders", temp_folders()),
        ("temp-files", temp_files(files)),
        ("backup-folders", backup_folders()),
        ("backups", backups(files)),
        ("storage-files", storage_files(files)),
        ("dapp-files", dapp_files(files)),
    ]
}

fn favorite_folders() -> Vec<Value> {
    vec![
        json!({"id": DEFAULT_FOLDER, "name": "我的收藏", "time": 1_744_104_587_216_i64}),
        json!({"id": TRAVEL_FOLDER, "name": "旅行", "time": 1_744_161_200_000_i64}),
        json!({"id": WORK_FOLDER, "name": "工作资料", "time": 1_744_164_900_000_i64}),
    ]
}

fn favorites(files: &Files) -> Vec<Value> {
    let text = |unique: &str, folder: &str, msg_id: &str, text: &str, time: i64, node: &str, nickname: &str| {
        json!({
            "unique": unique, "folder": folder, "msgId": msg_id, "msgContent": json!({"text": text}).to_string(),
            "msgType": 2, "hash": msg_id, "name": "", "size": 0, "time": time, "nodeAddress": node,
            "originNickname": nickname,
        })
    };
    let phone = image(
        "5e8c7c50-145b-11f0-ba4c-bf7c93ef4b25",
        &files.phone_photo,
        (1053, 1784),
        "0ec8377595b6c39bde9d5eb724ca2171",
        "2025-01-16-01-48-08-254.jpg",
    );
    let landscape = image(
        "b1f0a7c4-15a0-11f0-9d6e-0b8f2c4d6e80",
        &files.landscape,
        (640, 400),
        "5f1d3b9a7c2e4d6f8091a2b3c4d5e6f7",
        "landscape.png",
    );
    vec![
        json!({
            "unique": "BPtGmPb4J1t9bzGNyZ8hMpExTVc9CfuwxaVYF5MSLa3o", "folder": DEFAULT_FOLDER,
            "msgId": "28d7b71109e98a3b0cecaf194eb1922dbaac9c127bdd109fc9ee34e0b8958e28",
            "msgContent": phone, "msgType": 1, "hash": files.phone_photo.hash, "name": "2025-01-16-01-48-08-254.jpg",
            "size": files.phone_photo.len_bytes, "time": 1_744_106_171, "nodeAddress": PEER,
            "originNickname": "3UiVSDYf66",
        }),
        text(
            "Ey6QuPViXoARu8CWH5K9GrNprzcjkGtEoezubhxCUA4c",
            DEFAULT_FOLDER,
            "3b5abc1c760a08bf6f635f861e9df1cae7de5c8577bdfb7498845e68150fcdc6",
            "123123",
            1_744_161_323,
            SECOND_PEER,
            "GPqZSzx",
        ),
        json!({
            "unique": "DmQ1Rk6vYx3aT9wZcPq8nLb2sHf5JgVtUe7KoXyM4CiB", "folder": TRAVEL_FOLDER,
            "msgId": "6c1e8f0a4b7d29538e6f1a0c3d5b7e924f8a6c0e2d4b6f81a3c5e7092b4d6f80",
            "msgContent": landscape, "msgType": 1, "hash": files.landscape.hash, "name": "landscape.png",
            "size": files.landscape.len_bytes, "time": 1_744_161_500, "nodeAddress": PEER,
            "originNickname": "3UiVSDYf66",
        }),
        text(
            "4ZsXwLk9QmTb2vRn7CyHd5FgJpEa8UeVo3KiMx6BtWqS",
            WORK_FOLDER,
            "a2b4c6d8e0f1031527394b5d6f7182930a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "下周演示热更新:换模块时正在进行的调用不受影响。",
            1_744_165_000,
            BACKUP_PEER,
            "J1DMCnxV",
        ),
        json!({
            "unique": "9HkTqWb3XzRm5VyLn7CdJf2GpSa4UeEo6KiMv8BtQxWs", "folder": WORK_FOLDER,
            "msgId": "f90e8d7c6b5a49382716051423324150697887a6b5c4d3e2f1001f2e3d4c5b6a",
            "msgContent": voice("c7d2e9f0-15a4-11f0-8b3c-1d5e7f902143", &files.voice, "voice-20250409.wav"),
            "msgType": 3, "hash": files.voice.hash, "name": "voice-20250409.wav", "size": files.voice.len_bytes,
            "time": 1_744_165_060, "nodeAddress": SECOND_PEER, "originNickname": "GPqZSzx",
        }),
        json!({
            "unique": "Bq7XkZs5WmRt3VyLn9CdHf4GpJa6UeEo8KiMv2BtQxTw", "folder": WORK_FOLDER,
            "msgId": "0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e9fa",
            "msgContent": attachment("d3e4f5a6-15a4-11f0-8b3c-1d5e7f902143", &files.welcome, "welcome.txt"),
            "msgType": 4, "hash": files.welcome.hash, "name": "welcome.txt", "size": files.welcome.len_bytes,
            "time": 1_744_165_120, "nodeAddress": BACKUP_PEER, "originNickname": "J1DMCnxV",
        }),
    ]
}

fn temp_folders() -> Vec<Value> {
    [
        (PEER, 1, 1_744_163_398_055_i64),
        (SECOND_PEER, 1, 1_744_104_311_686),
        (GROUP, 2, 1_744_250_766_514),
        (THIRD_PEER, 1, 1_744_250_785_749),
    ]
    .map(|(unique, kind, time)| json!({"unique": unique, "nodeAddress": unique, "type": kind, "time": time}))
    .into()
}

/// What tells one temp file from another, besides its file.
struct Temp<'a> {
    unique: &'a str,
    parent: &'a str,
    msg_id: &'a str,
    msg_content: String,
    msg_type: i32,
    ext: &'a str,
    name: &'a str,
    /// Milliseconds since the epoch.
    time: i64,
}

impl Temp<'_> {
    fn row(self, file: &File) -> Value {
        json!({
            "unique": self.unique, "parent": self.parent, "hash": file.hash, "msgId": self.msg_id,
            "msgContent": self.msg_content, "msgType": self.msg_type, "ext": self.ext, "size": file.len_bytes,
            "name": self.name, "time": self.time,
        })
    }
}

fn temp_files(files: &Files) -> Vec<Value> {
    let photo_name = "0c0f869d-da79-481e-936f-a05650995f781744163397435323.JPG";
    let street_name = "IMG_20250408_172511.jpg";
    vec![
        Temp {
            unique: "FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz",
            parent: PEER,
            msg_id: "79bbf4b3eed05abeaa468025f66a2a12a32d1b4c4e191fa9ae3eea1c42883e4d",
            msg_content: image(
                "f0eda310-14e4-11f0-aa66-e36af1de1a23",
                &files.photo,
                (3024, 4032),
                "da582fec8011b559b71a9008e645ca19",
                photo_name,
            ),
            msg_type: 6,
            ext: ".other",
            name: photo_name,
            time: 1_744_163_398_055,
        }
        .row(&files.photo),
        Temp {
            unique: "paQTTdxdvwfYUygWsZ8tCsXyExxGVF4YNJ1uh6GSRmm",
            parent: SECOND_PEER,
            msg_id: "1f2e3d4c5b6a79880716253443526170f1e2d3c4b5a697887960514233241506",
            msg_content: image(
                "9a8b7c6d-145a-11f0-ba4c-bf7c93ef4b25",
                &files.street,
                (2048, 1536),
                "3c5e7092b4d6f80a1c3e5a7f9b1d3f50",
                street_name,
            ),
            msg_type: 6,
            ext: ".jpg",
            name: street_name,
            time: 1_744_104_311_686,
        }
        .row(&files.street),
        Temp {
            unique: "5RtYwQe8ZxCv3BnMk7JhGf2DsAp9LoUi4TrEq6WyXzVb",
            parent: SECOND_PEER,
            msg_id: "2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70819",
            msg_content: voice(
                "a9b8c7d6-145a-11f0-ba4c-bf7c93ef4b25",
                &files.voice,
                "voice-20250408.wav",
            ),
            msg_type: 3,
            ext: ".wav",
            name: "voice-20250408.wav",
            time: 1_744_104_330_120,
        }
        .row(&files.voice),
        Temp {
            unique: "6SuZxRf9AyDw4CpNm8KjHg3EtBq2MvVk5UsFr7XzYaWc",
            parent: GROUP,
            msg_id: "504a3e5b19bcc9eec5b0f2e99502476684d039f76cb38733e75fcd44ae1c27b4",
            msg_content: attachment("5cfa4ba0-15b0-11f0-8d14-c10ef67274af", &files.notes, "会议纪要.txt"),
            msg_type: 4,
            ext: ".txt",
            name: "会议纪要.txt",
            time: 1_744_250_766_514,
        }
        .row(&files.notes),
        Temp {
            unique: "Hyp5ScwB8cAwCBqZhJsDj18iRuno97y25U6uNMq4Fsts",
            parent: THIRD_PEER,
            msg_id: "720ee4a31fb0ee3620838b03cc9d7a90e701aff1960dc5aa0f16c3505c2cbf28",
            msg_content: image(
                "67e3dfe0-15b0-11f0-937a-87f76f917178",
                &files.sticker,
                (86, 93),
                "21932d4da2a4cb1ca16f87f990216ded",
                "xuanxuan-image.png",
            ),
            msg_type: 6,
            ext: ".other",
            name: "xuanxuan-image.png",
            time: 1_744_250_785_749,
        }
        .row(&files.sticker),
    ]
}

fn backup_folders() -> Vec<Value> {
    vec![
        json!({"unique": "backup_20250402", "parent": "", "name": "backup_20250402", "time": 1_743_585_227}),
        json!({"unique": "backup_20250409", "parent": "", "name": "backup_20250409", "time": 1_744_166_100}),
    ]
}

fn backups(files: &Files) -> Vec<Value> {
    let chat = "BdboNrsuNce6Ha35dTo1sd9t96X145xQCfMrvh8Lh9r6J1DMCnxVqErdJUhQySxyumNjrcKYNNf7H22FSShMVUFZ";
    vec![
        json!({
            "unique": "2DT5kTqEuQvmiu6wm7aJqBrboCJUnXA8vvpbzBK2yJ4T", "hash": files.backup_1700.hash,
            "parent": "backup_20250402", "nodeId": BACKUP_PEER, "type": 1, "name": format!("{chat}-202504021700.txt"),
            "time": 1_743_585_227, "size": files.backup_1700.len_bytes, "messageNum": 7, "nickname": "J1DMCnxV",
            "domainName": "",
        }),
        json!({
            "unique": "BaMnhMU3R4uo9PAHhcikopBYVoXYyq5WeePWhNyNcdZj", "hash": files.backup_1740.hash,
            "parent": "backup_20250402", "nodeId": BACKUP_PEER, "type": 1, "name": format!("{chat}-202504021740.txt"),
            "time": 1_743_587_627, "size": files.backup_1740.len_bytes, "messageNum": 2, "nickname": "J1DMCnxV",
            "domainName": "",
        }),
        json!({
            "unique": "JsfdXa4TAMFCpC3JcYJ8p5QArVrJwZXCadgZFQjHBeC", "hash": files.backup_group.hash,
            "parent": "backup_20250409", "nodeId": GROUP, "type": 2, "name": format!("{GROUP}-202504091030.txt"),
            "time": 1_744_166_100, "size": files.backup_group.len_bytes, "messageNum": 7, "nickname": "Stowage 讨论组",
            "domainName": "",
        }),
    ]
}

fn storage_files(files: &Files) -> Vec<Value> {
    vec![
        json!({
            "hash": files.welcome.hash, "name": "welcome.txt", "size": files.welcome.len_bytes,
            "time": 1_744_250_800_000_i64, "path": "", "ext": ".txt", "thumb": "",
        }),
        json!({
            "hash": files.large.hash, "name": "stowage-demo-64MiB.bin", "size": files.large.len_bytes,
            "time": 1_744_250_900_000_i64, "path": "", "ext": ".bin", "thumb": "",
        }),
        json!({
            "hash": files.diary.hash, "name": "私密日记.txt", "size": files.diary.len_bytes,
            "time": 1_744_251_000_000_i64, "path": "", "ext": ".txt", "thumb": "", "protected": true,
        }),
    ]
}

fn dapp_files(files: &Files) -> Vec<Value> {
    vec![json!({
        "hash": files.counter.hash, "name": "counter.html", "size": files.counter.len_bytes,
        "time": 1_744_251_100_000_i64, "path": "", "ext": ".html", "thumb": "",
    })]
}

/// The content of an image message, as the examples write it: the original, then what was sent.
fn image(uuid: &str, file: &File, (width, height): (u32, u32), key: &str, name: &str) -> String {
    let url = format!("{}-{key}", file.hash);
    let element = |kind: u8| {
        json!({
            "type": kind, "size": file.len_bytes, "width": width, "height": height, "url": url,
            "localUrl": format!("C:\\Users\\admin\\Pictures\\{name}"), "fileName": name,
        })
    };
    json!({
        "uuid": uuid, "imageFormat": 255, "imageInfoArray": [element(1), element(2)], "thumb": url,
        "localThumb": "", "invalid": false,
    })
    .to_string()
}

/// The content of a voice message.
fn voice(uuid: &str, file: &File, name: &str) -> String {
    json!({
        "uuid": uuid, "voiceUrl": file.hash, "duration": 10, "size": file.len_bytes, "fileName": name,
    })
    .to_string()
}

/// The content of a message with a file.
fn attachment(uuid: &str, file: &File, name: &str) -> String {
    json!({"uuid": uuid, "fileUrl": file.hash, "size": file.len_bytes, "fileName": name}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn list(name: &str) -> Vec<Value> {
        let found = lists(Files::shared())
            .into_iter()
            .find(|(collection, _)| *collection == name);
        found.expect("a collection of the set").1
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
    fn documented_sizes_come_out() {
        assert_eq!(size_in("temp-files", PEER), 12_542_638);
        assert_eq!(size_in("temp-files", SECOND_PEER), 5_012_193);
        assert_eq!(size_in("temp-files", THIRD_PEER), 4246);
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
