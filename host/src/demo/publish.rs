//! Writes the set's rows the way every host writes its rows: staged in an outbox, published with conditional puts.

use anyhow::Context;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use stowage_cloud::{Applied, Batch, Change, Cloud, Collection, Hash, RowSink, SinkError, Space, StageError, verify};
use stowage_storage::{Config, Store};

use super::rows::List;

/// The blobs of a space that has no list; `None` for one that has.
///
/// # Errors
/// The space cannot be read.
pub(super) async fn blobs_without_lists(space: &Space) -> anyhow::Result<Option<Vec<Hash>>> {
    if space.has_lists().await? {
        return Ok(None);
    }
    let found = verify(space, false).await?;
    // Without rows every blob is one that no row names.
    Ok(Some(found.unreferenced.into_iter().map(|blob| blob.hash).collect()))
}

/// Publishes all rows; they are in the space when it returns.
///
/// # Errors
/// The space cannot be written. The rows published until then stay.
pub(super) async fn rows(space: &Space, lists: Vec<List>) -> anyhow::Result<()> {
    let mut changes = Vec::new();
    for (collection, rows) in lists {
        for row in rows {
            changes.push(put(collection, row)?);
        }
    }
    // An outbox of our own, gone when the rows are published: the server's belongs to its rows.
    let outbox = Store::in_memory(Config::default());
    let cloud = Cloud::open(space.clone(), outbox.clone()).await?;
    let staged = outbox.update(|tx| {
        for change in &changes {
            cloud.stage(tx, change)?;
        }
        Ok::<_, StageError>(())
    });
    staged.await.context("the demo rows cannot be staged")?;
    // Publishing comes first in a sync, and unlike the publisher a sync gives up at the first error.
    let synced = cloud.sync(&Nobody).await;
    outbox.close().await;
    synced.map(drop).context("the demo rows cannot be published")
}

fn put(collection: &'static str, row: Value) -> anyhow::Result<Change> {
    let fields: Map<String, Value> = match row {
        Value::Object(fields) => fields,
        _ => anyhow::bail!("a demo row of {collection} is no object"),
    };
    let known = Collection::named(collection).context("a collection that the format does not have")?;
    let identity = fields
        .get(known.identity)
        .and_then(Value::as_str)
        .context("a demo row without identity")?
        .to_owned();
    Ok(Change::PutRow {
        collection: collection.to_owned(),
        identity,
        fields,
    })
}

/// Takes no rows: the modules get them with the server's own sync.
struct Nobody;

impl RowSink for Nobody {
    fn apply<'a>(&'a self, _: &'a Batch) -> BoxFuture<'a, Result<Applied, SinkError>> {
        Box::pin(async { Ok(Applied::default()) })
    }

    fn keeps(&self, _: &str) -> bool {
        false
    }
}
