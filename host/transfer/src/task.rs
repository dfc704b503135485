//! A durable task.

use serde::{Deserialize, Serialize};
use stowage_cloud::{Hash, PartUpload};

use crate::control::DEFAULT_PRIORITY;
use crate::disk::FinishedFile;
use crate::prepared_id::Origin;
use crate::request::{DownloadRequest, File, FileUpload, UploadRequest};
use crate::row::{Direction, Row};

/// The error codes of tasks, as the API numbers them.
pub(crate) mod code {
    pub(crate) const NONE: i32 = 0;
    /// The space refuses this host. A person must change something.
    pub(crate) const REFUSED: i32 = 403;
    /// The bytes of the blob are wrong.
    pub(crate) const WRONG_BYTES: i32 = 422;
    /// A person cancelled the task.
    pub(crate) const CANCELLED: i32 = 499;
    /// It will not work again by itself.
    pub(crate) const FAILURE: i32 = 500;
    /// It is tried again by itself.
    pub(crate) const TEMPORARY: i32 = 503;
    /// The disk is full, or has less than the free bytes that must stay.
    pub(crate) const DISK_FULL: i32 = 507;
    pub(crate) const NO_FILE: i32 = 60001;
    pub(crate) const WRONG_PASSWORD: i32 = 60004;
}

/// The state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Accepted, not started.
    Initial,
    /// It waits for other tasks.
    Waiting,
    /// Its bytes are being transferred.
    Active,
    /// It continues by itself later, or once a password is given.
    Paused,
    /// The blob is no longer in the space.
    Invalid,
    /// It was complete, but its file was deleted or changed since.
    Deleted,
    /// Complete.
    Done,
    /// It will not continue by itself.
    Failed,
    /// The space has no room for the upload.
    NoSpace,
}

impl State {
    /// All of them.
    pub(crate) const ALL: [State; 9] = [
        State::Initial,
        State::Waiting,
        State::Active,
        State::Paused,
        State::Invalid,
        State::Deleted,
        State::Done,
        State::Failed,
        State::NoSpace,
    ];

    /// Its name in metrics and traces.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Initial => "initial",
            State::Waiting => "waiting",
            State::Active => "active",
            State::Paused => "paused",
            State::Invalid => "invalid",
            State::Deleted => "deleted",
            State::Done => "done",
            State::Failed => "failed",
            State::NoSpace => "no-space",
        }
    }

    /// Whether the task stays in this state until it is requested again.
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            State::Initial | State::Waiting | State::Active | State::Paused => false,
            State::Invalid | State::Deleted | State::Done | State::Failed | State::NoSpace => true,
        }
    }

    /// The status on the wire.
    pub(crate) fn wire(self, direction: Direction) -> i32 {
        match direction {
            Direction::Download => match self {
                State::Initial | State::Waiting => -1,
                State::Invalid => 0,
                State::Active => 1,
                State::Paused => 2,
                State::Deleted => 3,
                State::Done => 4,
                State::Failed | State::NoSpace => 5,
            },
            Direction::Upload => match self {
                State::Initial => -1,
                State::Waiting => 0,
                State::Done => 1,
                State::Active => 2,
                State::Failed | State::Invalid | State::Deleted => 3,
                State::Paused => 4,
                State::NoSpace => 5,
            },
        }
    }
}

/// The part of a download that is durable on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// Synced bytes, from the beginning.
    pub(crate) offset: u64,
    /// Their SHA-256. A file that was changed since does not match it and is not continued.
    pub(crate) sha256: [u8; 32],
    /// More synced bytes: start and end of each range, in order, from `offset` on.
    #[serde(default)]
    pub(crate) ranges: Vec<(u64, u64)>,
}

impl Checkpoint {
    /// Whether it fits a file of this size.
    pub(crate) fn fits(&self, size: u64) -> bool {
        let mut before = self.offset;
        self.ranges.iter().all(|&(start, end)| {
            let in_order = before <= start && start <= end;
            before = end;
            in_order
        }) && before <= size
    }

    /// Bytes that it covers.
    pub(crate) fn covered_bytes(&self) -> u64 {
        let more = self.ranges.iter().map(|(start, end)| end.saturating_sub(*start));
        more.fold(self.offset, u64::saturating_add)
    }

    /// Where the last byte that it covers ends.
    pub(crate) fn end(&self) -> u64 {
        self.ranges.last().map_or(self.offset, |(_, end)| *end)
    }
}

/// The decrypted content of a protected file, before it gets its final name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opened {
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Its SHA-256.
    pub(crate) sha256: [u8; 32],
}

