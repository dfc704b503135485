//! The functions of modules as clients know them.

use stowage_logic::codec::camel_case;
use stowage_logic::{Generation, Route};

/// The packages whose functions only the host calls: its own interfaces, and the rows of the space.
const HOST_PACKAGES: [&str; 2] = ["stowage:host", "stowage:space"];

/// The methods that a module serves, as clients call them, sorted.
pub(crate) fn methods(table: &Generation, module: &str) -> Vec<String> {
    let mut methods: Vec<String> = table
        .methods()
        .filter(|route| *route.module().name == *module)
        .map(wire_name)
        .collect();
    methods.sort();
    methods
}

/// The name by which clients call a function.
pub(crate) fn wire_name(route: &Route) -> String {
    camel_case(&route.export().function)
}

/// Whether clients can call a function.
pub(crate) fn is_method(route: &Route) -> bool {
    !HOST_PACKAGES.contains(&&*route.export().interface.package)
}

/// The methods of `before` that `after` does not serve, as clients call them.
pub(crate) fn lost_methods(before: &Generation, after: &Generation) -> Vec<String> {
    let mut lost: Vec<String> = before
        .routes()
        .filter(|route| after.version_of(route.function()).is_none())
        .map(|route| match is_method(route) {
            true => wire_name(route),
            false => format!("{} of {}", route.export().function, route.export().interface.interface),
        })
        .collect();
    lost.sort();
    lost
}
