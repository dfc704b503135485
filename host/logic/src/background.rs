//! A thread of low priority, for work that nobody waits for.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

/// How far below others the thread is scheduled, from 0 to 19.
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
                // On Linux the priority is the calling thread's own. Where it cannot be lowered the thread works all the same.
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
            // Without waiting: whoever drops us may be a task of another runtime.
            runtime.shutdown_background();
        }
    }
}
