//! Tests of the tasks in memory.

use std::time::Duration;

use super::*;
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
