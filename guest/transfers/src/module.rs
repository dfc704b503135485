//! The exports.

use stowage_sdk::bindings::files::{Prepared, UploadRequest};
use stowage_sdk::bindings::tasks::TaskChange;
use stowage_sdk::{Error, HostContext, Order};

use crate::bindings::{backups, favorites, files_hook, storage, tasks, temp_files, uploads};
use crate::{Fields, Named, NewLimits, StorageList, TaskList, Upload};

struct Module;

impl tasks::Guest for Module {
    fn pause_task(task_id: Option<String>, task_ids: Option<Vec<String>>) -> Result<bool, Error> {
        crate::change(&HostContext, Named { task_id, task_ids }, TaskChange::Pause)
    }

    fn resume_task(task_id: Option<String>, task_ids: Option<Vec<String>>) -> Result<bool, Error> {
        crate::change(&HostContext, Named { task_id, task_ids }, TaskChange::Resume)
    }

    fn cancel_task(task_id: Option<String>, task_ids: Option<Vec<String>>) -> Result<bool, Error> {
        crate::change(&HostContext, Named { task_id, task_ids }, TaskChange::Cancel)
    }

    fn retry_task(task_id: Option<String>, task_ids: Option<Vec<String>>) -> Result<bool, Error> {
        crate::change(&HostContext, Named { task_id, task_ids }, TaskChange::Retry)
    }

    fn remove_task(task_id: Option<String>, task_ids: Option<Vec<String>>) -> Result<bool, Error> {
        crate::change(&HostContext, Named { task_id, task_ids }, TaskChange::Remove)
    }

    fn pause_all(direction: Option<u32>, platform: Option<u32>) -> Result<u64, Error> {
        crate::change_all(&HostContext, direction, platform, TaskChange::Pause)
    }

    fn resume_all(direction: Option<u32>, platform: Option<u32>) -> Result<u64, Error> {
        crate::change_all(&HostContext, direction, platform, TaskChange::Resume)
    }

    fn set_task_priority(task_id: Option<String>, task_ids: Option<Vec<String>>, priority: u32) -> Result<bool, Error> {
        crate::set_priority(&HostContext, Named { task_id, task_ids }, priority)
    }

    fn set_task_limit(
        task_id: Option<String>,
        task_ids: Option<Vec<String>>,
        bytes_per_second: u64,
    ) -> Result<bool, Error> {
        let change = TaskChange::BytesPerSecond(bytes_per_second);
        crate::change(&HostContext, Named { task_id, task_ids }, change)
    }

    fn set_limits(
        download_bytes_per_second: Option<u64>,
        upload_bytes_per_second: Option<u64>,
        max_downloads: Option<u32>,
        max_uploads: Option<u32>,
    ) -> Result<tasks::Limits, Error> {
        let new = NewLimits {
            download_bytes_per_second,
            upload_bytes_per_second,
            max_downloads,
            max_uploads,
        };
        Ok(crate::set_limits(&HostContext, new))
    }

    fn get_limits() -> Result<tasks::Limits, Error> {
        Ok(crate::limits(&HostContext))
    }

    fn mark_task_viewed(task_id: Option<String>, task_ids: Option<Vec<String>>) -> Result<bool, Error> {
        crate::change(&HostContext, Named { task_id, task_ids }, TaskChange::Viewed)
    }

    fn list_tasks(
        direction: Option<u32>,
        platform: Option<u32>,
        status: Option<i32>,
        order: Option<Order>,
        page: u32,
        page_size: u32,
    ) -> Result<Vec<tasks::TaskRow>, Error> {
        let list = TaskList {
            direction,
            platform,
            status,
            order,
            page,
            page_size,
        };
        crate::list_tasks(&HostContext, list)
    }
}

impl uploads::Guest for Module {
    fn upload_file(
        path: String,
        platform: u32,
        name: Option<String>,
        file_password: Option<String>,
        unique: Option<String>,
        parent: Option<String>,
        fav_id: Option<String>,
        storage_path: Option<String>,
        msg_id: Option<String>,
        msg_content: Option<String>,
        msg_type: Option<i32>,
        node_address: Option<String>,
        origin_nickname: Option<String>,
        node_id: Option<String>,
        r#type: Option<i32>,
        message_num: Option<u64>,
        nickname: Option<String>,
        domain_name: Option<String>,
        thumb: Option<String>,
        time: Option<i64>,
    ) -> Result<uploads::Upload, Error> {
        let fields = Fields {
            unique,
            parent,
            fav_id,
            storage_path,
            msg_id,
            msg_content,
            msg_type,
            node_address,
            origin_nickname,
            node_id,
            r#type,
            message_num,
            nickname,
            domain_name,
            thumb,
            ext: None,
            name,
            time,
        };
        let upload = Upload {
            path,
            platform,
            file_password,
            fields,
        };
        crate::upload_file(&HostContext, upload)
    }

    fn set_file_password(
        hash: String,
        platform: u32,
        password: String,
        new_password: Option<String>,
    ) -> Result<bool, Error> {
        crate::set_password(&HostContext, &hash, platform, password, new_password)
    }

    fn remove_file_password(hash: String, platform: u32, password: String) -> Result<bool, Error> {
        crate::remove_password(&HostContext, &hash, platform, password)
    }
}

