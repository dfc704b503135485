//! Checks whether the disk has room again for a download that it had none for.

use crate::disk::{TargetDirectory, blocking};
use crate::engine::Engine;
use crate::outcome::Outcome;
use crate::task::Task;

/// Fails with [`Outcome::NoRoomYet`] while the disk lacks room for the rest of a download.
pub(crate) async fn check(engine: &Engine, task: &Task) -> Result<(), Outcome> {
    let Ok(target) = engine.roots.locate(task.directory.as_ref()) else {
        // The attempt tells what is wrong.
        return Ok(());
    };
    let min_free = engine.config.min_free_bytes;
    let names = [task.part_name(), task.opened_name()];
    let copies = if task.file.protected { 2 } else { 1 };
    let total = task.file.size.saturating_mul(copies);
    let has_room = blocking(move || {
        let directory = TargetDirectory::open(&target)?;
        let mut missing = total;
        for name in names {
            if let Some(part) = directory.existing_part(&name, 0)? {
                missing = missing.saturating_sub(part.occupied()?);
            }
        }
        Ok(directory.free_bytes()? >= missing.saturating_add(min_free))
    });
    match has_room.await {
        Ok(false) => Err(Outcome::NoRoomYet),
        // An error is one for the attempt to tell.
        Ok(true) | Err(_) => Ok(()),
    }
}
