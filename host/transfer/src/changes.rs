//! Changes of tasks and limits that calls stage, and the list of tasks.

use stowage_cloud::{Error as SpaceError, Hash};
use stowage_storage::{Error as StorageError, Transaction};

use crate::change::{TaskChange, TaskFilter};
use crate::disk::blocking;
use crate::engine::now_ms;
use crate::limits::{self, Limits, StoredLimits};
use crate::prepare::{self, PrepareError, PrepareSource, Prepared};
use crate::prepared_id::Origin;
use crate::request::{FileUpload, FileUploadRefusal, Password, TaskIdError};
use crate::row::{Direction, Row};
use crate::source::temp_file;
use crate::staged::{Kind, Staged};
use crate::table;
use crate::task::Task;
use crate::transfers::{Transfers, check_task_id, restart};

/// Where a blob was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundBlob {
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is in the space. Else it is among the temp files of this machine only.
    pub in_space: bool,
}

impl Transfers {
    /// Writes a change of a task into the transaction of a call. `None` if there is no such task.
    ///
    /// # Errors
    /// Errors of the transaction.
    pub fn stage_change(
        &self,
        tx: &mut Transaction,
        task_id: &str,
        change: TaskChange,
    ) -> Result<Option<Staged>, StorageError> {
        if check_task_id(task_id).is_err() {
            return Ok(None);
        }
        match table::number(tx, task_id)? {
            Some(id) => stage(tx, id, task_id, change),
            None => Ok(None),
        }
    }

    /// Writes a change of every task that matches and that it concerns. Pause, resume, cancel,
    /// priority and speed concern tasks that have not ended; retry concerns those that ended
    /// without success. A task that another call is creating at this moment is not concerned.
    ///
    /// # Errors
    /// Errors of the transaction.
    pub fn stage_change_all(
        &self,
        tx: &mut Transaction,
        filter: &TaskFilter,
        change: TaskChange,
    ) -> Result<Vec<Staged>, StorageError> {
        let concerned = self.engine().tasks().concerned(filter, change);
        let mut staged = Vec::new();
        for (id, task_id) in concerned {
            staged.extend(stage(tx, id, &task_id, change)?);
        }
        Ok(staged)
    }

    /// The limits of all transfers: those that a call has set, or those of the configuration.
    ///
    /// # Errors
    /// Errors of the transaction.
    pub fn limits(&self, tx: &mut Transaction) -> Result<Limits, StorageError> {
        Ok(limits::stored(tx, &self.engine().config)?.limits)
    }

    /// Writes limits of all transfers into the transaction of a call. Higher limits start tasks at
    /// once. With lower limits, running tasks go on to their end.
    ///
    /// # Errors
    /// Errors of the transaction.
    pub fn stage_limits(&self, tx: &mut Transaction, limits: Limits) -> Result<Staged, StorageError> {
        let revision = limits::stored(tx, &self.engine().config)?.revision + 1;
        let stored = StoredLimits { revision, limits };
        limits::put(tx, &stored)?;
        Ok(Staged(Kind::Limits(stored)))
    }

    /// The rows of the tasks that match, in the order of their numbers. It reads the memory, not
    /// the database.
    pub fn list(&self, filter: &TaskFilter, newest_first: bool, skip: usize, limit: usize) -> Vec<Row> {
        let engine = self.engine();
        let source = |task: &Task| engine.source_path(task);
        engine.tasks().list(filter, newest_first, skip, limit, source)
    }

    /// Prepares a file for an upload. A file of this machine is read once to hash it. With a
    /// password, and for a protected blob, a copy is written that waits for the upload: sealed with
    /// the password, or opened if there is none. A copy that no upload needs is removed after an
    /// hour, and when the host starts.
    ///
    /// A file that is not copied must not change until the upload is complete. If it does, the
    /// upload fails with code 60001.
    ///
    /// # Errors
    /// [`PrepareError`]. Then no copy stays.
    pub async fn prepare(&self, source: PrepareSource, password: Option<Password>) -> Result<Prepared, PrepareError> {
        prepare::run(self.engine(), source, password).await
    }

