//! Looks once more after blobs that an upload found in the space already.
//!
//! Another host may have been removing such a blob while our row that names it was on its way. So the blob is looked for after
//! the row was published, and again when the other host must have decided; if it is gone it is stored anew from the temp
//! files. After a restart the uploads of the last minutes are looked at again.

use std::time::Duration;

use stowage_cloud::{CONFIRM_AFTER, Error};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::blob_checks::BlobCheck;
use crate::engine::Engine;
use crate::shutdown::stopped;
use crate::source::Source;

/// The wait after a check that failed because the space is out of reach.
const PAUSE: Duration = Duration::from_secs(10);

/// Takes the checks that are due until the host shuts down.
pub(crate) async fn run(engine: &Engine, mut stop: watch::Receiver<bool>) {
    loop {
        let work = async {
            match engine.blob_checks.first() {
                None => engine.blob_checks.added.notified().await,
                Some(check) if check.at > Instant::now() => {
                    tokio::select! {
                        () = sleep_until(check.at) => {}
                        () = engine.blob_checks.added.notified() => {}
                    }
                }
                Some(check) => run_check(engine, check).await,
            }
        };
        tokio::select! {
            () = work => {}
            () = stopped(&mut stop) => return,
        }
    }
}

async fn run_check(engine: &Engine, check: BlobCheck) {
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
            tracing::warn!(hash = %check.hash, %error, "a blob could not be stored anew");
            None
        }
    };
    engine.blob_checks.remove(&check);
    if let Some(again) = again {
        engine.blob_checks.insert(again);
    }
}

async fn check_blob(engine: &Engine, check: &BlobCheck) -> Result<(), Error> {
    engine.cloud.published().await?;
    if engine.cloud.confirm_blob(&check.hash, check.size).await? {
        return Ok(());
    }
    match Source::temp_file(engine, &check.hash).await {
        Some(Source::File { file, size }) => {
            let file = file.try_clone().map_err(|error| Error::Local {
                subject: "a temp file".to_owned(),
                source: std::sync::Arc::new(error),
            })?;
            let file = tokio::fs::File::from_std(file);
            let put = engine.cloud.space().put_blob(file, &check.hash, size).await;
            put.map(
                |put| tracing::info!(hash = %check.hash, ?put, "another host removed a blob that was just uploaded"),
            )
        }
        _ => {
            tracing::warn!(hash = %check.hash, "a blob that was just uploaded is gone, and so is its temp file");
            Ok(())
        }
    }
}