/// A task as stored in the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) task_id: String,
    pub(crate) direction: Direction,
    pub(crate) platform: u8,
    pub(crate) file: File,
    /// Of a download: the absolute path of its directory.
    #[serde(default)]
    pub(crate) directory: String,
    /// Of a download: its file name, without a number.
    #[serde(default)]
    pub(crate) file_name: String,
    /// Of an upload: data of the module.
    #[serde(default)]
    pub(crate) subject: String,
    pub(crate) created_ms: i64,
    /// When it became terminal, in milliseconds since the epoch; 0 while it has not.
    #[serde(default)]
    pub(crate) finished_ms: i64,
    pub(crate) state: State,
    #[serde(default)]
    pub(crate) code: i32,
    /// Raised by every change, so that the newer of two copies is known.
    #[serde(default)]
    pub(crate) revision: u64,
    #[serde(default)]
    pub(crate) checkpoint: Option<Checkpoint>,
    #[serde(default)]
    pub(crate) opened: Option<Opened>,
    #[serde(default)]
    pub(crate) finished_file: Option<FinishedFile>,
    /// Of an upload: the blob is durable in the space, but the module does not know it yet.
    #[serde(default)]
    pub(crate) moved: bool,
    /// Of an upload in parts: what the space has.
    #[serde(default)]
    pub(crate) part_upload: Option<PartUpload>,
    /// Of an upload of a prepared file: where its bytes are. Empty for others.
    #[serde(default)]
    pub(crate) prepared: String,
}

impl Task {
    pub(crate) fn download(
        id: u64,
        task_id: String,
        request: &DownloadRequest,
        directory: String,
        now_ms: i64,
    ) -> Task {
        let fallback = format!("{}{}", request.file.hash, request.file.ext);
        let fallback = crate::name::safe(&fallback, "file");
        Task {
            file_name: crate::name::safe(&request.file.name, &fallback),
            directory,
            ..Task::new(
                id,
                task_id,
                Direction::Download,
                request.platform,
                &request.file,
                now_ms,
            )
        }
    }

    pub(crate) fn upload(id: u64, task_id: String, request: &UploadRequest, now_ms: i64) -> Task {
        Task {
            subject: request.subject.clone(),
            ..Task::new(id, task_id, Direction::Upload, request.platform, &request.file, now_ms)
        }
    }

    pub(crate) fn file_upload(id: u64, upload: &FileUpload, now_ms: i64) -> Task {
        let FileUpload {
            task_id,
            platform,
            file,
            prepared,
            subject,
        } = upload;
        Task {
            subject: subject.clone(),
            prepared: prepared.clone(),
            ..Task::new(id, task_id.clone(), Direction::Upload, *platform, file, now_ms)
        }
    }

    fn new(id: u64, task_id: String, direction: Direction, platform: u8, file: &File, now_ms: i64) -> Task {
        Task {
            id,
            task_id,
            direction,
            platform,
            file: file.clone(),
            directory: String::new(),
            file_name: String::new(),
            subject: String::new(),
            created_ms: now_ms,
            finished_ms: 0,
            state: State::Initial,
            code: code::NONE,
            revision: 1,
            checkpoint: None,
            opened: None,
            finished_file: None,
            moved: false,
            part_upload: None,
            prepared: String::new(),
        }
    }

    /// Starts the task again. Bytes on disk are kept.
    pub(crate) fn restart(&mut self) {
        self.revision += 1;
        self.state = State::Initial;
        self.code = code::NONE;
        self.finished_ms = 0;
        self.finished_file = None;
        // The space may have lost the blob since.
        self.moved = false;
    }

    /// The request of an upload of a prepared file. `None` for other tasks.
    pub(crate) fn prepared_upload(&self) -> Option<FileUpload> {
        (!self.prepared.is_empty()).then(|| FileUpload {
            task_id: self.task_id.clone(),
            platform: self.platform,
            file: self.file.clone(),
            prepared: self.prepared.clone(),
            subject: self.subject.clone(),
        })
    }

    pub(crate) fn upload_request(&self) -> UploadRequest {
        UploadRequest {
            platform: self.platform,
            file: self.file.clone(),
            subject: self.subject.clone(),
        }
    }

    /// The hash of the file in the staging directory that it uploads, if it uploads one from there.
    pub(crate) fn staged_hash(&self) -> Option<Hash> {
        match Origin::parse(&self.prepared)? {
            Origin::Staged { .. } => self.file.hash.parse().ok(),
            _ => None,
        }
    }

    /// The name of the temporary file for the stored bytes.
    pub(crate) fn part_name(&self) -> String {
        crate::name::temporary(&self.file_name, &self.task_id, "stowage-part")
    }

    /// The name of the temporary file for the plain content of a protected file.
    pub(crate) fn opened_name(&self) -> String {
        crate::name::temporary(&self.file_name, &self.task_id, "stowage-open")
    }

