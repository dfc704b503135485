//! What is asked of a module before it serves.

use crate::Logic;
use crate::api::outcome::CallError;
use crate::engine::instance::Instance;
use crate::engine::module::Module;

impl Logic {
    /// Makes an instance and throws it away. Its start-up code runs with the limits of a call on trial.
    ///
    /// # Errors
    /// When there is no instance: the start-up code trapped, ran out of time or went over a limit.
    pub async fn instantiate(&self, module: &Module) -> Result<(), CallError> {
        let inner = &self.inner;
        let limits = &inner.trial_limits;
        // The semaphore is never closed.
        let _permit = inner.dry_runs.acquire().await.ok();
        let beat = inner.ticker.beat();
        beat.busy();
        let making = Instance::new(&inner.engine, module, limits, beat);
        match tokio::time::timeout(limits.wall, making).await {
            Ok(made) => made
                .map(drop)
                .map_err(|error| CallError::Instantiate(format!("{error:#}"))),
            Err(_) => Err(CallError::WallDeadline),
        }
    }
}
