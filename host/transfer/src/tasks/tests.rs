//! Tests of the tasks in memory.

use std::time::Duration;

use super::*;
use crate::change::TaskChange;
use crate::request::{DownloadRequest, File};

fn task(id: u64, hash: &str) -> Task {
    let request = DownloadRequest {
        task_id: None,
        platform: 3,
        file: File {
            hash: hash.into(),
            name: "n".into(),
            ext: String::new(),
            thumb: String::new(),
            size: 1,
            path: String::new(),
            protected: false,
        },
        directory: None,
        password: None,
    };
    Task::download(id, id.to_string(), &request, String::new(), 0)
}

fn done(mut task: Task) -> Task {
    task.state = State::Done;
    task.finished_ms = i64::try_from(task.id).unwrap();
    task.revision += 1;
    task
}

fn started(tasks: &mut Tasks, most: usize) -> Vec<u64> {
    std::iter::from_fn(|| tasks.next(Direction::Download, most))
        .map(|attempt| attempt.job.task.id)
        .collect()
}

#[test]
fn downloads_of_one_blob_go_one_after_another_and_do_not_hold_others_up() {
    let mut tasks = Tasks::default();
    for (id, hash) in [(1, "a"), (2, "a"), (3, "a"), (4, "b")] {
        tasks.add_staged(task(id, hash), Control::default(), None, true);
    }
    assert_eq!(started(&mut tasks, 4), [1, 4]);
    tasks.end_attempt(done(task(1, "a")), None);
    assert_eq!(started(&mut tasks, 4), [2]);
    tasks.end_attempt(done(task(2, "a")), None);
    assert_eq!(started(&mut tasks, 4), [3]);
}