    /// Bytes that need not be transferred again.
    pub(crate) fn checkpoint_offset(&self) -> u64 {
        let sent_bytes = |upload: &PartUpload| upload.sent_bytes(self.file.size);
        match &self.checkpoint {
            Some(checkpoint) => checkpoint.covered_bytes(),
            None => self.part_upload.as_ref().map_or(0, sent_bytes),
        }
    }

    /// The row of the feed. `transferred` is in bytes. `source` is the path of an uploaded file.
    pub(crate) fn row(&self, state: State, code: i32, transferred: u64, source: String) -> Row {
        let folder_path = match &self.finished_file {
            Some(finished_file) => finished_file.path.display().to_string(),
            None if self.direction == Direction::Download => {
                format!("{}/{}", self.directory.trim_end_matches('/'), self.file_name)
            }
            None => String::new(),
        };
        Row {
            id: self.id,
            name: self.file.name.clone(),
            thumb: self.file.thumb.clone(),
            hash: self.file.hash.clone(),
            is_crypt: u8::from(self.file.protected),
            size: self.file.size,
            time: self.created_ms,
            path: self.file.path.clone(),
            folder_path,
            source_path: source,
            ext: self.file.ext.clone(),
            direction: self.direction,
            progress: self.percent(state, transferred),
            view: 0,
            status: state.wire(self.direction),
            task_id: self.task_id.clone(),
            code,
            platform: self.platform,
            speed: 0,
            remaining: 0,
            priority: DEFAULT_PRIORITY,
        }
    }

    fn percent(&self, state: State, transferred: u64) -> u8 {
        match state {
            State::Done => 100,
            State::Invalid | State::Deleted => 0,
            _ if self.file.size == 0 => 0,
            _ => {
                let percent = u128::from(transferred) * 100 / u128::from(self.file.size);
                u8::try_from(percent.min(99)).expect("at most 99")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_task_is_at_a_hundred_percent() {
        let request = UploadRequest {
            platform: 3,
            file: File {
                hash: String::new(),
                name: "a".into(),
                ext: String::new(),
                thumb: String::new(),
                size: 10,
                path: String::new(),
                protected: false,
            },
            subject: String::new(),
        };
        let task = Task::upload(1, "t".into(), &request, 0);
        let progress = |state, transferred| task.row(state, code::NONE, transferred, String::new()).progress;
        assert_eq!(progress(State::Active, 10), 99);
        assert_eq!(progress(State::Active, u64::MAX), 99);
        assert_eq!(progress(State::Done, 0), 100);
    }

    #[test]
    fn a_checkpoint_fits_only_if_its_ranges_are_in_order_and_in_the_file() {
        let checkpoint = |offset, ranges: &[(u64, u64)]| Checkpoint {
            offset,
            sha256: [0; 32],
            ranges: ranges.to_vec(),
        };
        let good = checkpoint(3, &[(3, 5), (7, 10)]);
        assert!(good.fits(10));
        assert_eq!((good.covered_bytes(), good.end()), (8, 10));
        for (offset, ranges) in [
            (11, &[][..]),
            (3, &[(2, 5)]),
            (3, &[(5, 4)]),
            (3, &[(7, 10), (3, 5)]),
            (3, &[(7, 11)]),
            (0, &[(1, u64::MAX), (0, u64::MAX)]),
        ] {
            assert!(!checkpoint(offset, ranges).fits(10), "{offset} {ranges:?}");
        }
    }

    #[test]
    fn a_checkpoint_of_an_earlier_version_has_no_ranges() {
        let earlier = serde_json::json!({"offset": 7, "sha256": vec![1; 32]});
        let bytes = rmp_serde::to_vec_named(&earlier).unwrap();
        let checkpoint: Checkpoint = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!((checkpoint.offset, checkpoint.covered_bytes()), (7, 7));
    }

    #[test]
    fn a_task_is_kept_with_field_names_and_unknown_ones_do_not_harm() {
        let request = UploadRequest {
            platform: 3,
            file: File {
                hash: "h".into(),
                name: "a".into(),
                ext: ".x".into(),
                thumb: String::new(),
                size: 10,
                path: String::new(),
                protected: false,
            },
            subject: "s".into(),
        };
        let task = Task::upload(1, "t".into(), &request, 5);
        let bytes = rmp_serde::to_vec_named(&task).unwrap();
        let mut value: serde_json::Value = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(value["task_id"], "t");
        value["later"] = serde_json::json!({"x": 1});
        let bytes = rmp_serde::to_vec_named(&value).unwrap();
        let back: Task = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(back, task);
    }
}
