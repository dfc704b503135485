//! Faults of the disk, simulated: power losses, errors, and a disk that is full.
//!
//! The crash points C1 to C11 are in docs/storage.md.

#[cfg(test)]
mod batches;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod crash_points;
#[cfg(test)]
mod damage;
mod disk;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod mutants;
pub mod power_loss;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trace;

/// Opens a store on a simulated disk.
#[cfg(test)]
fn open_disk(
    disk: &std::sync::Arc<disk::Disk>,
    half_bytes: usize,
    flush_mode: crate::backend::flusher::FlushMode,
) -> Result<crate::Store, crate::OpenError> {
    use std::sync::Arc;

    let (database, wal, space) = (Arc::clone(disk), Arc::clone(disk), Arc::clone(disk));
    let opener = crate::backend::opener::Opener {
        database: Box::new(move || Ok(Box::new(database.attach(disk::Name::Database)))),
        wal: Box::new(move || Ok(Box::new(wal.attach(disk::Name::Wal)))),
        has_space: Box::new(move || space.check_space()),
        cache_size_bytes: 1 << 20,
        half_bytes,
        fill_bytes: half_bytes,
        flush_mode,
        chunk_keys: 16,
        first_retry: std::time::Duration::from_millis(1),
        heal_interval: std::time::Duration::from_millis(1),
    };
    let backend = crate::backend::redb::RedbBackend::open_with(std::path::Path::new("disk"), opener)?;
    Ok(crate::Store::with_backend(Box::new(backend), crate::Config::default()).unwrap())
}
