//! Migration of stored rows.

use stowage_sdk::rows::migrate_stored_files;
use stowage_sdk::{Context, Migration, Step};

/// The version of the rows. Until version 1, files of the cloud
/// storage had no kind and were in no index.
pub const VERSION: u32 = 1;

/// Migrates rows of version 0, from `cursor` on.
///
/// # Errors
/// The cursor is not one of a step.
pub fn migrate(ctx: &dyn Context, cursor: Option<Vec<u8>>) -> Result<Step, String> {
    let mut step = Migration::begin(ctx, cursor)?;
    migrate_stored_files(&mut step);
    Ok(step.end())
}
