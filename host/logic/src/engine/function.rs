//! A function of a loaded module.

use std::fmt;
use std::sync::Arc;

use super::export::Export;
use super::module::Module;

/// A function of a loaded module.
#[derive(Clone)]
pub struct Function {
    module: Arc<Module>,
    ordinal: usize,
}

impl Function {
    pub(crate) fn new(module: &Arc<Module>, export: &Export) -> Function {
        Function {
            module: Arc::clone(module),
            ordinal: export.ordinal,
        }
    }

    /// The function of this module with this interface and name, whether or not anything serves it.
    pub fn find(module: &Arc<Module>, interface: &str, function: &str) -> Option<Function> {
        module
            .exports
            .iter()
            .find(|e| e.interface.interface == interface && e.function == function)
            .map(|export| Function::new(module, export))
    }

    /// The function of this module that serves what `self` serves. If two do, it is the later one.
    pub(crate) fn version_in(&self, module: &Arc<Module>) -> Option<Function> {
        let served = self.export().served()?;
        let export = module.exports.iter().rfind(|e| e.served().as_ref() == Some(&served))?;
        Some(Function::new(module, export))
    }

    /// The module.
    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// Its name in metrics and traces: a method as clients call it.
    pub fn method(&self) -> &str {
        self.module.stats.method(self.ordinal)
    }

    /// Counts a request whose parameters are not those of the function.
    pub(crate) fn count_malformed(&self) {
        self.module.stats.count_malformed(self.ordinal);
    }

    /// Its place among the module's exports.
    pub(crate) fn ordinal(&self) -> usize {
        self.ordinal
    }

    /// The function's name and type.
    pub fn export(&self) -> &Export {
        &self.module.exports[self.ordinal]
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let export = self.export();
        write!(f, "{} of {} {}", export.path(), self.module.name, self.module.version)
    }
}
