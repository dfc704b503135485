//! The signal that the host shuts down.

use tokio::sync::watch;

/// Completes when the host shuts down.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Without a sender nobody can ask any more: whoever ran the engine has dropped it, and us with it.
        std::future::pending::<()>().await;
    }
}
