//! The signal that the host shuts down.

use tokio::sync::watch;

/// Completes when the host shuts down.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // The sender is gone, so the engine was dropped, and this future will be dropped too.
        std::future::pending::<()>().await;
    }
}
