//! The rules of `transferApi`, on plain functions.

mod backups;
mod counters;
mod favorites;
mod files_hook;
mod passwords;
mod scene;
mod storage_files;
mod storage_folders;
mod storage_lists;
mod tasks;
mod temp_files;
mod uploads;
