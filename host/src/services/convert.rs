//! The types of WIT as those of the transfers, and back.

use stowage_logic::wit::{files, tasks, transfer as wit};
use stowage_transfer as transfer;

pub(crate) fn direction(direction: wit::Direction) -> transfer::Direction {
    match direction {
        wit::Direction::Upload => transfer::Direction::Upload,
        wit::Direction::Download => transfer::Direction::Download,
    }
}

pub(crate) fn file(file: wit::File) -> transfer::File {
    transfer::File {
        hash: file.hash,
        name: file.name,
        ext: file.ext,
        thumb: file.thumb,
        size: file.size,
        path: file.path,
        protected: file.protected,
    }
}

pub(super) fn file_upload(request: files::UploadRequest) -> transfer::FileUpload {
    transfer::FileUpload {
        task_id: request.task_id,
        platform: request.platform,
        file: file(request.file),
        prepared: request.prepared,
        subject: request.subject,
    }
}

pub(super) fn change(change: tasks::TaskChange) -> transfer::TaskChange {
    match change {
        tasks::TaskChange::Pause => transfer::TaskChange::Pause,
        tasks::TaskChange::Resume => transfer::TaskChange::Resume,
        tasks::TaskChange::Cancel => transfer::TaskChange::Cancel,
        tasks::TaskChange::Retry => transfer::TaskChange::Retry,
        tasks::TaskChange::Remove => transfer::TaskChange::Remove,
        tasks::TaskChange::Priority(priority) => transfer::TaskChange::Priority(priority),
        tasks::TaskChange::BytesPerSecond(bytes) => transfer::TaskChange::BytesPerSecond(bytes),
        tasks::TaskChange::Viewed => transfer::TaskChange::Viewed,
    }
}

pub(super) fn filter(filter: tasks::Filter) -> transfer::TaskFilter {
    transfer::TaskFilter {
        direction: filter.direction.map(direction),
        platform: filter.platform,
        status: filter.status,
    }
}

pub(super) fn task(row: transfer::Row) -> tasks::Task {
    tasks::Task {
        id: row.id,
        task_id: row.task_id,
        direction: match row.direction {
            transfer::Direction::Upload => wit::Direction::Upload,
            transfer::Direction::Download => wit::Direction::Download,
        },
        platform: row.platform,
        name: row.name,
        thumb: row.thumb,
        hash: row.hash,
        protected: row.is_crypt != 0,
        size: row.size,
        time: row.time,
        path: row.path,
        folder_path: row.folder_path,
        source_path: row.source_path,
        ext: row.ext,
        progress: row.progress,
        viewed: row.view != 0,
        status: row.status,
        code: row.code,
        speed: row.speed,
        remaining: row.remaining,
        priority: row.priority,
    }
}

pub(super) fn source(source: files::Source) -> transfer::PrepareSource {
    match source {
        files::Source::Path(path) => transfer::PrepareSource::Path(path),
        files::Source::Blob(blob) => transfer::PrepareSource::Blob {
            hash: blob.hash,
            password: blob.password.map(transfer::Password::from),
        },
    }
}

pub(super) fn prepared(prepared: transfer::Prepared) -> files::Prepared {
    files::Prepared {
        id: prepared.id,
        name: prepared.name,
        hash: prepared.hash,
        size: prepared.size,
        protected: prepared.protected,
    }
}

pub(super) fn prepare_error(error: transfer::PrepareError) -> files::PrepareError {
    match error {
        transfer::PrepareError::Path(why) => files::PrepareError::Path(why.to_string()),
        transfer::PrepareError::Missing => files::PrepareError::Missing,
        transfer::PrepareError::WrongPassword => files::PrepareError::Password,
        transfer::PrepareError::Unreachable(why) | transfer::PrepareError::Failed(why) => {
            files::PrepareError::Failed(why)
        }
    }
}
