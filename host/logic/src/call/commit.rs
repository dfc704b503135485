//! The commit of a run, and the effects that it releases.

use stowage_storage::{Commit, CommitError};

use super::attempt::AttemptError;
use super::runtime::Runtime;
use crate::api::effect::Effect;
use crate::api::error::CallError;
use crate::api::services::Services;
use crate::engine::active_call::ActiveCall;

/// Commits what a run wrote, and releases its effects once that is durable.
pub(crate) async fn commit(runtime: &Runtime, call: Box<ActiveCall>) -> Result<(), AttemptError> {
    if call.effects.iter().all(|effect| matches!(effect, Effect::CloudChanged)) {
        // The changes are rows of the transaction, and the cloud only has to be woken. It may find
        // nothing to do.
        let _wake = (!call.effects.is_empty()).then(|| WakeCloudOnDrop(&*call.services));
        return committed(runtime.store.commit(call.transaction).await);
    }
    // In a task of its own: if the client hangs up, the effects are released all the same.
    let store = runtime.store.clone();
    let task = tokio::spawn(async move {
        committed(store.commit(call.transaction).await)?;
        release(call.effects, &*call.services);
        Ok::<(), AttemptError>(())
    });
    task.await.map_err(CallError::CommitTask)?
}

/// Wakes the cloud when the commit is done, or when nobody waits for it any more.
struct WakeCloudOnDrop<'a>(&'a dyn Services);

impl Drop for WakeCloudOnDrop<'_> {
    fn drop(&mut self) {
        self.0.cloud_changed();
    }
}

fn committed(result: Result<Commit, CommitError>) -> Result<(), AttemptError> {
    match result {
        Ok(_) => Ok(()),
        Err(CommitError::Conflict) => Err(AttemptError::Conflict),
        Err(error) => Err(CallError::Commit(error).into()),
    }
}

/// Releases the effects of a committed call.
pub(crate) fn release(effects: Vec<Effect>, services: &dyn Services) {
    let mut cloud_changed = false;
    for effect in effects {
        match effect {
            Effect::Start(start) => start(),
            Effect::CloudChanged => cloud_changed = true,
            Effect::Subscribe { key, filter } => services.subscribe(&key, filter),
        }
    }
    if cloud_changed {
        services.cloud_changed();
    }
}
