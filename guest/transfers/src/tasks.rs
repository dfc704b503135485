//! The control of tasks and of their limits.

use stowage_sdk::bindings::tasks::{Filter, Limits, Task, TaskChange};
use stowage_sdk::bindings::transfer::Direction;
use stowage_sdk::{Context, Error, Order, Paging};

use crate::bindings::tasks as api;
use crate::parameters::{identifiers, platform};

/// The highest place in the queue.
const HIGHEST_PRIORITY: u32 = 9;

/// The status values of both directions.
const STATUSES: std::ops::RangeInclusive<i32> = -1..=5;

/// The tasks that a method names: `taskId`, or `taskIds`.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// One task.
    pub task_id: Option<String>,
    /// Several tasks.
    pub task_ids: Option<Vec<String>>,
}

/// Changes tasks, all or none of them.
///
/// # Errors
/// 600 no tasks are named, or too many; 60001 one of them does not exist.
pub fn change(ctx: &dyn Context, named: Named, change: TaskChange) -> Result<bool, Error> {
    for task_id in identifiers("taskId", "taskIds", named.task_id, named.task_ids)? {
        if !ctx.change_task(&task_id, change) {
            return Err(Error::no_task(&task_id));
        }
    }
    Ok(true)
}

/// Changes the unfinished tasks of a direction and a platform, or all of them. Returns how many it
/// concerned.
///
/// # Errors
/// 600 a bad `type` or `platform`.
pub fn change_all(
    ctx: &dyn Context,
    direction: Option<u32>,
    platform_number: Option<u32>,
    change: TaskChange,
) -> Result<u64, Error> {
    let filter = filter(direction, platform_number, None)?;
    Ok(ctx.change_tasks(filter, change))
}

/// Sets the place of tasks in the queue.
///
/// # Errors
/// As [`change`]; 600 a priority above 9.
pub fn set_priority(ctx: &dyn Context, named: Named, priority: u32) -> Result<bool, Error> {
    let priority = u8::try_from(priority.min(HIGHEST_PRIORITY + 1)).unwrap_or(u8::MAX);
    if u32::from(priority) > HIGHEST_PRIORITY {
        return Err(Error::parameter("priority", "a whole number from 0 to 9"));
    }
    change(ctx, named, TaskChange::Priority(priority))
}

/// The limits that `setLimits` names. What is absent stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewLimits {
    /// Bytes a second of all downloads.
    pub download_bytes_per_second: Option<u64>,
    /// Bytes a second of all uploads.
    pub upload_bytes_per_second: Option<u64>,
    /// Downloads at once.
    pub max_downloads: Option<u32>,
    /// Uploads at once.
    pub max_uploads: Option<u32>,
}

/// Sets limits, and returns those in force.
pub fn set_limits(ctx: &dyn Context, new: NewLimits) -> api::Limits {
    let before = ctx.limits();
    let limits = Limits {
        download_bytes_per_second: new
            .download_bytes_per_second
            .unwrap_or(before.download_bytes_per_second),
        upload_bytes_per_second: new.upload_bytes_per_second.unwrap_or(before.upload_bytes_per_second),
        max_downloads: new.max_downloads.unwrap_or(before.max_downloads),
        max_uploads: new.max_uploads.unwrap_or(before.max_uploads),
    };
    ctx.set_limits(limits);
    limits_to_api(limits)
}

/// The limits in force.
pub fn limits(ctx: &dyn Context) -> api::Limits {
    limits_to_api(ctx.limits())
}

fn limits_to_api(limits: Limits) -> api::Limits {
    api::Limits {
        download_bytes_per_second: limits.download_bytes_per_second,
        upload_bytes_per_second: limits.upload_bytes_per_second,
        max_downloads: limits.max_downloads,
        max_uploads: limits.max_uploads,
    }
}

/// The parameters of `listTasks`.
#[derive(Debug, Clone, Copy, Default)]
pub struct List {
    /// 0 uploads, 1 downloads; absent: both.
    pub direction: Option<u32>,
    /// A platform; absent: all.
    pub platform: Option<u32>,
    /// A status; absent: all.
    pub status: Option<i32>,
    /// Absent: newest first.
    pub order: Option<Order>,
    /// The page number, from 1.
    pub page: u32,
    /// 1 to 1000.
    pub page_size: u32,
}

/// A page of the tasks.
///
/// # Errors
/// 600 naming the parameter that is out of range.
pub fn list(ctx: &dyn Context, list: List) -> Result<Vec<api::TaskRow>, Error> {
    let filter = filter(list.direction, list.platform, list.status)?;
    let paging = Paging::new(list.page, list.page_size)?;
    let newest_first = list.order.unwrap_or(Order::Desc) == Order::Desc;
    let tasks = ctx.list_tasks(filter, newest_first, paging.skip, paging.limit);
    Ok(tasks.into_iter().map(to_api).collect())
}

fn filter(direction: Option<u32>, platform_number: Option<u32>, status: Option<i32>) -> Result<Filter, Error> {
    let direction = match direction {
        None => None,
        Some(0) => Some(Direction::Upload),
        Some(1) => Some(Direction::Download),
        Some(_) => {
            return Err(Error::parameter(
                "type",
                "a whole number from 0 to 1 (0 upload, 1 download)",
            ));
        }
    };
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        return Err(Error::parameter("status", "a whole number from -1 to 5"));
    }
    Ok(Filter {
        direction,
        platform: platform_number.map(platform).transpose()?,
        status,
    })
}

fn to_api(task: Task) -> api::TaskRow {
    api::TaskRow {
        id: task.id,
        name: task.name,
        thumb: task.thumb,
        hash: task.hash,
        is_crypt: u32::from(task.protected),
        size: task.size,
        time: task.time,
        path: task.path,
        folder_path: task.folder_path,
        source_path: task.source_path,
        ext: task.ext,
        type_: match task.direction {
            Direction::Upload => 0,
            Direction::Download => 1,
        },
        progress: u32::from(task.progress),
        view: u32::from(task.viewed),
        status: task.status,
        task_id: task.task_id,
        code: task.code,
        share_index: u32::from(task.platform),
        speed: task.speed,
        remaining: task.remaining,
        priority: u32::from(task.priority),
    }
}