impl favorites::Guest for Module {
    fn add_im_favorite(
        fav_id: Option<String>,
        unique: Option<String>,
        msg_id: Option<String>,
        msg_content: Option<String>,
        msg_type: Option<i32>,
        hash: Option<String>,
        name: Option<String>,
        time: Option<i64>,
        node_address: Option<String>,
        origin_nickname: Option<String>,
        is_crypt: Option<u32>,
    ) -> Result<favorites::Favorite, Error> {
        let fields = Fields {
            fav_id,
            unique,
            msg_id,
            msg_content,
            msg_type,
            name,
            time,
            node_address,
            origin_nickname,
            ..Fields::default()
        };
        crate::add_favorite(&HostContext, fields, hash, is_crypt)
    }

    fn move_im_favorites(uniques: Vec<String>, fav_id: String) -> Result<bool, Error> {
        crate::move_favorites(&HostContext, uniques, &fav_id)
    }

    fn delete_im_favorites(uniques: Vec<String>) -> Result<bool, Error> {
        crate::delete_favorites(&HostContext, uniques)
    }
}

impl temp_files::Guest for Module {
    fn add_local_temp_file(
        parent: String,
        unique: Option<String>,
        hash: Option<String>,
        msg_id: Option<String>,
        msg_content: Option<String>,
        msg_type: Option<i32>,
        ext: Option<String>,
        name: Option<String>,
        time: Option<i64>,
        node_address: Option<String>,
        r#type: Option<i32>,
        is_crypt: Option<u32>,
    ) -> Result<temp_files::TempFile, Error> {
        let fields = Fields {
            parent: Some(parent),
            unique,
            msg_id,
            msg_content,
            msg_type,
            ext,
            name,
            time,
            node_address,
            r#type,
            ..Fields::default()
        };
        crate::add_temp_file(&HostContext, fields, hash, is_crypt)
    }

    fn delete_local_temp_files(uniques: Vec<String>) -> Result<bool, Error> {
        crate::delete_temp_files(&HostContext, uniques)
    }

    fn delete_local_temp_folder(unique: String) -> Result<bool, Error> {
        crate::delete_temp_folder(&HostContext, &unique)
    }
}

impl backups::Guest for Module {
    fn add_im_backup_folder(
        name: String,
        parent: Option<String>,
        unique: Option<String>,
        time: Option<i64>,
    ) -> Result<backups::BackupFolder, Error> {
        crate::add_backup_folder(&HostContext, &name, parent, unique, time)
    }

    fn add_im_backup(
        parent: String,
        hash: String,
        unique: Option<String>,
        node_id: Option<String>,
        r#type: Option<i32>,
        name: Option<String>,
        time: Option<i64>,
        message_num: Option<u64>,
        nickname: Option<String>,
        domain_name: Option<String>,
        is_crypt: Option<u32>,
    ) -> Result<backups::BackupFile, Error> {
        let fields = Fields {
            parent: Some(parent),
            unique,
            node_id,
            r#type,
            name,
            time,
            message_num,
            nickname,
            domain_name,
            ..Fields::default()
        };
        crate::add_backup(&HostContext, fields, &hash, is_crypt)
    }
}

impl storage::Guest for Module {
    fn list_storage_files(
        path: Option<String>,
        keyword: Option<String>,
        kind: Option<u32>,
        order: Option<Order>,
        page: u32,
        page_size: u32,
    ) -> Result<Vec<storage::StorageEntry>, Error> {
        let list = StorageList {
            path: path.as_deref(),
            keyword: keyword.as_deref(),
            kind,
            order,
            page,
            page_size,
        };
        crate::list_files(&HostContext, &list)
    }

    fn get_storage_file(unique: String) -> Result<storage::StorageEntry, Error> {
        crate::get_stored(&HostContext, &unique)
    }

    fn rename_storage_file(unique: String, new_name: String) -> Result<bool, Error> {
        crate::rename_stored(&HostContext, &unique, &new_name)
    }

    fn move_storage_file(unique: String, path: Option<String>) -> Result<bool, Error> {
        crate::move_stored(&HostContext, &unique, path.as_deref())
    }

    fn create_storage_folder(path: Option<String>, name: String) -> Result<storage::StorageEntry, Error> {
        crate::create_folder(&HostContext, path.as_deref(), &name)
    }

    fn delete_storage_files(uniques: Vec<String>) -> Result<bool, Error> {
        crate::delete_stored(&HostContext, uniques)
    }
}

impl files_hook::Guest for Module {
    fn check(platform: u8, name: String, fields: Vec<files_hook::Field>) -> Result<(), files_hook::Failure> {
        crate::fields(&name, fields)
            .and_then(|fields| crate::check(&HostContext, platform, fields))
            .map_err(failure)
    }

    fn store(
        id: String,
        platform: u8,
        name: String,
        fields: Vec<files_hook::Field>,
        file: Prepared,
    ) -> Result<files_hook::Stored, files_hook::Failure> {
        crate::fields(&name, fields)
            .and_then(|fields| crate::store(&HostContext, &id, platform, fields, file))
            .map_err(failure)
    }

    fn find(hash: String, platform: Option<u8>) -> Result<files_hook::Found, files_hook::Failure> {
        crate::find(&HostContext, &hash, platform).map_err(failure)
    }

    fn admit(request: UploadRequest) -> Result<(), files_hook::Refusal> {
        crate::admit(&HostContext, &request)
    }

    fn finished(request: UploadRequest) -> Result<(), files_hook::Refusal> {
        crate::finished(&HostContext, &request)
    }
}

fn failure(error: Error) -> files_hook::Failure {
    files_hook::Failure {
        code: error.code,
        message: error.message,
    }
}

crate::bindings::export!(Module with_types_in crate::bindings);
