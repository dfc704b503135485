//! Bounds the memory and tables of instances.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::ResourceLimiter;

use super::limits::Limits;
use crate::api::error::GrowthLimit;

/// All instances of a module together may have as much memory as this many full ones.
const FULL_INSTANCES: usize = 16;

/// Bytes of linear memory that the instances of one module have together.
#[derive(Debug, Default)]
pub(crate) struct ModuleMemory(AtomicUsize);

/// Checks the memory and tables of a store against the limits. It remembers a refusal, because
/// wasmtime reports only the trap that follows.
#[derive(Debug)]
pub(crate) struct Limiter {
    max_memory_bytes: usize,
    max_table_elements: usize,
    /// Why memory or a table was refused during the run.
    pub(crate) refused: Option<GrowthLimit>,
    /// Bytes of linear memory that the store has.
    pub(crate) own_bytes: usize,
    module_memory: Arc<ModuleMemory>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits, module_memory: &Arc<ModuleMemory>) -> Limiter {
        Limiter {
            max_memory_bytes: limits.memory_bytes,
            max_table_elements: limits.table_elements,
            refused: None,
            own_bytes: 0,
            module_memory: Arc::clone(module_memory),
        }
    }

    /// Takes bytes of what all instances of the module may have.
    fn take(&mut self, bytes: usize) -> bool {
        let max = self.max_memory_bytes.saturating_mul(FULL_INSTANCES);
        let taken = self.module_memory.0.fetch_add(bytes, Ordering::Relaxed);
        if taken.saturating_add(bytes) > max {
            self.module_memory.0.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.own_bytes += bytes;
        true
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.module_memory.0.fetch_sub(self.own_bytes, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.max_memory_bytes {
            self.refused = Some(GrowthLimit::Memory);
            return Ok(false);
        }
        let fits = self.take(desired.saturating_sub(current));
        if !fits {
            self.refused = Some(GrowthLimit::ModuleMemory);
        }
        Ok(fits)
    }

    // Without a pool these bound how many there are. With one, the pool's limits are the same or
    // lower.
    fn memories(&self) -> usize {
        2
    }

    fn tables(&self) -> usize {
        8
    }

    fn instances(&self) -> usize {
        20
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.max_table_elements;
        if !fits {
            self.refused = Some(GrowthLimit::Table);
        }
        Ok(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instances_of_a_module_share_its_memory() {
        let limits = Limits {
            memory_bytes: 100,
            ..Limits::default()
        };
        let shared = Arc::default();
        let mut full: Vec<Limiter> = (0..FULL_INSTANCES).map(|_| Limiter::new(&limits, &shared)).collect();
        for limiter in &mut full {
            assert!(limiter.memory_growing(0, 60, None).is_ok_and(|fits| fits));
            assert!(limiter.memory_growing(60, 100, None).is_ok_and(|fits| fits));
            assert!(limiter.memory_growing(100, 101, None).is_ok_and(|fits| !fits));
            assert_eq!((limiter.refused, limiter.own_bytes), (Some(GrowthLimit::Memory), 100));
        }
        let mut another = Limiter::new(&limits, &shared);
        assert!(another.memory_growing(0, 1, None).is_ok_and(|fits| !fits));
        assert_eq!(another.refused, Some(GrowthLimit::ModuleMemory));
        full.pop();
        assert!(another.memory_growing(0, 100, None).is_ok_and(|fits| fits));
        drop((full, another));
        assert_eq!(shared.0.load(Ordering::Relaxed), 0);
    }
}
