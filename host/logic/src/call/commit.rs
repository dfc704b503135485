//! The commit of a run, and the effects that it releases.

use stowage_storage::{Commit, CommitError};
use tracing::{Instrument as _, Span};

use super::attempt::AttemptError;
use super::runtime::Runtime;
use crate::api::effect::Effect;
use crate::api::error::CallError;
use crate::api::services::Services;
use crate::engine::active_call::ActiveCall;
use crate::spans;

/// The kind of an effect that wakes the cloud, in traces.
const CLOUD_CHANGED: &str = "cloud-changed";

/// Commits what a run wrote, and releases its effects once that is durable.
pub(crate) async fn commit(runtime: &Runtime, call: Box<ActiveCall>, span: &Span) -> Result<(), AttemptError> {
    let commit = spans::commit(span, call.transaction.write_bytes());
    if call.effects.iter().all(|effect| matches!(effect, Effect::CloudChanged)) {
        // The changes are rows of the transaction, and the cloud only has to be woken. It may find
        // nothing to do.
        let _wake = (!call.effects.is_empty()).then(|| WakeCloudOnDrop(&*call.services));
        let has_changes = !call.effects.is_empty();
        let committing = runtime.store.commit(call.transaction);
        committed(&commit, committing.instrument(commit.clone()).await)?;
        drop(commit);
        if has_changes {
            drop(spans::effect(span, CLOUD_CHANGED));
        }
        return Ok(());
    }
    // In a task of its own: if the client hangs up, the effects are released all the same.
    let store = runtime.store.clone();
    let span = span.clone();
    let task = tokio::spawn(async move {
        let committing = store.commit(call.transaction);
        committed(&commit, committing.instrument(commit.clone()).await)?;
        drop(commit);
        release(call.effects, &*call.services, &span);
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

fn committed(span: &Span, result: Result<Commit, CommitError>) -> Result<(), AttemptError> {
    match result {
        Ok(commit) => {
            span.record("sequence", commit.sequence).record("batch", commit.batch);
            Ok(())
        }
        Err(CommitError::Conflict) => {
            span.record("conflict", true);
            Err(AttemptError::Conflict)
        }
        Err(error) => Err(CallError::Commit(error).into()),
    }
}

/// Releases the effects of a committed call, which has this span.
pub(crate) fn release(effects: Vec<Effect>, services: &dyn Services, span: &Span) {
    let mut cloud_changed = false;
    for effect in effects {
        match effect {
            // Entered, so that a task that starts belongs to the trace.
            Effect::Start(start) => spans::effect(span, "start").in_scope(start),
            Effect::CloudChanged => cloud_changed = true,
            Effect::Subscribe { key, filter } => {
                spans::effect(span, "subscribe").in_scope(|| services.subscribe(&key, filter));
            }
        }
    }
    if cloud_changed {
        spans::effect(span, CLOUD_CHANGED).in_scope(|| services.cloud_changed());
    }
}
