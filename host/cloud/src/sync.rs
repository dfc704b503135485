//! From the space to the local rows.

mod fetches;
mod pass;

use crate::state::CloudState;
use crate::update::update;
use crate::{Error, RowSink, SyncReport, mirror, publish};

use pass::Pass;

/// The most passes of one sync.
const PASSES_LIMIT: u32 = 16;

/// Publishes the outbox, then syncs. One sync runs at a time.
pub(crate) async fn publish_and_sync(state: &CloudState, sink: &dyn RowSink) -> Result<SyncReport, Error> {
    let publish_then_sync = async {
        publish::rows(state).await?;
        run(state, sink).await
    };
    state.sync_runs.run(publish_then_sync).await
}

async fn run(state: &CloudState, sink: &dyn RowSink) -> Result<SyncReport, Error> {
    let _moving = state.moving.lock().await;
    let description = state.space.description().await?;
    update(&state.store, |tx| mirror::put_description(tx, &description)).await?;
    let mut report = SyncReport::default();
    for _ in 0..PASSES_LIMIT {
        if !Pass::new(state, sink, &mut report).run().await? {
            break;
        }
    }
    Ok(report)
}
