//! Migration of stored rows.

use stowage_sdk::rows::{TEMP_FILES, TEMP_FOLDERS};
use stowage_sdk::{Context, Migration, Step};

/// The version of the rows. Until version 1, keywords and texts
/// were compared with simple case folding.
pub const VERSION: u32 = 1;

/// Migrates rows of version 0, from `cursor` on.
///
/// # Errors
/// The cursor is not one of a step.
pub fn migrate(ctx: &dyn Context, cursor: Option<Vec<u8>>) -> Result<Step, String> {
    let mut step = Migration::begin(ctx, cursor)?;
    step.rewrite_texts(&TEMP_FOLDERS);
    step.rewrite_texts(&TEMP_FILES);
    Ok(step.end())
}
