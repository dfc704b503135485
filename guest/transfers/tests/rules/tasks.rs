//! The control of tasks and of their limits.

use stowage_sdk::bindings::tasks::{Filter, Limits, Task, TaskChange};
use stowage_sdk::bindings::transfer::Direction;
use stowage_sdk::{Effect, MemoryContext, Order};
use stowage_transfers::bindings::tasks::{Limits as LimitsAnswer, TaskRow};
use stowage_transfers::{Named, NewLimits, TaskList, change, change_all, limits, list_tasks, set_limits, set_priority};

use crate::scene::{because, refused, some, texts, wrong};

fn task(id: u64, direction: Direction, platform: u8, status: i32) -> Task {
    Task {
        id,
        task_id: format!("t{id}"),
        direction,
        platform,
        name: "a.txt".to_owned(),
        thumb: "thumb".to_owned(),
        hash: "hash".to_owned(),
        protected: true,
        size: 100,
        time: 7,
        path: "f".to_owned(),
        folder_path: "/downloads".to_owned(),
        source_path: "/source".to_owned(),
        ext: ".txt".to_owned(),
        progress: 42,
        viewed: true,
        status,
        code: 503,
        speed: 11,
        remaining: 12,
        priority: 9,
    }
}

fn filled() -> MemoryContext {
    let ctx = MemoryContext::new();
    ctx.add_task(task(1, Direction::Upload, 3, 2));
    ctx.add_task(task(2, Direction::Download, 3, 1));
    ctx.add_task(task(3, Direction::Upload, 2, 4));
    ctx
}

fn one(task_id: &str) -> Named {
    Named {
        task_id: some(task_id),
        task_ids: None,
    }
}

fn many(task_ids: &[&str]) -> Named {
    Named {
        task_id: None,
        task_ids: Some(texts(task_ids)),
    }
}

fn changed(task_id: &str, change: TaskChange) -> Effect {
    Effect::ChangeTask {
        task_id: task_id.to_owned(),
        change,
    }
}

#[test]
fn one_task_or_several_are_changed() {
    let ctx = filled();
    for what in [
        TaskChange::Pause,
        TaskChange::Resume,
        TaskChange::Cancel,
        TaskChange::Retry,
        TaskChange::Remove,
        TaskChange::Viewed,
        TaskChange::BytesPerSecond(0),
    ] {
        assert_eq!(change(&ctx, one("t1"), what), Ok(true));
        assert_eq!(ctx.take_effects(), [changed("t1", what)]);
        assert_eq!(change(&ctx, many(&["t3", "t1", "t3"]), what), Ok(true));
        assert_eq!(ctx.take_effects(), [changed("t3", what), changed("t1", what)]);
    }
}