    /// Writes an upload of a prepared file into the transaction of a call, as a new task. A
    /// repeated request is harmless: a task that ended without success starts again.
    ///
    /// # Errors
    /// Errors of the transaction. A refused upload writes nothing.
    pub fn stage_file_upload(
        &self,
        tx: &mut Transaction,
        upload: FileUpload,
        now_ms: i64,
    ) -> Result<Result<Staged, FileUploadRefusal>, StorageError> {
        if let Err(why) = check_task_id(&upload.task_id) {
            return Ok(Err(FileUploadRefusal::TaskId(why)));
        }
        if Origin::parse(&upload.prepared).is_none() || upload.file.hash.parse::<Hash>().is_err() {
            return Ok(Err(FileUploadRefusal::Prepared));
        }
        if let Some(task) = table::find(tx, &upload.task_id)? {
            return match check_same(&task, &upload) {
                Ok(()) => restart(tx, task, None).map(Ok),
                Err(why) => Ok(Err(FileUploadRefusal::TaskId(why))),
            };
        }
        let task = Task::file_upload(self.engine().new_id(), &upload, now_ms);
        table::insert(tx, &task)?;
        Ok(Ok(Staged::new_task(task, None)))
    }

    /// Removes the temp file of a blob that no row names any more.
    pub async fn remove_temp_file(&self, hash: &Hash) {
        let path = self.engine().temp_path(hash);
        let removed = blocking(move || match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        });
        if let Err(error) = removed.await {
            tracing::warn!(%hash, %error, "cannot remove a temp file that no row names");
        }
    }

    /// Looks for a blob in the space, and then among the temp files. `None` if it is in neither.
    ///
    /// # Errors
    /// The space cannot be reached, and the blob is not among the temp files.
    pub async fn find_blob(&self, hash: &str) -> Result<Option<FoundBlob>, SpaceError> {
        let Ok(hash) = hash.parse::<Hash>() else {
            return Ok(None);
        };
        let engine = self.engine();
        let in_space = engine.cloud.space().head_blob(&hash).await;
        if let Ok(Some(info)) = in_space {
            return Ok(Some(FoundBlob {
                size: info.size,
                in_space: true,
            }));
        }
        match temp_file(engine, &hash).await {
            Some((_, size)) => Ok(Some(FoundBlob { size, in_space: false })),
            None => in_space.map(|_| None),
        }
    }
}

/// Checks that a known task is the upload that is requested.
fn check_same(task: &Task, upload: &FileUpload) -> Result<(), TaskIdError> {
    if task.direction == Direction::Download {
        return Err(TaskIdError::Download);
    }
    if task.prepared.is_empty() || task.file.hash != upload.file.hash {
        return Err(TaskIdError::OtherFile);
    }
    if task.platform != upload.platform {
        return Err(TaskIdError::OtherPlatform);
    }
    Ok(())
}

fn stage(tx: &mut Transaction, id: u64, task_id: &str, change: TaskChange) -> Result<Option<Staged>, StorageError> {
    match change {
        TaskChange::Remove => {
            let Some(task) = table::get(tx, id)? else {
                return Ok(None);
            };
            table::bury(tx, &task)?;
            return Ok(Some(Staged(Kind::Removed(task))));
        }
        // A task that has ended is not written by the engine, so it can be written here.
        TaskChange::Retry => {
            if let Some(task) = table::get(tx, id)?
                && task.state.is_terminal()
            {
                return restart(tx, task, None).map(Some);
            }
        }
        _ => {}
    }
    let before = table::control(tx, id)?;
    let mut control = before.clone();
    control.apply(change, now_ms());
    if control != before {
        control.revision += 1;
        table::put_control(tx, id, &control)?;
    }
    Ok(Some(Staged(Kind::Control {
        id,
        task_id: task_id.to_owned(),
        control,
        now: matches!(change, TaskChange::Resume | TaskChange::Retry),
    })))
}
