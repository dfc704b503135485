//! `stowage:host/tasks`: changes of tasks, recorded in the call's transaction, and how tasks stand.

use crate::api::effect::Request;
use crate::api::fact::{Answer, Question};
use crate::bindings::stowage::host::tasks as wit;
use crate::engine::state::State;
use crate::imports::cloud::wrong_answer;

/// The most tasks of one list.
const LIST_LIMIT: u32 = 1000;

/// The highest place in the queue.
const HIGHEST_PRIORITY: u8 = 9;

fn capped(change: wit::TaskChange) -> wit::TaskChange {
    match change {
        wit::TaskChange::Priority(priority) => wit::TaskChange::Priority(priority.min(HIGHEST_PRIORITY)),
        other => other,
    }
}

fn task_bytes(task: &wit::Task) -> usize {
    let texts = [
        &task.task_id,
        &task.name,
        &task.thumb,
        &task.hash,
        &task.path,
        &task.folder_path,
        &task.source_path,
        &task.ext,
    ];
    texts.iter().map(|text| text.len()).sum::<usize>() + 128
}

impl wit::Host for State {
    fn change(&mut self, task_id: String, change: wit::TaskChange) -> wasmtime::Result<bool> {
        let _span = self.host_span("tasks.change");
        let change = capped(change);
        let call = self.host_call(task_id.len())?;
        call.count_effect()?;
        let effect = call
            .services
            .change_task(&mut call.transaction, &task_id, change)
            .map_err(|error| call.refuse(error))?;
        let known = effect.is_some();
        call.note(|| Request::ChangeTask { task_id, change, known });
        call.effects.extend(effect);
        Ok(known)
    }

    fn change_all(&mut self, filter: wit::Filter, change: wit::TaskChange) -> wasmtime::Result<u64> {
        let _span = self.host_span("tasks.change-all");
        let change = capped(change);
        let call = self.host_call(0)?;
        call.count_effect()?;
        let (count, effect) = call
            .services
            .change_tasks(&mut call.transaction, filter, change)
            .map_err(|error| call.refuse(error))?;
        call.note(|| Request::ChangeTasks { filter, change, count });
        call.effects.push(effect);
        Ok(count)
    }

    fn list(
        &mut self,
        filter: wit::Filter,
        newest_first: bool,
        skip: u64,
        limit: u32,
    ) -> wasmtime::Result<Vec<wit::Task>> {
        let _span = self.host_span("tasks.list");
        let limit = limit.min(LIST_LIMIT);
        let call = self.host_call(0)?;
        let question = Question::Tasks {
            filter,
            newest_first,
            skip,
            limit,
        };
        match call.ask(question)? {
            Answer::Tasks(tasks) => {
                call.charge(tasks.iter().map(task_bytes).sum())?;
                Ok(tasks)
            }
            other => Err(wrong_answer(&other)),
        }
    }

    fn get_limits(&mut self) -> wasmtime::Result<wit::Limits> {
        let _span = self.host_span("tasks.get-limits");
        let call = self.host_call(0)?;
        let limits = call
            .services
            .limits(&mut call.transaction)
            .map_err(|error| call.refuse(error))?;
        call.note(|| Request::Limits(limits));
        Ok(limits)
    }

    fn set_limits(&mut self, limits: wit::Limits) -> wasmtime::Result<()> {
        let _span = self.host_span("tasks.set-limits");
        let call = self.host_call(0)?;
        call.count_effect()?;
        call.note(|| Request::SetLimits(limits));
        let effect = call
            .services
            .set_limits(&mut call.transaction, limits)
            .map_err(|error| call.refuse(error))?;
        call.effects.push(effect);
        Ok(())
    }
}
