//! Writes the rows of the set the way every host writes its rows: staged in an outbox, published
//! with conditional puts.

use anyhow::Context;
use futures_util::future::BoxFuture;
use stowage_cloud::{Applied, Batch, Cloud, Hash, RowSink, SinkError, Space, SpaceChange, StageError, verify};
use stowage_storage::{Config, Store};

/// The blobs of a space that has no list; `None` for a space that has one.
///
/// # Errors
/// The space cannot be read.
pub(super) async fn blobs_without_lists(space: &Space) -> anyhow::Result<Option<Vec<Hash>>> {
    if space.has_lists().await? {
        return Ok(None);
    }
    let found = verify(space, false).await?;
    // There are no rows, so no blob is referenced.
    Ok(Some(found.unreferenced.into_iter().map(|blob| blob.hash).collect()))
}

/// Publishes all changes. They are in the space when it returns.
///
/// # Errors
/// The space cannot be written. What was published until then stays.
pub(super) async fn publish(space: &Space, changes: Vec<SpaceChange>) -> anyhow::Result<()> {
    // An outbox for these changes alone; the server's own outbox is not touched.
    let outbox = Store::in_memory(Config::default());
    let cloud = Cloud::open(space.clone(), outbox.clone()).await?;
    let staged = outbox.update(|tx| {
        for change in &changes {
            cloud.stage(tx, change)?;
        }
        Ok::<_, StageError>(())
    });
    staged.await.context("the demo rows cannot be staged")?;
    // A sync publishes first. Unlike the publisher it gives up at the first error.
    let synced = cloud.sync(&NoSink).await;
    outbox.close().await;
    synced.map(drop).context("the demo rows cannot be published")
}

/// Takes no rows: the modules get them with the server's own sync.
struct NoSink;

impl RowSink for NoSink {
    fn apply<'a>(&'a self, _: &'a Batch) -> BoxFuture<'a, Result<Applied, SinkError>> {
        Box::pin(async { Ok(Applied::default()) })
    }

    fn keeps(&self, _: &str) -> bool {
        false
    }
}
