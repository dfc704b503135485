//! The version of a function that an attempt runs.

use std::sync::Arc;

use super::observer::Observer;
use crate::engine::function::Function;

/// The version of a function that an attempt runs, and its observers.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) function: Function,
    /// The era (see `fence.rs`) in which attempts may begin.
    pub(crate) era: u64,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
}

impl Target {
    /// A target of the first era, without observers.
    pub(crate) fn new(function: Function) -> Target {
        Target {
            function,
            era: 0,
            observers: Vec::new(),
        }
    }
}
