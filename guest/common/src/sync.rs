//! Sync with the space.

use stowage_sdk::{Context, Error};

/// Syncs the local lists with the space.
///
/// # Errors
/// 500 the cloud cannot be reached.
pub fn sync(ctx: &dyn Context) -> Result<(), Error> {
    ctx.sync()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use stowage_sdk::MemoryContext;
    use stowage_sdk::bindings::cloud::{CloudError, SyncReport};

    use super::*;

    #[test]
    fn a_sync_returns_nothing_and_an_unreachable_cloud_is_a_failure() {
        let ctx = MemoryContext::new();
        ctx.set_sync(Ok(SyncReport {
            segments: 3,
            upserts: 9,
            removals: 1,
            skipped: 2,
        }));
        assert_eq!(sync(&ctx), Ok(()));
        for error in [
            CloudError::Unreachable("no route".to_owned()),
            CloudError::Missing("space.json".to_owned()),
            CloudError::Malformed("space.json".to_owned()),
        ] {
            ctx.set_sync(Err(error));
            assert_eq!(sync(&ctx).map_err(|error| error.code), Err(500));
        }
        assert!(ctx.is_empty(), "the rows come through apply, not through this call");
    }
}