#[test]
fn no_more_than_the_allowed_number_run() {
    let mut tasks = Tasks::default();
    for id in 1..=5 {
        tasks.add_staged(task(id, &id.to_string()), Control::default(), None, true);
    }
    assert_eq!(started(&mut tasks, 2), [1, 2]);
    tasks.end_attempt(done(task(2, "2")), None);
    assert_eq!(started(&mut tasks, 2), [3]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_for_its_time_or_for_somebody_who_asks() {
    let mut tasks = Tasks::default();
    tasks.add_staged(task(1, "a"), Control::default(), None, true);
    tasks.add_staged(task(2, "b"), Control::default(), None, true);
    assert_eq!(started(&mut tasks, 4), [1, 2]);
    let at = Instant::now() + Duration::from_secs(5);
    for id in [1, 2] {
        let mut paused = task(id, if id == 1 { "a" } else { "b" });
        paused.state = State::Paused;
        tasks.end_attempt(paused, Some(at));
    }
    assert_eq!(started(&mut tasks, 4), Vec::<u64>::new());
    tasks.add_staged(task(2, "b"), Control::default(), None, false);
    assert_eq!(started(&mut tasks, 4), [2]);
    tasks.retry_due(at);
    assert_eq!(started(&mut tasks, 4), [1]);
}

#[test]
fn a_restart_that_the_engine_has_overtaken_changes_nothing() {
    let mut tasks = Tasks::default();
    tasks.add_staged(task(1, "a"), Control::default(), None, true);
    assert_eq!(started(&mut tasks, 4), [1]);
    let mut finished = done(task(1, "a"));
    finished.revision = 7;
    tasks.end_attempt(finished.clone(), None);
    let mut stale = task(1, "a");
    stale.revision = 7;
    tasks.add_staged(stale, Control::default(), None, true);
    assert_eq!(started(&mut tasks, 4), Vec::<u64>::new());
    let mut restarted = finished;
    restarted.restart();
    tasks.add_staged(restarted, Control::default(), None, true);
    assert_eq!(started(&mut tasks, 4), [1]);
}

#[test]
fn the_oldest_finished_tasks_are_forgotten_unless_restarted() {
    let mut tasks = Tasks::default();
    for id in 1..=4 {
        tasks.add_stored(done(task(id, "a")), Control::default());
    }
    assert_eq!(tasks.surplus(2, 100), [1, 2]);
    let mut restarted = done(task(1, "a"));
    restarted.restart();
    tasks.add_staged(restarted, Control::default(), None, true);
    let forgotten: Vec<_> = tasks.forget(&[1, 2]).into_iter().map(|t| t.id).collect();
    assert_eq!(forgotten, [2]);
}

fn control(revision: u64, change: TaskChange) -> Control {
    let mut control = Control {
        revision,
        ..Control::default()
    };
    control.apply(change, 7);
    control
}

#[test]
fn a_held_task_does_not_start_and_an_older_control_changes_nothing() {
    let mut tasks = Tasks::default();
    for id in 1..=2 {
        tasks.add_staged(task(id, &id.to_string()), Control::default(), None, true);
    }
    tasks.set_control(1, control(2, TaskChange::Pause), false);
    tasks.set_control(1, control(1, TaskChange::Resume), true);
    assert_eq!(started(&mut tasks, 4), [2]);
    tasks.set_control(1, control(3, TaskChange::Resume), true);
    assert_eq!(started(&mut tasks, 4), [1]);
}

#[test]
fn an_attempt_is_stopped_when_its_task_is_held_and_goes_on_when_it_is_let_go() {
    let mut tasks = Tasks::default();
    tasks.add_staged(task(1, "a"), Control::default(), None, true);
    let attempt = tasks.next(Direction::Download, 1).unwrap();
    tasks.set_control(1, control(1, TaskChange::Pause), false);
    assert!(attempt.stop.is_cancelled());
    tasks.set_control(1, control(2, TaskChange::Resume), true);
    assert_eq!(started(&mut tasks, 1), Vec::<u64>::new(), "it has not stopped yet");
    let mut stopped = attempt.job.task;
    stopped.state = State::Paused;
    tasks.end_attempt(stopped, None);
    assert_eq!(started(&mut tasks, 1), [1]);
}

#[test]
fn a_paused_download_does_not_hold_up_another_one_of_its_blob() {
    let mut tasks = Tasks::default();
    for id in 1..=3 {
        tasks.add_staged(task(id, "a"), Control::default(), None, true);
    }
    let attempt = tasks.next(Direction::Download, 4).unwrap();
    assert_eq!(started(&mut tasks, 4), Vec::<u64>::new());
    tasks.set_control(2, control(1, TaskChange::Pause), false);
    tasks.set_control(1, control(1, TaskChange::Cancel), false);
    tasks.end_attempt(attempt.job.task, None);
    assert_eq!(started(&mut tasks, 4), [3]);
}

#[test]
fn the_task_that_waits_with_the_highest_priority_is_next() {
    let mut tasks = Tasks::default();
    for id in 1..=4 {
        tasks.add_staged(task(id, &id.to_string()), Control::default(), None, true);
    }
    tasks.set_control(3, control(1, TaskChange::Priority(6)), false);
    tasks.set_control(1, control(1, TaskChange::Priority(0)), false);
    assert_eq!(started(&mut tasks, 4), [3, 2, 4, 1]);
}

#[test]
fn a_new_task_waits_until_the_files_of_a_removed_one_with_its_identifier_are_gone() {
    let mut tasks = Tasks::default();
    let old = task(1, "a");
    let mut new = task(2, "b");
    new.task_id = old.task_id.clone();
    tasks.add_staged(old.clone(), Control::default(), None, true);
    assert!(tasks.remove(old, |_| String::new()).is_some());
    tasks.add_staged(new, Control::default(), None, true);
    tasks.add_staged(task(3, "c"), Control::default(), None, true);
    assert_eq!(started(&mut tasks, 4), [3]);
    let removed = tasks.take_removed();
    assert_eq!(removed.len(), 1);
    tasks.end_removal(&removed[0]);
    assert_eq!(started(&mut tasks, 4), [2]);
}

#[test]
fn cancelled_tasks_count_as_ended_and_are_forgotten_like_others() {
    let mut tasks = Tasks::default();
    tasks.add_staged(task(1, "a"), Control::default(), None, true);
    tasks.set_control(1, control(1, TaskChange::Cancel), false);
    tasks.add_stored(done(task(8, "b")), Control::default());
    assert_eq!(tasks.surplus(0, 10), [1, 8]);
    tasks.set_control(1, control(2, TaskChange::Resume), true);
    assert_eq!(tasks.surplus(0, 10), [8]);
}
