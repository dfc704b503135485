//! The route of a request: the function that answers it, and other versions that may.

use std::fmt;
use std::sync::Arc;

use crate::call::target::Target;
use crate::engine::export::Export;
use crate::engine::function::Function;
use crate::engine::module::Module;
use crate::rollout::trial::Rollout;

/// The function that answers a request.
#[derive(Clone)]
pub struct Route {
    pub(crate) live: Target,
    /// Which other version may answer.
    pub(crate) rollout: Option<Rollout>,
}

impl Route {
    /// The function.
    pub fn function(&self) -> &Function {
        &self.live.function
    }

    /// The function's module.
    pub fn module(&self) -> &Arc<Module> {
        self.live.function.module()
    }

    /// The function's name and type.
    pub fn export(&self) -> &Export {
        self.live.function.export()
    }

    /// All versions that may answer.
    pub(crate) fn targets_mut(&mut self) -> impl Iterator<Item = &mut Target> {
        let other = self.rollout.as_mut().and_then(Rollout::other_mut);
        std::iter::once(&mut self.live).chain(other)
    }
}

/// A route to a function that no other version may answer, and that nobody observes.
impl From<Function> for Route {
    fn from(function: Function) -> Route {
        Route {
            live: Target::new(function),
            rollout: None,
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.function(), f)
    }
}
