//! Checks that uploaded blobs stay in the space.
//!
//! Another host may remove a blob while the row that names it is being published. So a blob is
//! checked after its row was published, and again after [`CONFIRM_AFTER`], when the other host must
//! have decided. If the blob is gone, it is stored again from the temp file or the uploaded file.
//! After a restart, recent uploads are checked again.

use std::sync::Arc;
use std::time::Duration;

use stowage_cloud::{CONFIRM_AFTER, Error, Hash};
use tokio::fs::File;
use tokio::time::{Instant, timeout_at};

use crate::blob_checks::BlobCheck;
use crate::engine::Engine;
use crate::source::temp_file;
use crate::upload_source;

/// The wait after a check that failed because the space cannot be reached.
const PAUSE: Duration = Duration::from_secs(10);

/// Runs the checks when they are due, until the host shuts down.
pub(crate) async fn run(engine: Arc<Engine>) {
    engine.stop.run_until_cancelled(run_checks(&engine)).await;
}

async fn run_checks(engine: &Arc<Engine>) {
    loop {
        let added = engine.blob_checks.added.notified();
        match engine.blob_checks.first() {
            None => added.await,
            Some(check) if check.at > Instant::now() => {
                // Either the check is due, or there may be an earlier one.
                let _ = timeout_at(check.at, added).await;
            }
            Some(check) => run_check(engine, check).await,
        }
    }
}

async fn run_check(engine: &Arc<Engine>, check: BlobCheck) {
    let again = match check_blob(engine, &check).await {
        Ok(()) if check.last => None,
        Ok(()) => Some(BlobCheck {
            at: Instant::now() + CONFIRM_AFTER,
            last: true,
            ..check
        }),
        Err(error) if error.is_transient() => Some(BlobCheck {
            at: Instant::now() + PAUSE,
            ..check
        }),
        Err(error) => {
            tracing::warn!(hash = %check.hash, %error, "cannot store a blob again");
            None
        }
    };
    engine.blob_checks.remove(&check);
    if let Some(again) = again {
        engine.blob_checks.insert(again);
    }
}

async fn check_blob(engine: &Arc<Engine>, check: &BlobCheck) -> Result<(), Error> {
    engine.cloud.published().await?;
    if engine.cloud.confirm_blob(&check.hash, check.size).await? {
        return Ok(());
    }
    // Its rows may have been deleted since. Then nobody wants it back.
    if !engine.cloud.is_named(&check.hash)? {
        return Ok(());
    }
    let source = match temp_file(engine, &check.hash).await {
        None => uploaded_file(engine, &check.hash).await,
        found => found,
    };
    let Some((file, size)) = source else {
        tracing::warn!(hash = %check.hash, "an uploaded blob is gone, and its file too; it cannot be stored again");
        return Ok(());
    };
    let put = engine.cloud.space().put_blob(file, &check.hash, size).await?;
    tracing::info!(hash = %check.hash, ?put, "another host removed an uploaded blob; it is stored again");
    Ok(())
}

/// The file that a finished task has uploaded, if it is unchanged.
async fn uploaded_file(engine: &Arc<Engine>, hash: &Hash) -> Option<(File, u64)> {
    let task = engine.tasks().uploaded_file(&hash.to_string())?;
    upload_source::open(engine, &task, hash).await.ok()
}
