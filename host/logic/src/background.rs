//! A thread of low priority, for work that nobody waits for.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

/// The priority of the thread, as `nice` counts: 0 is normal, 19 is the lowest.
const NICENESS: i32 = 10;

/// The thread and what runs on it.
#[derive(Debug)]
pub(crate) struct Background {
    runtime: Option<Runtime>,
}

impl Background {
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start() -> std::io::Result<Background> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("background")
            .on_thread_start(|| {
                // On Linux this sets the priority of the calling thread. If it fails, the thread
                // works with normal priority.
                if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                    tracing::debug!(%error, "background work has the priority of calls");
                }
            })
            .enable_time()
            .build()?;
        Ok(Background { runtime: Some(runtime) })
    }

    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It does not wait, because this may run in a task of another runtime.
            runtime.shutdown_background();
        }
    }
}
