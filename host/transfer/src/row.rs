//! A task as clients see it in the progress feed.

use serde::Serialize;

/// The direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From this machine to the cloud space; 0 on the wire.
    Upload,
    /// From the cloud space to this machine; 1 on the wire.
    Download,
}

impl Direction {
    /// The number on the wire: 0 upload, 1 download.
    pub fn wire(self) -> u8 {
        match self {
            Direction::Upload => 0,
            Direction::Download => 1,
        }
    }
}

/// A row of the feed. Every field is always present on the wire, under its camelCase name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The task's number, unique in one database.
    pub id: u64,
    /// The name of the file, for people.
    pub name: String,
    /// The thumbnail's address, or empty.
    pub thumb: String,
    /// Base58 of the SHA-256 of the stored bytes.
    pub hash: String,
    /// 1 if a password protects the file, else 0.
    pub is_crypt: u8,
    /// Stored size in bytes.
    pub size: u64,
    /// When the task was created, in milliseconds since the epoch.
    pub time: i64,
    /// The folder identifiers that lead to the file, or empty.
    pub path: String,
    /// The path of the downloaded file, also before it exists. Empty for an upload.
    pub folder_path: String,
    /// The path of the file that is uploaded. Empty for a download.
    pub source_path: String,
    /// The extension with its dot, or empty.
    pub ext: String,
    /// 0 upload, 1 download.
    #[serde(rename = "type", serialize_with = "direction_as_number")]
    pub direction: Direction,
    /// Percent of the bytes transferred, 0…100. 100 only for a complete task.
    pub progress: u8,
    /// 1 if a person has seen the task, else 0.
    pub view: u8,
    /// The status, whose meaning depends on the direction.
    pub status: i32,
    /// The task's identifier, chosen by the client or a UUID.
    pub task_id: String,
    /// The error code. 0 means no error.
    pub code: i32,
    /// The platform, 0…4.
    #[serde(rename = "shareIndex")]
    pub platform: u8,
    /// Bytes a second, smoothed over a few seconds. 0 unless bytes are being transferred.
    pub speed: u64,
    /// Seconds to the end. 0 if it is not known, or if no bytes are being transferred.
    pub remaining: u64,
    /// The place in the queue, 0…9. Higher runs first.
    pub priority: u8,
}

fn direction_as_number<S: serde::Serializer>(direction: &Direction, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(direction.wire())
}

#[cfg(test)]
pub(crate) fn sample(id: u64, direction: Direction, platform: u8, status: i32) -> Row {
    Row {
        id,
        name: format!("file-{id}.bin"),
        thumb: String::new(),
        hash: String::new(),
        is_crypt: 0,
        size: 1000,
        time: 0,
        path: String::new(),
        folder_path: String::new(),
        source_path: String::new(),
        ext: ".bin".into(),
        direction,
        progress: 0,
        view: 0,
        status,
        task_id: format!("task-{id}"),
        code: 0,
        platform,
        speed: 0,
        remaining: 0,
        priority: 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_exactly_the_documented_fields() {
        let json = serde_json::to_value(sample(7, Direction::Download, 3, -1)).unwrap();
        let mut names: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        names.sort();
        let mut documented = [
            "id",
            "name",
            "thumb",
            "hash",
            "isCrypt",
            "size",
            "time",
            "path",
            "folderPath",
            "sourcePath",
            "ext",
            "type",
            "progress",
            "view",
            "status",
            "taskId",
            "code",
            "shareIndex",
            "speed",
            "remaining",
            "priority",
        ];
        documented.sort();
        assert_eq!(names, documented);
        assert_eq!(json["type"], 1);
        assert_eq!(json["shareIndex"], 3);
        assert_eq!(json["isCrypt"], 0);
    }
}