#[test]
fn a_change_is_all_or_nothing() {
    let ctx = filled();
    let pause = |named: Named| refused(ctx.call(|ctx| change(ctx, named, TaskChange::Pause)));
    assert_eq!(pause(one("unknown")), because(60001));
    assert_eq!(pause(many(&["t1", "unknown"])), because(60001));
    assert_eq!(pause(many(&["t1", ""])), because(60001));
    assert_eq!(pause(Named::default()), wrong("taskId"));
    assert_eq!(pause(one("")), wrong("taskId"));
    assert_eq!(pause(many(&[])), wrong("taskIds"));
    assert_eq!(pause(many(&vec!["t1"; 1001])), wrong("taskIds"));
    let both = Named {
        task_id: some("t1"),
        ..many(&["t2"])
    };
    assert_eq!(pause(both), wrong("taskIds"));
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn a_priority_is_0_to_9() {
    let ctx = filled();
    for priority in [0, 9] {
        assert_eq!(set_priority(&ctx, one("t1"), priority), Ok(true));
        let change = TaskChange::Priority(u8::try_from(priority).expect("small"));
        assert_eq!(ctx.take_effects(), [changed("t1", change)]);
    }
    for priority in [10, 256, u32::MAX] {
        assert_eq!(refused(set_priority(&ctx, one("t1"), priority)), wrong("priority"));
    }
    assert_eq!(refused(set_priority(&ctx, one("unknown"), 5)), because(60001));
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn all_tasks_of_a_direction_and_a_platform_are_changed() {
    let ctx = filled();
    let filter = |direction, platform| Filter {
        direction,
        platform,
        status: None,
    };
    for (direction, platform, of, count) in [
        (None, None, filter(None, None), 3),
        (Some(0), None, filter(Some(Direction::Upload), None), 2),
        (Some(1), Some(3), filter(Some(Direction::Download), Some(3)), 1),
        (None, Some(0), filter(None, Some(0)), 0),
        (None, Some(4), filter(None, Some(4)), 0),
    ] {
        assert_eq!(change_all(&ctx, direction, platform, TaskChange::Pause), Ok(count));
        let change = TaskChange::Pause;
        assert_eq!(ctx.take_effects(), [Effect::ChangeTasks { filter: of, change }]);
    }
    let all = |direction, platform| refused(change_all(&ctx, direction, platform, TaskChange::Resume));
    assert_eq!(all(Some(2), None), wrong("type"));
    assert_eq!(all(None, Some(5)), wrong("platform"));
    assert_eq!(all(None, Some(256)), wrong("platform"), "not 0");
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn a_limit_that_is_absent_stays_as_it_is() {
    let ctx = MemoryContext::new();
    let none = LimitsAnswer {
        download_bytes_per_second: 0,
        upload_bytes_per_second: 0,
        max_downloads: 0,
        max_uploads: 0,
    };
    assert_eq!(limits(&ctx), none);
    let all = NewLimits {
        download_bytes_per_second: Some(1),
        upload_bytes_per_second: Some(2),
        max_downloads: Some(3),
        max_uploads: Some(4),
    };
    let answer = LimitsAnswer {
        download_bytes_per_second: 1,
        upload_bytes_per_second: 2,
        max_downloads: 3,
        max_uploads: 4,
    };
    assert_eq!(set_limits(&ctx, all), answer);
    let lifted = NewLimits {
        upload_bytes_per_second: Some(0),
        max_uploads: Some(9),
        ..NewLimits::default()
    };
    let answer = LimitsAnswer {
        upload_bytes_per_second: 0,
        max_uploads: 9,
        ..answer
    };
    assert_eq!(set_limits(&ctx, lifted), answer);
    assert_eq!(limits(&ctx), answer);
    let last = Limits {
        download_bytes_per_second: 1,
        upload_bytes_per_second: 0,
        max_downloads: 3,
        max_uploads: 9,
    };
    assert_eq!(ctx.take_effects().last(), Some(&Effect::SetLimits(last)));
}

#[test]
fn a_task_is_listed_with_all_its_fields() {
    let list = TaskList {
        page: 1,
        page_size: 1,
        ..TaskList::default()
    };
    let row = TaskRow {
        id: 3,
        name: "a.txt".to_owned(),
        thumb: "thumb".to_owned(),
        hash: "hash".to_owned(),
        is_crypt: 1,
        size: 100,
        time: 7,
        path: "f".to_owned(),
        folder_path: "/downloads".to_owned(),
        source_path: "/source".to_owned(),
        ext: ".txt".to_owned(),
        type_: 0,
        progress: 42,
        view: 1,
        status: 4,
        task_id: "t3".to_owned(),
        code: 503,
        share_index: 2,
        speed: 11,
        remaining: 12,
        priority: 9,
    };
    assert_eq!(list_tasks(&filled(), list), Ok(vec![row]));
}

#[test]
fn tasks_are_listed_by_direction_platform_and_status_newest_first() {
    let ctx = filled();
    let all = TaskList {
        page: 1,
        page_size: 1000,
        ..TaskList::default()
    };
    let ids = |list: TaskList| -> Vec<u64> {
        let rows = list_tasks(&ctx, list).expect("a list");
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(ids(all), [3, 2, 1]);
    let order = Some(Order::Asc);
    assert_eq!(ids(TaskList { order, ..all }), [1, 2, 3]);
    assert_eq!(
        ids(TaskList {
            direction: Some(1),
            ..all
        }),
        [2]
    );
    assert_eq!(
        ids(TaskList {
            platform: Some(3),
            ..all
        }),
        [2, 1]
    );
    assert_eq!(ids(TaskList { status: Some(4), ..all }), [3]);
    assert_eq!(
        ids(TaskList {
            status: Some(-1),
            ..all
        }),
        [0; 0]
    );
    let second = TaskList {
        page: 2,
        page_size: 2,
        ..all
    };
    assert_eq!(ids(second), [1]);
    assert_eq!(ids(TaskList { page: u32::MAX, ..all }), [0; 0]);
    let wrongly = |list: TaskList| refused(list_tasks(&ctx, list));
    assert_eq!(
        wrongly(TaskList {
            direction: Some(2),
            ..all
        }),
        wrong("type")
    );
    assert_eq!(
        wrongly(TaskList {
            platform: Some(5),
            ..all
        }),
        wrong("platform")
    );
    assert_eq!(wrongly(TaskList { status: Some(6), ..all }), wrong("status"));
    assert_eq!(
        wrongly(TaskList {
            status: Some(-2),
            ..all
        }),
        wrong("status")
    );
    assert_eq!(wrongly(TaskList { page: 0, ..all }), wrong("page"));
    assert_eq!(wrongly(TaskList { page_size: 1001, ..all }), wrong("pageSize"));
}
